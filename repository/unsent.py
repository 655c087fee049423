"""What the broker did not take in time: kept until it does, by destination, the oldest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from repository import queries
from repository.database import Connection

SQL = queries.load("unsent.sql")

FIRST_TRY_SECONDS = 15.0  # after it was kept; then twice as long after each try
TRY_SECONDS_MAX = 600.0
TAKEN_SECONDS = 5.0  # what somebody has taken to send it is theirs for so long
LETTERS_BYTES_MAX = 64 * 2**20  # of dead letters, all together


class Kind(StrEnum):
    EVENT = "event"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message as it is kept. `destination` is the type of an event, or the queue of a letter."""

    id: str
    kind: Kind
    destination: str
    body: bytes
    since: datetime | None = None  # None: it is not kept yet


@dataclass(frozen=True, slots=True)
class Summary:
    """What is kept for a destination."""

    kind: Kind
    destination: str
    count: int
    oldest_seconds: float


async def keep(connection: Connection, messages: Sequence[Unsent]) -> None:
    await connection.execute(
        SQL["keep"],
        [message.id for message in messages],
        [message.kind for message in messages],
        [message.destination for message in messages],
        [message.body for message in messages],
    )


async def room_for_letters(connection: Connection) -> int:
    """Tell how many bytes of dead letters may still be kept."""
    taken: int = await connection.fetchval(SQL["bytes_of_letters"])
    return LETTERS_BYTES_MAX - taken


async def forget(connection: Connection, ids: Sequence[str]) -> None:
    """Take out what has arrived."""
    await connection.execute(SQL["forget"], ids)


async def take_due(connection: Connection) -> list[Unsent]:
    """Take the oldest message of each destination, where it is time to try one again."""
    rows = await connection.fetch(SQL["take_due"], FIRST_TRY_SECONDS, TRY_SECONDS_MAX)
    return [_unsent(dict(row)) for row in rows]


async def take_next(connection: Connection, kind: Kind, destination: str, most: int) -> list[Unsent]:
    """Take more of a destination that has just taken one, the oldest first."""
    rows = await connection.fetch(SQL["take_next"], kind, destination, most, TAKEN_SECONDS)
    return sorted((_unsent(dict(row)) for row in rows), key=lambda one: (one.since, one.id))


async def summary(connection: Connection) -> list[Summary]:
    rows = await connection.fetch(SQL["summary"])
    return [Summary(Kind(row["kind"]), row["destination"], row["count"], float(row["oldest_seconds"])) for row in rows]


def _unsent(row: dict[str, object]) -> Unsent:
    return Unsent(**{**row, "kind": Kind(str(row["kind"]))})  # type: ignore[arg-type]  # columns as the fields above
