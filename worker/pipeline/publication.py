"""What outcomes say goes out: the broker confirms it, or it is kept until the broker does (messages.md).

So a queue that takes nothing, ours or somebody's, holds no order back.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson
import structlog

from repository import unsent
from repository.unsent import Kind, Unsent
from schemas import events, replies, topology
from schemas.events import Event
from worker import metrics
from worker.broker import republish
from worker.broker.message_lines import line_of, message_in
from worker.broker.messages import Delivery, Outgoing, Properties
from worker.broker.outlet import Untaken
from worker.broker.publisher import Publisher
from worker.broker.replier import DIRECT_REPLY, Reply
from worker.broker.republish import Republisher
from worker.intake.edge import Reading
from worker.pipeline.context import Context
from worker.pipeline.outcomes import Outcome

Message = TypeVar("Message")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Published:
    """What became of a batch's messages. Deliveries that are in neither list may be acknowledged."""

    replying: list[tuple[Delivery, Reply]]  # when its reply has gone, or had its time
    held: list[tuple[Delivery, Outgoing]]  # when its copy is taken: neither its queue nor `unsent` takes it now


class Publication:
    """Brings out what outcomes say."""

    def __init__(self, context: Context, publisher: Publisher) -> None:
        self._context = context
        self._publisher = publisher
        self._republisher = Republisher(context.keys, publisher.frame_bytes_max)

    async def publish(self, outcomes: Sequence[Outcome]) -> Published:
        """Give the broker replies, events and copies, all at once; keep what it does not take in time.

        Raises:
            AWAY_FAULTS: the database is away, and something was to be kept. What was sent may have arrived.
        """
        answering = list(self._replies(outcomes))
        moving = [
            (one.reading.delivery, self._republisher.copy(one.reading.delivery, one.moved))
            for one in outcomes
            if one.moved
        ]
        apart, _, untaken = await asyncio.gather(
            self._publisher.replier.answer([reply for _, reply in answering]),
            self.announce([event for one in outcomes for event in one.events]),
            self._publisher.move(copy for _, copy in moving),
        )
        held = await self._keep_letters(untaken) if untaken else []
        self._context.published += [one.mark for one in outcomes if one.mark]
        return Published(_those_of(answering, apart), _those_of(moving, held))

    async def announce(self, said: Sequence[Event]) -> None:
        """Publish events; those that are not known to be in every queue that they are for are kept.

        Raises:
            AWAY_FAULTS: the database is away, and some were to be kept.
        """
        if not said:
            return
        untaken = await self._publisher.announce(map(event_message, said))
        if not untaken:
            return
        _log_kept(untaken)
        kept = [Unsent(_id_of(one), Kind.EVENT, one.routing_key, one.body) for one, _ in untaken]
        async with self._context.database.transaction() as connection:
            await unsent.keep(connection, kept)

    async def bring(self, kept: Sequence[Unsent]) -> set[str]:
        """Publish what is kept, once more. Returns the ids of what has arrived."""
        outgoing = [self._outgoing(one) for one in kept]
        untaken = [
            *await self._publisher.announce(one for one in outgoing if one.exchange == topology.EVENTS),
            *await self._publisher.move(one for one in outgoing if one.exchange != topology.EVENTS),
        ]
        left = {id(one) for one, _ in untaken}
        return {one.id for one, sent in zip(kept, outgoing, strict=True) if id(sent) not in left}

    async def bring_held(self, copy: Outgoing) -> bool:
        """Publish the copy of a delivery that is held, once more; keep it, if there is room for it now."""
        untaken = await self._publisher.move([copy])
        return not untaken or not await self._keep_letters(untaken)

    async def give_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        """Give the broker copies of deliveries that came to no end; returns those of which it has one."""
        now = self._context.now()
        copies = [(one, self._republisher.copy(one, republish.returned(one, now))) for one in deliveries]
        untaken = {id(copy) for copy, _ in await self._publisher.move(copy for _, copy in copies)}
        return [delivery for delivery, copy in copies if id(copy) not in untaken]

    def _replies(self, outcomes: Iterable[Outcome]) -> Iterator[tuple[Delivery, Reply]]:
        for one in outcomes:
            delivery = one.reading.delivery
            address = delivery.properties.reply_to
            if one.reply is None or not address:
                continue
            if not self._context.reply_queues.allows(delivery.properties.user_id, address):
                log.warning("reply.refused", reply_to=address, publisher=delivery.properties.user_id)
                metrics.reply_refused()
                continue
            caller = one.reading.caller.name if one.reading.caller else delivery.properties.user_id or ""
            yield delivery, (reply_message(one.reading, one.reply, address), caller)

    async def _keep_letters(self, untaken: Sequence[Untaken]) -> list[Outgoing]:
        """Keep dead letters that their queue does not take, as far as there is room. Returns what is not kept."""
        kept: list[Untaken] = []
        held: list[Outgoing] = []
        async with self._context.database.transaction() as connection:
            room = await unsent.room_for_letters(connection)
            rows: list[Unsent] = []
            for one, why in untaken:
                body = self._encrypted(one) if one.exchange == topology.DEAD else None
                if body is None or len(body) > room:
                    log.warning("delivery.held", queue=one.exchange or one.routing_key, why=why)
                    held.append(one)
                else:
                    room -= len(body)
                    kept.append((one, why))
                    rows.append(Unsent(str(uuid.uuid4()), Kind.LETTER, one.exchange, body))
            await unsent.keep(connection, rows)
        _log_kept(kept)
        return held

    def _encrypted(self, letter: Outgoing) -> bytes:
        line = line_of(Delivery(letter.body, letter.properties, letter.routing_key, redelivered=False, tag=0))
        return self._context.keys.encrypt(orjson.dumps(line).decode())

    def _outgoing(self, kept: Unsent) -> Outgoing:
        if kept.kind is Kind.EVENT:
            return event_message(Event.from_body(kept.body))
        letter = message_in(self._context.keys.decrypt(kept.body))
        return Outgoing(
            exchange=kept.destination,
            routing_key=letter.routing_key,
            body=letter.body,
            properties=letter.properties,
            mandatory=True,
        )


