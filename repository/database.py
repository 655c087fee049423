"""The pool, the transaction, and the faults that are nobody's fault."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from repository import queries

SQL = queries.load("database.sql")

Connection = asyncpg.Connection | PoolConnectionProxy

APPLICATION = "orders"  # as which our sessions show in pg_stat_activity
CONNECTIONS_MIN = 2  # with which it works, if slowly: a batch has one, and what is beside it another

# Every wait has a bound, in seconds. The server gives up on a statement before we give up on the server.
CONNECT_SECONDS_MAX = 5
ROOM_POLL_SECONDS = 0.2  # while the server has no room for another connection
LOCK_SECONDS_MAX = 2
HASTY_LOCK_SECONDS_MAX = 0.2  # while somebody is known to hold something
STATEMENT_SECONDS_MAX = 10
ANSWER_SECONDS_MAX = 15

# A session plans the checks of foreign keys once, and again when the tables are next analysed. Planned while there are
# few orders, they read the tables from end to end, however many rows come: with 2,500 orders that was two thirds of
# Postgres' work. Whatever a worker asks has its index. (Before Postgres 18 a scan that cannot be avoided then looks
# dear enough to be compiled, which takes longer than any of ours: hence no jit.)
# The plan being the same whatever the arguments are, it is made once: a lonely order would wait for planning each time.
PLANNING = {"enable_seqscan": "off", "jit": "off", "plan_cache_mode": "force_generic_plan"}

# A raised isolation, as a role's or a database's default, would make eight times slower what is right without it: the
# claim is what keeps two from placing the same request.
ISOLATION = {"default_transaction_isolation": "read committed"}

SETTINGS = {
    "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
    "lock_timeout": f"{LOCK_SECONDS_MAX}s",
    "idle_in_transaction_session_timeout": f"{ANSWER_SECONDS_MAX}s",
    **ISOLATION,
    **PLANNING,
}

ENCODING = "UTF8"
POOLER_TRIES = 3  # a pooler with many clients may lend the same server session twice by chance


class ConnectionLost(Exception):
    """The server cut the connection inside a transaction: whether it was committed is unknown.

    asyncpg hides this behind InterfaceError. The claim settles it on the next try.
    """


class DatabaseFault(Exception):
    """What we ourselves find wrong with the database. `fix` is what mends it, where something general does."""

    def __init__(self, says: str, fix: str = "") -> None:
        super().__init__(f"{says}; fix: {fix}" if fix else says)
        self.says, self.fix = says, fix


class AccessFault(DatabaseFault):
    """The server cannot be had in the way that the URL says."""


class AnotherServer(DatabaseFault):
    """A session is of another server than those before: whether it has what they had is to be seen first."""


class OrdersLost(DatabaseFault):
    """Orders that are known to have been placed are not there: nothing new may be written before somebody is told."""


_POOLED = (
    "a pooler such as PgBouncer lends this session anew for each transaction: what was set and prepared in it is lost",
    "set pool_mode = session for our user, or let ORDERS_POSTGRES_URL name Postgres itself",
)

# What asyncpg has prepared is of its own session, and under names of its own: it is only missing, or there twice, in a
# session that was another's.
_OF_ANOTHER_SESSION = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)

# The server is there and lets nobody in who comes as the URL says: for a message it is away, and no waiting mends it.
ACCESS_FAULTS = (AccessFault, asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)

# The server is not there, or takes no work: no message would fare better than this one.
AWAY_FAULTS = (
    OSError,  # the network: refused, reset
    TimeoutError,  # no answer at all, not even a refusal
    ConnectionLost,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.DiskFullError,
    asyncpg.ReadOnlySQLTransactionError,  # it has become a standby
    AnotherServer,
    OrdersLost,  # it was a standby, and behind
    *ACCESS_FAULTS,
)

# Somebody holds what is needed, and does not let it go in time.
LOCK_FAULTS = (asyncpg.LockNotAvailableError,)

# Faults of the moment, not of the message: the same message may well succeed later.
PASSING_FAULTS = (
    *AWAY_FAULTS,
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    *LOCK_FAULTS,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.OutOfMemoryError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,  # a migration has changed a column meanwhile; prepared anew, it goes
)


# OpenSSL's numbers for a certificate whose time has not come (X509_V_ERR_CERT_NOT_YET_VALID), and for one whose time is
# over (X509_V_ERR_CERT_HAS_EXPIRED): of the server or of its authority. Nothing in a URL mends either.
MENDS_OF_TIMES = {
    9: "this machine's clock, or the server's certificate, which is not valid yet",
    10: "renew the server's certificate, or its authority's, and see that this machine's clock is right",
}


async def connect(dsn: str | None = None, **options: Any) -> asyncpg.Connection:
    """Connect as the URL says. The parameters are those of asyncpg's own function.

    Raises:
        AccessFault: TLS did not come about, or the URL makes no sense.
    """
    try:
        return await asyncpg.connect(dsn, **options)
    except ssl.SSLCertVerificationError as error:
        fix = MENDS_OF_TIMES.get(error.verify_code) or (
            "let sslrootcert in the URL name its authority, and the URL the host that it is for"
        )
        raise AccessFault(f"its certificate is not accepted: {error.verify_message}", fix) from error
    except asyncpg.ClientConfigurationError as error:
        raise AccessFault(f"the URL makes no sense: {error.args[0]}") from error
    except (asyncpg.UndefinedObjectError, asyncpg.CantChangeRuntimeParamError) as error:
        raise AccessFault(f"the URL has a parameter that is none of Postgres: {error}") from error
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" not in str(error):
            raise
        raise AccessFault(f"a pooler on the way refuses a parameter of the URL: {error}", "take it out") from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError):
        raise  # the server went away meanwhile
    except ssl.SSLError as error:
        raise AccessFault(f"sslrootcert, sslcert or sslkey is not what it should be: {error}") from error
    except ConnectionError as error:
        if "rejected SSL upgrade" not in str(error):
            raise
        raise AccessFault(*_without_tls(dsn)) from error


def _without_tls(dsn: str | None) -> tuple[str, str]:
    """Say what it means that TLS was refused, and the fix: where nobody asks for it, no Postgres says no."""
    if _asks_for_tls(dsn):
        return "it does not speak TLS, which sslmode asks for", "ssl = on in postgresql.conf"
    return "what answers there is no Postgres", "the host and port of the URL"


def _asks_for_tls(dsn: str | None) -> bool:
    """Whether a URL does without TLS only in error: as it comes, a Postgres without it is taken as it is."""
    given = dict(parse_qsl(urlsplit(dsn or "").query)).get("sslmode") or os.environ.get("PGSSLMODE", "")
    return given in {"require", "verify-ca", "verify-full"}


class Database:
    """A pool of connections to one Postgres database. `async with` opens and closes it."""

    def __init__(self, url: str, *, connections_max: int = 4) -> None:
        self._url = url
        self._connections_max = connections_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.on_connect: Callable[[Connection], Awaitable[None]] | None = (
            None  # sees each new session before it is lent
        )

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._url,
            connect=connect,
            min_size=0,
            max_size=self._connections_max,
            max_inactive_connection_lifetime=0,  # what we have we keep: there may be no room for it later
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=ANSWER_SECONDS_MAX,
            init=self._prepare,
            reset=_leave_as_it_is,
            server_settings={"application_name": APPLICATION, "timezone": "UTC"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool = self._opened()
        self._pool = None
        pool.terminate() if error else await pool.close()

    @asynccontextmanager
    async def transaction(self, *, is_hasty: bool = False) -> AsyncIterator[Connection]:
        """Commit on a clean exit, roll back on any exception. A hasty one waits for no lock.

        Raises:
            ConnectionLost: the server went away meanwhile; the outcome is unknown.
        """
        async with self.connection() as connection, connection.transaction():
            try:
                with _given_up_in_time(connection):
                    if is_hasty:
                        await connection.execute(SQL["be_hasty"], f"{HASTY_LOCK_SECONDS_MAX}s")
                    yield connection
            except asyncpg.IntegrityConstraintViolationError as error:
                error.detail = None  # it quotes the row that was refused, and errors are logged
                raise

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """See the database as it stands at one moment; nothing can be written and nothing is locked."""
        async with self.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside any transaction.

        Raises:
            ConnectionLost: the server went away meanwhile.
            AccessFault: the server is not to be had as the URL says.
        """
        try:
            async with self._lent() as connection:
                try:
                    with _given_up_in_time(connection):
                        yield connection
                except TimeoutError:
                    # The others may have gone the same way, and each would be waited for as long.
                    await self._opened().expire_connections()
                    raise
                except asyncpg.ReadOnlySQLTransactionError:
                    # What made it so may be over, or the primary be another one: a session keeps what it began with.
                    await self._opened().expire_connections()
                    raise
                except asyncpg.InterfaceError as error:
                    if _is_lost(connection):
                        raise ConnectionLost(str(error)) from error
                    raise
        except asyncpg.InternalClientError as error:
            # Cut in the middle of a message, a connection is in no state to be used, nor to be given back to the pool.
            raise ConnectionLost(str(error)) from error
        except _OF_ANOTHER_SESSION as error:
            raise AccessFault(*_POOLED) from error

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        """Take a connection of the pool. Where the server has no room for another one, one of ours is waited for."""
        pool, until = self._opened(), time.monotonic() + CONNECT_SECONDS_MAX
        while True:
            try:
                connection = await pool.acquire(timeout=CONNECT_SECONDS_MAX)
                break
            except asyncpg.TooManyConnectionsError:
                if pool.get_size() < CONNECTIONS_MIN or time.monotonic() > until:
                    raise
                await asyncio.sleep(ROOM_POLL_SECONDS)
        try:
            yield connection
        finally:
            await pool.release(connection)

    async def open_connections(self) -> int:
        """Open as many connections as there may be and the server has room for, and tell how many there are.

        Raises:
            asyncpg.TooManyConnectionsError: there are not even as many as it takes.
        """
        pool, lent = self._opened(), list[PoolConnectionProxy]()
        try:
            while len(lent) < self._connections_max:
                lent.append(await pool.acquire(timeout=CONNECT_SECONDS_MAX))
        except asyncpg.TooManyConnectionsError:
            if len(lent) < CONNECTIONS_MIN:
                raise
        finally:
            for connection in lent:
                await pool.release(connection)
        return len(lent)

    async def _prepare(self, connection: Connection) -> None:
        await _prepare_connection(connection)
        if self.on_connect is not None:
            await self.on_connect(connection)

    @property
    def connections_max(self) -> int:
        return self._connections_max

    async def check_sessions(self) -> None:
        """See that a session is ours for as long as it is open.

        Raises:
            AccessFault: a pooler lends it anew for each transaction.
        """
        async with self.connection() as connection:
            await check_session(connection, self.connection())

    async def probe(self) -> None:
        """See that the database takes work: it commits a write, and has room for more.

        Raises:
            AWAY_FAULTS: it does not.
        """
        async with self.transaction() as connection:
            await connection.execute(SQL["probe"])
            await connection.execute(SQL["ask_for_room"])

    def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        assert self._pool is not None, "the database is used inside `async with` only"
        return self._pool


