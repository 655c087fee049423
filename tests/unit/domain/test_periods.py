"""Prorata (addorder.md 5.8)."""

from datetime import date
from decimal import Decimal

import pytest

from schemas.catalog import Prorata, QuantityRule
from schemas.order import AddonAsked, Item, OptionAsked, PricedService
from tests.builders import (
    ANNUALLY,
    MONTHLY,
    a_catalog,
    a_choice,
    a_product,
    a_request,
    an_addon,
    an_option,
    firsts,
    ordered,
    recurrings,
    some_facts,
)


@pytest.mark.parametrize(
    ("today", "rule", "price", "first", "period_end"),
    [
        # 23 November, day 1: 8 of 30 days; from the 20th on the whole of December too: 8.00 + 30.00
        (date(2026, 11, 23), Prorata(1, 20), "30.00", "38.00", date(2026, 12, 31)),
        # the 19th is before the 20th: 12 of 30 days
        (date(2026, 11, 19), Prorata(1, 20), "30.00", "12.00", date(2026, 11, 30)),
        # the 20th itself adds the month: 11 of 30 days + 30.00
        (date(2026, 11, 20), Prorata(1, 20), "30.00", "41.00", date(2026, 12, 31)),
        # day 15, charged from the 20th on: 10 December is after 20 November, so 5 of 30 days of 30.00 + 30.00
        (date(2026, 12, 10), Prorata(15, 20), "30.00", "35.00", date(2027, 1, 14)),
        # day 15, charged from the 10th on: 20 November is before 10 December, so 25 of 30 days
        (date(2026, 11, 20), Prorata(15, 10), "30.00", "25.00", date(2026, 12, 14)),
        (date(2026, 12, 10), Prorata(15, 10), "30.00", "35.00", date(2027, 1, 14)),
        # a month without a 31st charges from its last day on: 1 of 30 days + 30.00
        (date(2026, 11, 30), Prorata(1, 31), "30.00", "31.00", date(2026, 12, 31)),
        # never: 8 of 30 days of 31.00 = 8.2666…
        (date(2026, 11, 23), Prorata(1, None), "31.00", "8.27", date(2026, 11, 30)),
        # on the prorata day a full month begins
        (date(2026, 12, 1), Prorata(1, None), "31.00", "31.00", date(2026, 12, 31)),
        # day 15, today after it: 15 November to 15 December has 30 days, 22 are left: 30.00 x 22 / 30
        (date(2026, 11, 23), Prorata(15, None), "30.00", "22.00", date(2026, 12, 14)),
        # day 28, today before it: 28 October to 28 November has 31 days, 5 are left: 31.00 x 5 / 31
        (date(2026, 11, 23), Prorata(28, None), "31.00", "5.00", date(2026, 11, 27)),
        # February of a leap year: 1 of 29 days; 29.00 x 1 / 29
        (date(2028, 2, 29), Prorata(1, None), "29.00", "1.00", date(2028, 2, 29)),
        # over the year's end: 15 December to 15 January has 31 days, 1 is left: 31.00 / 31
        (date(2027, 1, 14), Prorata(15, None), "31.00", "1.00", date(2027, 1, 14)),
        # half a cent: 0.15 x 1 / 30 = 0.005, half up
        (date(2026, 11, 30), Prorata(1, None), "0.15", "0.01", date(2026, 11, 30)),
    ],
)
def test_a_prorata_product_charges_the_days_to_the_next_prorata_day(
    today: date, rule: Prorata, price: str, first: str, period_end: date
) -> None:
    catalog = a_catalog(products=[a_product(prorata=rule, prices={MONTHLY: price})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=some_facts(today=today))

    assert firsts(order) == [first]
    assert recurrings(order) == [price]  # the full price
    service = order.items[0]
    assert isinstance(service, PricedService)
    assert service.period_end == period_end
    assert service.next_due == today


def test_prorata_is_for_the_monthly_cycle_only() -> None:
    catalog = a_catalog(products=[a_product(prorata=Prorata(1, 20), prices={ANNUALLY: "120.00"})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog)

    assert firsts(order) == ["120.00"]


def test_setup_fees_and_addons_are_exempt_from_prorata() -> None:
    catalog = a_catalog(
        products=[a_product(prorata=Prorata(1, None), prices={MONTHLY: ("30.00", "5.00")})], addons=[an_addon()]
    )

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert firsts(order) == ["13.00", "2.00"]  # 30.00 x 8 / 30 + 5.00; the addon in full


def test_options_and_overrides_and_units_are_prorated_with_the_price() -> None:
    option = an_option(5, "yesno", a_choice(50, ("3.00", "1.00")))
    product = a_product(
        prorata=Prorata(1, None), quantity_rule=QuantityRule.SCALING, config_options=(option,), prices={MONTHLY: "9.00"}
    )
    item = Item(
        key=0,
        product_id=1,
        quantity=2,
        price_override=Decimal("6.00"),
        config_options={"5": OptionAsked("1")},
    )

    order = ordered(a_request(item), a_catalog(products=[product]))

    assert firsts(order) == ["5.00"]  # (2 x 6.00 + 3.00) x 8 / 30 = 4.00, + the option's setup 1.00
    assert recurrings(order) == ["15.00"]
