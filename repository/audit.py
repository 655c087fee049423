"""What operators did to dead letters, and why."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from repository import queries
from repository.database import Connection

SQL = queries.load("audit.sql")


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing done to one dead letter. `changes` are of an edit: parameter, before and after, without secrets."""

    operator: str
    action: str  # edit or discard
    because: str
    queue: str
    publisher: str | None
    message_id: str
    reason: str  # why it was a dead letter
    code: str
    body_sha256: str
    new_message_id: str | None = None  # of an edit
    changes: Sequence[dict[str, Any]] = ()


async def record(connection: Connection, operation: Operation) -> None:
    await connection.execute(SQL["record"], *astuple(operation))


async def about(connection: Connection, message_id: str) -> list[dict[str, Any]]:
    """List what was done to a message, under the id that it had or the one that it got."""
    return [dict(row) for row in await connection.fetch(SQL["about"], message_id)]
