"""Postgres that stops, is cut off, is away for long, or is slow (reliability.md 3, 12 and 17)."""

import asyncio
import os
import random
import re
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import asyncpg

from deploy.local import processes
from deploy.local.postgres import Postgres
from schemas import topology
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.faults.proxy import Proxy
from tests.shop import Shop, Worker
from worker.pipeline.pauses import PAUSE_SECONDS_MAX
from worker.settings import CONNECTIONS

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
WORKERS = 3
MANY_WORKERS = 8  # more than a message may be handed over, in both queues
CONNECTIONS_MAX = WORKERS * CONNECTIONS  # of the workers' pools
PROBES_MAX = 10  # of one worker in the first five seconds: 0.1, 0.2, 0.4 … apart on average
PROBE_EVERY_SECONDS = PAUSE_SECONDS_MAX / 2  # later, on average: each wait is anything up to the most
POLL_SECONDS = 0.05

CUT = """
    SELECT count(pg_terminate_backend(pid)) FILTER (WHERE xact_start IS NOT NULL)
    FROM pg_stat_activity
    WHERE application_name = 'orders'
"""


@asynccontextmanager
async def listening(shop: Shop) -> AsyncIterator[Oracle]:
    async with Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle:
        yield oracle


async def start_workers(
    shop: Shop, count: int = WORKERS, settings: Mapping[str, str] = MappingProxyType({})
) -> list[Worker]:
    return list(await asyncio.gather(*(shop.start_worker(**settings) for _ in range(count))))


async def until(is_so: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(POLL_SECONDS)


def count_of(worker: Worker, event: str) -> int:
    return sum(line["event"] == event for line in worker.log)


def check_words(workers: list[Worker]) -> None:
    """See that they told of the outage in a few lines, blamed no message for it, and gave no secret away."""
    for worker in workers:
        told = [line["event"] for line in worker.log]
        assert not {"order.crashed", "order.retried", "order.failed"} & set(told), worker.words
        assert "Traceback" not in worker.words
        assert "of-the-tests" not in worker.words


# ---------------------------------------------------------------- 3: gone in the middle of transactions


def stop_immediately(server: Postgres) -> None:
    """Do as `pg_ctl stop -m immediate` does: no shutdown, no checkpoint, recovery at the next start."""
    postmaster = processes.recall(server.pid_file("postgres"))
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGQUIT)
    assert processes.wait_until(lambda: not server.is_running(), 20)


STOPS: dict[str, Callable[[Postgres], None]] = {
    "immediate": stop_immediately,
    "fast": Postgres.stop,
    "kill -9": Postgres.kill,
}


async def test_postgres_may_stop_in_every_way_under_load(shop_at_postgres: Shop, postgres: Postgres) -> None:
    await stop_under_load(shop_at_postgres, postgres, random.Random(3), rounds=1)