def event_message(event: Event) -> Outgoing:
    return Outgoing(
        exchange=topology.EVENTS,
        routing_key=event.type,
        body=event.body,
        properties=Properties(message_id=event.id, content_type=events.CONTENT_TYPE, headers=event.trace),
        mandatory=event.is_follow_up,
    )


def reply_message(reading: Reading, reply: replies.Reply, address: str) -> Outgoing:
    """Answer where a delivery asks, in the encoding that it asks for."""
    properties = reading.delivery.properties
    return Outgoing(
        exchange="",
        routing_key=address,
        body=replies.render(reply, reading.response_type),
        properties=Properties(
            # An id of its own: of two unroutable publishes under one id, one would be reported as confirmed.
            message_id=str(uuid.uuid4()),
            correlation_id=properties.correlation_id or properties.message_id,
            content_type=reading.response_type.content_type,
        ),
        # Of a direct reply-to RabbitMQ says that nobody takes it, even while it delivers.
        mandatory=not address.startswith(DIRECT_REPLY),
    )


def _id_of(outgoing: Outgoing) -> str:
    assert outgoing.properties.message_id is not None, "an event has an id"
    return outgoing.properties.message_id


def _those_of(pairs: Sequence[tuple[Delivery, Message]], chosen: Sequence[Message]) -> list[tuple[Delivery, Message]]:
    """Pick the deliveries of these very messages."""
    ids = set(map(id, chosen))
    return [pair for pair in pairs if id(pair[1]) in ids] if ids else []


def _log_kept(untaken: Iterable[Untaken]) -> None:
    """Say where the broker takes nothing: a line a destination, whatever is in the batch."""
    counts = Counter(
        (one.exchange, one.routing_key if one.exchange == topology.EVENTS else "", why) for one, why in untaken
    )
    for (exchange, key, why), count in counts.items():
        log.warning("publish.kept", exchange=exchange, type=key or None, why=why, count=count)
