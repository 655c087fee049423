"""What our sessions rely on, whatever server, database and pooler there are between a worker and its rows."""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import asyncpg
import pytest

from deploy.local import debian
from deploy.local.host import free_port, servable
from deploy.local.servers import Servers
from repository import scratch
from repository.database import AccessFault, Database
from tests.integration import pgbouncer
from tests.integration.pgbouncer import PgBouncer
from tests.integration.test_commands import run
from tests.shop import Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
FIX_OF_ENCODING = "createdb --encoding UTF8 --template template0"
POOLED = "a pooler such as PgBouncer lends this session anew for each transaction"
FIX_OF_POOLER = "pool_mode = session"


def words(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------- isolation


@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
async def test_a_session_has_its_own_isolation_whatever_the_databases_default_is(
    database_url: str, isolation: str
) -> None:
    connection = await asyncpg.connect(database_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{isolation}'")
    await connection.close()

    async with Database(database_url) as database, database.transaction() as ours:
        assert await ours.fetchval("SHOW transaction_isolation") == "read committed"


async def test_a_session_has_its_bounds_on_waits_whatever_the_url_asks_for(database_url: str) -> None:
    url = f"{database_url}{'&' if '?' in database_url else '?'}statement_timeout=0&lock_timeout=0"
    async with Database(url) as database, database.connection() as connection:
        found = [await connection.fetchval(f"SHOW {name}") for name in ("statement_timeout", "lock_timeout")]

    assert found == ["10s", "2s"]


# ---------------------------------------------------------------- encoding


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
async def narrow_url(servers: Servers, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database that does not keep text as UTF-8."""
    name = f"orders_test_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(servers.postgres_url)
    is_newer = connection.get_server_version().major >= 15
    provider = "LOCALE_PROVIDER libc" if is_newer else ""
    await connection.execute(
        f"CREATE DATABASE {name} ENCODING '{request.param}' {provider} LOCALE 'C' TEMPLATE template0"
    )
    await connection.close()
    yield scratch.with_database(servers.postgres_url, name)
    await scratch.drop(servers.postgres_url, name)


@pytest.mark.parametrize("command", ["migrate", "worker", "doctor"])
async def test_a_database_of_another_encoding_is_named_with_the_fix(
    narrow_url: str, amqp_url: str, command: str
) -> None:
    environment = {"ORDERS_POSTGRES_URL": narrow_url, "ORDERS_AMQP_URL": amqp_url, "ORDERS_SECRET_KEYS": "k" * 32}

    ended = await asyncio.to_thread(run, command, **environment)

    said = words(ended.stdout + ended.stderr)
    assert ended.returncode == 1
    assert "the database's encoding is " in said
    assert FIX_OF_ENCODING in said
    assert "Traceback" not in said


# ---------------------------------------------------------------- poolers


@pytest.fixture(scope="module")
def pooler(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], PgBouncer]]:
    """Start a PgBouncer. CI installs it where it is missing; a desk without one skips these tests."""
    if pgbouncer.program() is None:
        if not os.environ.get("CI"):
            pytest.skip(f"no PgBouncer here; fix: sudo apt-get install {pgbouncer.PACKAGE}")
        debian.install(pgbouncer.PACKAGE)
    started: dict[str, PgBouncer] = {}

    def start(pool_mode: str) -> PgBouncer:
        if pool_mode not in started:
            folder = servable(tmp_path_factory.mktemp(f"pgbouncer-{pool_mode}"))
            started[pool_mode] = PgBouncer(folder, free_port(1), servers.postgres_url, pool_mode)
            started[pool_mode].start()
        return started[pool_mode]

    yield start
    for one in started.values():
        one.delete()


@pytest.mark.parametrize("command", ["migrate", "worker", "doctor"])
async def test_a_pooler_that_lends_sessions_by_the_transaction_is_named_with_the_fix(
    shop: Shop, pooler: Callable[[str], PgBouncer], command: str
) -> None:
    url = pooler("transaction").through(shop.worker_environment["ORDERS_POSTGRES_URL"])

    ended = await asyncio.to_thread(run, command, **{**shop.worker_environment, "ORDERS_POSTGRES_URL": url})

    said = words(ended.stdout + ended.stderr)
    assert ended.returncode == 1
    assert POOLED in said
    assert FIX_OF_POOLER in said
    assert "Traceback" not in said


async def test_a_pooler_that_changes_its_ways_is_named_when_a_session_is_used(
    shop: Shop, pooler: Callable[[str], PgBouncer]
) -> None:
    url = pooler("transaction").through(shop.environment["ORDERS_POSTGRES_URL"])

    async def cross() -> None:
        async with Database(url) as database, database.connection() as one, database.connection() as other:
            await one.fetchval("SELECT 1")  # what is prepared here is missing where the other transaction goes on
            async with other.transaction():
                await one.fetchval("SELECT 1")

    with pytest.raises(AccessFault, match=POOLED):
        await cross()


async def test_through_a_pooler_of_sessions_orders_are_placed_and_all_is_well(
    shop: Shop, pooler: Callable[[str], PgBouncer]
) -> None:
    url = pooler("session").through(shop.worker_environment["ORDERS_POSTGRES_URL"])
    await shop.start_worker(ORDERS_POSTGRES_URL=url)

    reply = await shop.ask(ORDER)
    found = await asyncio.to_thread(run, "doctor", "--json", **{**shop.worker_environment, "ORDERS_POSTGRES_URL": url})

    assert reply["result"] == "success"
    assert [one for one in json.loads(found.stdout)["checks"] if one["level"] != "ok"] == []
