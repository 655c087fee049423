"""Keys of text are what they are whatever the database's collation is; and what a wrong order of an index let in.

A collation that moves under an index leaves it in an order that is not the one in which it is searched. Here an index
is built backwards, and the server then told that it is not: that is the same, and every Postgres can do it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import asyncpg
import pytest

from repository import migrate
from repository.database import Database
from repository.revisions import REVISIONS
from tests.benchmarks import pattern
from tests.integration.test_migrations import execute, migrate_to
from tests.shop import POLL_SECONDS, SECONDS_MAX
from worker.pipeline.carry_out import carry_out
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome, OutcomeKind

REVISION = "0007"
BEFORE = REVISIONS[REVISIONS.index(REVISION) - 1]
BODY = {"pid": [7]}
REQUESTS = 1_000
AT_ONCE = 100
WAIT_SECONDS_MAX = 2.5  # of a batch: a second for the lock, and what it takes itself on a busy machine

# The inbox as it was before the revision; the rest of the schema is as it is after all of them.
AS_BEFORE = """
    ALTER TABLE inbox DROP CONSTRAINT inbox_message_id_caller_key;
    ALTER TABLE inbox
    ALTER COLUMN caller TYPE text COLLATE "default",
    ALTER COLUMN message_id TYPE text COLLATE "default";
"""
AS_OF = "UPDATE alembic_version SET version_num = '{}'"
IN_ORDER = "ALTER TABLE inbox ADD CONSTRAINT inbox_caller_message_id_key UNIQUE (caller, message_id)"
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
KEYS = """
    SELECT caller, message_id, orders.id AS order_id
    FROM inbox
    LEFT JOIN orders ON orders.request_id = inbox.id
    WHERE message_id LIKE $1
    ORDER BY inbox.id
