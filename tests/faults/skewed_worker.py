"""A worker whose clock is wrong: python -m tests.faults.skewed_worker SECONDS, so far ahead of the real time.

Only what tells the time of day: what measures how long something takes goes right on a machine whose clock is wrong.
"""

import datetime as dt
import json
import sys
import time
from types import ModuleType
from typing import Any

from worker import __main__ as program
from worker.commands import work  # noqa: F401  # with all that a worker is made of, to be skewed

PACKAGES = ("worker", "repository", "schemas")

real_time = time.time


class _AnyDatetime(type):
    """Lets the real class's objects pass for those of its stand-in."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, dt.datetime)


def skewed(ahead: dt.timedelta) -> tuple[type[dt.datetime], type[dt.date]]:
    """Make stand-ins for datetime and date whose now and today are wrong."""

    class SkewedDatetime(dt.datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
            return dt.datetime.fromtimestamp(real_time(), tz) + ahead

        @classmethod
        def utcnow(cls) -> dt.datetime:  # type: ignore[override]
            return cls.now(dt.UTC).replace(tzinfo=None)

    class SkewedDate(dt.date):
        def __new__(cls, *of_a_day: int) -> dt.date:  # type: ignore[misc]  # what is made of it is a date as any other
            return dt.date(*of_a_day)

        @classmethod
        def today(cls) -> dt.date:  # type: ignore[override]
            return SkewedDatetime.now().date()

    return SkewedDatetime, SkewedDate


def skew(module: ModuleType, stand_ins: dict[Any, Any]) -> None:
    for name, value in list(vars(module).items()):
        if isinstance(value, type) and value in stand_ins:
            setattr(module, name, stand_ins[value])


def main() -> None:
    ahead = dt.timedelta(seconds=float(sys.argv[1]))
    skewed_datetime, skewed_date = skewed(ahead)
    stand_ins = {dt.datetime: skewed_datetime, dt.date: skewed_date}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES:
            skew(module, stand_ins)
    time.time = lambda: real_time() + ahead.total_seconds()
    line = {"event": "test.clock", "now": skewed_datetime.now(dt.UTC).isoformat()}
    sys.stderr.write(f"{json.dumps(line)}\n")
    sys.argv = ["orders", "worker"]
    program.main()


if __name__ == "__main__":
    main()
