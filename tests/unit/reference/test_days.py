"""Periods and prorata, with days that were looked up in a calendar."""

from datetime import date
from fractions import Fraction

import pytest

from tests.reference.days import months_on, prorata

DECEMBER = date(2026, 12, 31)


@pytest.mark.parametrize(
    ("day", "months", "then"),
    [
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 15), 36, date(2029, 12, 15)),
    ],
)
def test_months_go_by_the_calendar(day: date, months: int, then: date) -> None:
    assert months_on(day, months) == then


@pytest.mark.parametrize(
    ("today", "day", "charge_next_month", "share", "paid_until"),
    [
        (date(2026, 11, 23), 1, 20, Fraction(8, 30) + 1, DECEMBER),
        (date(2026, 11, 19), 1, 20, Fraction(12, 30), date(2026, 11, 30)),
        (date(2026, 12, 1), 1, 20, Fraction(1), DECEMBER),
        (date(2026, 12, 10), 15, 20, Fraction(5, 30) + 1, date(2027, 1, 14)),
        (date(2026, 12, 15), 15, 15, Fraction(2), date(2027, 2, 14)),
        (date(2026, 11, 23), 1, None, Fraction(8, 30), date(2026, 11, 30)),
        # Of a month without a 31st it is the last day.
        (date(2026, 11, 30), 1, 31, Fraction(1, 30) + 1, DECEMBER),
        (date(2026, 11, 29), 1, 31, Fraction(2, 30), date(2026, 11, 30)),
    ],
)
def test_a_share_of_the_month_is_billed_and_from_a_day_on_the_next_one_too(
    today: date, day: int, charge_next_month: int | None, share: Fraction, paid_until: date
) -> None:
    assert prorata(today, day, charge_next_month) == (share, paid_until)
