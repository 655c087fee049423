"""Real servers for every test: from the environment, a Docker engine, or binaries of this machine."""

import logging
import os
import random
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files

import pytest

from deploy.local import debian, rabbitmq4
from deploy.local.containers import Container
from deploy.local.host import LocalServerError, say
from deploy.local.rabbitmq import VARIABLE, RabbitMQ, chosen_root
from deploy.local.server import Server
from deploy.local.servers import Servers, local_servers
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import Database
from schemas import catalog_file, topology
from tests.running import FailuresAtOnce, Running, processes
from tests.shop import Shop, make_vhost, vhost_of
from worker.broker.connection import connect
from worker.broker.topology import apply_topology, begin_streams_anew

PHP_PACKAGE = "php-cli"
TEMPLATE = f"orders_test_template_{uuid.uuid4().hex[:12]}"  # of this run: another may go on beside it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rabbitmq",
        choices=[rabbitmq4.VERSION],
        help="the RabbitMQ to start, for all tests, instead of the distribution's",
    )
    seed = random.SystemRandom().randrange(1_000_000)
    parser.addoption("--seed", type=int, default=seed, help="for the faults of a soak: the same again for the same one")
    parser.addoption("--seconds", type=float, default=60.0, help="how long each scene of a soak is under load")


def pytest_xdist_auto_num_workers() -> int:
    return processes()


def pytest_report_header(config: pytest.Config) -> str:
    return f"seed: {config.getoption('--seed')}"


@pytest.hookimpl(trylast=True)  # after the terminal is there
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Running(config))
    if terminal := config.pluginmanager.get_plugin("terminalreporter"):
        config.pluginmanager.register(FailuresAtOnce(terminal))
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)  # it tells of each try to connect to a broker that is killed
    logging.getLogger("aio_pika").setLevel(logging.WARNING)


def pytest_sessionstart(session: pytest.Session) -> None:
    if version := session.config.getoption("--rabbitmq"):
        os.environ[VARIABLE] = version
        chosen_root()  # the first time this takes a minute, which shall not count as a test's


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with local_servers() as found:
        yield found


@pytest.fixture(scope="session")
def php_program() -> str:
    """A real PHP to compare with. CI installs it where it is missing; a desk without one skips these tests."""
    if not shutil.which("php"):
        if not os.environ.get("CI"):
            pytest.skip(f"no PHP here to compare with; fix: sudo apt-get install {PHP_PACKAGE}")
        debian.install(PHP_PACKAGE)
    return "php"


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
        await catalogue.load(connection, catalog_file.parse(sample), by="tests")
    yield TEMPLATE
    await scratch.drop(servers.postgres_url, TEMPLATE)


@pytest.fixture
async def shop_url(servers: Servers, template: str) -> AsyncIterator[str]:
    """A database with the schema and the sample catalogue, of this test alone."""
    name = f"orders_test_{uuid.uuid4().hex[:12]}"
    yield await scratch.clone(servers.postgres_url, name, template)
    await scratch.drop(servers.postgres_url, name)


@pytest.fixture(scope="session")
async def amqp_url(servers: Servers, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The administrator's URL of a broker with our topology, in a virtual host of this run alone with its users."""
    broker = administered(servers.rabbitmq)
    if broker is None:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            say("note: ORDERS_AMQP_URL is used as it is: all tests come as its one user, and no rights are tested")
        yield await _take_over(servers.amqp_url)
        return
    url = make_vhost(servers.amqp_url, broker.import_definitions)
    async with connect(url, "orders tests") as connection:
        await apply_topology(connection)  # finds nothing that differs: definitions say what is declared
    yield url
    with suppress(LocalServerError):  # with a broker that is gone, so is its virtual host
        broker.control("delete_vhost", vhost_of(url))


@pytest.fixture(scope="session")
def management_url(servers: Servers) -> str:
    """The management plugin of the broker, as its administrator comes to it."""
    broker = administered(servers.rabbitmq)
    if not isinstance(broker, RabbitMQ):
        pytest.skip("the management plugin is enabled where the broker is this machine's own")
    return broker.enable_management()


async def _take_over(url: str) -> str:
    """Declare our topology. The queues are emptied for each shop, so they must be nobody's."""
    async with connect(url, "orders tests") as connection:
        await apply_topology(connection)
        async with connection.channel() as channel:
            requests = await channel.declare_queue(topology.REQUESTS, passive=True)
    if requests.declaration_result.consumer_count:
        pytest.exit("a worker consumes the queues that the tests would empty: stop it first (make down)", returncode=1)
    return url


def administered(broker: Server) -> "RabbitMQ | InContainer | None":
    """Return whose rabbitmqctl can be run. Of a broker that somebody else runs, there is none."""
    match broker:
        case RabbitMQ():
            return broker
        case Container(name=name):
            return InContainer(name)
    return None


@dataclass(frozen=True)
class InContainer:
    """The rabbitmqctl of a broker in a container."""

    name: str

    def control(self, *arguments: str) -> str:
        return self._run(["rabbitmqctl", "--quiet", *arguments])

    def import_definitions(self, definitions: str) -> None:
        file = "/tmp/definitions.json"
        self._run(["sh", "-c", f'printf %s "$DEFINITIONS" > {file}'], DEFINITIONS=definitions)
        self.control("import_definitions", file)

    def _run(self, command: list[str], **environment: str) -> str:
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - not without an engine

        container = DockerClient().client.containers.get(self.name)
        status, output = container.exec_run(command, environment=environment)
        said = output.decode(errors="replace")
        if status:
            raise LocalServerError(f"{command} failed: {said}")
        return str(said)


@pytest.fixture
async def shop(shop_url: str, amqp_url: str) -> AsyncIterator[Shop]:
    """A database, empty queues, and eyes on everything that comes out. Workers are started by the test."""
    async with Shop.open(shop_url, amqp_url) as opened:
        yield opened


@pytest.fixture
async def nobodys(shop: Shop) -> None:
    """Let nobody have said whose the shop's broker is."""
    async with connect(shop.logins.administrator, "orders tests") as connection:
        await begin_streams_anew(connection)
