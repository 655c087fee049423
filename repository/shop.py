"""Whose database it is, and whether it still has the orders that are known to have been placed."""

from collections.abc import Collection
from dataclasses import dataclass

from repository import queries
from repository.database import Connection

SQL = queries.load("shop.sql")

GAP = 100_000  # ids that are left out beyond the highest that is known: what nobody noted is within it


@dataclass(frozen=True, slots=True)
class Home:
    """Where a session is. A standby that takes over moves the timeline, a dump that is restored the database's oid."""

    system_identifier: int
    timeline: int | None  # None: of a standby
    database_oid: int


async def shop_id(connection: Connection) -> str:
    """Tell whose database this is: made by the first migration, and the same in every copy and every backup."""
    found: str = await connection.fetchval(SQL["id"])
    return found


async def missing(connection: Connection, order_ids: Collection[int]) -> list[int]:
    """Tell which of these orders are not there, in order; those that `orders recover` has told of aside."""
    if not order_ids:
        return []
    return [row["id"] for row in await connection.fetch(SQL["missing"], list(order_ids))]


async def home(connection: Connection) -> Home:
    row = await connection.fetchrow(SQL["home"])
    assert row is not None, "a SELECT without FROM has one row"
    return Home(**row)


async def highest(connection: Connection) -> int:
    """Tell the highest id of an order; 0: there is none."""
    found: int = await connection.fetchval(SQL["highest"])
    return found


async def leave_gap(connection: Connection, highest: int) -> int:
    """Let all ids that are given from now on be beyond `highest` and all that were given, and return where they begin.

    What is missing up to there counts as told. What was given before is never given again: a sequence goes forward.
    """
    assert connection.is_in_transaction()
    gap_to: int = await connection.fetchval(SQL["leave_gap"], highest, GAP)
    return gap_to


async def asynchronous_standbys(connection: Connection) -> int:
    """Count the standbys that stream, where no commit waits for one."""
    count: int = await connection.fetchval(SQL["asynchronous_standbys"])
    return count
