"""What does not grow: the cost of an order with the table and with the backlog, the cost of an item with the order."""

import importlib
import importlib.util
import itertools
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.benchmarks.figures import Aim, Figure, Report
from tests.benchmarks.load import mixed, of_items
from tests.benchmarks.measuring import Measured, carry_out_all, fed, watched
from tests.benchmarks.servers import OURS, Bench, Watch, tell

MILLION = "tests.filling.million"


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    orders: int  # of a round
    table_orders: int  # that were placed before
    few_waiting: int
    many_waiting: int
    items: tuple[int, ...]
    items_in_all: int  # of a round with larger orders


FULL = Size(5, 2_500, 1_000_000, 1_000, 200_000, (100, 1_000), 30_000)
QUICK = Size(2, 1_000, 50_000, 1_000, 10_000, (100,), 10_000)


async def with_the_table(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    name = f"growth with the table: {size.table_orders:,} orders against none"
    if importlib.util.find_spec(MILLION) is None:
        report.figures.append(Figure(name, (), Aim(1.1), note=f"not measured: {MILLION} is missing"))
        return
    fill: Callable[[str, int], Awaitable[None]] = importlib.import_module(MILLION).fill
    orders = list(itertools.islice(mixed(), size.orders * (2 * size.rounds)))
    async with bench.database() as empty, bench.database() as full:
        tell(f"placing {size.table_orders:,} orders")
        await fill(full, size.table_orders)
        await bench.checkpoint()
        few: list[Measured] = []
        many: list[Measured] = []
        for number in range(size.rounds):
            tell(f"{name}, round {number + 1} of {size.rounds}")
            some = orders[number * size.orders : (number + 1) * size.orders]
            few.append(await carry_out_all(bench, empty, some, *OURS))
            many.append(await carry_out_all(bench, full, some, *OURS))
    report.figures.append(_figure(name, few, many))


async def with_the_backlog(bench: Bench, report: Report) -> None:
    """Keep so many waiting while orders are carried out: a publisher puts in what is taken out, in both cases."""
    size = QUICK if report.is_quick else FULL
    name = f"growth with the backlog: {size.many_waiting:,} waiting against {size.few_waiting:,}"
    with bench.beside() as other:
        tell(f"letting {size.many_waiting:,} orders wait")
        async with _backlog(bench, size.few_waiting) as short, _backlog(other, size.many_waiting) as long:
            few: list[Measured] = []
            many: list[Measured] = []
            for number in range(size.rounds):
                tell(f"{name}, round {number + 1} of {size.rounds}")
                few.append(await short(size.orders))
                many.append(await long(size.orders))
    report.figures.append(_figure(name, few, many))


Step = Callable[[int], Awaitable[Measured]]


@asynccontextmanager
async def _backlog(bench: Bench, level: int) -> AsyncIterator[Step]:
    orders = mixed()
    await bench.fresh_queues()
    async with bench.storefront() as storefront, Watch.open(bench) as watch, Watch.open(bench) as feeding:
        await storefront.fill([order.message for order in itertools.islice(orders, level)])

        async def step(count: int) -> Measured:
            frames = iter([order.message for order in itertools.islice(orders, 2 * count)])
            # The mix is the same everywhere: which orders are at the head does not matter.
            some = list(itertools.islice(mixed(), count))
            async with bench.database() as url:
                with bench.program(url, *OURS) as program:
                    async with fed(feeding, storefront, frames, level):
                        return await watched(watch, program, some)

        yield step


async def with_the_order(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    single: list[Measured] = []
    larger: dict[int, list[Measured]] = {items: [] for items in size.items}
    for number in range(size.rounds):
        tell(f"growth with the order, round {number + 1} of {size.rounds}")
        single.append(await _of_items(bench, 1, size.orders))
        for items in size.items:
            larger[items].append(await _of_items(bench, items, size.items_in_all // items))
    for items, rounds in larger.items():
        # Seconds an item: the larger order's against the single one's.
        ratios = tuple(one.rate / (many.rate * items) for one, many in zip(single, rounds, strict=True))
        each = 1e6 / (statistics.median(one.rate for one in rounds) * items)
        note = f"{1e6 / statistics.median(one.rate for one in single):.0f} µs an item, then {each:.0f}"
        name = f"growth with the order: cost an item, {items:,} items against 1"
        report.figures.append(Figure(name, ratios, Aim(1), note=note, more_is_better=False))


async def _of_items(bench: Bench, items: int, orders: int) -> Measured:
    async with bench.database() as url:
        return await carry_out_all(bench, url, list(itertools.islice(of_items(items), orders)), *OURS)


def _figure(name: str, few: Sequence[Measured], many: Sequence[Measured]) -> Figure:
    return Figure(
        name,
        tuple(before.rate / after.rate for before, after in zip(few, many, strict=True)),
        Aim(1.1),
        note=f"{statistics.median(one.rate for one in few):.0f} orders/s, "
        f"then {statistics.median(one.rate for one in many):.0f}",
        more_is_better=False,
    )
