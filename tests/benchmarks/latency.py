"""Latency under light load: from publishing a request to its result event, against what cannot be had for less.

That is one bare commit and two bare hops, one after the other: a one-row INSERT through asyncpg, and twice a message of
a request's size into a quorum queue, confirmed and handed to a consumer. Both at the same pace, in the same process,
with the same worker running; each has its own moment to begin, whether or not the one before has been answered.
"""

import asyncio
import itertools
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import asyncpg
import orjson
from pamqp import commands

from schemas import topology
from tests.benchmarks import link
from tests.benchmarks.figures import Aim, Figure, Report
from tests.benchmarks.link import Delivered, Link
from tests.benchmarks.load import Order, mixed
from tests.benchmarks.servers import OURS, Bench, BenchmarkFailed, tell

RATE = 50  # a second
ANSWER_SECONDS_MAX = 10.0
HOP_BYTES = 400  # of a request
WARM_UP_ORDERS = 100
RESULTS = ("order.added", "order.rejected")
HOPS = "benchmarks.hops"


@dataclass(frozen=True, slots=True)
class Size:
    rounds: int
    seconds: int


FULL = Size(rounds=5, seconds=10)
QUICK = Size(rounds=3, seconds=2)


@dataclass(slots=True)
class Arrivals:
    """When what was sent came back, by its name."""

    waited: "dict[str, asyncio.Future[float]]" = field(default_factory=dict)

    def expect(self, name: str) -> "asyncio.Future[float]":
        return self.waited.setdefault(name, asyncio.get_running_loop().create_future())

    def came(self, name: str) -> None:
        future = self.waited.pop(name, None)
        if future is not None:
            future.set_result(time.perf_counter())


async def measure(bench: Bench, report: Report) -> None:
    size = QUICK if report.is_quick else FULL
    await bench.fresh_queues()
    async with AsyncExitStack() as opened:
        database_url = await opened.enter_async_context(bench.database())
        ask = await _asking(bench, opened)
        hop = await _hopping(bench, opened, database_url)
        opened.enter_context(bench.program(database_url, *OURS))
        orders = _distinct()
        for order in itertools.islice(orders, WARM_UP_ORDERS):
            await ask(order)
        ours: list[list[float]] = []
        bare: list[list[float]] = []
        for number in range(size.rounds):
            tell(f"latency, round {number + 1} of {size.rounds}")
            some = list(itertools.islice(orders, size.seconds * RATE))
            ours.append(await _paced(ask, some))
            bare.append(await _paced(hop, some))
    report.latencies |= {
        "publish to result event": [value for one in ours for value in one],
        "one commit and two hops": [value for one in bare for value in one],
    }
    report.figures += [_figure(ours, bare, 50, 2), _figure(ours, bare, 99, 5)]


def _distinct() -> Iterator[Order]:
    """Leave out repeats: the event of the first would be taken for that of the second."""
    seen: set[str] = set()
    for order in mixed():
        if order.message_id not in seen:
            seen.add(order.message_id)
            yield order


async def _asking(bench: Bench, opened: AsyncExitStack) -> Callable[[Order], Awaitable[float]]:
    arrivals = Arrivals()

    def hear(delivered: Delivered) -> None:
        arrivals.came(orjson.loads(delivered.body)["data"]["request_id"])

    listening = await opened.enter_async_context(Link.open(bench.logins.administrator))
    listening.on_delivered = hear
    # Of its own connection and gone with it: a listener that is there for the measuring only.
    queue = (await listening.ask(commands.Queue.Declare(exclusive=True))).queue
    for event in RESULTS:
        await listening.ask(commands.Queue.Bind(queue=queue, exchange=topology.EVENTS, routing_key=event))
    await listening.consume(queue, 0)
    publishing = await opened.enter_async_context(bench.storefront())

    async def ask(order: Order) -> float:
        arrival, began = arrivals.expect(order.message_id), time.perf_counter()
        await publishing.publish([order.message])
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            return await arrival - began

    return ask


async def _hopping(bench: Bench, opened: AsyncExitStack, database_url: str) -> Callable[[Order], Awaitable[float]]:
    arrivals = Arrivals()
    publishing = await opened.enter_async_context(Link.open(bench.logins.administrator))
    listening = await opened.enter_async_context(Link.open(bench.logins.administrator))
    await listening.ask(commands.Queue.Delete(queue=HOPS))
    await listening.ask(commands.Queue.Declare(queue=HOPS, durable=True, arguments={"x-queue-type": "quorum"}))

    def hear(delivered: Delivered) -> None:
        listening.acknowledge(delivered.tag)
        arrivals.came(delivered.body.decode().strip())

    listening.on_delivered = hear
    await listening.consume(HOPS, 100)
    pool = await opened.enter_async_context(asyncpg.create_pool(database_url, min_size=2, max_size=4))
    await pool.execute("CREATE TABLE hops (id text)")

    async def hop(order: Order) -> float:
        names = [f"{order.message_id} {number}".ljust(HOP_BYTES) for number in range(2)]
        messages = [link.message("", HOPS, name.encode(), {"message_id": name[:30]}) for name in names]
        began = time.perf_counter()
        async with pool.acquire() as connection:
            await connection.execute("INSERT INTO hops VALUES ($1)", order.message_id)
        for name, message in zip(names, messages, strict=True):
            arrival = arrivals.expect(name.strip())
            await publishing.publish([message])
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await arrival
        return time.perf_counter() - began

    return hop


async def _paced(step: Callable[[Order], Awaitable[float]], orders: Sequence[Order]) -> list[float]:
    """Take a step for each order, at the pace, and return how long each took, in milliseconds."""
    began = time.perf_counter()
    steps: list[asyncio.Task[float]] = []
    for number, order in enumerate(orders):
        await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        steps.append(asyncio.ensure_future(step(order)))
    try:
        return [1e3 * seconds for seconds in await asyncio.gather(*steps)]
    except TimeoutError as error:
        raise BenchmarkFailed(f"no answer within {ANSWER_SECONDS_MAX:.0f} s at {RATE} a second") from error


def _figure(ours: Sequence[Sequence[float]], bare: Sequence[Sequence[float]], percent: int, aim: float) -> Figure:
    mine, others = [_percentile(one, percent) for one in ours], [_percentile(one, percent) for one in bare]
    return Figure(
        f"latency at {RATE} orders/s, p{percent}",
        tuple(one / other for one, other in zip(mine, others, strict=True)),
        Aim(aim),
        note=f"{statistics.median(mine):.1f} ms, bare {statistics.median(others):.1f} ms",
        more_is_better=False,
        is_compared=percent == 50,  # the 99th of so few is too much a matter of chance
    )


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
