"""What is found in a catalogue file that can be loaded, where, and that the fix is one."""

import json
from datetime import date
from importlib.resources import files
from typing import Any

import pytest

from schemas.catalog_check import check
from schemas.catalog_file import parse
from schemas.catalog_offers import StrangeStates, strange_states
from worker.operations.catalog_advice import Finding, advise

DOLLAR = {"code": "USD", "prefix": "$", "suffix": " USD", "digits": 2, "default": True}
EURO = {"code": "EUR", "prefix": "€", "suffix": " EUR", "digits": 2, "default": False}
TODAY = date(2026, 11, 23)


def findings_in(**sections: Any) -> list[Finding]:
    file = parse(json.dumps({"currencies": [DOLLAR, EURO], **sections}))
    check(file)
    return advise(file, TODAY)


def found_in(**sections: Any) -> list[tuple[str, str]]:
    """Places and codes, apart from what a currency without prices is told: most of these files are in dollars."""
    found = [(finding.path, finding.code) for finding in findings_in(**sections)]
    return [finding for finding in found if finding[1] != "nothing_sold"]


def price(amount: str, setup: str = "0.00") -> dict[str, str]:
    return {"price": amount, "setup": setup}


MONTHLY = {"USD": {"monthly": price("9.95")}}
IN_BOTH = {"USD": {"monthly": price("9.95")}, "EUR": {"monthly": price("8.95")}}


def product(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1, "name": "Starter", "type": "hosting", "paytype": "recurring", "tax": True, "retired": False,
        "allowqty": "no", "stock_control": False, "stock_quantity": 0, "pricing": MONTHLY, **changes,
    }  # fmt: skip


def choice(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "name": "1 GB", "pricing": MONTHLY, **changes}


def option(*choices: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"id": 1, "name": "Disk", "type": "dropdown", "choices": list(choices) or [choice()], **changes}


def addon(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "name": "SSL", "tax": False, "products": "all", "pricing": MONTHLY, **changes}


def tld(**changes: Any) -> dict[str, Any]:
    terms = {"USD": {"register": {"1": "14.95"}, "renew": {"1": "14.95"}}}
    return {"tld": ".com", "tax": True, "epp_required": False, "pricing": terms, **changes}


def rule(**changes: Any) -> dict[str, Any]:
    return {"id": 1, "level": 1, "name": "VAT", "country": "GB", "rate": "20", "compound": False, **changes}


def promotion(**changes: Any) -> dict[str, Any]:
    return {
        "id": 1, "code": "TEN", "type": "percentage", "value": "10", "recurring": False, "recur_for": 0, "max_uses": 0,
        "uses": 0, "once_per_client": False, "new_signups_only": False, "existing_clients_only": False,
        "applies_to": {"products": "all", "addons": [], "tlds": []}, "apply_once": False, **changes,
    }  # fmt: skip


# ---------------------------------------------------------------- the whole


def test_a_shop_that_sells_what_it_says_has_no_findings() -> None:
    found = findings_in(
        products=[product(pricing=IN_BOTH, config_options=[option(choice(pricing=IN_BOTH))])],
        addons=[addon(pricing=IN_BOTH)],
        tlds=[tld()],
        promotions=[promotion()],
        tax_rules=[rule()],
    )

    assert found == []


def test_a_finding_says_where_what_happens_to_whom_and_the_mend() -> None:
    yearly = {"USD": {"monthly": price("9.95"), "annually": price("99.00")}, "EUR": {"monthly": price("8.95")}}

    assert findings_in(products=[product(), product(id=2, pricing=yearly)]) == [
        Finding(
            "products[1].pricing.EUR",
            "product_price_missing",
            "Starter has no price for annually here, but in USD: clients who pay in EUR and order it so are refused; "
            "give one, or -1.00 if that is meant",
        )
    ]


def test_findings_stand_in_the_order_of_the_file() -> None:
    found = found_in(
        tlds=[tld(pricing={})],
        products=[product(stock_control=True, pricing={"USD": {"onetime": price("5.00")}}), product(id=2, pricing={})],
    )

    assert found == [
        ("products[0].pricing.USD", "product_cycle_unfit"),
        ("products[0].stock_quantity", "product_sold_out"),
        ("products[1].pricing", "product_not_sold"),
        ("tlds[0].pricing", "tld_not_sold"),
    ]


