"""A connection on which nothing comes any more, and nobody says so, is noticed in time (reliability.md 4)."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.faults import hasty_worker
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.faults.proxy import Proxy, Wire
from tests.shop import DIRECT_REPLY, Shop, Worker

HASTY = ("tests.faults.hasty_worker",)
POLL_SECONDS = 0.05
ORDERS = 150
RATE = 10.0  # a second: lasts longer than the holes
# For a worker to go on: a probe that is still lost in the hole, and the wait after it, are 10 s each at most.
GOES_ON_SECONDS_MAX = 20.0 + 5.0


@dataclass(frozen=True)
class Bounds:
    """Within what a hole must be noticed, as reliability.md has it, with what a busy machine adds."""

    heartbeat_seconds: float = hasty_worker.HEARTBEAT_SECONDS
    answer_seconds: float = hasty_worker.ANSWER_SECONDS_MAX
    connect_seconds: float = hasty_worker.CONNECT_SECONDS_MAX
    busy_seconds: float = 3.0

    @property
    def broker_seconds(self) -> float:
        return 2 * self.heartbeat_seconds + self.busy_seconds

    @property
    def postgres_seconds(self) -> float:
        """One answer that does not come, and two tries at once that find nobody to connect to."""
        return self.answer_seconds + 2 * self.connect_seconds + self.busy_seconds


AS_IN_THE_PROGRAM = Bounds(heartbeat_seconds=10, answer_seconds=15, connect_seconds=5)  # for the long form


@dataclass
class Place:
    """A worker that comes to its servers through proxies of its own."""

    worker: Worker
    broker: Proxy
    postgres: Proxy
    paused_after: float | None = None
    went_on_after: float | None = None
    log_before: int = field(default=0)

    def has_told(self, event: str) -> bool:
        return any(line["event"] == event for line in self.worker.log[self.log_before :])

    async def mend(self) -> None:
        await self.broker.mend()
        await self.postgres.mend()


Fault = Callable[[Place], None]


def named(name: str) -> Callable[[Wire], bool]:
    return lambda wire: wire.names(f"orders worker, {name}")


FAULTS_OF_THE_BROKER: dict[str, Fault] = {
    "its consuming connection": lambda place: place.broker.swallow(named("consuming")),
    "its moving connection": lambda place: place.broker.swallow(named("moving")),
    "all of the broker": lambda place: place.broker.swallow(),
    "the broker's answers": lambda place: place.broker.half_open(),
}
FAULTS_OF_POSTGRES: dict[str, Fault] = {
    "Postgres": lambda place: place.postgres.swallow(),
    "Postgres' answers": lambda place: place.postgres.half_open(),
    "the answer to a commit": lambda place: _ignore(place.postgres.half_open_at(b"COMMIT;")),
}
FAULTS = {**FAULTS_OF_THE_BROKER, **FAULTS_OF_POSTGRES}


def _ignore(_: object) -> None: ...


@asynccontextmanager
async def places(shop: Shop, count: int, module: tuple[str, ...], **settings: str) -> AsyncIterator[list[Place]]:
    """Start workers, each with proxies of its own."""
    urls = shop.worker_environment
    broker_url, postgres_url = urls["ORDERS_AMQP_URL"], urls["ORDERS_POSTGRES_URL"]
    if count == 0:
        yield []
        return
    async with Proxy.to(broker_url) as broker, Proxy.to(postgres_url) as postgres:
        proxied = {"ORDERS_AMQP_URL": broker.url(broker_url), "ORDERS_POSTGRES_URL": postgres.url(postgres_url)}
        worker = await shop.start_worker(*module, **{**settings, **proxied})
        async with places(shop, count - 1, module, **settings) as others:
            yield [Place(worker, broker, postgres), *others]


async def test_holes_to_the_broker_are_noticed_within_two_heartbeats(shop: Shop) -> None:
    faults = ["its consuming connection", "its moving connection", "all of the broker"]
    await fall_into_holes(shop, random.Random(4), faults, orders=ORDERS)


async def test_holes_to_postgres_are_noticed_within_the_statement_timeout(shop: Shop) -> None:
    faults = ["Postgres", "Postgres' answers", "the answer to a commit"]
    await fall_into_holes(shop, random.Random(5), faults, orders=ORDERS)


async def fall_into_holes(
    shop: Shop,
    chance: random.Random,
    faults: list[str],
    orders: int,
    *,
    bounds: Bounds = Bounds(),  # is frozen
    module: tuple[str, ...] = HASTY,
) -> None:
    """Under load, put each of several workers into a hole of its own, then mend all."""
    async with (
        places(shop, len(faults), module) as found,
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        async with asyncio.TaskGroup() as load:
            sending = load.create_task(storefront.send(orders, rate=RATE))
            await until(lambda: all(place.has_told("order.placed") for place in found), 20)
            for place, fault in zip(found, faults, strict=True):
                place.log_before = len(place.worker.log)
                FAULTS[fault](place)
            placed_before = await shop.orders_placed()
            await asyncio.gather(
                *(time_pause(place, seconds_max(bounds, fault)) for place, fault in zip(found, faults, strict=True))
            )
            placed_at_mend = await shop.orders_placed()

            for place in found:
                place.log_before = len(place.worker.log)
                await place.mend()
            await asyncio.gather(*(time_going_on(place) for place in found))
            is_sending = not sending.done()
        await oracle.judge(storefront.ledger, [place.worker for place in found], seconds_max=60)

    # It happened in the middle of work.
    assert placed_before > 0
    assert is_sending
    assert placed_at_mend < await shop.orders_placed()
    for place in found:
        check_words(place.worker)


def seconds_max(bounds: Bounds, fault: str) -> float:
    return bounds.broker_seconds if fault in FAULTS_OF_THE_BROKER else bounds.postgres_seconds


async def time_pause(place: Place, seconds: float) -> None:
    began = time.monotonic()
    await until(lambda: place.has_told("worker.paused") or place.worker.process.poll() is not None, 4 * seconds)
    place.paused_after = time.monotonic() - began
    assert place.worker.process.poll() is None, place.worker.words
    assert place.paused_after <= seconds


async def time_going_on(place: Place) -> None:
    began = time.monotonic()
    await until(lambda: place.has_told("worker.consuming"), GOES_ON_SECONDS_MAX)
    place.went_on_after = time.monotonic() - began


async def until(is_so: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(POLL_SECONDS)


def check_words(worker: Worker) -> None:
    """See that a worker told what happened in a few clear lines, and took nothing for the message's fault."""
    told = [line["event"] for line in worker.log if not line["event"].startswith("order.")]
    assert set(told) <= {
        "worker.started",
        "shop.settings",
        "worker.consuming",
        "worker.paused",
        "worker.gave_back",
        "worker.stopped",
        "publish.kept",
        "unsent.brought",
        "worker.gave_up_finishing",
    }
    assert len(told) < 20
    assert not {"order.crashed", "order.retried", "order.failed"} & {line["event"] for line in worker.log}
    assert "Traceback" not in worker.words
    assert "of-the-tests" not in worker.words


