"""What the broker does to us: it dies, it takes nothing for a while; and workers that are replaced meanwhile.

reliability.md 2, 13 and 14. Every scene takes its length, so that a long run can play it too.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from deploy.local import RabbitMQ
from deploy.local.host import free_port
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.faults.scenes import WORKERS, Load, all_live, count, is_ready, until
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker

ORDERS = 300
SECONDS = 6.0

# The promise: from the broker's first answer on.
GO_ON_SECONDS_MAX = 10.0
NOTICE_SECONDS_MAX = 10.0  # that a connection was cut
RED_SECONDS_MAX = 45.0  # a batch waits 30 for its confirms before it is taken for lost
GREEN_SECONDS_MAX = 30.0
JUDGE_SECONDS_MAX = 90.0

TELLING = "tests.faults.telling_worker"
BURST = 50  # orders sent at once
IN_HAND = 5  # deliveries that a worker has begun, or is about to

# rabbitmqctl's words that raise an alarm, and those that clear it.
DISK_ALARM = ("set_disk_free_limit", "1000000GB"), ("set_disk_free_limit", "50MB")
MEMORY_ALARM = ("set_vm_memory_high_watermark", "0.0001"), ("set_vm_memory_high_watermark", "0.4")


def oracle_of(shop: Shop) -> AbstractAsyncContextManager[Oracle]:
    return Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"])


def storefront_of(shop: Shop, chance: random.Random) -> Storefront:
    return Storefront([shop.logins.storefront], seed=chance.randrange(1_000_000))


# ---------------------------------------------------------------- the broker dies


async def broker_killed(shop: Shop, rabbitmq: RabbitMQ, chance: random.Random, orders: int, seconds: float) -> None:
    workers = await asyncio.gather(*(shop.start_worker() for _ in range(WORKERS)))

    async with oracle_of(shop) as oracle, storefront_of(shop, chance) as storefront:
        load = Load(shop, storefront, chance, orders, seconds)
        async with load.running():
            for moment in load.moments:
                await load.reach(moment)
                await killed_and_back(rabbitmq, workers, load, away_seconds=chance.uniform(0, seconds / SECONDS))
        assert all_live(workers)
        await oracle.judge(storefront.ledger, workers, JUDGE_SECONDS_MAX)


async def killed_and_back(rabbitmq: RabbitMQ, workers: list[Worker], load: Load, away_seconds: float) -> None:
    """Kill the broker, start it again, and see every worker go on within the time that is promised."""
    paused = [count(worker, "worker.paused") for worker in workers]
    sessions = [count(worker, "worker.consuming") for worker in workers]
    await asyncio.to_thread(rabbitmq.kill)
    await until(
        lambda: all(map(int.__lt__, paused, (count(one, "worker.paused") for one in workers))), NOTICE_SECONDS_MAX
    )
    placed = await load.exceed(0)
    await asyncio.sleep(away_seconds)  # the longer, the farther apart are the probes

    await asyncio.to_thread(rabbitmq.start)

    async with asyncio.timeout(GO_ON_SECONDS_MAX):
        await load.exceed(placed)
        while not all(map(int.__lt__, sessions, (count(one, "worker.consuming") for one in workers))):
            await asyncio.sleep(POLL_SECONDS)


async def test_a_broker_killed_under_load_loses_nothing_and_workers_go_on_by_themselves(
    shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ
) -> None:
    await broker_killed(shop_at_rabbitmq, rabbitmq, random.Random(2), ORDERS, SECONDS)


# ---------------------------------------------------------------- the broker takes nothing


async def broker_alarmed(shop: Shop, rabbitmq: RabbitMQ, chance: random.Random, orders: int, seconds: float) -> None:
    ports = [free_port(1) for _ in range(WORKERS)]
    workers = await asyncio.gather(*(shop.start_worker(ORDERS_HTTP_PORT=str(port)) for port in ports))

    async with oracle_of(shop) as oracle, storefront_of(shop, chance) as storefront:
        load = Load(shop, storefront, chance, orders, seconds)
        async with load.running():
            for moment in load.moments:
                await load.reach(moment)
                await alarmed(rabbitmq, load, ports, *chance.sample([DISK_ALARM, MEMORY_ALARM], 2))
        assert all_live(workers)
        await oracle.judge(storefront.ledger, workers, JUDGE_SECONDS_MAX)


Alarm = tuple[tuple[str, ...], tuple[str, ...]]


async def alarmed(rabbitmq: RabbitMQ, load: Load, ports: list[int], one: Alarm, other: Alarm) -> None:
    """Raise one alarm, then another in its place: nobody is ready until both are over."""
    try:
        await asyncio.to_thread(rabbitmq.control, *one[0])
        await all_ready(ports, RED_SECONDS_MAX, wanted=False)
        confirmed, placed = load.confirmed, await load.exceed(0)
        await asyncio.to_thread(rabbitmq.control, *other[0])
        await asyncio.to_thread(rabbitmq.control, *one[1])
        assert not any([await is_ready(port) for port in ports])
        assert load.confirmed == confirmed, "there was no alarm"
    finally:
        for alarm in (one, other):
            await asyncio.to_thread(rabbitmq.control, *alarm[1])
    await all_ready(ports, GREEN_SECONDS_MAX, wanted=True)
    await load.exceed(placed, GREEN_SECONDS_MAX)


async def all_ready(ports: list[int], seconds_max: float, *, wanted: bool) -> None:
    """Wait until each of them is ready, or none."""
    async with asyncio.timeout(seconds_max):
        while any([await is_ready(port) is not wanted for port in ports]):
            await asyncio.sleep(POLL_SECONDS)


async def test_a_broker_out_of_disk_and_memory_makes_workers_wait_and_then_everything_flows(
    shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ
) -> None:
    await broker_alarmed(shop_at_rabbitmq, rabbitmq, random.Random(13), ORDERS, SECONDS)


# ---------------------------------------------------------------- workers are replaced


async def rolling_deploy(shop: Shop, chance: random.Random, orders: int, seconds: float) -> None:
    workers = list(await asyncio.gather(*(shop.start_worker(TELLING) for _ in range(WORKERS))))
    gone: list[Worker] = []
    drained = 0

    async with oracle_of(shop) as oracle, storefront_of(shop, chance) as storefront:
        load = Load(shop, storefront, chance, orders, seconds)
        async with load.running():
            for moment in load.moments:
                placed = await load.reach(moment)
                for _ in range(WORKERS):
                    workers.append(await shop.start_worker(TELLING))
                    gone.append(workers.pop(0))
                    async with bursts(storefront):
                        await until(partial(is_busy, gone[-1]), SECONDS_MAX)
                        told = datetime.now(UTC).isoformat()
                        assert await asyncio.to_thread(gone[-1].stop) == 0
                    drained += ended_after(gone[-1], told)
                await load.exceed(placed)
        assert drained, "no worker had anything in hand when it was told to stop: it proves nothing"
        await oracle.judge(storefront.ledger, workers, JUDGE_SECONDS_MAX)

    everybody = [*gone, *workers]
    assert handed_over_twice(everybody) == set()
    for unwanted in ("order.retried", "order.suspected", "order.failed", "worker.paused"):
        assert [count(worker, unwanted) for worker in everybody] == [0] * len(everybody), unwanted


@asynccontextmanager
async def bursts(storefront: Storefront) -> AsyncIterator[None]:
    """Send as fast as the broker takes it, so that workers have their hands full."""
    is_over = False

    async def send() -> None:
        while not is_over:
            await storefront.send(BURST)

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        is_over = True
        await sending


def is_busy(worker: Worker) -> bool:
    events: list[str] = [line["event"] for line in worker.log]
    return events.count("delivery.received") - sum(event.startswith("order.") for event in events) >= IN_HAND


def handed_over_twice(workers: list[Worker]) -> set[str]:
    """Return the requests that the broker handed over again, though a worker had them.

    Not those that no worker had: what a quorum queue has assigned to a consumer in the moment when that is cancelled
    comes again, flagged as redelivered, and was never sent. Nor those that the storefront sent twice.
    """
    deliveries = [line for worker in workers for line in worker.log if line["event"] == "delivery.received"]
    first = {line["message_id"] for line in deliveries if not line["redelivered"]}
    again = {line["message_id"] for line in deliveries if line["redelivered"]}
    sent_twice = {line["message_id"] for worker in workers for line in worker.log if line["event"] == "order.repeated"}
    return (first & again) - sent_twice


def ended_after(worker: Worker, moment: str) -> int:
    return sum(line["event"].startswith("order.") and line["timestamp"] > moment for line in worker.log)


async def test_workers_replaced_one_by_one_under_load_finish_what_they_have_and_nothing_is_handed_over_twice(
    shop_at_rabbitmq: Shop,
) -> None:
    await rolling_deploy(shop_at_rabbitmq, random.Random(14), ORDERS, SECONDS)
