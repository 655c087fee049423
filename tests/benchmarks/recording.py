"""A worker that writes down its statements and messages, batch by batch: python -m tests.benchmarks.recording FILE.

What it writes down is what bare.py does again. A fresh copy of the same database gives the same ids for the same
orders, so that nothing has to be made up when it is replayed but the ids that the inbox gives: see bare.py.
"""

import functools
import pickle
import sys
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from repository.database import _to_json
from repository.inbox import SQL as INBOX
from repository.orders import SQL as ORDERS
from tests.benchmarks import link
from worker import __main__ as program
from worker.broker.messages import Delivery, Outgoing
from worker.broker.outlet import Outlet, Untaken
from worker.pipeline import session
from worker.pipeline.carry_out import Unverified, carry_out
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome

Statement = tuple[str, str, tuple[Any, ...]]  # the method of the connection, the query, its arguments


@dataclass(slots=True)
class Batch:
    """What the worker did for one batch, as it was sent: JSON and frames are ready-made."""

    deliveries: int
    statements: list[Statement] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)
    request_ids: list[int] = field(default_factory=list)
    claimed: list[int] = field(default_factory=list)  # the inbox rows of the claim, in its order


_batch: ContextVar[Batch] = ContextVar("batch")
_batches: list[Batch] = []


def _recording_method(name: str) -> None:
    original = getattr(asyncpg.Connection, name)

    @functools.wraps(original)
    async def method(connection: asyncpg.Connection, query: str, *arguments: Any, **options: Any) -> Any:
        answer = await original(connection, query, *arguments, **options)
        batch = _batch.get(None)
        # The pool's own words when it takes a connection back are none of the worker's statements.
        if batch is not None and not query.startswith("SELECT pg_advisory_unlock_all"):
            batch.statements.append((name, query, _ready(arguments) if query == ORDERS["place"] else arguments))
            if query == INBOX["claim"]:
                ids = {(row["caller"], row["message_id"]): row["id"] for row in answer}
                batch.claimed = [ids[key] for key in zip(arguments[0], arguments[1], strict=True)]
        return answer

    setattr(asyncpg.Connection, name, method)


def _ready(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Write as JSON what goes out as JSON, so that a replay need not: the rows of seven tables."""
    *tables, request_ids, outcomes, replays, replies, events = arguments
    return (*map(_to_json, tables), request_ids, outcomes, replays, replies, events)


async def _carry_out(batch: Sequence[Delivery], context: Context, unverified: Unverified) -> list[Outcome]:
    recorded = Batch(len(batch))
    _batches.append(recorded)
    _batch.set(recorded)
    ended = await carry_out(batch, context, unverified)
    recorded.request_ids = [outcome.mark[0] for outcome in ended if outcome.mark]
    return ended


async def _publish(outlet: Outlet, messages: Iterable[Outgoing], seconds: float) -> list[Untaken]:
    messages = list(messages)
    if batch := _batch.get(None):
        batch.frames += map(_frames, messages)
    return await publish(outlet, messages, seconds)


def _frames(outgoing: Outgoing) -> bytes:
    properties = outgoing.properties
    told = {
        name: getattr(properties, name)
        for name in ("message_id", "content_type", "user_id", "headers")
        if getattr(properties, name)
    }
    return link.message(outgoing.exchange, outgoing.routing_key, outgoing.body, told, mandatory=outgoing.mandatory)


publish = Outlet.publish


def main() -> None:
    file = Path(sys.argv[1])
    for name in ("execute", "fetch", "fetchrow"):
        _recording_method(name)
    setattr(session, "carry_out_unsuspected", _carry_out)  # noqa: B010  # another module's, and a method: not to be assigned
    setattr(Outlet, "publish", _publish)  # noqa: B010
    sys.argv = ["orders", "worker"]
    try:
        program.main()
    finally:
        file.write_bytes(pickle.dumps(_batches))


if __name__ == "__main__":
    main()