async def begin_session(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set what a session of ours relies on, over whatever its role and its database would have it be.

    By a statement, not as parameters of the connection: those a pooler refuses, or drops.

    Raises:
        AccessFault: the database keeps text in another encoding.
    """
    encoding = await connection.fetchval(SQL["begin_session"], list(settings), list(settings.values()))
    if encoding != ENCODING:
        fix = (
            f"make another one, createdb --encoding {ENCODING} --template template0, and name it in ORDERS_POSTGRES_URL"
        )
        raise AccessFault(f"the database's encoding is {encoding}, and orders take names of every script", fix)


async def check_session(session: Connection, another: AbstractAsyncContextManager[Connection]) -> None:
    """See that a session is one of Postgres itself, and that nobody lends it anew for each transaction.

    Postgres says at the start which of its processes a session has; a pooler makes up a number. Through one, another
    session holds a transaction: where sessions are lent, it is given the first one's process, or the first one another.

    Raises:
        AccessFault: it is lent.
    """
    try:
        if session.get_server_pid() == await _pid_of(session):
            return
        async with another as other:
            for _ in range(POOLER_TRIES):
                before = await _pid_of(session)
                async with other.transaction():
                    is_lent = await _pid_of(other) == before or await _pid_of(session) != before
                if is_lent:
                    raise AccessFault(*_POOLED)
    except _OF_ANOTHER_SESSION as error:
        raise AccessFault(*_POOLED) from error


async def now(connection: Connection) -> datetime:
    """Ask the database for its time."""
    moment: datetime = await connection.fetchval(SQL["now"])
    return moment


async def _pid_of(connection: Connection) -> int:
    """Ask which of the server's processes has a session now."""
    pid: int = await connection.fetchval(SQL["pid"])
    return pid


def _is_lost(connection: Connection) -> bool:
    """Tell whether a connection is gone. The pool takes it back the moment it is: then it cannot even be asked."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


@contextmanager
def _given_up_in_time(connection: Connection) -> Iterator[None]:
    """Cut a connection on which no answer came: asyncpg would wait as long again for the end of its statement."""
    try:
        yield
    except TimeoutError:
        connection.terminate()
        raise


async def _leave_as_it_is(_connection: Connection) -> None:
    """Nothing of a session is ever changed, so that nothing must be reset: that would be a round trip each time."""


async def _prepare_connection(connection: Connection) -> None:
    await begin_session(connection, SETTINGS)
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)


def _to_json(value: object) -> str:
    return orjson.dumps(value, default=_json_value).decode()


def _json_value(value: object) -> str:
    """Write what JSON has no type for. Decimals travel as text: a JSON number would pass through a float."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
