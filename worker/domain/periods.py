"""The period that a first payment pays for: a whole cycle, or the share of a prorata month (addorder.md 5.8, 5.13)."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from schemas.catalog import BillingCycle, Prorata
from worker.domain.dates import ONE_DAY, add_months, last_day


@dataclass(frozen=True, slots=True)
class FirstPeriod:
    """`days` out of `days_in_full` of one cycle, and perhaps a whole month more. No last day: billed once or never."""

    last_day: date | None
    days: int = 1
    days_in_full: int = 1
    with_next_month: bool = False

    def charge(self, price: Decimal) -> Decimal:
        """Price the period at so much a cycle; not yet rounded."""
        share = price * self.days / self.days_in_full
        return share + price if self.with_next_month else share


def first_period(cycle: BillingCycle, prorata: Prorata | None, today: date) -> FirstPeriod:
    """Measure the first period of a service. Prorata is for the monthly cycle only (addorder.md 5.8)."""
    if prorata is not None and cycle is BillingCycle.MONTHLY:
        return _prorata_period(prorata, today)
    return FirstPeriod(last_day(today, cycle.months) if cycle.months else None)


def _prorata_period(rule: Prorata, today: date) -> FirstPeriod:
    """Measure from today (included) to the next prorata day; on a prorata day a full month begins.

    From the "charge next month" day on, up to that prorata day, the whole next month is added.
    """
    begun = today.replace(day=rule.day)
    if begun > today:
        begun = add_months(begun, -1)
    ends = add_months(begun, 1)
    with_next_month = rule.charge_next_month is not None and today >= _first_on(rule.charge_next_month, begun)
    return FirstPeriod(
        last_day=(add_months(ends, 1) if with_next_month else ends) - ONE_DAY,
        days=(ends - today).days,
        days_in_full=(ends - begun).days,
        with_next_month=with_next_month,
    )


def _first_on(day: int, start: date) -> date:
    """Find the first such day of a month from `start` on; a month that is too short has it on its last."""
    for month in (start, add_months(start.replace(day=1), 1)):
        found = month.replace(day=min(day, monthrange(month.year, month.month)[1]))
        if found >= start:
            return found
    raise AssertionError("a month on, it is later than any day of this month")
