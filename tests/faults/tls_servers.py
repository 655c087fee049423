"""Servers that speak TLS, with certificates made for the occasion: a RabbitMQ and a Postgres.

Our Postgres wheel is built without TLS. Where Debian's server is installed, that one runs. Elsewhere a front does what
is about TLS and passes on the rest to the wheel's server: to a client there is no difference.
"""

import asyncio
import contextlib
import ipaddress
import shutil
import ssl
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.local.host import free_port, make_private_folder, run, servable, unprivileged, write_readable
from deploy.local.postgres import ENVIRONMENT, Postgres
from deploy.local.processes import spawn
from deploy.local.rabbitmq import RabbitMQ

NAME = "localhost"  # the one that the servers' certificate has
ADDRESS = "127.0.0.1"  # the one that it lacks
VALID = timedelta(days=90)  # longer than what doctor warns of


# ---------------------------------------------------------------- certificates


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a certificate and of its key. Any user may read them: they are worth nothing."""

    cert: Path
    key: Path


class Authority:
    """Certifies whatever it is asked to, by files in a folder that the servers can read."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = _named(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.crt"
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self._sign(self.file, _certificate(self._name, self._key).add_extension(constraints, critical=True))

    def certify(self, name: str, *hosts: str, from_now: tuple[timedelta, timedelta] | None = None) -> Certificate:
        """Make the certificate of a server that is reached as `hosts`, or without any, of a client.

        It is valid now, or from and until then.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = Certificate(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        builder = _certificate(_named(name), key, *(from_now or (-VALID, VALID)))
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(map(_host, hosts)), critical=False)
        self._sign(made.cert, builder)
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_readable(made.key, key.private_bytes(*form).decode())
        return made

    def _sign(self, file: Path, builder: x509.CertificateBuilder) -> None:
        signed = builder.issuer_name(self._name).sign(self._key, hashes.SHA256())
        write_readable(file, signed.public_bytes(serialization.Encoding.PEM).decode())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: timedelta = -VALID, ends: timedelta = VALID
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


# ---------------------------------------------------------------- RabbitMQ


@dataclass(frozen=True)  # without slots: super() finds no way back from a class that is made again for them
class TlsRabbitMQ(RabbitMQ):
    """A broker with a second port, which speaks TLS. It looks at a client's certificate, and asks for none."""

    authority: Path
    certificate: Certificate

    PORTS_COUNT: ClassVar[int] = RabbitMQ.PORTS_COUNT + 1

    def tls_url(self, vhost: str, host: str = NAME, **parameters: object) -> str:
        user = urlsplit(self.url).netloc.partition("@")[0]
        return f"amqps://{user}@{host}:{self._tls_port}/{vhost}?{urlencode(parameters)}"

    @property
    def _tls_port(self) -> int:
        return self.port + RabbitMQ.PORTS_COUNT

    @property
    def _configuration(self) -> Path:
        return self.folder / "tls.conf"

    def _spawn(self) -> None:
        settings = {
            "listeners.ssl.local": f"127.0.0.1:{self._tls_port}",
            "ssl_options.cacertfile": self.authority,
            "ssl_options.certfile": self.certificate.cert,
            "ssl_options.keyfile": self.certificate.key,
            "ssl_options.verify": "verify_peer",
            "ssl_options.fail_if_no_peer_cert": "false",
        }
        write_readable(self._configuration, "".join(f"{name} = {value}\n" for name, value in settings.items()))
        super()._spawn()

    def _environment(self) -> dict[str, str]:
        return {**super()._environment(), "RABBITMQ_CONFIG_FILES": str(self._configuration)}


# ---------------------------------------------------------------- Postgres

DEBIANS = Path("/usr/lib/postgresql")  # a folder for each major version
CHUNK_BYTES = 65_536
SSL_REQUEST = struct.pack("!ll", 8, 80877103)  # how a client of Postgres asks whether the server speaks TLS
# An error message: severity, SQLSTATE and words, as a server gives them whose pg_hba.conf lets in nobody without TLS.
_REFUSED = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"
REFUSAL = b"E" + struct.pack("!l", 4 + len(_REFUSED)) + _REFUSED


@dataclass(frozen=True, slots=True)
class TlsPostgres:
    """A Postgres that lets nobody but local_servers() in without TLS. It takes a client's certificate or none."""

    port: int

    def url(self, database: str = "orders", host: str = NAME, **parameters: object) -> str:
        return f"postgresql://orders@{host}:{self.port}/{database}?{urlencode(parameters)}"


@asynccontextmanager
async def tls_postgres(folder: Path, authority: Path, certificate: Certificate) -> AsyncIterator[TlsPostgres]:
    programs = max(DEBIANS.glob("*/bin"), key=lambda found: int(found.parent.name), default=None)
    port = free_port(Postgres.PORTS_COUNT)
    if programs is not None:
        with _running(DebiansPostgres(servable(folder), port, programs, authority, certificate)):
            yield TlsPostgres(port)
        return
    with _running(Postgres(servable(folder), port)):
        async with _front(port, authority, certificate) as front_port:
            yield TlsPostgres(front_port)


@contextmanager
def _running(server: Postgres) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.kill()
        server.delete()


@dataclass(frozen=True)  # without slots: as above
class DebiansPostgres(Postgres):
    programs: Path
    authority: Path
    certificate: Certificate

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _private_key(self) -> Path:
        """The key as Postgres wants it: nobody else's."""
        return self.data / "server.key"

    def _spawn(self) -> None:
        self._create(self.programs)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "ssl": "on",
            "ssl_ca_file": self.authority,
            "ssl_cert_file": self.certificate.cert,
            "ssl_key_file": self._private_key,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        spawn([self.programs / "postgres", "-D", self.data, *options], ENVIRONMENT, self.pid_file("postgres"), self.log)

    def _create(self, programs: Path) -> None:
        make_private_folder(self.data)
        options = ["--username=orders", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        run([programs / "initdb", "-D", self.data, *options], ENVIRONMENT)
        single_user = ("--single", "-D", self.data, "postgres")
        run([programs / "postgres", *single_user], ENVIRONMENT, entered="CREATE DATABASE orders\n")
        # The first line lets in who looks whether the server has started.
        rights = "host orders orders all trust\nhostssl all all all trust\n"
        (self.data / "pg_hba.conf").write_text(rights, encoding="ascii")
        shutil.copy(self.certificate.key, self._private_key)
        self._private_key.chmod(0o600)
        if user := unprivileged():
            shutil.chown(self._private_key, user["user"])


@asynccontextmanager
async def _front(port: int, authority: Path, certificate: Certificate) -> AsyncIterator[int]:
    """Speak TLS in front of the server at `port`, and yield the port to come to."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    context.load_cert_chain(certificate.cert, certificate.key)
    context.verify_mode = ssl.CERT_OPTIONAL

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                writer.write(REFUSAL)
                await writer.drain()
            else:
                writer.write(b"S")
                await writer.start_tls(context)
                upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_pass_on(reader, upstream_writer), _pass_on(upstream_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def postgres_without_tls() -> AsyncIterator[int]:
    """Say no to TLS as a Postgres does that has none, and yield the port to come to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
            writer.write(b"N")
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        yield server.sockets[0].getsockname()[1]
