"""A worker whose clock is a day wrong places the same orders: the database's time decides (reliability.md 11)."""

import asyncio
import json
import random
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from repository import inbox, unsent
from schemas import topology
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.shop import SECONDS_MAX, Shop

SKEWED = "tests.faults.skewed_worker"
DAY_SECONDS = 86_400
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
AGREES = timedelta(minutes=5)  # a test is over by then, and a day is far from it

# Half of 4.00; only on the day that the database has.
ONLY_TODAY = """
    UPDATE promotions
    SET start_date = (now() AT TIME ZONE 'UTC')::date, end_date = (now() AT TIME ZONE 'UTC')::date
    WHERE code = 'ONCEEACH'
"""
CATALOGUE_CHANGED = "UPDATE catalogue SET version = version + 1"
DATES = """
    SELECT
        invoices.date = (now() AT TIME ZONE 'UTC')::date
        AND invoices.due = (now() AT TIME ZONE 'UTC')::date
        AND abs(extract(epoch FROM now() - orders.placed_at)) < 300
        AND abs(extract(epoch FROM now() - answers.answered_at)) < 300 AS right
    FROM orders
    JOIN invoices ON invoices.order_id = orders.id
    JOIN answers USING (request_id)
    WHERE request_id IS NOT NULL
"""


async def test_workers_that_are_days_apart_place_the_same_orders(shop: Shop) -> None:
    await be_skewed(shop, random.Random(11), orders=90)


async def be_skewed(shop: Shop, chance: random.Random, orders: int) -> None:
    """Share a load among a worker that is right, one that is a day ahead and one that is a day behind."""
    workers = list(
        await asyncio.gather(*(shop.start_worker(SKEWED, str(ahead)) for ahead in (0, DAY_SECONDS, -DAY_SECONDS)))
    )
    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        await storefront.send(orders)
        await oracle.judge(storefront.ledger, workers, seconds_max=60)

    assert {row["right"] for row in await shop.fetch(DATES)} == {True}
    assert all(agrees(json.loads(event.raw)["time"]) for event in shop.events)
    # Each has worked, and believed its own clock.
    believed = [moment(line["now"]) for worker in workers for line in worker.log if line["event"] == "test.clock"]
    assert {round((now - datetime.now(UTC)) / timedelta(days=1)) for now in believed} == {0, 1, -1}
    assert all(any(line["event"] == "order.placed" for line in worker.log) for worker in workers)


def moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


def agrees(written: str) -> bool:
    return abs(moment(written) - datetime.now(UTC)) < AGREES


@pytest.mark.parametrize("ahead", [DAY_SECONDS, -DAY_SECONDS])
async def test_a_promotion_counts_on_the_day_that_the_database_has(shop: Shop, ahead: int) -> None:
    await shop.database.execute(ONLY_TODAY)
    await shop.database.execute(CATALOGUE_CHANGED)
    await shop.start_worker(SKEWED, str(ahead))

    asked = await shop.publish({**ORDER, "clientid": 19, "promocode": "ONCEEACH"})
    [added] = [
        event for event in await shop.until_events(asked.message_id or "", "order.added") if event.type == "order.added"
    ]

    assert added.data["amount"] == "2.00"


@pytest.mark.parametrize("ahead", [DAY_SECONDS, -DAY_SECONDS])
async def test_sweeps_and_marks_go_by_the_database(shop: Shop, ahead: int) -> None:
    """What another worker is publishing right now is not taken from it; what is left for long is."""
    dying = await shop.start_worker("tests.faults.killing_worker", "after commit")
    fresh = await shop.publish(ORDER)
    await asyncio.to_thread(dying.process.wait, SECONDS_MAX)
    async with asyncio.timeout(SECONDS_MAX):
        while not await shop.waiting(topology.REQUESTS):  # the broker has yet to see that its consumer died
            await asyncio.sleep(0.02)
    await shop.purge(topology.REQUESTS)

    worker = await shop.start_worker(SKEWED, str(ahead))
    placed = await shop.publish(ORDER)
    await shop.until_events(placed.message_id or "", "order.added")
    # It sweeps when it starts, before it marks for the first time.
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.count("answers WHERE published_at IS NOT NULL") < 1:
            await asyncio.sleep(0.02)

    assert shop.events_of(fresh.message_id or "") == []
    assert await shop.fetch("SELECT count(*) AS fresh FROM answers WHERE now() - published_at < '5 minutes'") == [
        {"fresh": 1}
    ]
    assert worker.stop() == 0


@pytest.mark.parametrize("ahead", [DAY_SECONDS, -DAY_SECONDS])
async def test_what_a_worker_set_aside_whose_clock_is_wrong_is_replayed(shop: Shop, ahead: int) -> None:
    worker = await shop.start_worker(SKEWED, str(ahead))
    asked = await shop.publish({**ORDER, "clientid": 99_999})
    await shop.dead_letters()
    assert worker.stop() == 0

    assert await shop.replay(asked.message_id or "") == 1


@pytest.mark.parametrize("ahead", [DAY_SECONDS, -DAY_SECONDS])
async def test_events_of_refusals_at_the_edge_have_the_time_of_the_database(shop: Shop, ahead: int) -> None:
    await shop.start_worker(SKEWED, str(ahead))

    asked = await shop.publish(b"{", message_id="unreadable")
    [rejected] = await shop.until_events(asked.message_id or "", "order.rejected")

    assert agrees(json.loads(rejected.raw)["time"])


async def test_what_was_left_before_the_databases_clock_was_set_back_is_published_all_the_same(shop: Shop) -> None:
    """To set times ahead is to set the clock back."""
    dying = await shop.start_worker("tests.faults.killing_worker", "after commit")
    left = await shop.publish(ORDER)
    await asyncio.to_thread(dying.process.wait, SECONDS_MAX)
    async with asyncio.timeout(SECONDS_MAX):
        while not await shop.waiting(topology.REQUESTS):
            await asyncio.sleep(0.02)
    await shop.purge(topology.REQUESTS)
    await shop.database.execute("UPDATE answers SET answered_at = now() + interval '1 hour'")
    kept = {"id": str(uuid.uuid4()), "type": "order.added", "data": {"request_id": "kept"}}
    await shop.database.execute(
        "INSERT INTO unsent (id, kind, destination, body, since) "
        "VALUES ($1, 'event', 'order.added', $2, now() + interval '1 hour')",
        kept["id"],
        json.dumps(kept).encode(),
    )
    async with shop.database.acquire() as connection:
        ages = [
            (await inbox.unpublished(connection))[1],
            *(one.oldest_seconds for one in await unsent.summary(connection)),
        ]

    worker = await shop.start_worker()

    assert ages == [0, 0]
    assert await shop.until_events(left.message_id or "", "order.added")
    assert await shop.until_events("kept", "order.added")
    assert worker.stop() == 0
