"""Events again, for a queue that was not there when they were announced: from the answers that are kept."""

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

from repository.audit import Line
from repository.database import Database
from repository.kept_events import kept_events
from schemas.events import CONTENT_TYPE, Event
from worker.broker import sending, trials
from worker.broker.connection import BrokerConnection
from worker.broker.messages import Outgoing, Properties
from worker.broker.queues import look_at
from worker.broker.users import DEFAULT_EXCHANGE
from worker.operations.actor import Actor, Role
from worker.operations.audit import Ledger, run
from worker.operations.faults import OperationFault
from worker.operations.pace import Pace

OURS = ("orders.", "amq.")  # how names begin that are not for this: our own queues, and the broker's
AT_ONCE = 100  # events that are confirmed together


async def check_target(connection: BrokerConnection, queue: str) -> None:
    """See that events may be sent to a queue.

    Raises:
        OperationFault: there is no such queue, it is one of ours, or this user may not write to queues.
    """
    if queue.startswith(OURS):
        raise OperationFault(f"{queue} is no queue for this: name one of your own, which begins with no {OURS[0]}")
    if trouble := (await look_at(connection, queue)).trouble:
        if trouble.startswith("does not exist"):
            raise OperationFault(f"there is no queue {queue}: whoever reads it declares it first")
        raise OperationFault(f"{queue}: {trouble}")
    if await trials.publishing(connection, DEFAULT_EXCHANGE) is trials.Answer.REFUSED:
        raise OperationFault(
            "this user may not write to queues, only to exchanges; fix: ORDERS_AMQP_URL of a worker's user"
        )


async def found(database: Database, since: datetime, until: datetime, match: str) -> AsyncGenerator[list[Event]]:
    """Go through the kept events of a span whose type a topic pattern matches."""
    pattern = topic(match)
    async with aclosing(kept_events(database, since, until)) as stretches:
        async for bodies in stretches:
            events = (Event.from_body(body.encode()) for body in bodies)
            yield [event for event in events if pattern.fullmatch(f".{event.type}")]


async def count(database: Database, since: datetime, until: datetime, match: str) -> int:
    async with aclosing(found(database, since, until, match)) as stretches:
        return sum([len(events) async for events in stretches])


async def send_again(  # noqa: PLR0913  # what is sent where, how fast, by whom, and where it is written down
    connection: BrokerConnection,
    database: Database,
    queue: str,
    since: datetime,
    until: datetime,
    *,
    match: str,
    rate: float | None,
    actor: Actor,
    ledger: Ledger,
    planned: int,
) -> AsyncGenerator[int]:
    """Send kept events to one queue and to no other; yields how many were confirmed together.

    Under the same ids as before: who handled one drops it.

    Raises:
        OperationFault: the queue takes no more.
    """
    actor.check(Role.OPERATOR)
    await check_target(connection, queue)
    chosen = f"--since {since.isoformat()} --until {until.isoformat()} --match {match}"
    line = Line("events", queue, "", details={"chosen": chosen, "planned": planned})
    pace = Pace(rate)
    at_once = pace.at_once(AT_ONCE)
    async with (
        run(actor, ledger, line, of_many=True) as going,
        connection.channel(publisher_confirms=True, on_return_raises=True) as channel,
        aclosing(found(database, since, until, match)) as stretches,
    ):
        underlay = await channel.get_underlay_channel()
        async for events in stretches:
            for begin in range(0, len(events), at_once):
                batch = events[begin : begin + at_once]
                await pace.wait(len(batch))
                whys = await sending.send(underlay, [_to(queue, event) for event in batch])
                going.done += whys.count(None)
                _check(queue, whys)
                yield len(batch)


def _check(queue: str, whys: Sequence[str | None]) -> None:
    if why := next(filter(None, whys), None):
        raise OperationFault(f"{queue} takes no more: {why}. Run it again: what was sent comes under the same ids")


def _to(queue: str, event: Event) -> Outgoing:
    return Outgoing(
        exchange="",
        routing_key=queue,
        body=event.body,
        properties=Properties(message_id=event.id, content_type=CONTENT_TYPE),
        mandatory=True,
    )


def topic(pattern: str) -> re.Pattern[str]:
    """Write a topic pattern as a regular one: a star is one word, a hash any number of them.

    To both sides a dot is put in front of every word, so that no words are no dot too.
    """
    words = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    return re.compile("".join(words.get(word, rf"\.{re.escape(word)}") for word in pattern.split(".")))
