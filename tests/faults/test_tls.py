"""TLS to both servers, by their URLs alone; a server that cannot prove who it is, is refused (reliability.md)."""

import asyncio
import json
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.host import free_port, make_own_folder, servable
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import AWAY_FAULTS, AccessFault, Database
from schemas import catalog_file, topology
from tests.faults.tls_servers import (
    ADDRESS,
    Authority,
    Certificate,
    TlsPostgres,
    TlsRabbitMQ,
    postgres_without_tls,
    tls_postgres,
)
from tests.integration.test_operator_commands import Ended, run
from tests.shop import SECRET_KEY, Shop, make_vhost, vhost_of
from worker.broker.connection import BROKER_FAULTS, Untrusted, connect
from worker.operations import checks
from worker.operations.checks import Role, ways
from worker.operations.findings import Level
from worker.settings import Settings, SettingsError

SAMPLE = Path("deploy/sample/catalog.json")
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
DATABASE = "orders_tls"  # not `orders`, into which one gets without TLS
MISMATCH = "certificate is not valid for '127.0.0.1'"
STRANGER = "self-signed certificate in certificate chain"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for certificates and servers, in which the servers can read."""
    made = servable(tmp_path_factory.mktemp("tls"))
    make_own_folder(made)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder, "authority")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    """Another authority, which has certified neither server."""
    return Authority(folder, "stranger")


@pytest.fixture(scope="module")
def rabbitmq(folder: Path, authority: Authority) -> Iterator[TlsRabbitMQ]:
    certificate = authority.certify("rabbitmq", "localhost")
    broker = TlsRabbitMQ(folder / "rabbitmq", free_port(TlsRabbitMQ.PORTS_COUNT), authority.file, certificate)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()  # nothing of it is wanted any more
        broker.delete()


@pytest.fixture(scope="module")
async def postgres(folder: Path, authority: Authority) -> AsyncIterator[TlsPostgres]:
    certificate = authority.certify("postgres", "localhost")
    async with tls_postgres(folder / "postgres", authority.file, certificate) as started:
        yield started


@pytest.fixture(scope="module")
def amqps_url(rabbitmq: TlsRabbitMQ, authority: Authority) -> str:
    vhost = vhost_of(make_vhost(rabbitmq.url, rabbitmq.import_definitions))
    return rabbitmq.tls_url(vhost, cafile=authority.file)


@pytest.fixture(scope="module")
async def postgres_url(postgres: TlsPostgres, authority: Authority) -> str:
    """The URL of a database with the schema and the sample catalogue, made by way of TLS as well."""
    server_url = postgres.url(sslmode="verify-full", sslrootcert=authority.file)
    url = await scratch.recreate(server_url, DATABASE)
    await migrate.migrate(url)
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(SAMPLE.read_bytes()), by="tests")
    return url


@pytest.fixture
async def tls_shop(postgres_url: str, amqps_url: str) -> AsyncIterator[Shop]:
    async with Shop.open(postgres_url, amqps_url) as shop:
        yield shop


async def ask_rabbitmq(url: str) -> None:
    async with connect(url, "orders tests"):
        pass


async def ask_postgres(url: str) -> None:
    async with Database(url, connections_max=1) as database:
        await database.probe()


async def ended(command: str, **settings: str) -> Ended:
    """Run a command that is to say in a sentence what is wrong."""
    done = await asyncio.to_thread(run, *command.split(), **{"ORDERS_SECRET_KEYS": SECRET_KEY, **settings})
    assert "Traceback" not in done.stderr, done.stderr
    return done


# ---------------------------------------------------------------- what is trusted


async def test_an_order_is_placed_with_tls_to_both_servers(tls_shop: Shop, rabbitmq: TlsRabbitMQ) -> None:
    await tls_shop.start_worker()

    reply = await tls_shop.ask(ORDER)

    assert (reply["result"], await tls_shop.orders_placed()) == ("success", 1)
    listed = await asyncio.to_thread(rabbitmq.control, "list_connections", "--no-table-headers", "user", "ssl")
    connections = [line.split() for line in listed.splitlines() if line]
    assert {is_safe for user, is_safe in connections if user == "worker"} == {"true"}
    assert all(encrypted == "true" for _user, encrypted in connections)


async def test_the_doctor_has_nothing_to_say_against_them(tls_shop: Shop) -> None:
    done = await ended("doctor --as worker --json", **tls_shop.worker_environment)

    said = [(finding["check"], finding["level"]) for finding in json.loads(done.stdout)["checks"]]
    assert [one for one in said if one[0] in ("RabbitMQ", "Postgres")] == [("Postgres", "ok"), ("RabbitMQ", "ok")]


async def test_a_client_may_show_a_certificate_of_its_own(
    postgres_url: str, amqps_url: str, authority: Authority, stranger: Authority
) -> None:
    known, unknown = authority.certify("client"), stranger.certify("strange-client")

    await ask_rabbitmq(f"{amqps_url}&certfile={known.cert}&keyfile={known.key}")
    await ask_postgres(f"{postgres_url}&sslcert={known.cert}&sslkey={known.key}")
    # That one of a stranger is refused shows that the first was looked at.
    with pytest.raises(BROKER_FAULTS):
        await ask_rabbitmq(f"{amqps_url}&certfile={unknown.cert}&keyfile={unknown.key}")
    with pytest.raises(AWAY_FAULTS):
        await ask_postgres(f"{postgres_url}&sslcert={unknown.cert}&sslkey={unknown.key}")


# ---------------------------------------------------------------- what is not


async def test_a_broker_of_another_name_is_refused(amqps_url: str) -> None:
    with pytest.raises(Untrusted, match=MISMATCH):
        await ask_rabbitmq(amqps_url.replace("localhost", ADDRESS))


async def test_a_broker_whose_authority_is_unknown_is_refused(rabbitmq: TlsRabbitMQ, stranger: Authority) -> None:
    with pytest.raises(Untrusted, match=STRANGER):
        await ask_rabbitmq(rabbitmq.tls_url("", cafile=stranger.file))


async def test_without_an_authority_in_its_url_the_broker_must_be_known_to_the_system(rabbitmq: TlsRabbitMQ) -> None:
    with pytest.raises(Untrusted, match=STRANGER):
        await ask_rabbitmq(rabbitmq.tls_url(""))


async def test_a_database_of_another_name_is_refused(postgres_url: str) -> None:
    with pytest.raises(AccessFault, match=MISMATCH):
        await ask_postgres(postgres_url.replace("localhost", ADDRESS))


async def test_a_database_whose_authority_is_unknown_is_refused(postgres: TlsPostgres, stranger: Authority) -> None:
    with pytest.raises(AccessFault, match=STRANGER):
        await ask_postgres(postgres.url(sslmode="verify-full", sslrootcert=stranger.file))


async def test_a_database_of_another_name_is_not_migrated(postgres_url: str) -> None:
    with pytest.raises(AccessFault, match=MISMATCH):
        await migrate.migrate(postgres_url.replace("localhost", ADDRESS))


# ---------------------------------------------------------------- what a person is told


@asynccontextmanager
async def shaking_hands(certificate: Certificate) -> AsyncIterator[tuple[int, int]]:
    """Listen as both servers do, as far as their certificate: a client of Postgres asks for TLS first."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.cert, certificate.key)

    async def shake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ssl.SSLError, ConnectionError):
            if len(await reader.read(8)) == 8:
                writer.write(b"S")
            await writer.start_tls(context)
        writer.close()

    with_tls = await asyncio.start_server(lambda _, writer: writer.close(), "localhost", 0, ssl=context)
    asked_for = await asyncio.start_server(shake, "localhost", 0)
    async with with_tls, asked_for:
        yield with_tls.sockets[0].getsockname()[1], asked_for.sockets[0].getsockname()[1]


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("from_now", "words"),
    [
        ((-2 * DAY, -DAY), "certificate has expired; fix: renew the server's certificate"),
        ((DAY, 2 * DAY), "certificate is not yet valid; fix: this machine's clock"),
    ],
)
async def test_a_certificate_whose_time_is_over_or_has_not_come_is_told_as_that(
    authority: Authority, from_now: tuple[timedelta, timedelta], words: str
) -> None:
    certificate = authority.certify("untimely", "localhost", from_now=from_now)

    async with shaking_hands(certificate) as (amqps, postgres):
        with pytest.raises(Untrusted) as by_broker:
            async with connect(f"amqps://localhost:{amqps}/?cafile={authority.file}", "orders tests"):
                raise AssertionError("it is trusted")
        with pytest.raises(AccessFault) as by_database:
            await ask_postgres(
                f"postgresql://orders@localhost:{postgres}/orders?sslmode=verify-full&sslrootcert={authority.file}"
            )

    for told in (str(by_broker.value), str(by_database.value)):
        assert f"its certificate is not accepted: {words}" in told


