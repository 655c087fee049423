"""Days of the calendar: periods (5.13) and prorata (5.8), counted day by day."""

from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import takewhile

DAY = timedelta(days=1)

# Shortest first (3).
MONTHS = {
    "free": 0,
    "onetime": 0,
    "monthly": 1,
    "quarterly": 3,
    "semiannually": 6,
    "annually": 12,
    "biennially": 24,
    "triennially": 36,
}
CYCLES = tuple(MONTHS)


def months_on(day: date, months: int) -> date:
    """Go on by whole months: 31 January + 1 month is the last of February (5.13)."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first + 31 * DAY).replace(day=1)
    return min(first + (day.day - 1) * DAY, _last_of(first))


def years_on(day: date, years: int) -> date:
    return months_on(day, 12 * years)


def _last_of(first: date) -> date:
    return (first + 31 * DAY).replace(day=1) - DAY


def _from(day: date, step: timedelta = DAY) -> Iterator[date]:
    while True:
        yield day
        day += step


def prorata(today: date, day: int, charge_next_month: int | None) -> tuple[Fraction, date]:
    """Tell what share of a month is billed today, and the last day that is paid with it (5.8).

    The "charge next month" day is one of the period between two prorata days: of one that begins on the 15th and
    charges the next from the 20th on, the 10th is behind the 20th. Of a month that has no such day it is the last, as
    months are added (5.13).
    """
    start = next(one for one in _from(today, -DAY) if one.day == day)
    end = next(one for one in _from(today + DAY) if one.day == day)
    share = Fraction((end - today).days, (end - start).days)
    passed = takewhile(lambda one: one <= today, _from(start))
    if charge_next_month is None or not any(_is_day(one, charge_next_month) for one in passed):
        return share, end - DAY
    return share + 1, months_on(end, 1) - DAY


def _is_day(one: date, day: int) -> bool:
    return one.day == day or (one.day < day and (one + DAY).day == 1)
