"""Servers that a test of faults may stop and kill, and shops at them."""

import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest

from deploy.local import RabbitMQ, start_postgres, start_rabbitmq
from deploy.local.host import LocalServerError, servable
from deploy.local.postgres import Postgres
from deploy.local.servers import Servers
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import Database
from schemas import catalog_file
from tests.conftest import administered
from tests.faults.cluster import Cluster
from tests.faults.disks import Disk, mounted
from tests.shop import Shop, make_vhost, vhost_of

DATABASE = "orders_outage"
DISK_BYTES = 400 * 2**20  # a new Postgres takes 40 MB, and 16 for each piece of its log
SAMPLE = files("deploy").joinpath("sample", "catalog.json")

# Of one virtual host, instead of 5 s, 1 min and 10 min: what is tested is that each is as long as its queue says.
DELAY_SECONDS = {"orders.retry.5s": 0.5, "orders.retry.1m": 1.0, "orders.retry.10m": 2.0}


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance of this test alone: the same for the same --seed, whatever else runs."""
    return random.Random(f"{request.config.getoption('--seed')} {request.node.name}")


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.delete()


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    server = start_rabbitmq(tmp_path_factory.mktemp("rabbitmq"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def vhost_url(rabbitmq: RabbitMQ) -> str:
    """The administrator's URL of a virtual host at a broker that may be killed."""
    url = make_vhost(rabbitmq.url, rabbitmq.import_definitions)
    # On 3.10 a quorum queue that is killed in its first seconds comes back without a leader: let it be written first.
    rabbitmq.stop()
    rabbitmq.start()
    return url


@pytest.fixture
async def own_database_url(postgres: Postgres) -> str:
    """A database with the sample catalogue, at a Postgres that may be stopped and killed."""
    return await make_database(postgres)


async def make_database(server: Postgres) -> str:
    """Make a database with the sample catalogue, and return its URL."""
    url = await scratch.recreate(server.url, DATABASE)
    await migrate.migrate(url)
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(SAMPLE.read_bytes()), by="tests")
    return url


@pytest.fixture
async def shop_at_postgres(own_database_url: str, amqp_url: str) -> AsyncIterator[Shop]:
    """A shop whose Postgres may be stopped and killed."""
    async with Shop.open(own_database_url, amqp_url) as shop:
        yield shop


@pytest.fixture
async def hasty_shop_at_postgres(own_database_url: str, hasty_amqp_url: str) -> AsyncIterator[Shop]:
    """A shop whose Postgres may be in trouble, and in which what is counted is over within seconds."""
    async with Shop.open(own_database_url, hasty_amqp_url) as shop:
        yield shop


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(servable(tmp_path / "disk"), DISK_BYTES) as disk:
        yield disk


@pytest.fixture
async def hasty_shop_on_disk(disk: Disk, hasty_amqp_url: str) -> AsyncIterator[Shop]:
    """Likewise, and its Postgres has all that it writes on a disk that may be filled."""
    server = start_postgres(disk.folder / "postgres")
    try:
        async with Shop.open(await make_database(server), hasty_amqp_url) as shop:
            yield shop
    finally:
        server.delete()


@pytest.fixture
async def shop_at_rabbitmq(shop_url: str, vhost_url: str) -> AsyncIterator[Shop]:
    """A shop whose broker may be stopped and killed."""
    async with Shop.open(shop_url, vhost_url) as shop:
        yield shop


@pytest.fixture
async def shop_at_both(own_database_url: str, vhost_url: str) -> AsyncIterator[Shop]:
    """A shop of whose servers either may be stopped and killed."""
    async with Shop.open(own_database_url, vhost_url) as shop:
        yield shop


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    started = Cluster.start(tmp_path_factory.mktemp("cluster"))
    yield started
    started.stop()


@pytest.fixture
async def clustered_shop(shop_url: str, cluster: Cluster) -> AsyncIterator[Shop]:
    """A shop at a broker of three nodes."""
    async with Shop.open(shop_url, await cluster.make_vhost()) as shop:
        yield shop


@pytest.fixture(scope="module")
async def hasty_amqp_url(servers: Servers) -> AsyncIterator[str]:
    """A virtual host of our topology, with delays that are a fraction of the real ones."""
    broker = administered(servers.rabbitmq)
    if broker is None:
        pytest.skip("needs a broker whose virtual hosts can be made")

    def import_definitions(written: str) -> None:
        definitions = json.loads(written)
        for queue in definitions["queues"]:
            if queue["name"] in DELAY_SECONDS:
                queue["arguments"]["x-message-ttl"] = int(1000 * DELAY_SECONDS[queue["name"]])
        broker.import_definitions(json.dumps(definitions))

    url = make_vhost(servers.amqp_url, import_definitions)
    yield url
    with suppress(LocalServerError):
        broker.control("delete_vhost", vhost_of(url))


@pytest.fixture
async def hasty_shop(shop_url: str, hasty_amqp_url: str) -> AsyncIterator[Shop]:
    async with Shop.open(shop_url, hasty_amqp_url) as shop:
        yield shop
