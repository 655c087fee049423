"""A row that somebody holds keeps the requests that need it, and no others (reliability.md 29)."""

import asyncio
import time
from typing import Any, NamedTuple

import asyncpg
import pytest

from tests.shop import Asked, Shop

WORKERS = 2
OTHERS = 150
HELD_UP = 15
HELD_SECONDS = 12.0
OTHERS_SECONDS_MAX = 8.0  # for the orders of others, with one in ten that is held up among them
BACK_SECONDS_MAX = 20.0  # what waits comes back every 5 s


class Lock(NamedTuple):
    statement: str
    order: dict[str, Any]  # that needs it
    named: dict[str, list[str]]  # as the log is to name it; nothing, where no look can tell


OTHER = {"clientid": 1, "pid": [7], "paymentmethod": "paypal"}
LOCKS = {
    "a client": Lock("SELECT FROM clients WHERE id = 3 FOR UPDATE", {**OTHER, "clientid": 3}, {"clients": ["3"]}),
    "the stock of a product": Lock(
        "SELECT FROM product_stock WHERE product_id = 5 FOR UPDATE",
        {**OTHER, "pid": [5], "billingcycle": ["monthly"]},
        {"stock_products": ["5"]},
    ),
    "a product": Lock("SELECT FROM products WHERE id = 1 FOR UPDATE", {**OTHER, "pid": [1]}, {}),
}


@pytest.mark.parametrize("kind", LOCKS)
async def test_who_needs_what_is_held_waits_uncounted_and_the_others_go_on(shop: Shop, kind: str) -> None:
    await be_held_up(shop, LOCKS[kind], HELD_SECONDS)


async def be_held_up(shop: Shop, lock: Lock, seconds: float) -> None:
    """Let somebody hold a row for so long, while orders come that need it, and others."""
    workers = [await shop.start_worker() for _ in range(WORKERS)]
    holder = await asyncpg.connect(shop.environment["ORDERS_POSTGRES_URL"])
    pid = holder.get_server_pid()
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute(lock.statement)
    held_since = time.monotonic()

    held_up, others = list[Asked](), list[Asked]()
    for number in range(OTHERS):
        others.append(await shop.publish(OTHER))
        if number % (OTHERS // HELD_UP) == 0:
            held_up.append(await shop.publish(lock.order))
    await until_added(shop, others, OTHERS_SECONDS_MAX)
    await asyncio.sleep(max(0.0, seconds - (time.monotonic() - held_since)))
    assert not added(shop) & ids(held_up)
    await transaction.rollback()
    await holder.close()
    await until_added(shop, held_up, BACK_SECONDS_MAX)

    log = [line for worker in workers for line in worker.log]
    retried = [line for line in log if line["event"] == "order.retried"]
    assert {line["message_id"] for line in retried} == ids(held_up)
    assert {(line["reason"], line["attempts"]) for line in retried} == {("locked", 0)}
    assert [line for line in log if line["event"] in {"order.crashed", "order.failed", "worker.paused"}] == []
    told = [line for line in log if line["event"] == "orders.locked"]
    assert bool(told) == bool(lock.named)
    assert all(line.items() >= lock.named.items() for line in told)
    assert all(f"pid {pid}, user " in " ".join(line["perhaps_held_by"]) for line in told[:1])


def ids(asked: list[Asked]) -> set[str | None]:
    return {one.message_id for one in asked}


def added(shop: Shop) -> set[str | None]:
    return {event.data["request_id"] for event in shop.events if event.type == "order.added"}


async def until_added(shop: Shop, asked: list[Asked], seconds_max: float) -> None:
    async with asyncio.timeout(seconds_max):
        while not ids(asked) <= added(shop):
            await asyncio.sleep(0.05)
