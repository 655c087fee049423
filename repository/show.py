"""What lies in the archive, for people to look at. Columns that hold secrets are never read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from repository import placed_orders, queries
from repository.database import Connection
from schemas.recorded import RecordedOrder
from schemas.replies import Member

SQL = queries.load("show.sql")

ORDER_ID_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the inbox knows it. `credential` is the identifier of a caller that gave one."""

    id: int
    caller: str
    credential: str | None
    message_id: str
    first_seen: datetime
    deliveries: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered. `events` are CloudEvents; `published_at` is None until the broker has them."""

    outcome: str  # placed or rejected
    replays: int
    reply: Mapping[str, Member]
    events: tuple[str, ...]
    answered_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True)
class Found:
    """A request and its order: either may be missing. `answer` is None where there never was one, or it is pruned."""

    asked: Asked | None
    answer: Answered | None
    order: RecordedOrder | None


@dataclass(frozen=True, slots=True)
class Activity:
    """How the shop is doing. Times are the database's."""

    last_order_id: int | None
    last_order_at: datetime | None
    last_minute: int
    last_hour: int
    counted_all: bool  # False: there were more in the last hour than are counted
    catalogue_version: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """What a server must be like to be trusted with orders."""

    version: str
    now: datetime
    is_standby: bool
    fsync: str
    full_page_writes: str
    synchronous_commit: str


@dataclass(frozen=True, slots=True)
class Collation:
    """A collation by which text is sorted. The releases are None where it has none, as that by bytes."""

    name: str
    built_with: str | None  # of what is sorted by it: tables' indexes
    found: str | None  # on this server
    refresh: str  # the SQL that sorts anew, and notes the release


async def find(connection: Connection, reference: str) -> list[Found]:
    """Find whatever an order id, an order number or a message_id may mean; several callers may use one message_id."""
    is_id = reference.isascii() and reference.isdecimal() and len(reference) <= ORDER_ID_DIGITS_MAX
    rows = await connection.fetch(SQL["find"], int(reference) if is_id else None, reference)
    order_ids = [row["order_id"] for row in rows if row["order_id"] is not None]
    orders = await placed_orders.read(connection, order_ids)
    return [
        Found(
            asked=_asked(row) if row["request_id"] is not None else None,
            answer=_answered(row) if row["outcome"] is not None else None,
            order=orders.get(row["order_id"]),
        )
        for row in rows
    ]


def _asked(row: asyncpg.Record) -> Asked:
    return Asked(
        id=row["request_id"],
        caller=row["caller"],
        credential=row["credential"],
        message_id=row["message_id"],
        first_seen=row["first_seen"],
        deliveries=row["deliveries"],
    )


def _answered(row: asyncpg.Record) -> Answered:
    return Answered(
        outcome=row["outcome"],
        replays=row["replays"],
        reply=row["reply"],
        events=tuple(row["events"]),
        answered_at=row["answered_at"],
        published_at=row["published_at"],
    )


async def activity(connection: Connection) -> Activity:
    return Activity(**await _one(connection, "activity"))


async def condition(connection: Connection) -> Condition:
    return Condition(**await _one(connection, "condition"))


async def collations(connection: Connection) -> tuple[Collation, ...]:
    """Return the collations of the database and of our columns."""
    return tuple(Collation(**row) for row in await connection.fetch(SQL["collations"]))


async def missing_from_catalogue(connection: Connection) -> tuple[str, ...]:
    """Name what must be loaded before anything can be ordered, and is not."""
    there = await _one(connection, "catalogue_has")
    return tuple(name.replace("_", " ") for name, is_there in there.items() if not is_there)


async def count_orders(connection: Connection) -> int:
    count: int = await connection.fetchval(SQL["count_orders"])
    return count


async def _one(connection: Connection, query: str) -> dict[str, Any]:
    row = await connection.fetchrow(SQL[query])
    assert row is not None, "these have one row, whatever the tables hold"
    return dict(row)
