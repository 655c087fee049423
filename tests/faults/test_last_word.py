"""What is placed is never reported as failed, whatever becomes of a repeat of it (reliability.md 24)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker

FORGETFUL = "tests.faults.forgetful_worker"
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
DELIVERIES_MAX = 8  # two in orders.requests, four in orders.suspects, and copies that a death left behind
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def placed(shop: Shop, message_id: str) -> int:
    """Have an order placed, and nobody who works. Returns its number."""
    worker = await shop.start_worker()
    reply = await shop.ask(ORDER, message_id=message_id)
    await shop.until_events(message_id, "order.added", "email.invoice-created", "email.order-confirmation")
    assert await asyncio.to_thread(worker.stop) == 0
    return int(reply["orderid"])


def told_of(worker: Worker, event: str) -> list[dict[str, Any]]:
    return [line for line in worker.log if line["event"] == event]


async def test_a_repeat_that_fails_for_the_last_time_is_perhaps_placed_and_nobody_hears_that_it_failed(
    shop: Shop,
) -> None:
    order_id = await placed(shop, "cart-1")

    worker = await shop.start_worker(FORGETFUL, "bug")
    asked = await shop.publish(ORDER, message_id="cart-1", notes={"x-orders-attempts": 3})
    [letter] = await shop.dead_letters()

    assert (letter.message_id, letter.reason, letter.code, letter.attempts) == ("cart-1", "failed", "perhaps_placed", 4)
    assert letter.message.startswith(f"RuntimeError; but order {order_id} was placed under this message_id")
    assert [line["order_id"] for line in told_of(worker, "order.perhaps_placed")] == [order_id]
    assert asked.replies == []
    assert not [event for event in shop.events if event.type == "order.failed"]
    assert await shop.orders_placed() == 1


@asynccontextmanager
async def locked(shop: Shop, message_id: str) -> AsyncIterator[None]:
    """Hold the row of a request, as somebody with a forgotten transaction does."""
    async with shop.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM inbox WHERE message_id = $1 FOR UPDATE", message_id)
        yield


async def until_it_waits(shop: Shop, worker: Worker) -> None:
    """Wait until a worker waits for the row, or has told what became of the request."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (await shop.database.fetchval(WAITS) or told_of(worker, "order.perhaps_placed")):
            assert not told_of(worker, "order.failed")
            await asyncio.sleep(POLL_SECONDS)


async def test_a_repeat_that_is_killed_with_its_workers_while_its_row_is_locked_is_perhaps_placed(shop: Shop) -> None:
    order_id = await placed(shop, "cart-1")
    deaths = 0

    async with locked(shop, "cart-1"):
        await shop.publish(ORDER, message_id="cart-1")
        for _ in range(DELIVERIES_MAX):
            worker = await shop.spawn_worker()
            await until_it_waits(shop, worker)
            if told_of(worker, "order.perhaps_placed"):
                break
            worker.kill()
            deaths += 1
            async with asyncio.timeout(SECONDS_MAX):
                while await shop.database.fetchval(WAITS):
                    await asyncio.sleep(POLL_SECONDS)
        [letter] = await shop.dead_letters()

    assert (letter.message_id, letter.code) == ("cart-1", "perhaps_placed")
    assert letter.message.startswith(f"killed_its_workers; but order {order_id} was placed")
    assert deaths >= 5
    assert not [event for event in shop.events if event.type == "order.failed"]
    assert await asyncio.to_thread(worker.stop) == 0
    assert await shop.orders_placed() == 1


async def test_too_few_connections_count_no_attempt_and_the_repeat_is_answered(shop: Shop) -> None:
    await placed(shop, "cart-1")
    poor = await shop.start_worker(FORGETFUL, "connections")
    asked = await shop.publish(ORDER, message_id="cart-1", notes={"x-orders-attempts": 3})
    await shop.until(lambda: len(told_of(poor, "worker.paused")) > 1)
    poor.kill()

    worker = await shop.start_worker()

    assert json.loads(await shop.reply(asked))["result"] == "success"
    assert worker.stop() == 0
    assert await shop.waiting("orders.dead") == 0
    assert not [event for event in shop.events if event.type == "order.failed"]
    assert await shop.orders_placed() == 1
