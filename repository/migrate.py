"""Bringing a database's schema up to date, by alembic. Forward only.

alembic takes a fifth of a second to import: only who migrates imports this.
"""

from importlib.resources import files

import asyncpg
from alembic import command, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection as AlembicConnection
from sqlalchemy import NullPool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from repository import database, queries
from repository.database import CONNECT_SECONDS_MAX
from repository.revisions import REVISIONS

SQL = queries.load("migrate.sql")

# How long one may wait for another's migration, or for a table that is in use.
LOCK_SECONDS_MAX = 60


async def migrate(url: str) -> tuple[str, ...]:
    """Bring the database at `url` up to date; return the revisions that this call applied, oldest first.

    All of them are applied in one transaction. Several may migrate a database at once: they take turns, and the
    first does the work. Two databases at once need two processes, because alembic's context is global.
    `url` is taken by asyncpg itself, so that whatever connects the worker migrates its database; what goes wrong is
    an exception of asyncpg's too.
    """

    async def connect() -> asyncpg.Connection:
        return await database.connect(
            url,
            timeout=CONNECT_SECONDS_MAX,
            server_settings={"application_name": "orders migrate", "lock_timeout": f"{LOCK_SECONDS_MAX}s"},
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            # This also makes SQLAlchemy really begin the transaction, which run_sql() relies on.
            await connection.exec_driver_sql(SQL["take_turns"])
            return await connection.run_sync(_upgrade)
    except DBAPIError as error:
        cause = error.orig and error.orig.__cause__
        raise cause or error from None


def run_sql(filename: str) -> None:
    """Execute a file of repository/migrations/ in the transaction of the revision that calls."""
    sql = files("repository").joinpath("migrations", filename).read_text(encoding="utf-8")
    # Past SQLAlchemy's cursor, which prepares what it is given: a prepared statement is one statement.
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.run_async(lambda connection: connection.execute(sql))


def _upgrade(connection: AlembicConnection) -> tuple[str, ...]:
    version = MigrationContext.configure(connection).get_current_revision()
    if version is not None and version not in REVISIONS:
        return ()  # a newer program was here: an older one that starts beside it has nothing to do
    applied: list[str] = []
    config = _config()
    config.attributes.update(connection=connection, applied=applied)
    command.upgrade(config, "head")
    return tuple(applied)


def _config() -> Config:
    config = Config()
    # Doubled: the option is read through ConfigParser, to which a single % is an interpolation.
    config.set_main_option("script_location", str(files("repository").joinpath("migrations")).replace("%", "%%"))
    return config
