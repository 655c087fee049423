"""What the commands that work on the database alone share."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from repository.database import Database
from worker.operations.servers import archive
from worker.settings import Settings

Result = TypeVar("Result")


def with_database(step: Callable[[Database], Awaitable[Result]]) -> Result:
    """Carry out a step on the database of the settings, whose schema is up to date."""
    url = Settings.read().require("postgres_url")

    async def run() -> Result:
        async with archive(url) as database:
            return await step(database)

    return asyncio.run(run())
