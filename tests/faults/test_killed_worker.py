"""kill -9 of a worker anywhere on the line loses nothing and repeats nothing visible (reliability.md 1)."""

import asyncio
import random
import signal
from collections import Counter

import pytest

from schemas import topology
from tests.faults.killing_worker import POINTS
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.shop import SECONDS_MAX, Shop, Worker

ORDER = {"clientid": 1, "pid": [1, 5], "billingcycle": ["monthly", "annually"], "paymentmethod": "paypal"}
FOLLOW_UPS = ("email.invoice-created", "email.order-confirmation")
KILLING = "tests.faults.killing_worker"

WORKERS = 3
BURST = 15  # orders at once, so that batches have neighbours
BURSTS_A_SECOND = 2
TIMES_MAX = 3  # at which time that it reaches its point a worker dies


@pytest.mark.parametrize("point", POINTS)
async def test_an_order_survives_the_worker_that_is_killed(shop: Shop, point: str) -> None:
    dying = await shop.start_worker(KILLING, point)
    asked = await shop.publish(ORDER)
    await until_killed(dying)

    heir = await shop.start_worker()
    await shop.reply(asked)
    events = await shop.until_events(asked.message_id or "", "order.added", *FOLLOW_UPS)
    assert heir.stop() == 0

    assert await shop.orders_placed() == 1
    assert await shop.count("services WHERE order_id IS NOT NULL") == 2
    assert await shop.count("invoices") == 1
    assert len(set(asked.replies)) == 1
    # What was said twice was said under the same id, in the same words.
    assert Counter(event.type for event in {event.id: event for event in events}.values()) == Counter(
        ("order.added", *FOLLOW_UPS)
    )
    assert len({event.raw for event in events}) == 3
    assert await shop.waiting() == 0
    assert await shop.database.fetchval("SELECT quantity FROM product_stock WHERE product_id = 5") == 99_999


async def until_killed(worker: Worker) -> None:
    assert await asyncio.to_thread(worker.process.wait, SECONDS_MAX) == -signal.SIGKILL


async def test_workers_killed_at_every_point_under_load(shop: Shop) -> None:
    await kill_at_every_point(shop, random.Random(1), rounds=1)


async def kill_at_every_point(shop: Shop, chance: random.Random, rounds: int) -> None:
    """Under load, let workers die beside one that does not: each at another point, at another time it gets there."""
    points = [point for _ in range(rounds) for point in chance.sample(list(POINTS), len(POINTS))]
    is_over = asyncio.Event()
    placed_at_deaths: list[int] = []

    async def send(storefront: Storefront) -> None:
        while not is_over.is_set():
            await storefront.send(BURST)
            await asyncio.sleep(1 / BURSTS_A_SECOND)

    async def die_at(point: str) -> None:
        await until_killed(await shop.spawn_worker(KILLING, point, str(chance.randint(1, TIMES_MAX))))
        placed_at_deaths.append(await shop.orders_placed())

    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        steady = await shop.start_worker()
        async with asyncio.TaskGroup() as load:
            load.create_task(send(storefront))
            while points:
                dying, points = points[: WORKERS - 1], points[WORKERS - 1 :]
                await asyncio.gather(*map(die_at, dying))
                await until_none_is_suspected(shop)
            await until_more_placed(shop, placed_at_deaths[-1])
            is_over.set()

        await oracle.judge(storefront.ledger, [steady], seconds_max=60)

    assert len(placed_at_deaths) == rounds * len(POINTS)
    # They died in the middle of work: some of it was done before, and some after.
    assert 0 < placed_at_deaths[0] < placed_at_deaths[-1] < await shop.orders_placed()


async def until_more_placed(shop: Shop, count: int) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.orders_placed() <= count:
            await asyncio.sleep(0.02)


async def until_none_is_suspected(shop: Shop) -> None:
    """Wait until what was handed over too often has ended: a further death is not to be its fault as well."""
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.waiting(topology.SUSPECTS):
            await asyncio.sleep(0.02)