async def test_a_worker_ends_with_a_sentence_when_a_server_is_not_trusted(
    postgres_url: str, amqps_url: str, stranger: Authority
) -> None:
    strange_broker = amqps_url.replace("authority.crt", stranger.file.name)
    other_name = postgres_url.replace("localhost", ADDRESS)

    by_broker, by_database = await asyncio.gather(
        ended("worker", ORDERS_AMQP_URL=strange_broker, ORDERS_POSTGRES_URL=postgres_url),
        ended("worker", ORDERS_AMQP_URL=amqps_url, ORDERS_POSTGRES_URL=other_name),
    )

    assert (by_broker.returncode, by_database.returncode) == (1, 1)
    assert f"its certificate is not accepted: {STRANGER}; fix: let cafile in the URL" in by_broker.stderr
    assert f"{MISMATCH}); fix: let sslrootcert in the URL" in by_database.stderr.replace(".)", ")")


async def test_a_worker_that_postgres_lets_in_no_more_pauses_with_a_sentence_and_no_attempt_is_counted(
    tls_shop: Shop, postgres_url: str
) -> None:
    await tls_shop.database.execute("CREATE ROLE outsider SUPERUSER LOGIN")
    url = postgres_url.replace("//orders@", "//outsider@")
    worker = await tls_shop.start_worker(ORDERS_POSTGRES_URL=url)

    await tls_shop.database.execute("ALTER ROLE outsider NOLOGIN")
    asked = [await tls_shop.publish(ORDER) for _ in range(20)]
    await tls_shop.database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'outsider'")
    await tls_shop.until(lambda: "is not permitted to log in" in worker.words)
    assert "Traceback" not in worker.words
    await tls_shop.database.execute("ALTER ROLE outsider LOGIN")

    for one in asked:
        assert json.loads(await tls_shop.reply(one))["result"] == "success"
    assert [await tls_shop.waiting(queue) for queue in (topology.DEAD, *topology.RETRY_DELAYS)] == [0, 0, 0, 0]


