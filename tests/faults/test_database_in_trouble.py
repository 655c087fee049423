"""What is wrong with Postgres as a whole is a pause with a sentence, and fails no order (reliability.md 28)."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from schemas import topology
from tests.shop import Shop, Worker

ORDER = {"clientid": 1, "pid": [7], "paymentmethod": "paypal"}
WORKERS = 2
BEFORE, DURING = 20, 60  # orders
TROUBLE_SECONDS = 2.0  # time enough for a first attempt, and for the first delays as a hasty shop has them
OUTAGES = 4  # more than a message may be handed over before it is suspected
BACK_SECONDS_MAX = 20.0
PASSWORD = "w0rker"


class Trouble(NamedTuple):
    """What an administrator does to the database, and undoes; and what a worker is to say of it."""

    begin: str
    end: str
    sqlstate: str
    says: str
    is_from_outside: bool = False  # the database itself lets nobody in


TROUBLES = {
    "a right to write was not given back": Trouble(
        "REVOKE INSERT ON invoices FROM {user}",
        "GRANT INSERT ON invoices TO {user}",
        "42501",
        "permission denied for table invoices",
    ),
    "a right to read was not given back": Trouble(
        "REVOKE SELECT ON clients FROM {user}",
        "GRANT SELECT ON clients TO {user}",
        "42501",
        "permission denied for table clients",
    ),
    "a table was moved aside": Trouble(
        "ALTER TABLE services RENAME TO services_aside",
        "ALTER TABLE services_aside RENAME TO services",
        "42P01",
        'relation "services" does not exist',
    ),
    "the sequence of orders has come to its end": Trouble(
        "ALTER SEQUENCE orders_id_seq MAXVALUE 1000000 RESTART 1000000; SELECT nextval('orders_id_seq')",
        "ALTER SEQUENCE orders_id_seq NO MAXVALUE RESTART 1000001",
        "2200H",
        "",
    ),
    "nobody may connect": Trouble(
        "ALTER DATABASE {database} ALLOW_CONNECTIONS false;"
        " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'",
        "ALTER DATABASE {database} ALLOW_CONNECTIONS true",
        "55000",
        "is not currently accepting connections",
        is_from_outside=True,
    ),
}


@pytest.fixture
def shop(hasty_shop: Shop) -> Shop:
    return hasty_shop


@pytest.fixture
async def role(shop: Shop) -> AsyncIterator[str]:
    """A user of the database with the rights that a worker needs, and no more."""
    name = f"worker_{uuid.uuid4().hex[:8]}"
    await shop.database.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    await shop.database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
    await shop.database.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}")
    yield name
    await shop.database.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


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


@pytest.mark.parametrize("kind", TROUBLES)
async def test_orders_wait_for_a_database_in_trouble_and_all_are_placed(shop: Shop, role: str, kind: str) -> None:
    trouble = TROUBLES[kind]
    names = {"user": role, "database": await shop.database.fetchval("SELECT current_database()")}
    url = as_user(shop.environment["ORDERS_POSTGRES_URL"], role)
    workers = [await shop.start_worker(ORDERS_POSTGRES_URL=url) for _ in range(WORKERS)]
    before = [await shop.publish(ORDER) for _ in range(BEFORE)]
    await until_added(shop, before)

    outside = at_database(shop.environment["ORDERS_POSTGRES_URL"], "postgres")
    administrator = await asyncpg.connect(outside) if trouble.is_from_outside else shop.database
    await administrator.execute(trouble.begin.format(**names))
    try:
        during = [await shop.publish(ORDER) for _ in range(DURING)]
        await shop.until(
            lambda: len({id(worker) for worker in workers if lines_of([worker], "worker.paused")}) == WORKERS
        )
        await asyncio.sleep(TROUBLE_SECONDS)
    finally:
        await administrator.execute(trouble.end.format(**names))
        if trouble.is_from_outside:
            await administrator.close()
    await until_added(shop, during)

    assert await shop.orders_placed() == BEFORE + DURING
    assert [event.type for event in shop.events if event.type in {"order.failed", "order.rejected"}] == []
    assert lines_of(workers, "order.retried") + lines_of(workers, "order.crashed") == []
    assert all(worker.process.poll() is None for worker in workers)
    paused = lines_of(workers, "worker.paused")
    assert {line["server"] for line in paused} == {"Postgres"}
    assert {line["sqlstate"] for line in paused if "sqlstate" in line} == {trouble.sqlstate}
    assert all(trouble.says in line.get("says", "") for line in paused if "sqlstate" in line)
    assert await shop.waiting(topology.SUSPECTS) == 0


async def until_added(shop: Shop, asked: list[Any]) -> None:
    wanted = {one.message_id for one in asked}
    async with asyncio.timeout(BACK_SECONDS_MAX):
        while not wanted <= {event.data["request_id"] for event in shop.events if event.type == "order.added"}:
            await asyncio.sleep(0.05)


async def test_one_outage_after_the_other_makes_no_suspects(shop: Shop, role: str) -> None:
    """The broker counts whatever is given back. What is given back for Postgres' sake is a new copy."""
    url = as_user(shop.environment["ORDERS_POSTGRES_URL"], role)
    workers = [await shop.start_worker(ORDERS_POSTGRES_URL=url) for _ in range(WORKERS)]
    asked = [await shop.publish(ORDER) for _ in range(BEFORE)]
    await until_added(shop, asked)

    for number in range(1, OUTAGES + 1):
        await shop.database.execute(f"REVOKE INSERT ON invoices FROM {role}")
        asked += [await shop.publish(ORDER) for _ in range(DURING)]
        await shop.until(lambda: all(map(is_paused, workers)))
        await shop.database.execute(f"GRANT INSERT ON invoices TO {role}")
        if number < OUTAGES:
            await shop.until(lambda: len(lines_of(workers, "order.placed")) > BEFORE * number)  # noqa: B023
    await until_added(shop, asked)

    assert await shop.orders_placed() == len(asked)
    assert lines_of(workers, "order.suspected") + lines_of(workers, "order.retried") == []
    assert len(lines_of(workers, "worker.gave_back")) >= OUTAGES
    assert await shop.waiting(topology.SUSPECTS) == 0


