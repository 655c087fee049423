"""Workers of two versions side by side over a migration: it expands, and what was there stays (reliability.md 15)."""

import asyncio
import random
import re
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from repository import migrate
from repository.revisions import REVISIONS
from tests.faults.load import Storefront
from tests.faults.newer_worker import REVISION
from tests.faults.oracle import Oracle
from tests.shop import SECONDS_MAX, Shop, Worker

NEWER = "tests.faults.newer_worker"
OLDER = "tests.faults.older_worker"
RATE = 40.0  # orders a second
TOGETHER_SECONDS = 1.0  # that both versions work side by side, in the short form
READING_SECONDS = 4.0  # that a report reads the table which is to be changed
WAIT_SECONDS_MAX = 2.5  # of an order: a second for the lock, and what its batch takes on a busy machine
LAST_OF_THE_FIRST_RELEASE = "0002"  # nobody ran anything older

# All that a migration may do while workers of the version before it run. The inbox comes first: it is what every batch
# locks first, so that a batch is waited for or waits. In another order, one of the two would end as a deadlock.
EXPANDING = """
    ALTER TABLE inbox ADD COLUMN priority integer NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN channel text;
    ALTER TABLE answers ADD COLUMN noted_at timestamptz DEFAULT now();
    CREATE TABLE order_notes (order_id bigint REFERENCES orders, note text);
    CREATE INDEX orders_by_channel ON orders (channel);
    ALTER TABLE invoices ADD CONSTRAINT invoices_total_is_small CHECK (total < 1000000000) NOT VALID;
    -- Of what a worker has prepared, the claim returns another column now: it is prepared anew, and no attempt counted.
    ALTER TABLE inbox ALTER COLUMN fingerprint_version TYPE text COLLATE "C";
"""
NEXT = f"""
from repository.migrate import run_sql

revision = "{REVISION}"
down_revision = "{REVISIONS[-1]}"


def upgrade() -> None:
    run_sql("{REVISION}_next.sql")
"""

# What takes away from a running version something that it relies on, and how to do it in two releases instead.
CONTRACTING = {
    r"\bDROP\s+(TABLE|COLUMN|TYPE|VIEW)\b": "drop it in the release after the one that no longer needs it",
    r"\bALTER\s+(?!INDEX\b)[^;]*\bRENAME\b": "add it under the new name, and write both",
    # A collation is how a column is ordered, not what it takes and gives.
    r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b(?!\s+(text|billing_cycle|domain_extra)\s+COLLATE\b)": (
        "add a column of the new type, and write both"
    ),
    r"\bSET\s+NOT\s+NULL\b": "the version before may write none: a default first, this in the release after",
    r"\bADD\s+(COLUMN\s+)?(?!CONSTRAINT)\w+[^,;]*\bNOT\s+NULL\b(?![^,;]*\bDEFAULT\b)(?<!DEFAULT)": "give it a default",
    r"\bALTER\s+TYPE\s+\w+\s+RENAME\b": "add a value, and write both",
}


async def test_old_and_new_workers_go_on_over_a_migration_under_load(shop: Shop) -> None:
    await migrate_under_load(shop, random.Random(15), seconds=TOGETHER_SECONDS)


@contextmanager
def next_version() -> Iterator[None]:
    """Have `orders migrate` know what the next version does."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        migrations = shutil.copytree(str(migrate.FOLDER), Path(folder) / "migrations")
        (migrations / f"{REVISION}_next.sql").write_text(EXPANDING, encoding="utf-8")
        (migrations / "versions" / f"{REVISION}_next.py").write_text(NEXT, encoding="utf-8")
        patch.setattr(migrate, "FOLDER", migrations)
        yield


async def migrate_under_load(shop: Shop, chance: random.Random, seconds: float) -> None:
    """Migrate under a worker that runs, and a report that reads; then let a worker of each version join it."""
    url = shop.environment["ORDERS_POSTGRES_URL"]
    first = await shop.start_worker()
    is_over = asyncio.Event()
    said: list[str] = []

    async def send(storefront: Storefront) -> None:
        while not is_over.is_set():
            await storefront.send(20, rate=RATE)

    async with (
        Oracle.listening(shop.logins.administrator, url) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        async with asyncio.TaskGroup() as load:
            load.create_task(send(storefront))
            await shop.until(lambda: placed_by(first) > 0)
            async with reading(url, "inbox") as reader:
                migrating = load.create_task(migrate_to_the_next(url, said.append))
                began = time.monotonic()
                # So long the report takes: no condition.
                await shop.until(lambda: time.monotonic() - began >= READING_SECONDS)
                before = placed_by(first)
                assert not migrating.done()
            applied = await migrating
            joined = list(await asyncio.gather(shop.start_worker(), shop.start_worker(NEWER)))
            workers = [first, *joined]
            counts = [placed_by(worker) for worker in workers]
            # Long enough that each has work of its own, however the broker shares it out.
            await asyncio.sleep(seconds)
            await shop.until(
                lambda: all(placed_by(worker) > count for worker, count in zip(workers, counts, strict=True))
            )
            is_over.set()
        await oracle.judge(storefront.ledger, workers, seconds_max=60)

    assert applied == (REVISION,)
    # Orders went on beside the report, and none of them waited longer than a lock may.
    assert before > RATE
    assert max(waits(first)) < WAIT_SECONDS_MAX
    assert len(said) >= READING_SECONDS / (3 * migrate.LOCK_SECONDS_MAX)
    assert re.match(
        rf"a table is in use, .*: pid {reader} \(user \w+, application report, for \d+ s\): SELECT", said[0]
    )
    for worker in workers:
        told = [line["event"] for line in worker.log]
        assert "order.placed" in told
        assert not {"order.crashed", "order.retried", "worker.paused"} & set(told), worker.words


async def migrate_to_the_next(url: str, say: migrate.Say) -> tuple[str, ...]:
    with next_version():
        return await migrate.migrate(url, say)


@asynccontextmanager
async def reading(url: str, table: str) -> AsyncIterator[int]:
    """Read a table in a transaction that lasts, as a report or a dump does; yields the pid."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "report"})
    try:
        async with connection.transaction():
            await connection.fetch(f"SELECT count(*) FROM {table}")
            yield connection.get_server_pid()
    finally:
        await connection.close()