async def test_whoever_takes_the_wrong_port_is_told_which_is_right(
    rabbitmq: TlsRabbitMQ, postgres: TlsPostgres, authority: Authority
) -> None:
    plain_port = rabbitmq.url.replace("amqp:", "amqps:") + f"?cafile={authority.file}"
    tls_port = urlsplit(rabbitmq.tls_url(""))._replace(scheme="amqp", query="").geturl()
    tls_only = postgres.url(DATABASE, sslmode="disable")

    async with postgres_without_tls() as port:
        plain_only = f"postgresql://localhost:{port}/x?sslmode=verify-full&sslrootcert={authority.file}"
        encrypted, in_clear = await asyncio.gather(
            ended("status", ORDERS_AMQP_URL=plain_port, ORDERS_POSTGRES_URL=plain_only),
            ended("status", ORDERS_AMQP_URL=tls_port, ORDERS_POSTGRES_URL=tls_only),
        )

    assert (encrypted.returncode, in_clear.returncode) == (1, 1)
    assert "this port does not speak TLS; fix: its TLS port, or a URL that begins with amqp://" in encrypted.stderr
    assert "it does not speak TLS, which sslmode asks for); fix: ssl = on in postgresql.conf" in encrypted.stderr
    assert "if this port speaks TLS, the URL must begin with amqps://" in in_clear.stderr
    assert "no pg_hba.conf entry" in in_clear.stderr
    assert "no encryption" in in_clear.stderr