def test_nothing_about_a_retired_product_hurts() -> None:
    assert found_in(products=[product(retired=True, pricing={}, stock_control=True)]) == []


def test_a_name_drives_no_terminal() -> None:
    (finding,) = findings_in(currencies=[DOLLAR], products=[product(name="\x1b[2Jx", pricing={})])

    assert finding.message.startswith(r"'\x1b[2Jx' has no price")


def test_a_part_of_a_catalogue_is_not_blamed_for_what_the_database_may_have() -> None:
    everything = {"products": "all", "addons": "all", "tlds": "all"}

    assert findings_in(promotions=[promotion(applies_to=everything)], tax_rules=[rule()]) == []


@pytest.mark.parametrize(
    "part",
    [
        {"promotions": [promotion(applies_to={"products": [1], "addons": [], "tlds": []})]},
        {"promotions": [promotion(type="fixed_amount")], "products": [product(pricing=IN_BOTH)]},
        {"products": [product(free_domain={"cycles": ["monthly"], "tlds": [".com"]})]},
    ],
)
def test_a_part_that_names_what_is_elsewhere_is_not_blamed_for_it(part: dict[str, Any]) -> None:
    file = parse(json.dumps(part))
    check(file)

    assert advise(file, TODAY) == []


def test_what_is_found_in_the_sample_is_true() -> None:
    sample = files("deploy").joinpath("sample", "catalog.json").read_bytes()

    assert [(finding.path, finding.code) for finding in advise(parse(sample), TODAY)] == [
        ("products[0].pricing.EUR", "product_price_missing"),  # semiannually is in USD only
        ("products[8].stock_quantity", "product_sold_out"),
        ("tlds[3].extras.EUR", "tld_extra_missing"),  # .eu has DNS management in USD only
        ("promotions[0].value", "promotion_below_group"),  # 10 %, as the resellers have anyway
        ("promotions[1].values.EUR", "promotion_amount_missing"),  # FIVEOFF is for Starter, which is sold in EUR
        ("promotions[2].values.EUR", "promotion_amount_missing"),  # JUST8 likewise
        ("promotions[4].end_date", "promotion_over"),
        ("promotions[5].uses", "promotion_over"),
        ("promotions[6].value", "promotion_below_group"),
        ("promotions[21].value", "promotion_below_group"),
    ]


# ---------------------------------------------------------------- the shop and its taxes


def test_a_currency_in_which_nothing_is_priced_is_found() -> None:
    free = product(id=2, paytype="free", pricing={})  # it may be had in every currency

    (finding,) = findings_in(products=[product(), free])

    assert (finding.path, finding.code) == ("currencies[1]", "nothing_sold")
    assert findings_in(products=[product(pricing=IN_BOTH), free]) == []


def test_payment_methods_of_which_none_is_active_are_found() -> None:
    paypal = {"name": "paypal", "display_name": "PayPal", "active": False, "order": 1}
    stripe = {"name": "stripe", "display_name": "Stripe", "active": False, "order": 2}

    assert found_in(payment_methods=[paypal, stripe]) == [("payment_methods[0].active", "no_payment_method")]
    assert found_in(payment_methods=[paypal, {**stripe, "active": True}]) == []


def test_a_group_that_pays_nothing_is_found() -> None:
    group = {"id": 1, "name": "Reseller", "discount_percent": "100.00"}

    assert found_in(client_groups=[group]) == [("client_groups[0].discount_percent", "group_pays_nothing")]
    assert found_in(client_groups=[{**group, "discount_percent": "10.00"}]) == []


def test_of_two_tax_rules_for_one_place_the_one_that_is_never_charged_is_found() -> None:
    # Rules are read by id (repository/sql/catalog.sql), and the first that fits is charged.
    found = found_in(tax_rules=[rule(id=5, state="London"), rule(id=2, state="London"), rule(id=3)])

    assert found == [("tax_rules[0]", "tax_overlap")]
    assert found_in(tax_rules=[rule(id=5, state="Leeds"), rule(id=2, state="London"), rule(id=3)]) == []


