"""Who did what, to which thing, and why. An act is two lines: begun, and ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from repository import queries
from repository.database import Connection

SQL = queries.load("audit.sql")

Details = Mapping[str, Any]  # JSON; never a secret


@dataclass(frozen=True, slots=True)
class Line:
    """What is about to be done to one thing. `new_message_id` is of an edit: what the message becomes."""

    act: str
    thing: str
    why: str
    new_message_id: str | None = None
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Act:
    """What was done, or begun. `ended_at` is None where nobody knows the end; `outcome` then is empty."""

    id: int
    began_at: datetime
    actor: str  # the person
    by: str  # the broker's user by whom they came
    act: str
    thing: str
    why: str
    new_message_id: str | None
    details: Details
    ended_at: datetime | None
    outcome: Details | None


async def begin(
    connection: Connection, actor: str, by: str, lines: Sequence[Line], run_id: int | None = None
) -> list[int]:
    """Write down what is about to be done; return an id for each, by which its end is told."""
    numbered = [{"position": number, **asdict(line)} for number, line in enumerate(lines)]
    return [row["id"] for row in await connection.fetch(SQL["begin"], actor, by, run_id, numbered)]


async def end(connection: Connection, ends: Sequence[tuple[int, Details]]) -> None:
    """Write down that acts have ended, and how."""
    await connection.execute(SQL["end"], [{"id": begun_id, "details": details} for begun_id, details in ends])


async def acts(  # noqa: PLR0913  # a filter is a parameter
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    act: str | None = None,
    most: int,
) -> list[Act]:
    """List acts, the newest first; the parts of a run are not told one by one."""
    return [Act(**row) for row in await connection.fetch(SQL["acts"], since, until, actor, act, most)]


async def about(connection: Connection, things: Collection[str]) -> list[Act]:
    """List what was done to messages, under the ids that they had or those that they got; oldest first."""
    return [Act(**row) for row in await connection.fetch(SQL["about"], list(things))]


async def going_on(connection: Connection) -> Act | None:
    """Tell the newest act that has begun and not ended, within a day."""
    row = await connection.fetchrow(SQL["going_on"])
    return Act(**row) if row else None
