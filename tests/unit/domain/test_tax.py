"""Tax: which rule, on what, on top or contained (addorder.md 5.11)."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.catalog import DomainType, TaxRule
from schemas.order import AddonAsked, Bill, Client, Item
from schemas.shop_settings import ShopSettings, Tax
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_addon,
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