def test_states_that_are_written_otherwise_overlap_too() -> None:
    quebec = rule(id=1, country="CA", state="Québec", state_aliases=["QC"])

    for state in ("QUEBEC", "qc"):
        found = found_in(tax_rules=[quebec, rule(id=2, country="CA", state=state)])
        assert found == [("tax_rules[1]", "tax_overlap")]
    ontario = rule(id=2, country="CA", state="Ontario", state_aliases=["Qc."])
    assert found_in(tax_rules=[quebec, ontario]) == []


def test_states_of_clients_that_no_rule_of_their_country_names_are_told() -> None:
    """No fault: a state without a tax of its own is one as well."""
    client = {
        "firstname": "", "lastname": "", "companyname": "", "email": "", "language": "", "address1": "", "city": "",
        "postcode": "", "currency": "USD", "tax_exempt": False, "credit": "0.00", "status": "Active",
    }  # fmt: skip
    places = [
        ("CA", "Quebec"), ("CA", " québec "), ("CA", "qc"), ("CA", "Quebeck"), ("CA", "Alberta"), ("CA", "Alberta "),
        ("CA", ""), ("US", "Texas"), ("GB", "London"), ("BR", "São Paulo"),
    ]  # fmt: skip
    rules = [
        rule(id=1, country="CA", state="Quebec", state_aliases=["QC"]),
        rule(id=2, country="US", state="New York"),
        rule(id=3, country="GB"),
        rule(id=4, country=None),
    ]
    clients = [{**client, "id": n, "country": country, "state": state} for n, (country, state) in enumerate(places, 1)]
    file = parse(json.dumps({"currencies": [DOLLAR], "clients": clients, "tax_rules": rules}))

    assert strange_states(file) == [
        StrangeStates("CA", {"Alberta": 2, "Quebeck": 1}),
        StrangeStates("US", {"Texas": 1}),
    ]
    assert "client" not in " ".join(finding.code for finding in advise(file, TODAY))


def test_two_catch_alls_overlap() -> None:
    found = found_in(tax_rules=[rule(id=1, country=None), rule(id=2, country=None)])

    assert found == [("tax_rules[1]", "tax_overlap")]
    assert found_in(tax_rules=[rule(id=1, country=None), rule(id=2, level=2, country=None)]) == []


def test_a_second_tax_with_no_first_below_it_is_found() -> None:
    quebec = rule(id=2, level=2, name="QST", country="CA", state="Quebec")

    assert found_in(tax_rules=[rule(), quebec]) == [("tax_rules[1].level", "tax_second_alone")]
    for first in (rule(country="CA", state="Quebec"), rule(country="CA"), rule(country=None)):
        assert found_in(tax_rules=[first, quebec]) == []
    by_alias = rule(country="CA", state="Kebek", state_aliases=["QUÉBEC"])
    assert found_in(tax_rules=[by_alias, quebec]) == []


# ---------------------------------------------------------------- products


@pytest.mark.parametrize("prices", [{}, {"USD": {}}, {"USD": {"monthly": price("-1.00")}}])
def test_a_product_without_any_price_is_found(prices: dict[str, Any]) -> None:
    assert found_in(products=[product(pricing=prices)]) == [("products[0].pricing", "product_not_sold")]
    assert found_in(products=[product(pricing=MONTHLY)]) == []
    assert found_in(products=[product(pricing=prices, paytype="free")]) == []


def test_a_price_of_minus_one_is_missing_on_purpose() -> None:
    dollars = {"monthly": price("9.95"), "annually": price("99.00")}
    euros = {"monthly": price("8.95"), "annually": price("-1.00")}

    assert found_in(products=[product(pricing={"USD": dollars, "EUR": euros})]) == []


def test_a_currency_that_a_product_is_not_sold_in_at_all_is_no_gap() -> None:
    withdrawn = {"USD": {"monthly": price("9.95"), "annually": price("99.00")}, "EUR": {"monthly": price("-1.00")}}

    assert found_in(products=[product(), product(id=2, pricing=IN_BOTH), product(id=3, pricing=withdrawn)]) == []


def test_prices_of_what_is_free_are_found() -> None:
    yearly = {"USD": {"monthly": price("9.95"), "annually": price("99.00")}, "EUR": {"monthly": price("8.95")}}

    found = found_in(products=[product(paytype="free", pricing=yearly)])

    assert found == [("products[0].paytype", "product_price_ignored")]
    assert found_in(products=[product(paytype="free", pricing={"USD": {"free": price("0.00")}})]) == []


