"""What is wrong with Postgres as a whole is a pause with a sentence, and fails no order (reliability.md 28)."""

import asyncio
import json
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from deploy.local.host import free_port
from schemas import topology
from tests.faults.disks import Disk
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.integration.test_commands import run
from tests.integration.test_health import Endpoints
from tests.shop import Shop, Worker
from worker.pipeline.session import FIRST_PREFETCH

ORDER = {"clientid": 1, "pid": [7], "paymentmethod": "paypal"}
WORKERS = 2
BEFORE, DURING = 20, 60  # orders
RATE = 40.0  # orders a second, while the trouble lasts
TROUBLE_SECONDS = 3.0  # in the short form, after each worker has noticed
NOTICED_SECONDS_MAX = 20.0  # a commit that nobody confirms is given up after 15
TOLD_SECONDS_MAX = 15.0  # for doctor and status, which start as processes of their own
OUTAGES = 4  # more than a message may be handed over before it is suspected
BACK_SECONDS_MAX = 20.0
ENDED_SECONDS_MAX = 90.0
PASSWORD = "w0rker"


@dataclass(frozen=True)
class Place:
    """Where the trouble is: a shop of its own, the user of its workers, and what an administrator comes with."""

    shop: Shop
    user: str
    database: str
    disk: Disk | None

    @property
    def workers_url(self) -> str:
        return as_user(self.shop.environment["ORDERS_POSTGRES_URL"], self.user)

    async def execute(self, sql: str) -> None:
        """Do as an administrator does, who comes in from another database."""
        administrator = await asyncpg.connect(at_database(self.shop.environment["ORDERS_POSTGRES_URL"], "postgres"))
        try:
            for statement in sql.format(user=self.user, database=self.database).split(";"):
                await administrator.execute(statement)
        finally:
            await administrator.close()