async def stop_under_load(shop: Shop, server: Postgres, chance: random.Random, rounds: int) -> None:
    """Under load, stop and restart Postgres in every way, and cut its backends in the middle of transactions."""
    stops = [name for _ in range(rounds) for name in chance.sample(list(STOPS), len(STOPS))]
    is_over = asyncio.Event()
    workers = await start_workers(shop)

    async def send(storefront: Storefront) -> None:
        while not is_over.is_set():
            await storefront.send(40, rate=80)

    async with (
        listening(shop) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        async with asyncio.TaskGroup() as load:
            load.create_task(send(storefront))
            placed = [await shop.orders_placed()]
            for name in stops:
                await until_more_placed(shop, placed)
                await cut_transactions(shop)
                await until_more_placed(shop, placed)
                told = {worker: count_of(worker, "worker.paused") for worker in workers}
                await asyncio.to_thread(STOPS[name], server)
                await until_paused_again(told)
                await asyncio.to_thread(server.start)
            await until_more_placed(shop, placed)
            is_over.set()
        assert all(worker.process.poll() is None for worker in workers)
        await oracle.judge(storefront.ledger, workers, seconds_max=60)

    # Each stop came in the middle of work: orders were placed before it, and others after it.
    assert placed == sorted(set(placed))
    check_words(workers)


async def until_paused_again(told: Mapping[Worker, int]) -> None:
    """Wait until each worker has told of a pause once more than it had."""
    await until(lambda: all(count_of(worker, "worker.paused") > times for worker, times in told.items()), 20)


async def until_more_placed(shop: Shop, placed: list[int]) -> None:
    """Wait until something is placed since the last look, and note how much."""
    async with asyncio.timeout(30):
        while (now := await orders_placed(shop)) <= placed[-1]:
            await asyncio.sleep(POLL_SECONDS)
    placed.append(now)


async def orders_placed(shop: Shop) -> int:
    try:
        return await shop.orders_placed()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # our own connection was cut with the others
        return 0


async def cut_transactions(shop: Shop) -> None:
    """Terminate the workers' backends until some of them were in the middle of a transaction."""
    async with asyncio.timeout(20):
        while not await shop.database.fetchval(CUT):
            await asyncio.sleep(0.01)


# ---------------------------------------------------------------- 17: away for long, with much waiting


async def test_an_outage_sets_no_order_aside_however_many_workers_try_it(
    shop_at_postgres: Shop, postgres: Postgres
) -> None:
    """Each worker that does not know yet that Postgres is away is handed the order once, and gives it back."""
    workers = await start_workers(shop_at_postgres, MANY_WORKERS)
    await asyncio.to_thread(postgres.kill)
    asked = await shop_at_postgres.publish(ORDER)
    await until(lambda: all(count_of(worker, "worker.paused") for worker in workers), 30)

    await asyncio.to_thread(postgres.start)

    # Side by side they are published: the first that is heard may be any.
    told = {"order.added", "email.invoice-created", "email.order-confirmation"}
    await shop_at_postgres.until_events(asked.message_id or "", *told)
    assert {event.type for event in shop_at_postgres.events} == told
    assert await shop_at_postgres.waiting(topology.DEAD) == 0
    check_words(workers)


async def test_a_long_outage_is_waited_for_and_then_drained_without_a_storm(
    shop_at_postgres: Shop, postgres: Postgres
) -> None:
    await be_away(shop_at_postgres, postgres, random.Random(17), orders=800, seconds=4.0)


async def be_away(shop: Shop, server: Postgres, chance: random.Random, orders: int, seconds: float) -> None:
    """Let requests pile up while Postgres is away; see how often it is asked for, and how it is met when it is back."""
    url = shop.worker_environment["ORDERS_POSTGRES_URL"]
    async with (
        Proxy.to(url) as proxy,
        listening(shop) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        workers = await start_workers(shop, settings={"ORDERS_POSTGRES_URL": proxy.url(url)})
        await storefront.send(100)
        await until(lambda: all(count_of(worker, "order.placed") for worker in workers), 20)

        await asyncio.to_thread(server.kill)
        await storefront.send(orders)
        await until(lambda: all(count_of(worker, "worker.paused") for worker in workers), 20)
        began, opened = time.monotonic(), proxy.opened
        await until(lambda: time.monotonic() - began >= seconds, seconds + 1)  # this long it is away: no condition
        probes = proxy.opened - opened
        assert await shop.waiting() >= orders
        assert not any(count_of(worker, "order.suspected") for worker in workers)

        await asyncio.to_thread(server.start)
        opened = proxy.opened
        await oracle.judge(storefront.ledger, workers, seconds_max=60 + orders / 100)
        connections = proxy.opened - opened

    # One probe at a time each, ever further apart; then no more connections than the pools hold.
    assert WORKERS <= probes <= WORKERS * (PROBES_MAX + seconds / PROBE_EVERY_SECONDS)
    assert connections <= CONNECTIONS_MAX + WORKERS  # the last probes failed while it was recovering
    check_words(workers)
    for queue in topology.RETRY_DELAYS:
        assert await shop.waiting(queue) == 0


async def test_a_worker_that_starts_before_its_postgres_waits_for_it(
    shop_at_postgres: Shop, postgres: Postgres
) -> None:
    await asyncio.to_thread(postgres.kill)
    asked = await shop_at_postgres.publish(ORDER)
    late = await shop_at_postgres.spawn_worker()
    await until(lambda: count_of(late, "worker.paused") > 0, 20)

    await asyncio.to_thread(postgres.start)

    await shop_at_postgres.until_events(asked.message_id or "", "order.added")
    assert count_of(late, "worker.consuming") == 1
    check_words([late])


# ---------------------------------------------------------------- 12: slow


BODY_BYTES = 900_000
PREFETCH = 4
GROWTH_BYTES_MAX = 15 * 2**20  # four in hand, each read into something larger; a third of all is 24 MB
HELD_SECONDS_MAX = 30.0  # RabbitMQ takes a channel away whose deliveries are held for half an hour


async def test_with_a_slow_postgres_no_more_is_held_than_the_prefetch(shop_at_postgres: Shop) -> None:
    await be_slow(shop_at_postgres, random.Random(12), orders=80, delay_seconds=0.03)


async def be_slow(shop: Shop, chance: random.Random, orders: int, delay_seconds: float) -> None:
    """Let large requests wait before a database that takes its time over every answer."""
    url = shop.worker_environment["ORDERS_POSTGRES_URL"]
    async with Proxy.to(url) as proxy:
        settings = {"ORDERS_POSTGRES_URL": proxy.url(url), "ORDERS_PREFETCH": str(PREFETCH)}
        workers = await start_workers(shop, settings=settings)
        for _ in range(WORKERS):
            await shop.ask({**ORDER, "padding": "x" * BODY_BYTES})
        before = [memory(worker) for worker in workers]

        proxy.delay_seconds = delay_seconds
        bodies = [{**ORDER, "padding": chance.choice("xyz") * BODY_BYTES} for _ in range(3)]
        for number in range(orders):
            await shop.publish(bodies[number % 3], reply_to=None)
        most = [0] * WORKERS
        waited = 0
        async with asyncio.timeout(100):
            while sum(count_of(worker, "order.placed") for worker in workers) < orders + WORKERS:
                waited = max(waited, await shop.waiting())
                most = [max(pair) for pair in zip(most, map(memory, workers), strict=True)]
                await asyncio.sleep(POLL_SECONDS)

    assert waited > orders / 3  # it was slower than what came in
    assert max(peak - base for peak, base in zip(most, before, strict=True)) < GROWTH_BYTES_MAX
    held = [line["seconds"] for worker in workers for line in worker.log if line["event"] == "order.placed"]
    assert len(held) == orders + WORKERS
    # Ten in hand are a few batches, one after the other.
    assert PREFETCH * max(held) < HELD_SECONDS_MAX
    assert [line["event"] for worker in workers for line in worker.log].count("worker.consuming") == WORKERS
    check_words(workers)


def memory(worker: Worker) -> int:
    """Bytes of a worker that are in memory."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert match
    return int(match[1]) * 1024
