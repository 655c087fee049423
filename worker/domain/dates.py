"""The calendar of billing (addorder.md 5.13)."""

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache

ONE_DAY = timedelta(days=1)
MONTHS_A_YEAR = 12
PERIODS_REMEMBERED_MAX = 1_000  # nearly every item of a day has one of a few dozen


def add_months(day: date, months: int) -> date:
    """Go whole months along the calendar; a day that the month does not have becomes its last."""
    years, month_index = divmod(day.month - 1 + months, MONTHS_A_YEAR)
    year, month = day.year + years, month_index + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


@lru_cache(PERIODS_REMEMBERED_MAX)
def last_day(start: date, months: int) -> date:
    """Name the last day of a period that begins on `start`: the day before the next one begins."""
    return add_months(start, months) - ONE_DAY