async def test_with_too_few_connections_workers_go_on_with_those_they_got(shop: Shop, role: str) -> None:
    """Each wants five, and there are seven: the second gets two, and nothing pauses or is given back."""
    await shop.database.execute(f"ALTER ROLE {role} CONNECTION LIMIT 7")
    url = as_user(shop.environment["ORDERS_POSTGRES_URL"], role)
    workers = [await shop.start_worker(ORDERS_POSTGRES_URL=url) for _ in range(WORKERS)]

    await until_added(shop, list(await asyncio.gather(*(shop.publish(ORDER) for _ in range(10 * BEFORE)))))

    told = lines_of(workers, "worker.connections")
    assert [(line["found"], line["wanted"]) for line in told] == [(2, 5)]
    assert lines_of(workers, "worker.paused") + lines_of(workers, "order.suspected") == []
    assert all(lines_of([worker], "order.placed") for worker in workers)


async def test_one_order_that_postgres_refuses_pauses_nobody_and_is_counted(shop: Shop) -> None:
    """The same fault as of a right that is missing, and still one order's: what was placed before goes through."""
    await shop.database.execute(
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'permission denied for this one' USING ERRCODE = '42501'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW WHEN (NEW.notes = 'poison') EXECUTE FUNCTION refuse()
        """
    )
    worker = await shop.start_worker()
    await until_added(shop, [await shop.publish(ORDER)])

    poison = await shop.publish({**ORDER, "notes": "poison"})
    good = [await shop.publish(ORDER) for _ in range(BEFORE)]
    await until_added(shop, good)
    [failed] = await shop.until_events(poison.message_id or "", "order.failed")

    assert (failed.data["reason"], failed.data["attempts"]) == ("InsufficientPrivilegeError", 4)
    assert lines_of([worker], "worker.paused") == []
