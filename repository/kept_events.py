"""Events that are kept with the answers of requests, for who came late. Pruning takes them after some months."""

from collections.abc import AsyncGenerator
from datetime import datetime

from repository import queries
from repository.database import Database

SQL = queries.load("kept_events.sql")

AT_ONCE = 2_000  # requests of one statement


async def kept_events(database: Database, since: datetime, until: datetime) -> AsyncGenerator[list[str]]:
    """Go through the events of what was answered in a span, a stretch at a time, in the order of their requests."""
    async with database.connection() as connection:
        bounds = await connection.fetchrow(SQL["bounds"])
    assert bounds is not None, "an aggregate has one row"
    for first in range(bounds["first_id"], bounds["last_id"] + 1, AT_ONCE):
        async with database.connection() as connection:
            rows = await connection.fetch(SQL["stretch"], first, first + AT_ONCE - 1, since, until)
        if rows:
            yield [event for row in rows for event in row["events"]]
