"""Who asked what, and what they were told: claim, recall. An answer is written with its order: orders.py."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from repository import queries
from repository.database import Connection
from schemas.replies import Reply

SQL = queries.load("inbox.sql")


@dataclass(frozen=True, slots=True)
class Claim:
    """A request that wants to be placed, under the key that may be used once."""

    caller: str
    message_id: str
    fingerprint: bytes
    fingerprint_version: str
    # How often it is asked for now: several copies may be in hand. Not at all, where this one only supersedes it.
    deliveries: int = 1

    @property
    def key(self) -> tuple[str, str]:
        return self.caller, self.message_id


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered. Reply and events, which are CloudEvents, are to the byte as they were first said."""

    request_id: int
    outcome: str  # placed or rejected
    replays: int
    reply: Reply
    events: tuple[str, ...]
    answered_at: datetime
    is_published: bool = False  # the broker has confirmed its events, or they are kept in `unsent`

    @property
    def mark(self) -> "Mark":
        return self.request_id, self.answered_at


# An answer that is published: its request, and when it was given. A rejection that is judged anew is another answer.
Mark = tuple[int, datetime]


@dataclass(frozen=True, slots=True)
class Claimed:
    """The inbox row of a claim. `answer` is None where there was none yet, and where it is not kept any more."""

    request_id: int
    fingerprint: bytes
    fingerprint_version: str
    order_id: int | None = None  # of the order that it was placed as
    superseded_by: str | None = None  # message_id of the request that was placed in its stead
    answer: Answer | None = None

    @property
    def is_placed(self) -> bool:
        """Whether the request has its order, remembered answer or not."""
        return self.order_id is not None or (self.answer is not None and self.answer.outcome == "placed")


async def claim(connection: Connection, claims: Sequence[Claim]) -> dict[tuple[str, str], Claimed]:
    """Take every key, waiting for whoever holds one, and recall the answers of those that were taken before.

    The caller holds the transaction: until it ends, nobody else gets past the same key.
    """
    assert connection.is_in_transaction()
    rows = await connection.fetch(
        SQL["claim"],
        [claim.caller for claim in claims],
        [claim.message_id for claim in claims],
        [claim.fingerprint for claim in claims],
        [claim.fingerprint_version for claim in claims],
        [claim.deliveries for claim in claims],
    )
    known = await _recall(connection, [row["id"] for row in rows if not row["is_new"]])
    return {
        (row["caller"], row["message_id"]): Claimed(
            row["id"], row["fingerprint"], row["fingerprint_version"], *known.get(row["id"], ())
        )
        for row in rows
    }


async def _recall(
    connection: Connection, request_ids: Sequence[int]
) -> dict[int, tuple[int | None, str | None, Answer | None]]:
    if not request_ids:
        return {}
    rows = await connection.fetch(SQL["recall"], request_ids)
    return {
        row["request_id"]: (row["order_id"], row["superseded_by"], _answer(row) if row["outcome"] is not None else None)
        for row in rows
    }


def _answer(row: asyncpg.Record) -> Answer:
    return Answer(
        request_id=row["request_id"],
        outcome=row["outcome"],
        replays=row["replays"],
        reply=Reply(row["reply"].encode()),
        events=tuple(row["events"]),
        answered_at=row["answered_at"],
        is_published=row["is_published"],
    )


async def supersede(connection: Connection, pairs: Iterable[tuple[int, int]]) -> None:
    """Note which request, the first of a pair, another one was placed in the stead of."""
    pairs = list(pairs)
    if pairs:
        await connection.execute(SQL["supersede"], [old for old, _ in pairs], [new for _, new in pairs])


async def judge_anew(connection: Connection, requests: Sequence[tuple[Claimed, Claim]]) -> None:
    """Let requests that came before, and were not placed, come with other content: the newest fingerprint counts."""
    again = [(row.request_id, claim) for row, claim in requests if row.fingerprint != claim.fingerprint]
    if again:
        await connection.execute(
            SQL["judge_anew"],
            [request_id for request_id, _ in again],
            [claim.fingerprint for _, claim in again],
            [claim.fingerprint_version for _, claim in again],
        )


async def mark_published(connection: Connection, marks: Sequence[Mark]) -> None:
    """Note that the broker has all events of these answers, or `unsent`."""
    if marks:
        await connection.execute(SQL["mark_published"], [mark[0] for mark in marks], [mark[1] for mark in marks])


async def placed_under(connection: Connection, message_id: str) -> int | None:
    """Tell whether an order was placed under this message_id, whoever's, and which."""
    order_id: int | None = await connection.fetchval(SQL["placed_under"], message_id)
    return order_id


async def sweep(connection: Connection, *, older_than_seconds: float, most: int) -> list[Answer]:
    """Take answers whose events were never confirmed and whose request is gone; they are the caller's to publish."""
    return [_answer(row) for row in await connection.fetch(SQL["sweep"], older_than_seconds, most)]


async def unpublished(connection: Connection) -> tuple[int, float]:
    """Count the answers whose messages are not confirmed yet, and tell the age of the oldest in seconds."""
    row = await connection.fetchrow(SQL["unpublished"])
    assert row is not None, "an aggregate has one row"
    return row["count"], float(row["oldest_seconds"])