Begun = Callable[[Place], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Trouble:
    """What an administrator does to the database, or a disk, and undoes; what a worker and doctor are to say of it.

    Where workers do not pause, as for a table that is locked, `sqlstate` is empty.
    """

    begun: Begun
    sqlstate: str
    says: str  # the pause
    check: str  # of doctor's, that names the cause
    cause: str
    fix: str
    module: tuple[str, ...] = ()  # the worker


def inside(begin: str, end: str) -> Begun:
    """Let statements be run in the database itself."""

    @asynccontextmanager
    async def begun(place: Place) -> AsyncIterator[None]:
        await place.shop.database.execute(begin.format(user=place.user))
        try:
            yield
        finally:
            await place.shop.database.execute(end.format(user=place.user))

    return begun


def outside(begin: str, end: str) -> Begun:
    """Let statements be run from another database."""

    @asynccontextmanager
    async def begun(place: Place) -> AsyncIterator[None]:
        await place.execute(begin)
        try:
            yield
        finally:
            await place.execute(end)

    return begun


@asynccontextmanager
async def locked(place: Place) -> AsyncIterator[None]:
    """Let somebody have a table for themselves, as a migration by hand has."""
    holder = await asyncpg.connect(place.shop.environment["ORDERS_POSTGRES_URL"])
    await holder.execute("BEGIN; LOCK TABLE services IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        await holder.close()


@asynccontextmanager
async def filled(place: Place) -> AsyncIterator[None]:
    assert place.disk is not None
    place.disk.fill()
    try:
        yield
    finally:
        place.disk.make_room()


END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"

TROUBLES = {
    "a right to write was not given back": Trouble(
        inside("REVOKE INSERT ON invoices FROM {user}", "GRANT INSERT ON invoices TO {user}"),
        "42501",
        "permission denied for table invoices",
        "tables",
        "this user lacks INSERT on table invoices",
        "GRANT INSERT ON invoices",
    ),
    "a right to read was not given back": Trouble(
        inside("REVOKE SELECT ON clients FROM {user}", "GRANT SELECT ON clients TO {user}"),
        "42501",
        "permission denied for table clients",
        "tables",
        "this user lacks SELECT on table clients",
        "GRANT SELECT ON clients",
    ),
    "a table was moved aside": Trouble(
        inside("ALTER TABLE services RENAME TO services_aside", "ALTER TABLE services_aside RENAME TO services"),
        "42P01",
        'relation "services" does not exist',
        "writes",
        'no order can be placed (relation "services" does not exist, SQLSTATE 42P01)',
        "Put the table back",
    ),
    "the sequence of orders has come to its end": Trouble(
        inside(
            "ALTER SEQUENCE orders_id_seq MAXVALUE 1000000 RESTART 1000000; SELECT nextval('orders_id_seq')",
            "ALTER SEQUENCE orders_id_seq NO MAXVALUE RESTART 1000001",
        ),
        "2200H",
        "",
        "sequences",
        "orders_id_seq is at 1,000,000, and gives out no more than 1,000,000",
        "ALTER SEQUENCE orders_id_seq NO MAXVALUE",
    ),
    "nobody may connect": Trouble(
        outside(
            f"ALTER DATABASE {{database}} ALLOW_CONNECTIONS false; {END_SESSIONS}",
            "ALTER DATABASE {database} ALLOW_CONNECTIONS true",
        ),
        "55000",
        "is not currently accepting connections",
        "Postgres",
        "is not currently accepting connections",
        "ALLOW_CONNECTIONS true",
    ),
    "the database became read-only": Trouble(
        outside(
            f"ALTER DATABASE {{database}} SET default_transaction_read_only = on; {END_SESSIONS}",
            "ALTER DATABASE {database} RESET default_transaction_read_only",
        ),
        "25006",
        "in a read-only transaction",
        "writes",
        "commits no write",
        "primary",
    ),
    "the standby that commits wait for is gone": Trouble(
        outside(
            "ALTER SYSTEM SET synchronous_standby_names = 'gone'; SELECT pg_reload_conf()",
            "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()",
        ),
        "",
        "",
        "standby",
        "each commit waits for a standby, synchronous_standby_names is 'gone', and no standby is there",
        "ALTER SYSTEM SET synchronous_standby_names = ''",
        module=("tests.faults.hasty_worker",),
    ),
}
LOCKED = Trouble(locked, "", "", "locks", "for what pid ", "pg_terminate_backend(")
FULL = Trouble(filled, "53100", "No space left on device", "writes", "No space left on device", "Make room on the disk")


@asynccontextmanager
async def placed_in(shop: Shop, disk: Disk | None = None) -> AsyncIterator[Place]:
    """Make a user of the database with the rights that a worker needs, and no more."""
    user = f"worker_{uuid.uuid4().hex[:8]}"
    await shop.database.execute(f"CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
    await shop.database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {user}")
    await shop.database.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {user}")
    yield Place(shop, user, await shop.database.fetchval("SELECT current_database()"), disk)
    await shop.database.execute(f"DROP OWNED BY {user}; DROP ROLE {user}")


@pytest.fixture
async def place(hasty_shop_at_postgres: Shop) -> AsyncIterator[Place]:
    async with placed_in(hasty_shop_at_postgres) as place:
        yield place


@pytest.fixture
async def place_on_disk(hasty_shop_on_disk: Shop, disk: Disk) -> AsyncIterator[Place]:
    async with placed_in(hasty_shop_on_disk, disk) as place:
        yield place


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{PASSWORD}@{host}"))


def at_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def lines_of(workers: list[Worker], event: str) -> list[dict[str, Any]]:
    return [line for worker in workers for line in worker.log if line["event"] == event]


def is_paused(worker: Worker) -> bool:
    told: list[str] = [line["event"] for line in worker.log if line["event"] in {"worker.consuming", "worker.paused"}]
    return bool(told) and told[-1] == "worker.paused"


async def until(is_so: Callable[[], bool], seconds_max: float) -> None:
    async with asyncio.timeout(seconds_max):
        while not is_so():
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", TROUBLES)
async def test_orders_wait_for_a_database_in_trouble_and_all_are_placed(place: Place, kind: str) -> None:
    await be_in_trouble(place, TROUBLES[kind], random.Random(28))


async def test_orders_wait_for_a_disk_that_is_full_and_all_are_placed(place_on_disk: Place) -> None:
    await be_in_trouble(place_on_disk, FULL, random.Random(28))


async def test_orders_wait_for_a_table_that_is_locked_and_all_are_placed(place: Place) -> None:
    await be_in_trouble(place, LOCKED, random.Random(28))


async def be_in_trouble(
    place: Place, trouble: Trouble, chance: random.Random, seconds: float = TROUBLE_SECONDS
) -> None:
    """Let the database be in trouble under load, have doctor name it, and judge what became of the orders."""
    shop, pauses = place.shop, trouble is not LOCKED
    ports = [free_port(1) for _ in range(WORKERS)]
    settings = [{"ORDERS_POSTGRES_URL": place.workers_url, "ORDERS_HTTP_PORT": str(port)} for port in ports]
    workers = list(await asyncio.gather(*(shop.start_worker(*trouble.module, **given) for given in settings)))
    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        await storefront.send(BEFORE, rate=RATE)
        await until(lambda: all(lines_of([worker], "order.placed") for worker in workers), BACK_SECONDS_MAX)

        async with asyncio.TaskGroup() as beside, trouble.begun(place):
            sending = beside.create_task(storefront.send(round(RATE * seconds), rate=RATE))
            if pauses:
                await until(lambda: all(map(is_paused, workers)), NOTICED_SECONDS_MAX)
            began = time.monotonic()
            await named_by_doctor(place, trouble)
            if pauses:
                await told_by_readyz(ports, trouble)
            await until(lambda: sending.done() and time.monotonic() - began >= seconds, 2 * seconds + BACK_SECONDS_MAX)
        ended = time.monotonic()
        await storefront.send(BEFORE, rate=RATE)
        await until(lambda: len(lines_of(workers, "order.placed")) > 0, ENDED_SECONDS_MAX)
        await oracle.judge(storefront.ledger, workers, seconds_max=ENDED_SECONDS_MAX)
    assert time.monotonic() - ended < ENDED_SECONDS_MAX

    check_that_it_was_calm(workers, trouble, pauses=pauses)


async def named_by_doctor(place: Place, trouble: Trouble) -> None:
    """See that doctor and status name the cause and the fix, in the same words, in seconds."""
    environment = {**place.shop.environment, "ORDERS_POSTGRES_URL": place.workers_url}
    began = time.monotonic()
    examined, asked = await asyncio.gather(
        asyncio.to_thread(run, "doctor", "--json", **environment),
        asyncio.to_thread(run, "status", "--json", **environment),
    )
    assert time.monotonic() - began < TOLD_SECONDS_MAX
    assert "Traceback" not in examined.stderr + asked.stderr
    checks, state = json.loads(examined.stdout)["checks"], json.loads(asked.stdout)["postgres"]

    found = [one for one in checks if one["check"] == trouble.check and trouble.cause in one["says"]]
    assert found, checks
    assert all(trouble.fix in one["fix"] for one in found)
    told = [state["error"] or "", *(f"{one['says']} {one['fix']}" for one in state["trouble"])]
    assert any(trouble.cause in one for one in told), told


async def told_by_readyz(ports: list[int], trouble: Trouble) -> None:
    for port in ports:
        status, sentence = await asyncio.to_thread(Endpoints(port).get, "/readyz")
        assert (status, sentence.partition(":")[0]) == (503, "paused")
        assert "Postgres is away or in trouble: " in sentence
        assert trouble.says in sentence


def check_that_it_was_calm(workers: list[Worker], trouble: Trouble, *, pauses: bool) -> None:
    """See that nothing was counted, nothing suspected, and that each return began with a few."""
    assert lines_of(workers, "order.crashed") + lines_of(workers, "order.suspected") == []
    retried = {(line["reason"], line["attempts"]) for line in lines_of(workers, "order.retried")}
    assert retried <= {("locked", 0)}
    assert not any("Traceback" in worker.words for worker in workers)
    paused = lines_of(workers, "worker.paused")
    assert bool(paused) == pauses
    assert {line["server"] for line in paused} <= {"Postgres"}
    assert {line["sqlstate"] for line in paused if "sqlstate" in line} <= {trouble.sqlstate}
    assert all(trouble.says in line.get("says", "") for line in paused if "sqlstate" in line)
    for worker in workers:
        later = lines_of([worker], "worker.gave_back")[1:]
        assert all(line["count"] <= FIRST_PREFETCH for line in later)


async def until_added(shop: Shop, asked: list[Any]) -> None:
    wanted = {one.message_id for one in asked}
    async with asyncio.timeout(BACK_SECONDS_MAX):
        while not wanted <= {event.data["request_id"] for event in shop.events if event.type == "order.added"}:
            await asyncio.sleep(0.05)


async def test_one_outage_after_the_other_makes_no_suspects(place: Place) -> None:
    """The broker counts whatever is given back. What is given back for Postgres' sake is a new copy."""
    shop = place.shop
    workers = [await shop.start_worker(ORDERS_POSTGRES_URL=place.workers_url) for _ in range(WORKERS)]
    asked = [await shop.publish(ORDER) for _ in range(BEFORE)]
    await until_added(shop, asked)

    for number in range(1, OUTAGES + 1):
        await shop.database.execute(f"REVOKE INSERT ON invoices FROM {place.user}")
        asked += [await shop.publish(ORDER) for _ in range(DURING)]
        await shop.until(lambda: all(map(is_paused, workers)))
        await shop.database.execute(f"GRANT INSERT ON invoices TO {place.user}")
        if number < OUTAGES:
            await shop.until(lambda: len(lines_of(workers, "order.placed")) > BEFORE * number)  # noqa: B023
    await until_added(shop, asked)

    assert await shop.orders_placed() == len(asked)
    assert lines_of(workers, "order.suspected") + lines_of(workers, "order.retried") == []
    assert len(lines_of(workers, "worker.gave_back")) >= OUTAGES
    assert await shop.waiting(topology.SUSPECTS) == 0


async def test_with_too_few_connections_workers_go_on_with_those_they_got(place: Place) -> None:
    """Each wants five, and there are seven: the second gets two, and nothing pauses or is given back."""
    shop = place.shop
    await shop.database.execute(f"ALTER ROLE {place.user} CONNECTION LIMIT 7")
    workers = [await shop.start_worker(ORDERS_POSTGRES_URL=place.workers_url) for _ in range(WORKERS)]

    await until_added(shop, list(await asyncio.gather(*(shop.publish(ORDER) for _ in range(10 * BEFORE)))))

    told = lines_of(workers, "worker.connections")
    assert [(line["found"], line["wanted"]) for line in told] == [(2, 5)]
    assert lines_of(workers, "worker.paused") + lines_of(workers, "order.suspected") == []
    assert all(lines_of([worker], "order.placed") for worker in workers)


POISON = {**ORDER, "notes": "poison"}
REFUSED = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'permission denied for this one' USING ERRCODE = '42501'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.notes = 'poison') EXECUTE FUNCTION refuse()
"""


async def test_one_order_that_postgres_refuses_pauses_nobody_and_is_counted(hasty_shop: Shop) -> None:
    """The same fault as of a right that is missing, and still one order's: what was placed before goes through."""
    shop = hasty_shop
    await shop.database.execute(REFUSED)
    worker = await shop.start_worker()
    await until_added(shop, [await shop.publish(ORDER)])

    await see_poison_counted(shop, worker)


async def test_what_was_placed_before_and_would_be_refused_now_accuses_no_database(hasty_shop: Shop) -> None:
    """What is tried once more may be at fault itself: what was placed for another client is tried as well."""
    shop = hasty_shop
    worker = await shop.start_worker()
    await until_added(shop, [await shop.publish({**ORDER, "clientid": 3})])
    await until_added(shop, [await shop.publish(POISON)])
    await shop.database.execute(REFUSED)

    await see_poison_counted(shop, worker)


async def test_a_worker_does_not_wait_for_ever_for_the_only_order_that_it_has_placed(place: Place) -> None:
    shop = place.shop
    worker = await shop.start_worker(ORDERS_POSTGRES_URL=place.workers_url)
    await until_added(shop, [await shop.publish(POISON)])
    await shop.database.execute(REFUSED)
    async with TROUBLES["nobody may connect"].begun(place):
        good = [await shop.publish(ORDER) for _ in range(BEFORE)]
        await shop.until(lambda: is_paused(worker))

    await until_added(shop, good)


async def see_poison_counted(shop: Shop, worker: Worker) -> None:
    poison = await shop.publish(POISON)
    good = [await shop.publish(ORDER) for _ in range(BEFORE)]
    await until_added(shop, good)
    [failed] = await shop.until_events(poison.message_id or "", "order.failed")

    assert (failed.data["reason"], failed.data["attempts"]) == ("InsufficientPrivilegeError", 4)
    assert lines_of([worker], "worker.paused") == []
