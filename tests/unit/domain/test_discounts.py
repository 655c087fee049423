"""The better of code and client group, line by line (addorder.md 5.10). The group has 10 % unless a test says so."""

import pytest

from schemas.catalog import BillingCycle, Promotion, PromotionType
from schemas.order import Item, PricedOrder
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_client,
    a_product,
    a_promotion,
    a_request,
    ordered,
    recurrings,
    some_facts,
)

RESELLER = some_facts(client=a_client(group_id=7))
FIXED, OVERRIDE = PromotionType.FIXED_AMOUNT, PromotionType.PRICE_OVERRIDE


def order_of(promotion: Promotion, *prices: str, group: str = "10.00") -> PricedOrder:
    """Order products at these prices a month, with the promotion's code, as a client of a group."""
    products = [a_product(number, prices={MONTHLY: price}) for number, price in enumerate(prices, start=1)]
    catalog = a_catalog(products=products, promotions=[promotion], group_discounts={7: group})
    items = [Item(key=product.id, product_id=product.id) for product in products]
    return ordered(a_request(*items, promo_code="WELCOME"), catalog, facts=RESELLER)


def discounts(order: PricedOrder) -> list[str]:
    """Say what is off each line, and who has given it."""
    charges = [item.charge for item in order.items]
    assert all(one.promotion_discount is None or not one.group_discount for one in charges), "never both"
    return [
        f"group {one.group_discount}" if one.promotion_discount is None else f"code {one.promotion_discount}"
        for one in charges
    ]


@pytest.mark.parametrize(
    ("promotion", "expected"),
    [
        (a_promotion(value="10.01"), "group 1.00"),  # 1.001 is 1.00: equal, the group
        (a_promotion(value="10.05"), "code 1.01"),  # 1.005 is 1.01
        (a_promotion(value="9.95"), "group 1.00"),  # 0.995 is 1.00
        (a_promotion(value="9.94"), "group 1.00"),
        (a_promotion(FIXED, value="1.01"), "code 1.01"),
        (a_promotion(FIXED, value="1.00"), "group 1.00"),
        (a_promotion(OVERRIDE, value="8.99"), "code 1.01"),
        (a_promotion(OVERRIDE, value="9.00"), "group 1.00"),
    ],
)
def test_a_line_gets_what_takes_more_off_and_never_both(promotion: Promotion, expected: str) -> None:
    assert discounts(order_of(promotion, "10.00")) == [expected]


def test_the_lines_of_an_order_are_judged_one_by_one() -> None:
    order = order_of(a_promotion(FIXED, value="2.00"), "10.00", "30.00", "19.99")

    assert discounts(order) == ["code 2.00", "group 3.00", "group 2.00"]  # 10 % of 19.99 is 1.999
    assert order.promotion is not None
    assert str(order.bill.total) == "52.99"  # 59.99 - 2.00 - 3.00 - 2.00


def test_once_per_order_is_on_the_first_line_where_it_beats_the_group() -> None:
    order = order_of(a_promotion(FIXED, value="2.00", apply_once=True), "30.00", "10.00", "5.00")

    assert discounts(order) == ["group 3.00", "code 2.00", "group 0.50"]


def test_where_the_group_wins_what_recurs_stays_full() -> None:
    order = order_of(a_promotion(value="5.00", recurring=True), "10.00", "10.00")

    assert recurrings(order) == ["10.00", "10.00"]
    assert order.items[0].charge.recurring_full is None


def test_a_code_that_beats_the_group_nowhere_is_not_used() -> None:
    order = order_of(a_promotion(value="10.00", max_uses=0), "10.00", "20.00")

    assert order.promotion is None
    assert order.warnings == ("promocode: WELCOME takes no more off than the client's group, whose discount is given",)
    assert str(order.bill.total) == "27.00"


def test_a_code_that_can_not_be_used_leaves_the_group_its_discount() -> None:
    order = order_of(a_promotion(cycles=frozenset({BillingCycle.ANNUALLY})), "10.00")

    assert discounts(order) == ["group 1.00"]
    assert order.warnings == ("promocode: WELCOME takes nothing off any item of this order; the full price is charged",)


def test_what_a_code_lowers_for_some_payments_stands_beside_what_it_would_be_without() -> None:
    order = order_of(a_promotion(value="25.00", recurring=True, recur_for=3), "10.00")

    charge = order.items[0].charge
    assert (str(charge.recurring), str(charge.recurring_full), charge.discounts_left) == ("7.50", "10.00", 3)


def test_what_a_code_lowers_for_ever_has_no_count() -> None:
    charge = order_of(a_promotion(value="25.00", recurring=True), "10.00").items[0].charge

    assert (str(charge.recurring), str(charge.recurring_full), charge.discounts_left) == ("7.50", "10.00", None)


def test_a_code_never_makes_an_order_dearer_than_the_group_does() -> None:
    without = order_of(a_promotion(cycles=frozenset({BillingCycle.ANNUALLY})), "10.00", "3.33", "0.05")

    for kind, value in ((PromotionType.PERCENTAGE, "1.00"), (FIXED, "0.01"), (OVERRIDE, "9.99")):
        assert order_of(a_promotion(kind, value=value), "10.00", "3.33", "0.05").bill.total <= without.bill.total