"""


async def undo(url: str, index: str) -> None:
    """Bring the inbox back to where it was before the revision, with this index for its key."""
    await execute(url, AS_BEFORE + index)


async def migrate_again(url: str, say: migrate.Say = lambda _line: None) -> None:
    """Apply the revision; those after it were never undone."""
    await execute(url, AS_OF.format(BEFORE))
    await migrate_to(url, REVISION, say)
    await execute(url, AS_OF.format(REVISIONS[-1]))


async def ask_all(context: Context, word: str = "key", count: int = REQUESTS) -> list[Outcome]:
    """Ask for so many orders, each under a key of its own: the same keys every time."""
    deliveries = [pattern.delivery(tag, f"{word}-{tag}", BODY) for tag in range(count)]
    return [
        outcome
        for begin in range(0, count, AT_ONCE)
        for outcome in await carry_out(deliveries[begin : begin + AT_ONCE], context)
    ]


async def fetch(url: str, sql: str, *arguments: object) -> Sequence[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql, *arguments)
    finally:
        await connection.close()


def order_ids(outcomes: Sequence[Outcome]) -> list[int]:
    return [int(outcome.log_fields["order_id"]) for outcome in outcomes]


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
    shop_url: str,
) -> None:
    await undo(shop_url, IN_ORDER)
    said: list[str] = []
    async with Database(shop_url) as database:
        context = pattern.context_of(database)
        await context.open()
        first = order_ids(await ask_all(context))
        for step in BACKWARDS:
            await execute(shop_url, step)
        again = await ask_all(context)
        twice = sum(outcome.kind is OutcomeKind.PLACED for outcome in again)

        await migrate_again(shop_url, said.append)
        third = await ask_all(context)

    assert twice > REQUESTS / 2  # so wrong an order of its index is
    assert {outcome.kind for outcome in third} == {OutcomeKind.REPEATED}
    assert order_ids(third) == first  # of two, the first that was placed answers
    placed = await fetch(shop_url, KEYS, "key-%")
    assert len(placed) == REQUESTS + twice
    assert len({row["order_id"] for row in placed}) == REQUESTS + twice  # all of them are real, and stay
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
    shop_url: str, rows: Sequence[str], owner: int
) -> None:
    async with Database(shop_url) as database:
        context = pattern.context_of(database)
        await context.open()
        await ask_all(context, "made", len(rows))  # requests and orders that the rows below are given
    made = await fetch(shop_url, KEYS, "made-%")
    await undo(shop_url, "SELECT")
    ids: list[asyncpg.Record] = []
    for row, kind in zip(made, rows, strict=True):
        ids += await fetch(shop_url, ROW_OF[kind], row["order_id"], row["message_id"])
    await execute(
        shop_url,
        WITH_DOUBLES.format(
            name="inbox_caller_message_id_key", table="inbox", columns="caller, message_id", kind="UNIQUE"
        ),
    )

    await migrate_again(shop_url)

    kept = await fetch(shop_url, "SELECT id FROM inbox WHERE (caller, message_id) = ('publisher:shop', 'twice')")
    apart = await fetch(shop_url, "SELECT caller FROM inbox WHERE caller LIKE 'double:%' AND message_id = 'twice'")
    assert [row["id"] for row in kept] == [ids[owner]["id"]]
    others = [row["id"] for row in ids if row != ids[owner]]
    assert sorted(row["caller"] for row in apart) == sorted(f"double:{id_}:publisher:shop" for id_ in others)


# A row of the same key as all others. $1 an order, $2 another request
ROW_OF = {
    "nothing": """
        INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version)
        SELECT 'publisher:shop', 'twice', '', '2' WHERE $1::bigint IS NOT NULL AND $2::text IS NOT NULL
        RETURNING id
    """,
    "superseded": """
        INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version, superseded_by)
        SELECT 'publisher:shop', 'twice', '', '2', id FROM inbox WHERE message_id = $2 AND $1::bigint IS NOT NULL
        RETURNING id
    """,
    "placed": """
        WITH made AS (
            INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version)
            SELECT 'publisher:shop', 'twice', '', '2' WHERE $2::text IS NOT NULL
            RETURNING id
        )
        UPDATE orders SET request_id = made.id FROM made WHERE orders.id = $1 RETURNING made.id
    """,
}


async def test_two_rows_under_one_key_of_the_catalogue_stop_the_migration_which_names_them(shop_url: str) -> None:
    await undo(shop_url, IN_ORDER)
    await execute(
        shop_url,
        """
        ALTER TABLE tld_fields DROP CONSTRAINT tld_fields_pkey;
        ALTER TABLE tld_fields ALTER COLUMN name TYPE text COLLATE "default";
        INSERT INTO tld_fields SELECT * FROM tld_fields LIMIT 1;
        """
        + WITH_DOUBLES.format(name="tld_fields_pkey", table="tld_fields", columns="tld, name", kind="PRIMARY KEY"),
    )

    with pytest.raises(migrate.Stopped, match=r"table tld_fields holds two rows under one key.*fix: take one of them"):
        await migrate_again(shop_url)

    await execute(
        shop_url,
        "DELETE FROM tld_fields USING tld_fields AS other "
        "WHERE (tld_fields.tld, tld_fields.name) = (other.tld, other.name) AND tld_fields.ctid > other.ctid",
    )
    await migrate_again(shop_url)
    assert [row[0] for row in await fetch(shop_url, NOT_BY_BYTES)] == []


# ---------------------------------------------------------------- beside others


async def test_while_the_last_of_its_tables_is_read_no_batch_waits_longer_than_a_lock_may(shop_url: str) -> None:
    """All tables are locked together, the inbox first: whoever reads the last one keeps it waiting for all."""
    await undo(shop_url, IN_ORDER)
    reader = await asyncpg.connect(shop_url)
    reading = reader.transaction()
    await reading.start()
    # As reading it does, but for the snapshot: who builds an index waits for the end of that, and keeps nobody waiting.
    await reader.execute("LOCK TABLE promotion_values IN ACCESS SHARE MODE")
    said: list[str] = []
    waits: list[float] = []

    async with Database(shop_url) as database, asyncio.TaskGroup() as tasks:
        context = pattern.context_of(database)
        await context.open()
        migrating = tasks.create_task(migrate_again(shop_url, said.append))
        while not migrating.done():
            began = time.monotonic()
            await carry_out([pattern.delivery(0, f"key-{len(waits)}", BODY)], context)
            waits.append(time.monotonic() - began)
            if len([line for line in said if "a table is in use" in line]) > 1 and not reader.is_closed():
                await reading.rollback()
                await reader.close()
            await asyncio.sleep(POLL_SECONDS)

    assert 0.5 < max(waits) < WAIT_SECONDS_MAX  # it did wait, and not for long
    assert len(waits) > 20


# ---------------------------------------------------------------- killed in the middle


async def test_a_migration_that_is_killed_while_it_builds_an_index_is_run_again(shop_url: str) -> None:
    await undo(shop_url, IN_ORDER)
    await execute(shop_url, AS_OF.format(BEFORE))
    writer = await asyncpg.connect(shop_url)
    writing = writer.transaction()
    await writing.start()
    await writer.execute("UPDATE inbox SET deliveries = deliveries")  # whoever builds an index waits for it to end

    killed = subprocess.Popen(
        [sys.executable, "-m", "worker", "migrate"],
        env={**os.environ, "ORDERS_POSTGRES_URL": shop_url},
        stderr=subprocess.DEVNULL,
    )
    async with asyncio.timeout(SECONDS_MAX):
        while not await fetch(shop_url, "SELECT FROM pg_stat_progress_create_index WHERE current_locker_pid <> 0"):
            await asyncio.sleep(POLL_SECONDS)
    killed.send_signal(signal.SIGKILL)
    killed.wait(SECONDS_MAX)
    await writing.rollback()
    await writer.close()

    await migrate_again(shop_url)
    assert [row[0] for row in await fetch(shop_url, NOT_BY_BYTES)] == []


async def test_an_index_that_was_begun_and_not_finished_is_built_anew(shop_url: str) -> None:
    await undo(shop_url, IN_ORDER)
    await execute(
        shop_url,
        """
        CREATE UNIQUE INDEX inbox_message_id_caller_key ON inbox (message_id COLLATE "C", caller COLLATE "C");
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'inbox_message_id_caller_key'::regclass;
        """,
    )

    await migrate_again(shop_url)

    found = await fetch(
        shop_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'inbox_message_id_caller_key'::regclass"
    )
    assert [row["indisvalid"] for row in found] == [True]