async def test_a_url_of_postgres_with_an_unknown_sslmode_makes_no_sense(postgres: TlsPostgres) -> None:
    with pytest.raises(AccessFault, match="`sslmode` parameter must be one of: disable, allow"):
        await ask_postgres(postgres.url(sslmode="verify"))


async def test_a_url_of_postgres_with_a_misspelt_parameter_is_refused(
    postgres: TlsPostgres, authority: Authority
) -> None:
    with pytest.raises(AccessFault, match='unrecognized configuration parameter "sslrootcrt"'):
        await ask_postgres(postgres.url(sslmode="require", sslrootcrt=authority.file))


def test_files_that_are_not_there_or_do_nothing_are_faults_of_the_settings(folder: Path, authority: Authority) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.read(
            {
                "ORDERS_AMQP_URL": f"amqp://localhost/?cafile={authority.file}",
                "ORDERS_POSTGRES_URL": f"postgresql://localhost/x?sslmode=verify-full&sslrootcert={folder}/none",
            }
        )

    assert str(raised.value).splitlines() == [
        "ORDERS_AMQP_URL: cafile is for amqps://, and this begins with amqp://: it would not be encrypted",
        f"ORDERS_POSTGRES_URL: sslrootcert: there is no file {folder}/none",
    ]


@pytest.mark.parametrize(
    ("amqp_url", "postgres_url", "warnings"),
    [
        ("amqp://rabbitmq.example.com/", "postgresql://db.example.com/x?sslmode=require", {"RabbitMQ", "Postgres"}),
        ("amqps://192.0.2.7/?no_verify_ssl=1", "postgresql://192.0.2.7/x", {"RabbitMQ", "Postgres"}),
        ("amqps://rabbitmq.example.com/", "postgresql://db.example.com/x?sslmode=verify-full", set()),
        ("amqp://127.0.0.1/", "postgresql:///x", set()),
        ("amqp://rabbitmq/", "postgresql://postgres/x", set()),
    ],
)
def test_the_doctor_warns_of_a_way_that_is_not_safe(amqp_url: str, postgres_url: str, warnings: set[str]) -> None:
    settings = Settings.read({"ORDERS_AMQP_URL": amqp_url, "ORDERS_POSTGRES_URL": postgres_url})

    findings = list(ways(settings, Role.WORKER))

    assert {finding.check for finding in findings} == warnings
    assert all(finding.level is Level.WARNING for finding in findings)


@pytest.mark.parametrize(("days", "warnings"), [(31, 0), (29, 2), (1, 2)])
async def test_doctor_warns_thirty_days_before_a_certificate_ends(
    authority: Authority, days: int, warnings: int
) -> None:
    certificate = authority.certify("ending", "localhost", from_now=(-DAY, days * DAY + DAY / 2))

    async with shaking_hands(certificate) as (amqps, postgres):
        found = [
            finding
            for check, url in (
                ("RabbitMQ", f"amqps://me:secret@localhost:{amqps}/"),
                ("Postgres", f"postgresql://me:secret@localhost:{postgres}/orders"),
            )
            async for finding in checks._certificates(check, [url])  # noqa: SLF001  # a part of doctor
        ]

    assert len(found) == warnings
    assert all(finding.level is Level.WARNING and f"in {days} days" in finding.says for finding in found)
