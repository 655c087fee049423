"""One round: a program carries out orders that wait already, and is watched once it is warm."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.benchmarks.link import Link
from tests.benchmarks.load import Order
from tests.benchmarks.servers import Bench, Cpu, Program, Sample, Watch

# Before the clock is started: statements are prepared, and compiled where there is an ORM.
WARM_PART = 0.1  # of the orders
WARM_ORDERS_MAX = 1_000
FEED_SECONDS = 0.05  # between two looks at how many wait


@dataclass(frozen=True, slots=True)
class Measured:
    """What a program did while it was watched. Starting, connecting and warming up are before."""

    samples: tuple[Sample, ...]
    orders_each: float  # orders of the set for one message for mails

    @property
    def seconds(self) -> float:
        return self.samples[-1].at - self.samples[0].at

    @property
    def orders(self) -> float:
        return (self.samples[-1].follow_ups - self.samples[0].follow_ups) * self.orders_each

    @property
    def rate(self) -> float:
        """Orders a second."""
        return self.orders / self.seconds

    @property
    def cpu_micros(self) -> Cpu:
        """Microseconds an order."""
        spent, micros = self.samples[-1].cpu - self.samples[0].cpu, 1e6 / self.orders
        return Cpu(spent.program * micros, spent.postgres * micros, spent.broker * micros)

    @property
    def course(self) -> list[tuple[float, float]]:
        """Seconds since it was warm, and the orders a second from one sample to the next."""
        began = self.samples[0].at
        return [
            (after.at - began, (after.follow_ups - before.follow_ups) * self.orders_each / (after.at - before.at))
            for before, after in zip(self.samples, self.samples[1:], strict=False)
        ]


async def carry_out_all(
    bench: Bench, database_url: str, orders: Sequence[Order], *module: str, **settings: str
) -> Measured:
    """Let all orders wait in fresh queues, then start the program."""
    await bench.fresh_queues()
    async with bench.storefront() as storefront, Watch.open(bench) as watch:
        await storefront.fill([order.message for order in orders])
        with bench.program(database_url, *module, **settings) as program:
            return await watched(watch, program, orders)


@asynccontextmanager
async def fed(watch: Watch, storefront: Link, frames: Iterator[bytes], level: int) -> AsyncIterator[None]:
    """Publish as many as are taken meanwhile, so that always about so many wait."""
    over = asyncio.Event()

    async def feed() -> None:
        while not over.is_set():
            missing = level - await watch.waiting()
            if missing > 0:
                await storefront.publish(list(itertools.islice(frames, missing)))
            await asyncio.sleep(FEED_SECONDS)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed())
        try:
            yield
        finally:
            over.set()


async def watched(watch: Watch, program: Program, orders: Sequence[Order]) -> Measured:
    follow_ups = sum(order.follow_ups for order in orders)
    before = await watch.follow_ups()
    warm = follow_ups * min(WARM_PART, WARM_ORDERS_MAX / len(orders))
    samples = await watch.until(program, before + int(warm), before + follow_ups)
    return Measured(tuple(samples), len(orders) / follow_ups)