def test_a_cycle_that_bills_other_than_the_paytype_says_is_found() -> None:
    onetime = {"USD": {"onetime": price("150.00")}}

    assert found_in(products=[product(paytype="onetime", pricing=MONTHLY), product(id=2, pricing=onetime)]) == [
        ("products[0].pricing.USD", "product_cycle_unfit"),
        ("products[1].pricing.USD", "product_cycle_unfit"),
    ]
    assert found_in(products=[product(paytype="onetime", pricing=onetime), product(id=2, pricing=MONTHLY)]) == []


def test_a_product_that_begins_sold_out_is_found() -> None:
    assert found_in(products=[product(stock_control=True)]) == [("products[0].stock_quantity", "product_sold_out")]
    assert found_in(products=[product(stock_control=True, stock_quantity=1)]) == []
    assert found_in(products=[product(stock_control=False)]) == []


def test_prorata_without_a_monthly_price_is_found() -> None:
    prorata, yearly = {"day": 1}, {"USD": {"annually": price("99.00")}}

    found = found_in(products=[product(prorata=prorata, pricing=yearly)])

    assert found == [("products[0].prorata", "prorata_ignored")]
    assert found_in(products=[product(prorata=prorata)]) == []


def test_a_prorata_product_that_is_sold_on_other_cycles_too_is_found() -> None:
    prorata = {"day": 1, "charge_next_month": 20}
    both = {"USD": {"monthly": price("9.95"), "annually": price("99.00")}}

    assert found_in(products=[product(prorata=prorata, pricing=both)]) == [("products[0].prorata", "prorata_in_part")]
    assert found_in(products=[product(pricing=both)]) == []


def test_a_free_domain_with_a_cycle_that_is_not_sold_is_found() -> None:
    offer = {"cycles": ["monthly", "annually"], "tlds": [".com"]}
    both = {"USD": {"monthly": price("9.95"), "annually": price("99.00")}}

    found = found_in(products=[product(free_domain=offer)], tlds=[tld()])

    assert found == [("products[0].free_domain.cycles[1]", "free_domain_cycle")]
    assert found_in(products=[product(free_domain=offer, pricing=both)], tlds=[tld()]) == []


def test_a_free_domain_that_is_not_sold_for_one_year_is_found() -> None:
    starter = product(free_domain={"cycles": ["monthly"], "tlds": [".com"]}, pricing=IN_BOTH)
    dollars = {"register": {"1": "14.95"}, "renew": {"1": "14.95"}}
    euros = {"register": {"1": "-1.00", "2": "27.90"}, "renew": {"1": "13.95"}}

    found = found_in(products=[starter], tlds=[tld(pricing={"USD": {**dollars}, "EUR": euros})])

    assert ("products[0].free_domain.tlds[0]", "free_domain_tld") in found
    starter["free_domain"]["cycles"] = ["annually"]  # on which nothing is sold in euros
    found = found_in(products=[starter], tlds=[tld(pricing={"USD": {**dollars}, "EUR": euros})])
    assert "free_domain_tld" not in {code for _, code in found}
    starter["free_domain"]["cycles"] = ["monthly"]
    euros["transfer"] = {"1": "13.95"}
    found = found_in(products=[starter], tlds=[tld(pricing={"USD": {**dollars}, "EUR": euros})])
    assert "free_domain_tld" not in {code for _, code in found}


# ---------------------------------------------------------------- configurable options


def test_a_default_choice_that_would_be_given_away_is_found() -> None:
    both = {"USD": {"monthly": price("2.00"), "annually": price("20.00")}}
    disk = option(choice(), choice(id=2, name="5 GB", pricing=both))

    (finding,) = findings_in(currencies=[DOLLAR], products=[product(pricing=both, config_options=[disk])])

    assert finding == Finding(
        "products[0].config_options[0].choices[0].pricing.USD",
        "default_choice_unpriced",
        "Disk: 1 GB has no price for annually: orders that do not ask get it for 0.00, and those that ask are refused; "
        "give one, 0.00 if it is free",
    )
    disk["choices"][0]["pricing"] = {"USD": {"monthly": price("0.00"), "annually": price("0.00")}}
    assert found_in(products=[product(pricing=both, config_options=[disk])]) == []


