"""Tax: which rule, on what, on top or contained (addorder.md 5.11)."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.catalog import DomainType, Extra, PromotionType, TaxRule
from schemas.order import AddonAsked, Bill, Client, Item
from schemas.shop_settings import ShopSettings, Tax, TaxExempt
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_addon,
    an_option,
    an_owned_addon,
    an_owned_domain,
    an_owned_service,
    ordered,
    some_facts,
)


def bill_of(*rules: TaxRule, price: str = "100.00", client: Client | None = None, tax: Tax = Tax.EXCLUSIVE) -> Bill:
    """Bill one taxed product to a client in Texas."""
    catalog = a_catalog(products=[a_product(taxed=True, prices={MONTHLY: price})], tax_rules=rules)
    settings, facts = ShopSettings(tax=tax), some_facts(client=client)
    return ordered(a_request(Item(key=0, product_id=1)), catalog, facts=facts, settings=settings).bill


def taxes(bill: Bill) -> list[tuple[int, str]]:
    return [(tax.level, str(tax.amount)) for tax in bill.taxes]


# ---------------------------------------------------------------- amounts


def test_exclusive_tax_comes_on_top() -> None:
    bill = bill_of(a_tax_rule("20.000"), price="9.95")

    assert taxes(bill) == [(1, "1.99")]
    assert str(bill.total) == "11.94"  # 9.95 + 1.99


def test_inclusive_tax_is_contained() -> None:
    bill = bill_of(a_tax_rule("20.000"), price="120.00", tax=Tax.INCLUSIVE)

    assert taxes(bill) == [(1, "20.00")]  # 120.00 x 20 / 120
    assert str(bill.total) == "120.00"


def test_half_a_cent_of_tax_is_rounded_up() -> None:
    assert taxes(bill_of(a_tax_rule("10.000"), price="0.25")) == [(1, "0.03")]  # 0.025
    assert taxes(bill_of(a_tax_rule("25.000"), price="0.125", tax=Tax.INCLUSIVE)) == [(1, "0.03")]  # 0.13 x 25 / 125


def test_level_2_is_of_the_same_sum_unless_it_is_compound() -> None:
    gst = a_tax_rule("5.000", level=1)

    plain = bill_of(gst, a_tax_rule("9.975", level=2))
    compound = bill_of(gst, a_tax_rule("9.975", level=2, compound=True))

    assert taxes(plain) == [(1, "5.00"), (2, "9.98")]  # 9.975
    assert str(plain.total) == "114.98"
    assert taxes(compound) == [(1, "5.00"), (2, "10.47")]  # 9.975 % of 105.00 = 10.47375
    assert str(compound.total) == "115.47"


def test_inclusive_levels_are_contained_together() -> None:
    gst = a_tax_rule("5.000", level=1)

    plain = bill_of(gst, a_tax_rule("7.000", level=2), price="112.00", tax=Tax.INCLUSIVE)
    compound = bill_of(gst, a_tax_rule("10.000", level=2, compound=True), price="115.50", tax=Tax.INCLUSIVE)

    assert taxes(plain) == [(1, "5.00"), (2, "7.00")]  # 112.00 x 5 / 112 and x 7 / 112
    # 115.50 x 10 / 110 = 10.50; 105.00 x 5 / 105 = 5.00
    assert taxes(compound) == [(1, "5.00"), (2, "10.50")]
    assert str(compound.total) == "115.50"


GST, QST = a_tax_rule("5.000", level=1), a_tax_rule("9.975", level=2)


@pytest.mark.parametrize(
    ("rules", "price", "exclusive", "inclusive"),
    [
        # 9.95 x 20 % = 1.99; 9.95 x 20 / 120 = 1.658
        ([a_tax_rule("20.000")], "9.95", ["1.99", "11.94"], ["1.66", "9.95"]),
        # 19.95 x 8.875 % = 1.7705; 19.95 x 8.875 / 108.875 = 1.6262
        ([a_tax_rule("8.875")], "19.95", ["1.77", "21.72"], ["1.63", "19.95"]),
        # 5.00 and 9.975; 100.00 x 5 / 114.975 = 4.3487 and 100.00 x 9.975 / 114.975 = 8.6757
        ([GST, QST], "100.00", ["5.00", "9.98", "114.98"], ["4.35", "8.68", "100.00"]),
        # 5.00 and 105.00 x 9.975 % = 10.4737; 100.00 x 9.975 / 109.975 = 9.0702 and 90.93 x 5 / 105 = 4.33
        ([GST, replace(QST, compound=True)], "100.00", ["5.00", "10.47", "115.47"], ["4.33", "9.07", "100.00"]),
        ([], "100.00", ["100.00"], ["100.00"]),
    ],
)
def test_the_shop_says_whether_the_same_price_is_without_tax_or_contains_it(
    rules: list[TaxRule], price: str, exclusive: list[str], inclusive: list[str]
) -> None:
    for tax, amounts in ((Tax.EXCLUSIVE, exclusive), (Tax.INCLUSIVE, inclusive)):
        bill = bill_of(*rules, price=price, tax=tax)
        assert [*(amount for _, amount in taxes(bill)), str(bill.total)] == amounts
        assert str(bill.subtotal) == price


def test_level_2_may_stand_alone() -> None:
    assert taxes(bill_of(a_tax_rule("7.000", level=2, compound=True))) == [(2, "7.00")]


def test_a_tax_has_its_rules_name_and_rate() -> None:
    (tax,) = bill_of(a_tax_rule("8.875", name="Sales tax")).taxes

    assert (tax.name, str(tax.rate)) == ("Sales tax", "8.875")


def test_tax_is_rounded_to_the_digits_of_the_currency() -> None:
    catalog = a_catalog(
        products=[a_product(taxed=True, currency="JPY", prices={MONTHLY: "1985.00"})], tax_rules=(a_tax_rule("10.000"),)
    )
    facts = some_facts(client=a_client(currency="JPY"))

    bill = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=facts).bill

    assert taxes(bill) == [(1, "199")]  # 198.5, half up
    assert str(bill.total) == "2184"


# ---------------------------------------------------------------- the taxed sum


def test_tax_is_of_the_sum_not_of_each_line() -> None:
    catalog = a_catalog(products=[a_product(taxed=True, prices={MONTHLY: "9.95"})], tax_rules=(a_tax_rule("8.875"),))

    bill = ordered(a_request(Item(key=0, product_id=1), Item(key=1, product_id=1)), catalog).bill

    assert taxes(bill) == [(1, "1.77")]  # 19.90 x 8.875 % = 1.766…; line by line 0.88 + 0.88
    assert str(bill.total) == "21.67"


def test_tax_is_of_what_is_left_after_discounts() -> None:
    catalog = a_catalog(
        products=[a_product(1, taxed=True, prices={MONTHLY: "9.95"}), a_product(2, taxed=True)],
        tax_rules=(a_tax_rule("20.000"),),
        promotions=[a_promotion(products=frozenset({1}))],
        group_discounts={7: "10.00"},
    )
    request = a_request(Item(key=0, product_id=1), Item(key=1, product_id=2), promo_code="WELCOME")

    bill = ordered(request, catalog, facts=some_facts(client=a_client(group_id=7))).bill

    assert str(bill.discount) == "2.00"  # 0.995 and 1.00
    assert taxes(bill) == [(1, "3.59")]  # (9.95 - 1.00 + 10.00 - 1.00) x 20 % = 17.95 x 20 %
    assert str(bill.total) == "21.54"  # 19.95 - 2.00 + 3.59


@pytest.mark.parametrize(
    ("flagged", "tax"),
    [("product", "1.00"), ("addon", "0.20"), ("tld", "1.50")],
)
def test_products_addons_and_tlds_carry_a_taxed_flag(flagged: str, tax: str) -> None:
    catalog = a_catalog(
        products=[a_product(taxed=flagged == "product")],
        addons=[an_addon(taxed=flagged == "addon")],
        tlds=[a_tld(taxed=flagged == "tld")],
        tax_rules=(a_tax_rule("10.000"),),
    )
    item = Item(key=0, product_id=1, addons=(AddonAsked(1),), domain="whmcs.com", domain_type=DomainType.REGISTER)

    bill = ordered(a_request(item), catalog).bill  # 10.00 + 2.00 + 15.00

    assert taxes(bill) == [(1, tax)]


@pytest.mark.parametrize(
    ("renewed", "tax"),
    [
        ({"service_renewals": (19,)}, "1.00"),  # 10 % of 9.95
        ({"addon_renewals": (3,)}, "0.20"),
        ({"domain_renewals": {"domain1.com": 1}}, "1.50"),
    ],
)
def test_renewals_are_taxed_as_what_they_renew(renewed: dict[str, Any], tax: str) -> None:
    catalog = a_catalog(
        products=[a_product(taxed=True)],
        addons=[an_addon(taxed=True)],
        tlds=[a_tld(taxed=True)],
        tax_rules=(a_tax_rule("10.000"),),
    )
    facts = some_facts(
        services=[an_owned_service()], owned_addons=[an_owned_addon()], domains=[an_owned_domain("domain1.com")]
    )

    assert taxes(ordered(a_request(**renewed), catalog, facts=facts).bill) == [(1, tax)]


def test_an_exempt_client_pays_none() -> None:
    bill = bill_of(a_tax_rule("20.000"), client=a_client(tax_exempt=True))

    assert bill.taxes == ()
    assert str(bill.total) == "100.00"


# ---------------------------------------------------------------- what each tax is of


@pytest.mark.parametrize(
    ("rules", "price", "tax", "bases"),
    [
        ([GST, QST], "100.00", Tax.EXCLUSIVE, [("100.00", "5.00"), ("100.00", "9.98")]),
        # 100.00 + 5.00 is what the second is of.
        ([GST, replace(QST, compound=True)], "100.00", Tax.EXCLUSIVE, [("100.00", "5.00"), ("105.00", "10.47")]),
        # 100.00 - 4.35 - 8.68
        ([GST, QST], "100.00", Tax.INCLUSIVE, [("86.97", "4.35"), ("86.97", "8.68")]),
        # 100.00 - 9.07 = 90.93 is what the second is of; 90.93 - 4.33 what the first is of.
        ([GST, replace(QST, compound=True)], "100.00", Tax.INCLUSIVE, [("86.60", "4.33"), ("90.93", "9.07")]),
        ([a_tax_rule("20.000")], "9.95", Tax.INCLUSIVE, [("8.29", "1.66")]),  # 9.95 - 1.66
    ],
)
def test_each_tax_is_told_with_what_it_is_of(
    rules: list[TaxRule], price: str, tax: Tax, bases: list[tuple[str, str]]
) -> None:
    bill = bill_of(*rules, price=price, tax=tax)

    assert [(str(one.base), str(one.amount)) for one in bill.taxes] == bases
    assert bill.tax_inclusive is (tax is Tax.INCLUSIVE)


# ---------------------------------------------------------------- exempt clients of a shop whose prices contain tax

DEDUCT = ShopSettings(tax=Tax.INCLUSIVE, tax_exempt=TaxExempt.DEDUCT)
VAT = a_tax_rule("20.000")


def exempt_bill(*rules: TaxRule, price: str = "120.00", settings: ShopSettings = DEDUCT, taxed: bool = True) -> Bill:
    catalog = a_catalog(products=[a_product(taxed=taxed, prices={MONTHLY: price})], tax_rules=rules)
    facts = some_facts(client=a_client(tax_exempt=True))
    return ordered(a_request(Item(key=0, product_id=1)), catalog, facts=facts, settings=settings).bill


@pytest.mark.parametrize(
    ("rules", "total"),
    [
        ([VAT], "100.00"),  # 120.00 / 1.20
        ([GST, a_tax_rule("15.000", level=2)], "100.00"),  # 120.00 / (1 + 0.05 + 0.15)
        ([GST, a_tax_rule("15.000", level=2, compound=True)], "99.38"),  # 120.00 / (1.05 x 1.15) = 99.378…
        ([a_tax_rule("15.000", level=2, compound=True)], "104.35"),  # 120.00 / 1.15 = 104.347…
        ([], "120.00"),
        ([a_tax_rule("20.000", country="GB")], "120.00"),  # another country's
    ],
)
def test_an_exempt_client_pays_the_price_without_the_tax_that_it_contains(rules: list[TaxRule], total: str) -> None:
    bill = exempt_bill(*rules)

    assert (str(bill.subtotal), str(bill.total), bill.taxes, bill.tax_inclusive) == (total, total, (), False)


@pytest.mark.parametrize(
    ("settings", "inclusive"),
    [
        (ShopSettings(tax=Tax.INCLUSIVE), True),  # kept, as it comes
        (ShopSettings(tax=Tax.INCLUSIVE, tax_exempt=TaxExempt.KEEP), True),
        (ShopSettings(tax=Tax.EXCLUSIVE, tax_exempt=TaxExempt.DEDUCT), False),  # they contain none
    ],
)
def test_an_exempt_client_pays_the_price_as_it_stands_unless_the_shop_deducts(
    settings: ShopSettings, *, inclusive: bool
) -> None:
    bill = exempt_bill(VAT, settings=settings)

    assert (str(bill.total), bill.taxes, bill.tax_inclusive) == ("120.00", (), inclusive)


def test_nothing_is_deducted_from_what_is_not_taxed_nor_for_who_is_not_exempt() -> None:
    assert str(exempt_bill(VAT, taxed=False).total) == "120.00"
    catalog = a_catalog(products=[a_product(taxed=True, prices={MONTHLY: "120.00"})], tax_rules=(VAT,))
    client = a_client(tax_id="GB123456789")  # an id alone exempts nobody

    bill = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=some_facts(client=client), settings=DEDUCT).bill

    assert (str(bill.total), taxes(bill), bill.tax_inclusive) == ("120.00", [(1, "20.00")], True)


def test_price_setup_options_extras_and_discounts_are_divided_and_rounded_one_by_one() -> None:
    """What recurs stays the catalogue's: each renewal deducts for itself."""
    catalog = a_catalog(
        products=[
            a_product(
                taxed=True,
                prices={MONTHLY: ("9.95", "5.00")},
                config_options=(an_option(1, "dropdown", a_choice(11, ("2.05", "1.00"))),),
            )
        ],
        tlds=[a_tld(taxed=True, extras={Extra.ID_PROTECTION: "6.00"})],
        promotions=[a_promotion(value="11.00", products=frozenset({1}), tlds=frozenset())],
        group_discounts={7: "10.00"},
        tax_rules=(VAT,),
    )
    item = Item(
        key=0,
        product_id=1,
        domain="whmcs.com",
        domain_type=DomainType.REGISTER,
        extras=frozenset({Extra.ID_PROTECTION}),
    )
    facts = some_facts(client=a_client(tax_exempt=True, group_id=7))

    order = ordered(a_request(item, promo_code="WELCOME"), catalog, facts=facts, settings=DEDUCT)

    service, domain = (one.charge for one in order.items)
    # 9.95 / 1.2 = 8.2917, 2.05 / 1.2 = 1.7083; 6.00 / 1.2; 11 % of 18.00 is 1.98, / 1.2
    assert (str(service.price), str(service.options), str(service.setup)) == ("10.00", "1.71", "5.00")
    assert (str(service.promotion_discount), str(service.recurring)) == ("1.65", "12.00")
    # 15.00 / 1.2 = 12.50 and 6.00 / 1.2 = 5.00; 10 % of 21.00 is 2.10, / 1.2 = 1.75
    assert (str(domain.price), str(domain.options), str(domain.group_discount)) == ("17.50", "5.00", "1.75")
    assert str(domain.recurring) == "21.00"
    bill = order.bill
    assert (str(bill.subtotal), str(bill.discount), str(bill.total)) == ("32.50", "3.40", "29.10")


