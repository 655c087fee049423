"""Times in every form that we print, and as people write them (worker/operations/times.py)."""

from datetime import UTC, datetime

import pytest

from worker.operations.times import NoTime, read_time

NOW = datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026-11-23", "2026-11-23T00:00:00.000000", "2026-11-23T23:59:59.999999"),
        ("2026-11-23 10:00", "2026-11-23T10:00:00.000000", "2026-11-23T10:00:59.999999"),  # of a table
        ("2026-11-23 10:00:07 UTC", "2026-11-23T10:00:07.000000", "2026-11-23T10:00:07.999999"),  # of a screen
        ("2026-11-23T10:00:07", "2026-11-23T10:00:07.000000", "2026-11-23T10:00:07.999999"),
        ("2026-11-23T10:00:07.249Z", "2026-11-23T10:00:07.249000", "2026-11-23T10:00:07.249999"),  # of a header
        ("2026-11-23T10:00:07.249123Z", "2026-11-23T10:00:07.249123", "2026-11-23T10:00:07.249123"),  # of an event
        ("2026-11-23T10:00:07.249123+00:00", "2026-11-23T10:00:07.249123", "2026-11-23T10:00:07.249123"),
        ("2026-11-23T12:00+02:00", "2026-11-23T10:00:00.000000", "2026-11-23T10:00:59.999999"),
        ("14:30", "2026-11-23T14:30:00.000000", "2026-11-23T14:30:59.999999"),
        ("14:30:05", "2026-11-23T14:30:05.000000", "2026-11-23T14:30:05.999999"),  # of an event on a screen
        ("14:31", "2026-11-22T14:31:00.000000", "2026-11-22T14:31:59.999999"),
        ("90s", "2026-11-23T14:28:35.000000", "2026-11-23T14:28:35.000000"),
        ("5 min ago", "2026-11-23T14:25:05.000000", "2026-11-23T14:25:05.000000"),  # of status
        ("30m", "2026-11-23T14:00:05.000000", "2026-11-23T14:00:05.000000"),
        ("1h", "2026-11-23T13:30:05.000000", "2026-11-23T13:30:05.000000"),
        ("2 d", "2026-11-21T14:30:05.000000", "2026-11-21T14:30:05.000000"),
        ("1w", "2026-11-16T14:30:05.000000", "2026-11-16T14:30:05.000000"),
    ],
)
def test_a_time_is_read_as_far_as_it_was_said(written: str, first: str, last: str) -> None:
    moment = read_time(written, NOW)

    assert [f"{one:%Y-%m-%dT%H:%M:%S.%f}" for one in (moment.first, moment.last)] == [first, last]


@pytest.mark.parametrize("written", ["", "yesterday", "2026-13-01", "1y", "25:00", "-1h", "99999999d"])
def test_what_is_no_time_is_refused_with_what_would_be_one(written: str) -> None:
    with pytest.raises(NoTime, match="such as 2026-11-23"):
        read_time(written, NOW)


def test_a_span_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(NoTime, match="before the calendar begins"):
        read_time("999999d", NOW)