def test_a_default_choice_is_given_away_with_minus_one_as_well() -> None:
    withdrawn = choice(pricing={"USD": {"monthly": price("-1.00")}})
    other = choice(id=2, name="5 GB")

    assert found_in(products=[product(config_options=[option(withdrawn, other)])]) == [
        ("products[0].config_options[0].choices[0].pricing.USD", "default_choice_unpriced")
    ]
    assert found_in(products=[product(config_options=[option(other, withdrawn)])]) == []


def test_a_choice_of_what_is_free_wants_a_price_on_the_cycle_free() -> None:
    free = {"free": price("0.00")}

    found = found_in(products=[product(paytype="free", pricing={}, config_options=[option()])])

    assert found == [
        ("products[0].config_options[0].choices[0].pricing.USD", "default_choice_unpriced"),
        ("products[0].config_options[0].choices[0].pricing.EUR", "default_choice_unpriced"),
    ]
    disk = option(choice(pricing={"USD": free, "EUR": free}))
    assert found_in(products=[product(paytype="free", pricing={}, config_options=[disk])]) == []


def test_a_choice_that_lacks_a_currency_of_its_product_is_found() -> None:
    disk = option(choice(pricing=IN_BOTH), choice(id=2, name="5 GB"))

    assert found_in(products=[product(pricing=IN_BOTH, config_options=[disk])]) == [
        ("products[0].config_options[0].choices[1].pricing.EUR", "choice_unpriced")
    ]
    disk["choices"][1]["pricing"] = IN_BOTH
    assert found_in(products=[product(pricing=IN_BOTH, config_options=[disk])]) == []


def test_what_is_not_ordered_unless_asked_for_is_not_given_away() -> None:
    unpriced = choice(pricing={})
    options = [
        option(unpriced, type="yesno"),
        option({**unpriced, "id": 2}, id=2, type="quantity", min=0, max=5),
        option({**unpriced, "id": 3}, id=3, type="quantity", min=1, max=5),
    ]

    assert found_in(products=[product(config_options=options)]) == [
        ("products[0].config_options[2].choices[0].pricing.USD", "default_choice_unpriced"),
        ("products[0].config_options[0].choices[0].pricing.USD", "choice_unpriced"),
        ("products[0].config_options[1].choices[0].pricing.USD", "choice_unpriced"),
    ]


def test_a_quantity_of_none_at_most_is_found() -> None:
    mailboxes = option(type="quantity", min=0, max=0)

    assert found_in(products=[product(config_options=[mailboxes])]) == [
        ("products[0].config_options[0].max", "quantity_none")
    ]
    assert found_in(products=[product(config_options=[{**mailboxes, "max": 1}])]) == []


def test_two_choices_of_one_name_are_found() -> None:
    disk = option(choice(), choice(id=2, name=" 1 gb"))
    memory = option(choice(id=3), id=2, name="Memory")  # another option may have a choice of that name

    assert found_in(products=[product(config_options=[disk, memory])]) == [
        ("products[0].config_options[0].choices[1].name", "choice_named_twice")
    ]
    disk["choices"][1]["name"] = "2 GB"
    assert found_in(products=[product(config_options=[disk, memory])]) == []


# ---------------------------------------------------------------- addons and TLDs


def test_an_addon_that_nobody_can_order_is_found() -> None:
    found = found_in(products=[product()], addons=[addon(pricing={}), addon(id=2, products=[])])

    assert found == [("addons[0].pricing", "addon_not_sold"), ("addons[1].products", "addon_not_sold")]
    assert found_in(products=[product()], addons=[addon(), addon(id=2, products=[1])]) == []


def test_an_addon_without_a_price_for_the_cycle_of_its_product_is_found() -> None:
    both = {"monthly": price("2.00"), "annually": price("20.00")}
    ssl = addon(pricing={"USD": both, "EUR": {"monthly": price("1.80")}})
    yearly = product(pricing={"USD": both, "EUR": both})

    assert found_in(products=[yearly], addons=[ssl]) == [("addons[0].pricing.EUR", "addon_price_missing")]
    assert found_in(products=[product(pricing=IN_BOTH)], addons=[ssl]) == []  # nothing is sold in euros for a year
    assert found_in(products=[yearly, product(id=2)], addons=[{**ssl, "products": [2]}]) == []
    assert found_in(products=[yearly], addons=[addon(pricing={"USD": both, "EUR": both})]) == []


