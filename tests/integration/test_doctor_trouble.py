"""doctor names what is wrong with the database beside us, and the fix (runbook, "Postgres")."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from repository import trouble
from tests.integration.test_commands import run
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop

PASSWORD = "w0rker"


async def findings(shop: Shop, check: str, **settings: str) -> list[dict[str, Any]]:
    ended = await asyncio.to_thread(run, "doctor", "--json", **{**shop.environment, **settings})
    assert "Traceback" not in ended.stderr
    return [one for one in json.loads(ended.stdout)["checks"] if one["check"] == check]


async def test_who_holds_what_another_waits_for_is_named_with_its_end(shop: Shop) -> None:
    url = shop.environment["ORDERS_POSTGRES_URL"]
    holder, waiter = await asyncpg.connect(url), await asyncpg.connect(url)
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("SELECT FROM clients WHERE id = 1 FOR UPDATE")
    waiting = asyncio.create_task(waiter.execute("SELECT FROM clients WHERE id = 1 FOR UPDATE"))
    async with asyncio.timeout(SECONDS_MAX), shop.database.acquire() as connection:
        while not (await trouble.look(connection)).waiting:
            await asyncio.sleep(POLL_SECONDS)

    [found] = await findings(shop, "locks")
    await transaction.rollback()
    await waiting
    await holder.close()
    await waiter.close()

    assert found["level"] == "warning"
    assert f"pid {waiter_pid(found)} " in found["says"]
    assert f"pg_terminate_backend({holder_pid(found)})" in found["fix"]
    assert await findings(shop, "locks") == []


def waiter_pid(found: dict[str, Any]) -> str:
    return str(found["says"].split()[1])


def holder_pid(found: dict[str, Any]) -> str:
    return str(found["says"].rpartition("pid ")[2].split()[0])


async def test_a_right_that_a_worker_lacks_is_named_by_table_and_sequence(shop: Shop) -> None:
    await shop.database.execute(f"CREATE ROLE half LOGIN PASSWORD '{PASSWORD}'")
    try:
        await shop.database.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO half")
        await shop.database.execute("REVOKE INSERT, UPDATE ON invoices FROM half")
        await shop.database.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO half")
        await shop.database.execute("REVOKE USAGE ON SEQUENCE orders_id_seq FROM half")
        parts = urlsplit(shop.environment["ORDERS_POSTGRES_URL"])
        host = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"half:{PASSWORD}@{host}"))

        table, sequence = sorted(
            await findings(shop, "tables", ORDERS_POSTGRES_URL=url), key=lambda one: str(one["says"])
        )
    finally:
        await shop.database.execute("DROP OWNED BY half; DROP ROLE half")

    assert {table["level"], sequence["level"]} == {"wrong"}
    assert table["says"] == "this user lacks INSERT and UPDATE on table invoices"
    assert table["fix"] == "GRANT INSERT, UPDATE ON invoices TO the user of a worker."
    assert sequence["says"] == "this user lacks USAGE on sequence orders_id_seq"


async def test_a_server_that_answers_and_takes_no_write_is_told_apart_from_one_that_is_well(shop: Shop) -> None:
    name = await shop.database.fetchval("SELECT current_database()")
    await shop.database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    [found] = await findings(shop, "writes")
    await shop.database.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert found["level"] == "wrong"
    assert "commits no write" in found["says"]
    assert "SQLSTATE 25006" in found["says"]
    assert "primary" in found["fix"]


async def test_a_worker_that_is_there_and_paused_is_named_with_why(shop: Shop) -> None:
    worker = await shop.start_worker()
    await shop.database.execute("ALTER TABLE invoices RENAME TO invoices_aside")
    await shop.publish({"clientid": 1, "pid": [7], "paymentmethod": "paypal"})
    await shop.until(lambda: any(line["event"] == "worker.paused" for line in worker.log))
    async with asyncio.timeout(SECONDS_MAX):
        while not await shop.database.fetchval("SELECT count(*) FROM processes WHERE paused IS NOT NULL"):
            await asyncio.sleep(POLL_SECONDS)

    [found] = await findings(shop, "workers")
    await shop.database.execute("ALTER TABLE invoices_aside RENAME TO invoices")

    assert found["level"] == "warning"
    assert 'relation "invoices" does not exist' in found["says"]
