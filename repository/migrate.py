"""Bringing a database's schema up to date, by alembic: forward only, and beside workers that go on.

alembic takes a fifth of a second to import: only who migrates imports this.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.resources import files

import asyncpg
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import AdaptedConnection, NullPool
from sqlalchemy import Connection as AlembicConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from repository import database, queries
from repository.database import CONNECT_SECONDS_MAX, ISOLATION, ConnectionLost
from repository.revisions import REVISIONS

SQL = queries.load("migrate.sql")
FOLDER = files("repository").joinpath("migrations")

# Who asks for a table that is in use stands in front of everybody who comes after: so long, in seconds, orders wait.
LOCK_SECONDS_MAX = 1
PAUSE_SECONDS = 1.0  # before it is asked for again, and nothing is held; doubled each time
PAUSE_SECONDS_MAX = 30.0
PATIENCE_SECONDS = 15 * 60  # with somebody who uses a table, such as a dump

HOLDING_SECONDS_MAX = 60  # of a statement that holds what it has locked
BESIDE_SECONDS_MAX = 4 * 3600  # of one that holds nobody up: an index of a hundred million rows takes an hour
IDLE_SECONDS_MAX = 60  # of a transaction whose process says nothing more, because it hangs

TURN_SECONDS_MAX = BESIDE_SECONDS_MAX  # for another's migration
TURN_POLL_SECONDS = 0.2
LOOK_SECONDS = 0.2  # between two looks at who is in the way
TELL_SECONDS = 10.0  # of waiting beside workers, until it is said for whom; doubled each time
TOLD_MAX = 100  # lines about one thing

# A transaction of a revision sets its own, shorter ones: run().
SETTINGS = {
    **ISOLATION,
    "lock_timeout": f"{BESIDE_SECONDS_MAX}s",
    "statement_timeout": f"{BESIDE_SECONDS_MAX}s",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS_MAX}s",
}

IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)

Say = Callable[[str], None]


class Stopped(Exception):
    """The schema could not be brought up to date; the text says why, and the fix. What was done stays done."""


async def migrate(url: str, say: Say = lambda _line: None) -> tuple[str, ...]:
    """Bring the database at `url` up to date; return the revisions that this call applied, oldest first.

    Each revision is a transaction of its own, which gives way when a table is in use and comes again; `say` hears who
    is in the way. What a revision does outside of its transaction is done again after a crash. Several may migrate a
    database at once: they take turns, and the first does the work. Two databases at once need two processes, because
    alembic's context is global.
    `url` is taken by asyncpg itself, so that whatever connects the worker migrates its database; what goes wrong is
    an exception of asyncpg's too.

    Raises:
        Stopped: a table was in use for too long, or holds what must not be.
        AccessFault: the database is none that we can work with.
    """

    async def connect() -> asyncpg.Connection:
        session = await database.connect(
            url, timeout=CONNECT_SECONDS_MAX, server_settings={"application_name": "orders migrate"}
        )
        await database.begin_session(session, SETTINGS)
        return session

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection, _closing(await connect()) as beside:
            session = (await connection.get_raw_connection()).driver_connection
            assert session is not None
            await database.check_session(session, contextlib.nullcontext(beside))
            await _take_turn(session, say)
            return await _upgrade_patiently(connection, _Watch(beside, session.get_server_pid(), say), say)
    except DBAPIError as error:
        raise _cause(error) from None
    except asyncpg.InterfaceError as error:
        raise ConnectionLost(str(error)) from error


@asynccontextmanager
async def _closing(session: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    try:
        yield session
    finally:
        await session.close(timeout=CONNECT_SECONDS_MAX)


def _cause(error: BaseException) -> BaseException:
    """Return what asyncpg raised, where SQLAlchemy has wrapped it."""
    return (isinstance(error, DBAPIError) and error.orig and error.orig.__cause__) or error


async def _take_turn(session: asyncpg.Connection, say: Say) -> None:
    """Wait until nobody else migrates; it is our turn until the session ends.

    By asking again and again: a statement that waits would be waited for by whoever builds an index.
    """
    began, is_told = time.monotonic(), False
    while not await session.fetchval(SQL["take_turn"]):
        who = "; ".join(map(_words_of, await session.fetch(SQL["whose_turn"])))
        if not is_told:
            say(f"another migration is at work, and is waited for: {who}")
            is_told = True
        if time.monotonic() - began > TURN_SECONDS_MAX:
            raise Stopped(f"another migration does not end: {who}")
        await asyncio.sleep(TURN_POLL_SECONDS)


async def _upgrade_patiently(connection: AsyncConnection, watch: "_Watch", say: Say) -> tuple[str, ...]:
    """Apply what is not applied yet. Whatever a table in use has stopped is begun anew, after ever longer pauses."""
    applied: list[str] = []
    began, pause = time.monotonic(), PAUSE_SECONDS
    while True:
        before = len(applied)
        try:
            async with watch.watching():
                await connection.run_sync(_upgrade, applied, say)
        except (DBAPIError, asyncpg.PostgresError) as error:
            await connection.rollback()
            fault = _cause(error)
            if isinstance(fault, asyncpg.UniqueViolationError):
                raise Stopped(_doubled(fault)) from error
            if not isinstance(fault, IN_THE_WAY):
                raise fault from None
            if len(applied) > before:
                began, pause = time.monotonic(), PAUSE_SECONDS
            if time.monotonic() - began > PATIENCE_SECONDS:
                fix = "run `orders migrate` again when they are done, or end them: SELECT pg_terminate_backend(PID)"
                raise Stopped(f"the tables are in use: {watch.who}; fix: {fix}") from error
            say(f"a table is in use, and nobody shall wait: {watch.who}; again in {pause:.0f} s")
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)
        else:
            return tuple(dict.fromkeys(applied))  # noted before the commit, which may have failed once


def _doubled(fault: asyncpg.UniqueViolationError) -> str:
    return (
        f"table {fault.table_name} holds two rows under one key, which an index in a wrong order has let in: "
        f"{fault.detail or fault}; fix: take one of them out, or give it another key, and run `orders migrate` again"
    )


class _Watch:
    """Sees, by a session of its own, who keeps ours from a lock: once it has given up nobody knows any more."""

    def __init__(self, beside: asyncpg.Connection, pid: int, say: Say) -> None:
        self._beside = beside
        self._pid = pid
        self._say = say
        self.who = "nobody knows by whom"  # was seen in the way last

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        # Not a TaskGroup: it would wrap in a group what the work itself raises.
        looking = asyncio.ensure_future(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _look(self) -> None:
        blocked_seconds, tell_seconds = 0.0, TELL_SECONDS
        # It is for information: work goes on without it.
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                found = await self._beside.fetch(SQL["in_the_way"], self._pid)
                blocked_seconds = blocked_seconds + LOOK_SECONDS if found else 0.0
                if found:
                    self.who = "; ".join(map(_words_of, found))
                if blocked_seconds >= tell_seconds:
                    self._say(f"waiting, and holding nobody up, for {self.who}")
                    tell_seconds *= 2


def _words_of(session: asyncpg.Record) -> str:
    """Tell who a session is, as far as we may see it."""
    if session["pid"] == 0:
        return "a prepared transaction, see pg_prepared_xacts"
    return (
        f"pid {session['pid']} (user {session['usename']}, application {session['application_name'] or 'unknown'}, "
        f"for {session['seconds']:.0f} s): {session['query']}"
    )


def _upgrade(connection: AlembicConnection, applied: list[str], say: Say) -> None:
    version = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()  # what the question began: each revision begins its own
    if version is not None and version not in REVISIONS:
        return  # a newer program was here: an older one that starts beside it has nothing to do
    config = _config()
    config.attributes.update(connection=connection, applied=applied, say=say)
    command.upgrade(config, "head")


def _config() -> Config:
    config = Config()
    # Doubled: the option is read through ConfigParser, to which a single % is an interpolation.
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


# ---------------------------------------------------------------- what revisions are made of


def run_sql(filename: str) -> None:
    """Execute a file of repository/migrations/ in the transaction of the revision that calls."""
    run(FOLDER.joinpath(filename).read_text(encoding="utf-8"))


def run(sql: str) -> None:
    """Execute SQL in the transaction of the revision that calls; where a table is in use, the transaction gives way."""
    _set_bounds(HOLDING_SECONDS_MAX)
    # Past SQLAlchemy's cursor, which prepares what it is given: a prepared statement is one statement.
    _driver().run_async(lambda session: session.execute(sql))


def take_locks(sql: str) -> None:
    """Lock all the tables that a transaction changes, or give way: one after the other, each could keep the others."""
    _set_bounds(LOCK_SECONDS_MAX)
    try:
        _driver().run_async(lambda session: session.execute(sql))
    except asyncpg.QueryCanceledError as error:
        raise asyncpg.LockNotAvailableError(str(error)) from error


def outside(step: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
    """Carry out what is in no transaction, and before that of the revision: it must do no harm when it is done again.

    What was in the revision's transaction before is committed.
    """
    with op.get_context().autocommit_block():
        _driver().run_async(step)


async def give_way(session: asyncpg.Connection) -> None:
    """Let a transaction that a revision has outside of its own give way where a table is in use."""
    await session.execute(SQL["set_bounds"], *_bounds(HOLDING_SECONDS_MAX))


async def build_index(session: asyncpg.Connection, name: str, build: str, drop: str) -> None:
    """Build an index beside workers, unless it is there. One that was begun and not finished is built anew.

    Raises:
        asyncpg.UniqueViolationError: the table has doubles.
    """
    is_valid = await session.fetchval(SQL["is_valid"], name)
    if is_valid:
        return
    tell(f"building index {name}; workers go on meanwhile")
    if is_valid is not None:
        await session.execute(drop)
    await session.execute(build)


def tell(line: str) -> None:
    """Say something to whoever migrates."""
    context.config.attributes["say"](line)


def _set_bounds(statement_seconds: int) -> None:
    """Bound the statements that follow, as long as the transaction lasts, and the waits for their locks.

    By way of SQLAlchemy, which begins a transaction no sooner than with its first statement.
    """
    op.get_bind().exec_driver_sql(SQL["set_bounds"], _bounds(statement_seconds))


def _bounds(statement_seconds: int) -> tuple[str, str]:
    return f"{LOCK_SECONDS_MAX}s", f"{statement_seconds}s"


def _driver() -> AdaptedConnection:
    driver = op.get_bind().connection.dbapi_connection
    assert isinstance(driver, AdaptedConnection)
    return driver