@pytest.mark.parametrize(
    ("price", "option"),
    [
        ("0.03", "0.03"),  # 0.025 is 0.03, twice: 0.06; of 0.06 the discount is 0.05
        ("0.02", "0.02"),  # 0.0167 is 0.02, twice: 0.04; of 0.04 it is 0.03
        ("0.01", "0.01"),  # 0.0083 is 0.01, twice: 0.02; of 0.02 it is 0.02
        ("9.95", "1.05"),  # 8.29 + 0.88 = 9.17; of 11.00 it is 9.17
    ],
)
def test_a_discount_of_the_whole_line_is_one_still(price: str, option: str) -> None:
    catalog = a_catalog(
        products=[
            a_product(
                taxed=True,
                prices={MONTHLY: price},
                config_options=(an_option(1, "dropdown", a_choice(11, option)),),
            )
        ],
        promotions=[a_promotion(value="100.00")],
        tax_rules=(VAT,),
    )
    facts = some_facts(client=a_client(tax_exempt=True))

    bill = ordered(
        a_request(Item(key=0, product_id=1), promo_code="WELCOME"), catalog, facts=facts, settings=DEDUCT
    ).bill

    assert (str(bill.total), bill.paid) == ("0.00", True)


def test_no_line_becomes_negative_by_rounding() -> None:
    catalog = a_catalog(
        # 0.08 / 1.0686 = 0.07486 is 0.07, three times: 0.21; the discount of 0.23 is 0.21523: 0.22
        products=[
            a_product(
                taxed=True,
                prices={MONTHLY: ("0.08", "0.08")},
                config_options=(an_option(1, "dropdown", a_choice(11, "0.08")),),
            )
        ],
        promotions=[a_promotion(PromotionType.FIXED_AMOUNT, "0.23")],
        tax_rules=(a_tax_rule("6.860"),),
    )
    facts = some_facts(client=a_client(tax_exempt=True))

    order = ordered(a_request(Item(key=0, product_id=1), promo_code="WELCOME"), catalog, facts=facts, settings=DEDUCT)

    assert [str(line.amount) for line in order.bill.lines] == ["0.21", "-0.21"]
    assert str(order.bill.total) == "0.00"


