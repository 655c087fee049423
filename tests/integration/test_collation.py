"""Keys of text are what they are whatever the database's collation is; and what a wrong order of an index let in.

A collation that moves under an index leaves it in an order that is not the one in which it is searched. Here an index
is built backwards, and the server then told that it is not: that is the same, and every Postgres can do it.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg
import pytest

from repository import catalog as catalogue
from repository import migrate
from repository.database import Database
from repository.revisions import REVISIONS
from schemas import catalog_file
from tests.deliveries import PUBLISHER, context_of, delivery
from tests.integration.test_migrations import execute, migrate_to
from tests.shop import POLL_SECONDS, SECONDS_MAX
from worker.pipeline.carry_out import carry_out
from worker.pipeline.outcomes import OutcomeKind

REVISION = "0007"
BEFORE = REVISIONS[REVISIONS.index(REVISION) - 1]
CALLER = f"publisher:{PUBLISHER}"
REQUESTS = 1_000
AT_ONCE = 100
LIVES = ("orders", "services", "service_addons", "domains")  # of the sample's: the ids are given
WAIT_SECONDS_MAX = 2.5  # of a batch: a second for the lock, and what it takes itself on a busy machine

SOLD = """
    INSERT INTO currencies VALUES ('USD', '$', '', 2, true);
    INSERT INTO payment_methods VALUES ('paypal', 'PayPal', true, 1);
    INSERT INTO clients
    VALUES (1, 'Ann', 'Bell', '', 'ann@example.com', 'en', '', '', '', '', 'US', 'USD', false, null, 0, 'Active');
    INSERT INTO tlds VALUES ('.com', false, false);
    INSERT INTO tld_fields VALUES ('.com', 'Registrant', 'text', false, '{}', 1);
"""
# As the version before claims, and what it writes where that is new. $1 callers, $2 message ids
ASK = """
    WITH claimed AS (
        INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version)
        SELECT caller, message_id, '', 'of a key that is gone'
        FROM unnest($1::text[], $2::text[]) AS request (caller, message_id)
        ORDER BY caller, message_id
        ON CONFLICT (caller, message_id) DO UPDATE SET deliveries = inbox.deliveries + 1
        RETURNING id, xmax = 0 AS is_new
    ),
    placed AS (
        INSERT INTO orders (order_number, request_id, client_id, status, currency, amount, payment_method)
        SELECT lpad(id::text, 10, '0'), id, 1, 'Pending', 'USD', 4, 'paypal'
        FROM claimed
        WHERE is_new
        RETURNING id, request_id
    )
    INSERT INTO answers (request_id, outcome, replays, reply, events, published_at)
    SELECT request_id, 'placed', 0, json_build_object('result', 'success', 'orderid', id), '{}', now()
    FROM placed
"""
BACKWARDS = (  # each by a session of its own, which knows nothing of the index yet
    "ALTER TABLE inbox DROP CONSTRAINT inbox_caller_message_id_key",
    "CREATE UNIQUE INDEX inbox_caller_message_id_key ON inbox (caller DESC, message_id DESC)",
    "UPDATE pg_index SET indoption = '0 0' WHERE indexrelid = 'inbox_caller_message_id_key'::regclass",
    "ALTER TABLE inbox ADD CONSTRAINT inbox_caller_message_id_key UNIQUE USING INDEX inbox_caller_message_id_key",
)
# An index with doubles in it, as a wrong order leaves one behind.
WITH_DOUBLES = """
    CREATE INDEX {name} ON {table} ({columns});
    UPDATE pg_index SET indisunique = true WHERE indexrelid = '{name}'::regclass;
    ALTER TABLE {table} ADD CONSTRAINT {name} {kind} USING INDEX {name};
"""

NOT_BY_BYTES = """
    SELECT indrelid::regclass || ': ' || pg_get_indexdef(indexrelid)
    FROM pg_index
    JOIN pg_class ON pg_class.oid = indrelid
    WHERE
        relnamespace = 'public'::regnamespace
        AND relname <> 'alembic_version' -- one row, and not ours
        AND EXISTS (
            SELECT
            FROM unnest(indcollation::oid[]) AS used (id)
            WHERE used.id NOT IN (0, 'pg_catalog."C"'::regcollation)
        )
