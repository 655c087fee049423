"""What the commands that work on the database share: the connection, and its faults in words."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from aio_pika.exceptions import AMQPError
from rich.markup import escape

from repository.database import PASSING_FAULTS, Database
from repository.revisions import REFUSALS, NotMigrated, check_migrated
from worker.commands import fail
from worker.settings import Settings

Result = TypeVar("Result")


def with_database(step: Callable[[Database], Awaitable[Result]]) -> Result:
    """Carry out a step on the database of the settings, whose schema is up to date."""
    url = Settings.read().require("postgres_url")

    async def run() -> Result:
        async with Database(url, connections_max=1) as database:
            async with database.connection() as connection:
                await check_migrated(connection)
            return await step(database)

    with database_errors():
        return asyncio.run(run())


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what Postgres throws into a sentence."""
    try:
        yield
    except NotMigrated as error:
        fail(str(error))
    except (*PASSING_FAULTS, *REFUSALS) as error:
        if isinstance(error, AMQPError):  # of the broker, though a fault of a connection is an OSError too
            raise
        cause = escape(f"{type(error).__name__}: {error}")
        fail(f"Postgres at ORDERS_POSTGRES_URL does not answer or refuses ({cause})")