async def test_a_hole_that_swallows_direct_replies_costs_the_replies_and_nothing_else(shop: Shop) -> None:
    """The connection for direct replies may be lost; whoever waits on it when it is taken for dead goes on."""
    order = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
    async with places(shop, 1, HASTY) as [place]:
        first = await shop.publish(order, reply_to=DIRECT_REPLY)
        await shop.reply(first)
        place.broker.swallow(named("replying"))

        began = time.monotonic()
        sent = 1
        # Longer than the connection can be silent: it is taken for dead with replies on their way.
        while time.monotonic() - began < 3 * hasty_worker.HEARTBEAT_SECONDS:
            await shop.publish(order, reply_to=DIRECT_REPLY)
            sent += 1
            await asyncio.sleep(0.2)
        await place.mend()
        asked = await shop.publish(order, reply_to=DIRECT_REPLY)

        assert json.loads(await shop.reply(asked))["result"] == "success"
        async with asyncio.timeout(30):
            while await shop.orders_placed() < sent + 1 or await shop.waiting():
                await asyncio.sleep(POLL_SECONDS)
        assert await asyncio.to_thread(place.worker.stop) == 0  # meanwhile the proxy goes on
        assert await shop.waiting() == 0


STOPS_SECONDS_MAX = 20.0  # two heartbeats, as the hasty worker has them, and what a busy machine adds


@pytest.mark.parametrize("drain_seconds", ["0.5", "25"])
async def test_a_worker_with_nothing_in_hand_stops_in_order_though_the_broker_is_silent(
    shop: Shop, drain_seconds: str
) -> None:
    async with places(shop, 1, HASTY, ORDERS_DRAIN_SECONDS=drain_seconds) as [place]:
        asked = await shop.publish({"clientid": 1, "pid": 7, "paymentmethod": "paypal"})
        await shop.reply(asked)
        await until(lambda: place.has_told("order.placed"), 20)
        place.broker.swallow()

        place.worker.process.terminate()
        status = await asyncio.to_thread(place.worker.process.wait, STOPS_SECONDS_MAX)
        await place.mend()

    assert status == 0
    assert place.has_told("worker.stopped")
    check_words(place.worker)