"""
ORDERS_OF_REQUESTS = "SELECT count(*) AS count FROM orders WHERE request_id IS NOT NULL"


@pytest.fixture
async def old_url(database_url: str) -> str:
    """A database as the revision before had it, with something to sell."""
    await migrate_to(database_url, BEFORE)
    await execute(database_url, SOLD)
    return database_url


async def fetch(url: str, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


def keys(first: int = 0, count: int = REQUESTS) -> list[str]:
    return [f"key-{number}" for number in range(first, first + count)]


async def ask_before(url: str, message_ids: Sequence[str]) -> int:
    """Ask for an order under each key, as the version before would; returns how many orders there are then."""
    for begin in range(0, len(message_ids), AT_ONCE):
        batch = message_ids[begin : begin + AT_ONCE]
        await fetch(url, ASK, [CALLER] * len(batch), batch)
    [row] = await fetch(url, ORDERS_OF_REQUESTS)
    return int(row["count"])


async def ask(url: str, message_ids: Sequence[str]) -> dict[str, tuple[OutcomeKind, int]]:
    """Ask for an order under each key; returns what became of it, and which order it is."""
    sample = json.loads(files("deploy").joinpath("sample", "catalog.json").read_bytes())
    for_sale = {section: entries for section, entries in sample.items() if section not in LIVES}
    found: dict[str, tuple[OutcomeKind, int]] = {}
    async with Database(url) as database:
        async with database.transaction() as connection:
            await catalogue.load(connection, catalog_file.parse(json.dumps(for_sale)), by="a test")
        context = context_of(database)
        await context.open()
        for begin in range(0, len(message_ids), AT_ONCE):
            batch = message_ids[begin : begin + AT_ONCE]
            deliveries = [delivery(tag, one, {"pid": [7]}) for tag, one in enumerate(batch)]
            for outcome in await carry_out(deliveries, context):
                name = str(outcome.reading.delivery.properties.message_id)
                found[name] = (outcome.kind, int(outcome.log_fields["order_id"]))
    return found


# ---------------------------------------------------------------- the schema


async def test_every_key_of_text_is_ordered_by_its_bytes(shop_url: str) -> None:
    assert [row[0] for row in await fetch(shop_url, NOT_BY_BYTES)] == []


async def test_every_constraint_is_validated(shop_url: str) -> None:
    found = await fetch(shop_url, "SELECT conname FROM pg_constraint WHERE NOT convalidated")

    assert [row["conname"] for row in found] == []


async def test_one_index_answers_whether_anything_was_placed_under_a_message_id_whoever_asked(shop_url: str) -> None:
    async with Database(shop_url) as database, database.connection() as connection:
        plan = await connection.fetch("EXPLAIN SELECT FROM inbox WHERE message_id = 'cart-17'")

    assert "inbox_message_id_caller_key" in str(plan)


# ---------------------------------------------------------------- what a wrong order has let in


async def test_after_the_migration_a_thousand_repeats_place_nothing_though_the_index_was_in_a_wrong_order(
    old_url: str,
) -> None:
    assert await ask_before(old_url, keys()) == REQUESTS
    first = await fetch(old_url, "SELECT message_id, orders.id FROM orders JOIN inbox ON inbox.id = request_id")
    for step in BACKWARDS:
        await execute(old_url, step)
    twice = await ask_before(old_url, keys()) - REQUESTS
    said: list[str] = []

    await migrate.migrate(old_url, said.append)
    again = await ask(old_url, keys())

    assert twice > REQUESTS / 2  # so wrong an order of its index is
    assert {kind for kind, _ in again.values()} == {OutcomeKind.REPEATED}
    # Of two, the first that was placed answers; all of them are real, and stay.
    assert {name: order_id for name, (_, order_id) in again.items()} == {row["message_id"]: row["id"] for row in first}
    [placed] = await fetch(old_url, ORDERS_OF_REQUESTS)
    assert placed["count"] == REQUESTS + twice
    assert f"has let in {twice} requests a second time" in " ".join(said)
    assert any("was ordered twice; asked again, it is order " in line for line in said)


@pytest.mark.parametrize(
    ("rows", "owner"),
    [
        (["placed", "placed"], 0),
        (["nothing", "placed"], 1),
        (["nothing", "nothing"], 0),
        (["nothing", "superseded"], 1),
        (["superseded", "placed"], 1),
        (["nothing", "placed", "placed"], 1),
    ],
)
async def test_of_doubles_the_oldest_order_keeps_the_key_and_the_others_are_kept_apart(
    old_url: str, rows: Sequence[str], owner: int
) -> None:
    await ask_before(old_url, keys(count=len(rows)))  # requests and orders that the rows below are given
    made = await fetch(old_url, "SELECT inbox.id, orders.id FROM orders JOIN inbox ON inbox.id = request_id")
    await execute(old_url, "ALTER TABLE inbox DROP CONSTRAINT inbox_caller_message_id_key")
    ids: list[int] = []
    for (request_id, order_id), kind in zip(made, rows, strict=True):
        by = request_id if kind == "superseded" else None
        [row] = await fetch(old_url, ANOTHER_ROW, by)
        ids.append(row["id"])
        if kind == "placed":
            await fetch(old_url, "UPDATE orders SET request_id = $1 WHERE id = $2", row["id"], order_id)
    index = {"name": "inbox_caller_message_id_key", "table": "inbox", "columns": "caller, message_id", "kind": "UNIQUE"}
    await execute(old_url, WITH_DOUBLES.format(**index))

    await migrate.migrate(old_url)

    kept = await fetch(old_url, "SELECT id FROM inbox WHERE (caller, message_id) = ('publisher:shop', 'twice')")
    apart = await fetch(old_url, "SELECT caller FROM inbox WHERE caller LIKE 'double:%' AND message_id = 'twice'")
    assert [row["id"] for row in kept] == [ids[owner]]
    others = [id_ for id_ in ids if id_ != ids[owner]]
    assert sorted(row["caller"] for row in apart) == sorted(f"double:{id_}:publisher:shop" for id_ in others)


# Of the same key as all others. $1 the request that was placed in its stead, or null
ANOTHER_ROW = """
    INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version, superseded_by)
    VALUES ('publisher:shop', 'twice', '', '2', $1)
    RETURNING id
