"""Each worker says what it is and does, in the table `processes`; no order waits for that."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from repository import processes
from repository.database import Database
from tests.integration.test_health import Line
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


async def until_rows(shop: Shop, are_so: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    async with asyncio.timeout(SECONDS_MAX):
        while not are_so(rows := await shop.fetch("SELECT * FROM processes ORDER BY started_at")):
            await asyncio.sleep(POLL_SECONDS)
    return rows


async def test_a_worker_says_what_it_is_before_it_consumes_and_that_it_ends(shop: Shop) -> None:
    worker = await shop.start_worker()

    [row] = await shop.fetch("SELECT * FROM processes")
    worker.stop()
    [ended] = await shop.fetch("SELECT * FROM processes")

    assert (row["kind"], row["host"], row["pid"]) == ("worker", socket.gethostname(), worker.process.pid)
    assert (row["version"], row["knows"], row["ended_at"]) == ("0.1.0", ["orders.probe"], None)
    assert ended["run_id"] == row["run_id"]
    assert ended["ended_at"] is not None


async def test_settings_that_differ_have_another_hash_and_secrets_and_the_port_are_not_in_it(shop: Shop) -> None:
    await shop.start_worker()
    await shop.start_worker(ORDERS_HTTP_PORT="28467", ORDERS_SECRET_KEYS="another-key-of-the-tests-of-32-characters")
    await shop.start_worker(ORDERS_PREFETCH="7")

    first, alike, other = await shop.fetch("SELECT settings_hash FROM processes ORDER BY started_at")

    assert first == alike
    assert first != other


async def test_who_was_killed_is_silent_and_taken_out_after_a_day(shop: Shop) -> None:
    worker = await shop.start_worker()
    worker.kill()
    await shop.database.execute("UPDATE processes SET seen_at = seen_at - interval '31 seconds'")
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database, database.connection() as connection:
        [silent] = await processes.running(connection)
    await shop.database.execute("UPDATE processes SET seen_at = seen_at - interval '1 day'")

    await shop.start_worker()

    assert (silent.identity.pid, silent.is_silent) == (worker.process.pid, True)
    [row] = await shop.fetch("SELECT pid FROM processes")
    assert row["pid"] != worker.process.pid


async def test_a_table_that_cannot_be_written_stops_no_order_and_is_told_once(shop: Shop) -> None:
    await shop.database.execute("ALTER TABLE processes RENAME TO away")

    worker = await shop.start_worker("tests.faults.chatty_worker")
    reply = await shop.ask(ORDER)
    await shop.until(lambda: [line["event"] for line in worker.log].count("test.told") >= 5)

    assert reply["result"] == "success"
    assert [line["fault"] for line in worker.log if line["event"] == "process.untold"] == ["UndefinedTableError"]


async def test_a_table_that_is_locked_stops_no_order(shop: Shop) -> None:
    async with shop.database.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE processes")

        worker = await shop.start_worker()
        replies = [await shop.ask(ORDER) for _ in range(3)]

    assert [reply["result"] for reply in replies] == ["success"] * 3
    assert [line["fault"] for line in worker.log if line["event"] == "process.untold"] == ["TimeoutError"]
    assert worker.process.poll() is None


async def test_a_worker_that_pauses_says_why_and_when_it_goes_on_again(shop: Shop) -> None:
    async with Line.to(shop.worker_environment["ORDERS_AMQP_URL"]) as line:
        await shop.start_worker("tests.faults.chatty_worker", ORDERS_AMQP_URL=line.url)
        [working] = await until_rows(shop, lambda rows: rows[0]["paused"] is None)
        line.cut()
        [paused] = await until_rows(shop, lambda rows: (rows[0]["paused"] or "").startswith("RabbitMQ is away"))
        await line.connect()
        [resumed] = await until_rows(shop, lambda rows: rows[0]["paused"] is None)

    assert working["run_id"] == paused["run_id"] == resumed["run_id"]
    assert resumed["seen_at"] > paused["seen_at"] > working["seen_at"]
