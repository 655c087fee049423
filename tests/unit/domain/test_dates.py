"""The calendar (addorder.md 5.13)."""

from datetime import date

import pytest

from worker.domain.dates import add_months, last_day


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2026, 11, 23), 1, date(2026, 12, 23)),
        (date(2026, 11, 23), 2, date(2027, 1, 23)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 12, 31), 36, date(2029, 12, 31)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
        (date(2026, 3, 31), -1, date(2026, 2, 28)),
    ],
)
def test_months_follow_the_calendar_and_end_with_the_month(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


def test_a_period_ends_the_day_before_the_next_begins() -> None:
    assert last_day(date(2026, 11, 23), 1) == date(2026, 12, 22)
    assert last_day(date(2026, 1, 31), 1) == date(2026, 2, 27)
