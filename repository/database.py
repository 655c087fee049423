"""The pool, the transaction, and the faults that are nobody's fault."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from types import TracebackType
from typing import Self

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from repository import queries

SQL = queries.load("database.sql")

Connection = asyncpg.Connection | PoolConnectionProxy

# Every wait has a bound, in seconds. The server gives up on a statement before we give up on the server.
CONNECT_SECONDS_MAX = 5
LOCK_SECONDS_MAX = 5
STATEMENT_SECONDS_MAX = 10
ANSWER_SECONDS_MAX = 15


class ConnectionLost(Exception):
    """The server cut the connection inside a transaction: whether it was committed is unknown.

    asyncpg hides this behind InterfaceError. The claim settles it on the next try.
    """


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
)

# Faults of the moment, not of the message: the same message may well succeed later.
PASSING_FAULTS = (
    *AWAY_FAULTS,
    asyncpg.TransactionRollbackError,  # deadlock, serialization failure
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,  # statement_timeout
    asyncpg.OutOfMemoryError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Database:
    """A pool of connections to one Postgres database. `async with` opens and closes it."""

    def __init__(self, url: str, *, connections_max: int = 4) -> None:
        self._url = url
        self._connections_max = connections_max
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._connections_max,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=ANSWER_SECONDS_MAX,
            init=_prepare_connection,
            server_settings={
                "application_name": "orders",
                "timezone": "UTC",
                "statement_timeout": f"{STATEMENT_SECONDS_MAX}s",
                "lock_timeout": f"{LOCK_SECONDS_MAX}s",
                "idle_in_transaction_session_timeout": f"{ANSWER_SECONDS_MAX}s",
            },
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool = self._opened()
        self._pool = None
        pool.terminate() if error else await pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Commit on a clean exit, roll back on any exception.

        Raises:
            ConnectionLost: the server went away meanwhile; the outcome is unknown.
        """
        async with self.connection() as connection:
            try:
                async with connection.transaction():
                    yield connection
            except asyncpg.InterfaceError as error:
                if connection.is_closed():
                    raise ConnectionLost(str(error)) from error
                raise

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """See the database as it stands at one moment; nothing can be written and nothing is locked."""
        async with self.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside any transaction."""
        async with self._opened().acquire(timeout=CONNECT_SECONDS_MAX) as connection:
            yield connection

    async def probe(self) -> None:
        """See that the database takes work: it commits a write.

        Raises:
            AWAY_FAULTS: it does not.
        """
        async with self.transaction() as connection:
            await connection.execute(SQL["probe"])

    def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        assert self._pool is not None, "the database is used inside `async with` only"
        return self._pool


async def _prepare_connection(connection: Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, schema="pg_catalog", encoder=_to_json, decoder=orjson.loads)


def _to_json(value: object) -> str:
    return orjson.dumps(value, default=_json_value).decode()


def _json_value(value: object) -> str:
    """Write what JSON has no type for. Decimals travel as text: a JSON number would pass through a float."""
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