def test_an_addon_that_is_billed_on_another_cycle_than_its_product_is_as_the_specification_has_it() -> None:
    assert found_in(products=[product()], addons=[addon(pricing={"USD": {"annually": price("50.00")}})]) == []


def test_a_tld_without_any_price_is_found() -> None:
    assert found_in(tlds=[tld(pricing={})]) == [("tlds[0].pricing", "tld_not_sold")]
    assert found_in(tlds=[tld(pricing={"USD": {"renew": {"1": "14.95"}}})]) == []  # taken on no more, but kept


@pytest.mark.parametrize("kind", ["register", "transfer"])
def test_a_tld_that_is_sold_and_never_renewed_is_found(kind: str) -> None:
    sold = {kind: {"1": "13.95"}}

    found = found_in(tlds=[tld(pricing={"EUR": sold})])

    assert found == [("tlds[0].pricing.EUR.renew", "tld_not_renewed")]
    assert found_in(tlds=[tld(pricing={"EUR": {**sold, "renew": {"1": "13.95"}}})]) == []


def test_years_that_one_currency_lacks_are_found() -> None:
    dollars = {"register": {"1": "14.95", "2": "29.90"}, "renew": {"1": "14.95"}}
    euros: dict[str, Any] = {"register": {"1": "13.95"}, "renew": {"1": "13.95"}}

    assert found_in(tlds=[tld(pricing={"USD": dollars, "EUR": euros})]) == [
        ("tlds[0].pricing.EUR.register", "tld_price_missing")
    ]
    for meant in ("27.90", "-1.00"):
        euros["register"]["2"] = meant
        assert found_in(tlds=[tld(pricing={"USD": dollars, "EUR": euros})]) == []


def test_an_extra_that_one_currency_lacks_is_found() -> None:
    terms = {"register": {"1": "14.95"}, "renew": {"1": "14.95"}}
    pricing = {"USD": terms, "EUR": terms}

    found = found_in(tlds=[tld(pricing=pricing, extras={"USD": {"idprotection": "6.00"}})])

    assert found == [("tlds[0].extras.EUR", "tld_extra_missing")]
    for meant in ("5.40", "-1.00"):
        extras = {"USD": {"idprotection": "6.00"}, "EUR": {"idprotection": meant}}
        assert found_in(tlds=[tld(pricing=pricing, extras=extras)]) == []
    assert found_in(tlds=[tld(extras={"USD": {"idprotection": "6.00"}})]) == []  # not sold in euros at all


# ---------------------------------------------------------------- promotions


def test_a_promotion_is_over_on_the_day_after_its_last() -> None:
    found = found_in(products=[product()], promotions=[promotion(end_date="2026-11-22")])

    assert found == [("promotions[0].end_date", "promotion_over")]
    assert found_in(products=[product()], promotions=[promotion(end_date="2026-11-23")]) == []
    assert found_in(products=[product()], promotions=[promotion(start_date="2099-01-01")]) == []


def test_a_promotion_that_is_used_up_is_found() -> None:
    found = found_in(products=[product()], promotions=[promotion(max_uses=2, uses=2)])

    assert found == [("promotions[0].uses", "promotion_over")]
    assert found_in(products=[product()], promotions=[promotion(max_uses=3, uses=2)]) == []
    assert found_in(products=[product()], promotions=[promotion(max_uses=0, uses=2)]) == []


def test_a_promotion_that_is_over_is_found_once() -> None:
    assert found_in(products=[product()], promotions=[promotion(end_date="2020-01-01", value="0", recur_for=3)]) == [
        ("promotions[0].end_date", "promotion_over")
    ]


@pytest.mark.parametrize("type_", ["percentage", "fixed_amount"])
def test_a_promotion_of_nothing_is_found(type_: str) -> None:
    found = found_in(products=[product()], promotions=[promotion(type=type_, value="0.00")])

    assert found == [("promotions[0].value", "promotion_zero")]
    assert found_in(products=[product()], promotions=[promotion(type=type_, value="1.00")]) == []
    in_euros = promotion(type=type_, value="0.00", values={"EUR": "1.00"})
    assert found_in(products=[product()], promotions=[in_euros]) == []