"""


async def test_two_rows_under_one_key_of_the_catalogue_stop_the_migration_which_names_them(old_url: str) -> None:
    index = {"name": "tld_fields_pkey", "table": "tld_fields", "columns": "tld, name", "kind": "PRIMARY KEY"}
    await execute(
        old_url,
        """
        ALTER TABLE tld_fields DROP CONSTRAINT tld_fields_pkey;
        INSERT INTO tld_fields SELECT * FROM tld_fields LIMIT 1;
        """
        + WITH_DOUBLES.format(**index),
    )

    with pytest.raises(migrate.Stopped, match=r"table tld_fields holds two rows under one key.*: take one of them out"):
        await migrate.migrate(old_url)

    await execute(old_url, "DELETE FROM tld_fields WHERE ctid IN (SELECT max(ctid) FROM tld_fields GROUP BY tld, name)")
    await migrate.migrate(old_url)
    assert [row[0] for row in await fetch(old_url, NOT_BY_BYTES)] == []


# ---------------------------------------------------------------- beside others


@asynccontextmanager
async def holding(url: str, sql: str) -> AsyncIterator[None]:
    """Do something in a transaction that lasts. As one text: a query would keep its snapshot as well."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(sql)
            yield
    finally:
        await connection.close()


async def test_while_the_last_of_its_tables_is_read_no_batch_waits_longer_than_a_lock_may(old_url: str) -> None:
    """All tables are locked together, the inbox first: whoever reads the last one keeps it waiting for all."""
    said: list[str] = []
    waits: list[float] = []

    async def ask_until(is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            began = time.monotonic()
            await ask_before(old_url, keys(len(waits), 1))
            waits.append(time.monotonic() - began)

    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask_until(is_over))
        async with holding(old_url, "LOCK TABLE promotion_values IN ACCESS SHARE MODE"):
            migrating = tasks.create_task(migrate_to(old_url, REVISION, said.append))
            async with asyncio.timeout(SECONDS_MAX):
                while sum("a table is in use" in line for line in said) < 2:
                    await asyncio.sleep(POLL_SECONDS)
        await migrating
        is_over.set()

    assert 0.5 < max(waits) < WAIT_SECONDS_MAX  # it did wait, and not for long
    assert len(waits) > 20


# ---------------------------------------------------------------- killed in the middle


async def test_a_migration_that_is_killed_while_it_builds_an_index_is_run_again(old_url: str) -> None:
    await ask_before(old_url, keys(count=1))
    # Whoever builds an index waits for those who have written to the table.
    async with holding(old_url, "UPDATE inbox SET deliveries = deliveries"):
        killed = subprocess.Popen(
            [sys.executable, "-m", "worker", "migrate"],
            env={**os.environ, "ORDERS_POSTGRES_URL": old_url},
            stderr=subprocess.DEVNULL,
        )
        async with asyncio.timeout(SECONDS_MAX):
            while not await fetch(old_url, "SELECT FROM pg_stat_progress_create_index WHERE current_locker_pid <> 0"):
                await asyncio.sleep(POLL_SECONDS)
        killed.send_signal(signal.SIGKILL)
        killed.wait(SECONDS_MAX)

    await migrate.migrate(old_url)

    assert [row[0] for row in await fetch(old_url, NOT_BY_BYTES)] == []


async def test_an_index_that_was_begun_and_not_finished_is_built_anew(old_url: str) -> None:
    await execute(
        old_url,
        """
        CREATE UNIQUE INDEX inbox_message_id_caller_key ON inbox (message_id COLLATE "C", caller COLLATE "C");
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'inbox_message_id_caller_key'::regclass;
        """,
    )

    await migrate.migrate(old_url)

    found = await fetch(
        old_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'inbox_message_id_caller_key'::regclass"
    )
    assert [row["indisvalid"] for row in found] == [True]
