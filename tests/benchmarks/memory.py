"""Memory of a worker, early and late, while very many orders wait."""

import itertools
from dataclasses import dataclass

from tests.benchmarks.figures import Aim, Figure, Report
from tests.benchmarks.load import mixed
from tests.benchmarks.measuring import Measured, watched
from tests.benchmarks.servers import OURS, Bench, Sample, Watch, tell

MIB = 2**20
RSS_MIB_MAX = 150
# Flat: what is left are single pages that the allocator keeps.
GROWTH_MAX = 1.05


@dataclass(frozen=True, slots=True)
class Size:
    early: int  # orders
    late: int
    waiting: int


FULL = Size(5_000, 100_000, 200_000)
QUICK = Size(500, 2_000, 10_000)


async def measure(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    tell(f"memory: {size.waiting:,} orders wait, {size.late:,} of them are carried out")
    await bench.fresh_queues()
    orders = list(itertools.islice(mixed(), size.waiting))
    async with bench.storefront() as storefront, Watch.open(bench) as watch, bench.database() as url:
        await storefront.fill([order.message for order in orders])
        with bench.program(url, *OURS) as program:
            measured = await watched(watch, program, orders[: size.late])
    early, late = _at(measured, size.early).rss / MIB, measured.samples[-1].rss / MIB
    report.figures += [
        Figure(
            f"memory: after {size.late:,} orders against after {size.early:,}",
            (late / early,),
            Aim(GROWTH_MAX),
            note=f"{early:.0f} MiB, then {late:.0f}",
            more_is_better=False,
        ),
        Figure(
            f"memory: with {size.waiting:,} waiting",
            (max(sample.rss for sample in measured.samples) / MIB,),
            Aim(RSS_MIB_MAX),
            unit="MiB",
            note=f"the most of {len(measured.samples)} samples",
            more_is_better=False,
        ),
    ]


def _at(measured: Measured, orders: int) -> Sample:
    """Find the first sample after so many orders."""
    return next(sample for sample in measured.samples if sample.follow_ups * measured.orders_each >= orders)