@pytest.mark.parametrize("type_", ["price_override", "free_setup"])
def test_a_price_of_nothing_and_a_free_setup_have_a_value_of_nothing(type_: str) -> None:
    assert found_in(products=[product()], promotions=[promotion(type=type_, value="0.00")]) == []


@pytest.mark.parametrize(
    ("applies_to", "place"),
    [
        ({"products": [], "addons": [], "tlds": []}, "applies_to"),
        ({"products": [2], "addons": [], "tlds": []}, "applies_to"),  # retired
        ({"products": [], "addons": [1], "tlds": []}, "applies_to"),  # has no price
        ({"products": [], "addons": [2], "tlds": []}, "applies_to"),  # goes with no product
        ({"products": [1], "addons": [], "tlds": []}, "cycles"),  # monthly only
        ({"products": [], "addons": [], "tlds": [".com"]}, "cycles"),  # a domain has no cycle
    ],
)
def test_a_promotion_for_what_is_not_sold_is_found(applies_to: dict[str, Any], place: str) -> None:
    shop = {
        "products": [product(), product(id=2, retired=True, pricing={"USD": {"annually": price("99.00")}})],
        "addons": [addon(pricing={}), addon(id=2, products=[])],
        "tlds": [tld()],
    }
    yearly = promotion(cycles=["annually"], applies_to=applies_to)

    assert found_in(**shop, promotions=[yearly])[2:] == [(f"promotions[0].{place}", "promotion_for_nothing")]
    fixed = promotion(cycles=["annually", "monthly"], applies_to={**applies_to, "products": [1]})
    assert found_in(**shop, promotions=[fixed])[2:] == []


def test_a_promotion_that_requires_a_retired_product_may_still_be_for_its_owners() -> None:
    products = [product(), product(id=2, retired=True)]

    assert found_in(products=products, promotions=[promotion(requires_products=[2])]) == []


@pytest.mark.parametrize("type_", ["fixed_amount", "price_override"])
def test_an_amount_that_a_currency_lacks_is_found(type_: str) -> None:
    five = promotion(type=type_, value="5.00")

    found = found_in(products=[product(pricing=IN_BOTH)], promotions=[five])

    assert found == [("promotions[0].values.EUR", "promotion_amount_missing")]
    for meant in ("4.50", "-1.00"):
        assert found_in(products=[product(pricing=IN_BOTH)], promotions=[{**five, "values": {"EUR": meant}}]) == []
    assert found_in(products=[product()], promotions=[five]) == []  # it is for nothing that is sold in euros
    assert found_in(products=[product(pricing=IN_BOTH)], promotions=[promotion(type="percentage")]) == []


def test_a_count_of_a_promotion_that_does_not_recur_is_found() -> None:
    found = found_in(products=[product()], promotions=[promotion(recur_for=3)])

    assert found == [("promotions[0].recur_for", "promotion_recurs_once")]
    assert found_in(products=[product()], promotions=[promotion(recur_for=3, recurring=True)]) == []


def test_a_code_that_can_not_beat_a_group_is_found() -> None:
    group = {"id": 1, "name": "Reseller", "discount_percent": "10.00"}

    found = found_in(products=[product()], client_groups=[group], promotions=[promotion(value="10.00")])

    assert found == [("promotions[0].value", "promotion_below_group")]
    assert found_in(products=[product()], client_groups=[group], promotions=[promotion(value="10.01")]) == []


def test_a_redemption_without_a_fee_is_found() -> None:
    redemption = {"days": 30, "fee": {"EUR": "70.00", "USD": "-1.00"}}

    assert found_in(tlds=[tld(redemption=redemption)]) == [("tlds[0].redemption.fee", "tld_redemption_without_fee")]
    assert found_in(tlds=[tld(redemption={"days": 30, "fee": {"USD": "80.00"}})]) == []


def test_a_grace_with_a_fee_in_another_currency_only_is_found() -> None:
    assert found_in(tlds=[tld(grace={"days": 30, "fee": {"EUR": "18.00"}})]) == [
        ("tlds[0].grace.fee", "tld_grace_fee_missing")
    ]
    assert found_in(tlds=[tld(grace={"days": 30})]) == []
