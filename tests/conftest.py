"""Real servers for every test: from the environment, a Docker engine, or binaries of this machine."""

import uuid
from collections.abc import AsyncIterator, Iterator
from importlib.resources import files

import pytest

from deploy.local.servers import Servers, local_servers
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import Database
from schemas import catalog_file
from tests.shop import Shop
from worker.broker import topology
from worker.broker.connection import connect

TEMPLATE = "orders_test_template"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with local_servers() as found:
        yield found


@pytest.fixture
async def database_url(servers: Servers) -> AsyncIterator[str]:
    """An empty database."""
    name = f"orders_test_{uuid.uuid4().hex[:12]}"
    yield await scratch.recreate(servers.postgres_url, name)
    await scratch.drop(servers.postgres_url, name)


@pytest.fixture(scope="session")
async def template(servers: Servers) -> AsyncIterator[str]:
    """The name of a database with the schema and the sample catalogue, to be copied."""
    url = await scratch.recreate(servers.postgres_url, TEMPLATE)
    await migrate.migrate(url)
    sample = files("deploy").joinpath("sample", "catalog.json").read_bytes()
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(sample))
    yield TEMPLATE
    await scratch.drop(servers.postgres_url, TEMPLATE)


@pytest.fixture
async def shop_url(servers: Servers, template: str) -> AsyncIterator[str]:
    """A database with the schema and the sample catalogue, of this test alone."""
    name = f"orders_test_{uuid.uuid4().hex[:12]}"
    yield await scratch.clone(servers.postgres_url, name, template)
    await scratch.drop(servers.postgres_url, name)


@pytest.fixture(scope="session")
async def amqp_url(servers: Servers) -> str:
    """A broker with our topology. Its queues are emptied for each shop, so they must be nobody's."""
    async with connect(servers.amqp_url, "orders tests") as connection:
        await topology.apply(connection)
        async with connection.channel() as channel:
            requests = await channel.declare_queue(topology.REQUESTS, passive=True)
    if requests.declaration_result.consumer_count:
        pytest.exit("a worker consumes the queues that the tests would empty: stop it first (make down)", returncode=1)
    return servers.amqp_url


@pytest.fixture
async def shop(shop_url: str, amqp_url: str) -> AsyncIterator[Shop]:
    """A database, empty queues, and eyes on everything that comes out. Workers are started by the test."""
    async with Shop.open(shop_url, amqp_url) as opened:
        yield opened
