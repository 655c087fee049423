"""Times as people give them: in every form that we print, and as spans back from now."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_UNITS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_SPAN = re.compile(r"([0-9]{1,6}) ?(s|min|m|h|d|w)(?: ago)?", re.ASCII)
_CLOCK = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?", re.ASCII)
# What is not said of a time is all of it: a day has all of its hours.
_PRECISIONS = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), timedelta(days=1)),
    (re.compile(r".*[T ][0-9]{2}:[0-9]{2}"), timedelta(minutes=1)),
    (re.compile(r".*[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"), timedelta(seconds=1)),
    (re.compile(r".*[T ][0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"), timedelta(milliseconds=1)),
)
_ZONE = re.compile(r"(Z| ?UTC|[+-][0-9]{2}:?[0-9]{2})$")
EXAMPLES = "2026-11-23, '2026-11-23 10:00', 90min, 1h or 2d"


class NoTime(ValueError):
    """What was given is no time; the text says what would be one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as far as it was said: its first and its last microsecond, in UTC."""

    first: datetime
    last: datetime


def read_time(written: str, now: datetime) -> Moment:
    """Read a time: ISO 8601 in whole or in part, in UTC unless it says otherwise; hours of today; or a span back.

    Raises:
        NoTime: it is none.
    """
    text = written.strip()
    if span := _SPAN.fullmatch(text):
        try:
            then = now - int(span[1]) * _UNITS[span[2]]
        except OverflowError:
            raise NoTime(f"{text} is before the calendar begins") from None
        return Moment(then, then)
    if _CLOCK.fullmatch(text):
        text = f"{now:%Y-%m-%d}T{text}"
        if _exactly(text) > now:  # of yesterday, then
            text = f"{now - timedelta(days=1):%Y-%m-%d}{text[10:]}"
    first = _exactly(text)
    bare = _ZONE.sub("", text)
    whole = next((precision for form, precision in _PRECISIONS if form.fullmatch(bare)), timedelta(microseconds=1))
    return Moment(first, first + whole - timedelta(microseconds=1))


def _exactly(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(re.sub(r" ?UTC$", "Z", text))
    except ValueError:
        raise NoTime(f"{text} is no time, such as {EXAMPLES}") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
