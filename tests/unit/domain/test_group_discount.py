"""The discount of the client's group (addorder.md 5.10)."""

import pytest

from schemas.order import Item, PricedOrder
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_client,
    a_product,
    a_request,
    a_tax_rule,
    an_owned_service,
    bill_lines,
    ordered,
    recurrings,
    some_facts,
)

RESELLER = some_facts(client=a_client(group_id=7), services=[an_owned_service(recurring="9.95")])


def group_discounts(order: PricedOrder) -> list[str]:
    return [str(item.charge.group_discount) for item in order.items]


def test_the_percentage_is_rounded_half_up_per_line_and_is_one_invoice_line() -> None:
    products = [a_product(1, name="A", prices={MONTHLY: "9.95"}), a_product(2, name="B", prices={MONTHLY: "1.25"})]
    catalog = a_catalog(products=products, group_discounts={7: "10.00"})

    order = ordered(a_request(Item(key=0, product_id=1), Item(key=1, product_id=2)), catalog, facts=RESELLER)

    assert group_discounts(order) == ["1.00", "0.13"]  # 0.995 and 0.125
    assert bill_lines(order) == [
        ("A (23/11/2026 - 22/12/2026)", "9.95"),
        ("B (23/11/2026 - 22/12/2026)", "1.25"),
        ("Client Group Discount - 10.00%", "-1.13"),
    ]
    assert order.bill.lines[2].item is None
    assert str(order.bill.total) == "10.07"  # 11.20 - 1.13


def test_the_discount_is_of_the_line_with_setup_and_leaves_the_recurring_amount() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: ("10.00", "5.00")})], group_discounts={7: "10.00"})

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=RESELLER)

    assert group_discounts(order) == ["1.50"]  # 10 % of 15.00
    assert recurrings(order) == ["10.00"]


def test_renewals_have_it_too() -> None:
    catalog = a_catalog(products=[a_product()], group_discounts={7: "10.00"})

    order = ordered(a_request(service_renewals=(19,)), catalog, facts=RESELLER)

    assert group_discounts(order) == ["1.00"]  # 0.995


@pytest.mark.parametrize("group_id", [None, 8], ids=["no group", "a group without a discount"])
def test_other_clients_have_none(group_id: int | None) -> None:
    catalog = a_catalog(products=[a_product()], group_discounts={7: "10.00"})
    facts = some_facts(client=a_client(group_id=group_id))

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=facts)

    assert len(order.bill.lines) == 1
    assert str(order.bill.total) == "10.00"


def test_the_invoice_has_a_line_for_what_is_taxed_and_one_for_what_is_not() -> None:
    products = [a_product(1, taxed=True), a_product(2, taxed=False, prices={MONTHLY: "5.00"})]
    catalog = a_catalog(products=products, group_discounts={7: "10.00"}, tax_rules=(a_tax_rule("20"),))

    order = ordered(a_request(Item(key=0, product_id=1), Item(key=1, product_id=2)), catalog, facts=RESELLER)

    assert [(str(line.amount), line.taxed) for line in order.bill.lines[2:]] == [("-1.00", True), ("-0.50", False)]
    assert str(order.bill.total) == "15.30"  # 15.00 - 1.50, and 20 % of 10.00 - 1.00
