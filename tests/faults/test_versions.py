"""Workers of two versions side by side over a migration: it expands, and what was there stays (reliability.md 15)."""

import asyncio
import random
import re
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from repository.revisions import REVISIONS
from tests.faults.load import Storefront
from tests.faults.newer_worker import REVISION
from tests.faults.oracle import Oracle
from tests.shop import SECONDS_MAX, Shop, Worker

NEWER = "tests.faults.newer_worker"
OLDER = "tests.faults.older_worker"
RATE = 40.0  # orders a second
TOGETHER_SECONDS = 1.0  # that both versions work side by side, in the short form
LAST_OF_THE_FIRST_RELEASE = "0002"  # nobody ran anything older

# All that a migration may do while workers of the version before it run. The inbox comes first: it is what every batch
# locks first, so that a batch is waited for or waits. In another order, one of the two would end as a deadlock.
EXPANDING = f"""
    ALTER TABLE inbox ADD COLUMN priority integer NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN channel text;
    ALTER TABLE answers ADD COLUMN noted_at timestamptz DEFAULT now();
    CREATE TABLE order_notes (order_id bigint REFERENCES orders, note text);
    CREATE INDEX orders_by_channel ON orders (channel);
    ALTER TABLE invoices ADD CONSTRAINT invoices_total_is_small CHECK (total < 1000000000) NOT VALID;
    UPDATE alembic_version SET version_num = '{REVISION}';
"""

# What takes away from a running version something that it relies on, and how to do it in two releases instead.
CONTRACTING = {
    r"\bDROP\s+(TABLE|COLUMN|TYPE|VIEW)\b": "drop it in the release after the one that no longer needs it",
    r"\bRENAME\b": "add it under the new name, and write both",
    r"\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b": "add a column of the new type, and write both",
    r"\bSET\s+NOT\s+NULL\b": "the version before may write none: a default first, this in the release after",
    r"\bADD\s+(COLUMN\s+)?(?!CONSTRAINT)\w+[^,;]*\bNOT\s+NULL\b(?![^,;]*\bDEFAULT\b)(?<!DEFAULT)": "give it a default",
    r"\bALTER\s+TYPE\s+\w+\s+RENAME\b": "add a value, and write both",
}


async def test_old_and_new_workers_go_on_over_a_migration_under_load(shop: Shop) -> None:
    await migrate_under_load(shop, random.Random(15), seconds=TOGETHER_SECONDS)


async def migrate_under_load(shop: Shop, chance: random.Random, seconds: float) -> None:
    """Migrate under a worker that runs; then let one of its version and one of the next join it."""
    url = shop.environment["ORDERS_POSTGRES_URL"]
    first = await shop.start_worker()
    is_over = asyncio.Event()

    async def send(storefront: Storefront) -> None:
        while not is_over.is_set():
            await storefront.send(20, rate=RATE)

    async with (
        Oracle.listening(shop.logins.administrator, url) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        async with asyncio.TaskGroup() as load:
            load.create_task(send(storefront))
            await shop.until(lambda: any(line["event"] == "order.placed" for line in first.log))
            before = await shop.orders_placed()
            await apply(EXPANDING, url)
            joined = list(await asyncio.gather(shop.start_worker(), shop.start_worker(NEWER)))
            workers = [first, *joined]
            began = [placed_by(worker) for worker in workers]
            # Long enough that each has work of its own, however the broker shares it out.
            await asyncio.sleep(seconds)
            await shop.until(
                lambda: all(placed_by(worker) > count for worker, count in zip(workers, began, strict=True))
            )
            is_over.set()
        await oracle.judge(storefront.ledger, workers, seconds_max=60)

    assert 0 < before < await shop.orders_placed()
    for worker in workers:
        told = [line["event"] for line in worker.log]
        assert "order.placed" in told
        assert not {"order.crashed", "order.retried", "worker.paused"} & set(told), worker.words


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
        "ALTER TABLE orders ALTER COLUMN notes SET NOT NULL",
        "ALTER TABLE orders ADD COLUMN channel text NOT NULL",
    ],
)
def test_a_migration_that_takes_something_away_is_found(sql: str) -> None:
    assert contracting(sql)


def test_a_migration_that_expands_is_let_pass() -> None:
    assert contracting(EXPANDING) == []
