"""Remembered replies and events that are old: taken out a stretch at a time, while the workers go on.

What makes a second delivery a repeat (caller, message_id, fingerprint, and the order's own request_id) stays for ever.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from repository import queries
from repository.database import Database

SQL = queries.load("prune.sql")

# Answers of one statement, which is a transaction of its own: some ten milliseconds, far from every bound on a wait.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Range:
    """Requests whose answers may be old enough, by inbox id. Times are the database's."""

    older_than: datetime
    first_id: int
    end_id: int  # behind the last

    @property
    def length(self) -> int:
        return max(self.end_id - self.first_id, 0)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What is gone, or would be, by how the request had ended. `looked_at`: ids of the range that are done."""

    placed: int = 0
    rejected: int = 0
    looked_at: int = 0

    @property
    def answers(self) -> int:
        return self.placed + self.rejected

    def __add__(self, other: Self) -> "Pruned":
        return Pruned(self.placed + other.placed, self.rejected + other.rejected, self.looked_at + other.looked_at)


async def range_of(database: Database, older_than_days: int) -> Range:
    """Tell where answers lie that are older than so many days."""
    async with database.connection() as connection:
        row = await connection.fetchrow(SQL["range"], older_than_days)
    assert row is not None, "the halving ends, with one row"
    return Range(row["older_than"], row["first_id"], row["end_id"])


async def unpublished(database: Database, where: Range) -> int:
    """Count the answers that are old enough and stay all the same, until a worker has published what they cause."""
    async with database.connection() as connection:
        count: int = await connection.fetchval(SQL["unpublished"], where.older_than)
    return count


async def prune(
    database: Database, where: Range, *, rate: float | None = None, dry_run: bool = False
) -> AsyncIterator[Pruned]:
    """Take out the old answers of a range, at most `rate` a second; yields what each step took.

    Every step is committed by itself: it may be interrupted at any moment and run again, and several may run at once.
    """
    query = SQL["count"] if dry_run else SQL["prune"]
    at_once = AT_ONCE if rate is None else max(1, min(AT_ONCE, int(rate)))
    begin = where.first_id
    while begin < where.end_id:
        began = time.monotonic()
        async with database.transaction() as connection:
            last_id = await connection.fetchval(SQL["stretch"], begin, where.end_id, at_once)
            if last_id is None:
                return
            row = await connection.fetchrow(query, begin, last_id, where.older_than)
        assert row is not None, "an aggregate has one row"
        step = Pruned(row["placed"], row["rejected"], last_id + 1 - begin)
        yield step
        begin = last_id + 1
        if rate is not None:
            await asyncio.sleep(max(0.0, step.answers / rate - (time.monotonic() - began)))