def placed_by(worker: Worker) -> int:
    return sum(line["event"] == "order.placed" for line in worker.log)


async def apply(migration: str, url: str) -> None:
    """Apply a migration as `orders migrate` of the next version would: in one transaction."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(migration)
    finally:
        await connection.close()


def waits(worker: Worker) -> list[float]:
    """Tell how long each order took, from when it was taken up."""
    return [line["seconds"] for line in worker.log if line["event"] == "order.placed"]


async def test_a_newer_worker_before_its_migration_says_what_to_do(shop: Shop) -> None:
    worker = await shop.spawn_worker(NEWER)

    assert await asyncio.to_thread(worker.process.wait, SECONDS_MAX) == 1
    said = " ".join(worker.words.split())
    assert f"the database's schema is {REVISIONS[-1]}, this program needs {REVISION}: run `orders migrate`" in said
    assert "Traceback" not in worker.words


# A database as the version before the shop's settings has it.
BEFORE = """
    ALTER TABLE catalogue
        DROP COLUMN credentials_version,
        DROP COLUMN tax,
        DROP COLUMN invoice_grace_days,
        DROP COLUMN nameservers,
        DROP COLUMN timezone;
    ALTER TABLE orders DROP COLUMN placed_on;
    DROP TABLE catalog_changes, catalog_versions;
"""
SETTINGS = files("repository").joinpath("migrations", "0006_settings.sql")
# 100.00 to a client in Great Britain: exclusive of 20 % VAT it would be 120.00, and due at once.
TAXED = {"clientid": 7, "pid": 18, "paymentmethod": "paypal"}
ENVIRONMENT = {"ORDERS_TAX": "inclusive", "ORDERS_INVOICE_GRACE_DAYS": "14"}


async def test_the_version_before_the_shops_settings_prices_as_the_next_one_does_beside_it(shop: Shop) -> None:
    """It knows its environment only: that is what the next one sets for all, the first time."""
    await shop.database.execute(BEFORE)
    older = await shop.start_worker(OLDER, **ENVIRONMENT)
    is_over = asyncio.Event()

    async def keep_ordering() -> None:
        while not is_over.is_set():
            asked = await shop.publish(TAXED)
            await shop.until_events(str(asked.message_id), "order.added")

    async with asyncio.TaskGroup() as load:
        for _ in range(8):
            load.create_task(keep_ordering())
        await shop.until(lambda: placed_by(older) > 0)
        await apply(SETTINGS.read_text("utf-8"), shop.environment["ORDERS_POSTGRES_URL"])
        [at_first] = await shop.fetch("SELECT tax, invoice_grace_days, timezone FROM catalogue")
        began = placed_by(older)
        await shop.until(lambda: placed_by(older) > began)
        newer = await shop.start_worker(**ENVIRONMENT)
        began = placed_by(older)
        await shop.until(lambda: placed_by(older) > began and placed_by(newer) > 0)
        is_over.set()

    assert set(at_first.values()) == {None}
    assert await shop.fetch(
        "SELECT DISTINCT total::text, tax::text, tax_inclusive, due - date AS days FROM invoices"
    ) == [{"total": "100.00", "tax": "16.67", "tax_inclusive": True, "days": 14}]
    days = await shop.fetch("SELECT DISTINCT placed_on IS NULL AS of_before FROM orders WHERE request_id IS NOT NULL")
    assert len(days) == 2  # both have written orders
    for worker in (older, newer):
        told = {line["event"] for line in worker.log}
        assert not {"order.crashed", "order.retried", "worker.paused"} & told, worker.words
        assert worker.stop() == 0


def contracting(sql: str) -> list[str]:
    """Name what a migration takes away."""
    code = re.sub(r"--[^\n]*", "", sql)
    return [mend for pattern, mend in CONTRACTING.items() if re.search(pattern, code, re.IGNORECASE)]


def migrations() -> list[Path]:
    folder = Path(str(files("repository"))) / "migrations"
    return [path for path in sorted(folder.glob("*.sql")) if path.name[:4] > LAST_OF_THE_FIRST_RELEASE]


def test_migrations_take_nothing_away_from_the_version_before() -> None:
    assert {path.name: found for path in migrations() if (found := contracting(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE orders DROP COLUMN notes",
        "DROP TABLE renewals",
        "ALTER TABLE orders RENAME COLUMN notes TO remarks",
        "ALTER TABLE orders ALTER COLUMN notes TYPE varchar(10)",
        'ALTER TABLE orders ALTER COLUMN notes TYPE varchar(10) COLLATE "C"',
        "ALTER TABLE orders ALTER COLUMN notes SET NOT NULL",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL",
    ],
)
def test_a_migration_that_takes_something_away_is_found(sql: str) -> None:
    assert contracting(sql)


def test_a_migration_that_expands_is_let_pass() -> None:
    assert contracting(EXPANDING) == []