def test_the_shops_note_is_for_exempt_clients_alone() -> None:
    settings = ShopSettings(tax_note="Reverse charge")

    assert exempt_bill(VAT, settings=settings).tax_note == "Reverse charge"
    catalog = a_catalog(products=[a_product()])
    assert ordered(a_request(Item(key=0, product_id=1)), catalog, settings=settings).bill.tax_note == ""


def test_no_tax_is_no_line() -> None:
    assert bill_of().taxes == ()
    assert bill_of(a_tax_rule("0.000")).taxes == ()
    assert bill_of(a_tax_rule("20.000"), price="0.00").taxes == ()


# ---------------------------------------------------------------- which rule

RULES = (
    a_tax_rule("5.000", country=None),
    a_tax_rule("0.000", country="US"),
    a_tax_rule("8.875", country="US", state="New York"),
    a_tax_rule("6.000", country="CA"),
    a_tax_rule("7.000", country="CA", state="Quebec", state_aliases=("QC",), level=2),
)


@pytest.mark.parametrize(
    ("country", "state", "expected"),
    [
        ("US", "New York", [(1, "8.88")]),  # 8.875
        ("US", "  new YORK ", [(1, "8.88")]),  # case and outer blanks do not count
        ("US", "Texas", []),  # the country's rule of 0 % comes before the catch-all
        ("BR", "São Paulo", [(1, "5.00")]),
        ("CA", "Quebec", [(1, "6.00"), (2, "7.00")]),
        ("CA", "Alberta", [(1, "6.00")]),
        ("CA", "Québec", [(1, "6.00"), (2, "7.00")]),  # accents do not count
        ("CA", "QC", [(1, "6.00"), (2, "7.00")]),  # an alias
        ("CA", "qc ", [(1, "6.00"), (2, "7.00")]),
        ("US", "QC", []),
        ("FR", "New York", [(1, "5.00")]),  # a state counts in its country only
    ],
)
def test_the_rule_of_country_and_state_then_of_the_country_then_the_catch_all(
    country: str, state: str, expected: list[tuple[int, str]]
) -> None:
    assert taxes(bill_of(*RULES, client=a_client(country=country, state=state))) == expected


def test_the_order_of_the_rules_does_not_matter() -> None:
    client = a_client(country="US", state="New York")

    assert taxes(bill_of(*reversed(RULES), client=client)) == [(1, "8.88")]
