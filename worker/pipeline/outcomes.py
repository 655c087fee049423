"""How a request ends, and what the world then sees: replies, events, dead letters (messages.md)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog

from repository.inbox import Answer
from schemas import events, placed_order, replies
from schemas.events import Cause, Event
from schemas.order import PlacedOrder, PricedOrder
from schemas.rejections import Code, Reason, Rejection
from schemas.replies import Reply
from worker import metrics, redaction
from worker.broker import headers, republish
from worker.broker.messages import Outgoing, Properties
from worker.broker.republish import CauseOfDeath
from worker.intake.edge import Reading, content_hash, traceparent_of

log = structlog.get_logger()

# Answers are never sent into our own queues (messages.md, "A request").
OWN_QUEUES = "orders."
DIRECT_REPLY = "amq.rabbitmq.reply-to"

# How long a message waits after each attempt that failed alone; after the last it is dead-lettered. The number of
# attempts is one more than there are delays, however many workers run.
DELAYS = ("orders.retry.5s", "orders.retry.1m", "orders.retry.10m")

_UNREADABLE = frozenset[str]({Code.MALFORMED, Code.REQUEST_TOO_LARGE})


class OutcomeKind(StrEnum):
    PLACED = "placed"
    REPEATED = "repeated"
    REJECTED = "rejected"
    RETRIED = "retried"  # waits in a delay queue
    SUSPECTED = "suspected"  # waits to be taken alone
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What to publish before the delivery may be acknowledged. `answer` is what the inbox is to remember."""

    reading: Reading
    kind: OutcomeKind
    messages: tuple[Outgoing, ...]
    request_id: int | None = None  # inbox row whose answer these messages publish
    answer: Answer | None = None
    log_fields: dict[str, Any] = field(default_factory=dict)  # for the log line


def cause_of(reading: Reading, now: datetime) -> Cause:
    return Cause(
        caller=reading.caller.name if reading.caller else None,
        message_id=reading.delivery.properties.message_id,
        traceparent=traceparent_of(reading.delivery),
        time=now,
    )


def placed(reading: Reading, request_id: int, order: PricedOrder, ids: PlacedOrder, now: datetime) -> Outcome:
    said = placed_order.events(order, ids, cause_of(reading, now))
    answer = _answer(reading, request_id, order, ids, said)
    log_fields = {"order_id": ids.order_id, "client_id": order.client.id, "amount": str(order.bill.total)}
    return _answered(OutcomeKind.PLACED, reading, answer, said, log_fields, remember=True)


def _answer(reading: Reading, request_id: int, order: PricedOrder, ids: PlacedOrder, said: Sequence[Event]) -> Answer:
    return Answer(
        request_id=request_id,
        outcome="placed",
        replays=_replays(reading),
        reply=placed_order.reply(order, ids),
        events=tuple(event.body.decode() for event in said),
    )


def recalled(reading: Reading, request_id: int, order: PricedOrder, ids: PlacedOrder, placed_at: datetime) -> Outcome:
    """Say again what was said of an order whose answer is not kept any more: under the same ids; nothing is written."""
    said = placed_order.events(order, ids, cause_of(reading, placed_at))
    return repeated(reading, _answer(reading, request_id, order, ids, said))


def repeated(reading: Reading, answer: Answer) -> Outcome:
    """Say again what was said: the very same reply and events, and nothing is written."""
    log_fields = {"order_id": answer.reply.members.get("orderid")}
    return _answered(OutcomeKind.REPEATED, reading, answer, _recalled(answer), log_fields, remember=False)


def rejected(reading: Reading, rejection: Rejection, now: datetime, request_id: int | None = None) -> Outcome:
    """Say no. With a `request_id` the answer is remembered, so that the broker's own redelivery repeats it."""
    fingerprint = reading.fingerprint
    content = fingerprint.digest.hex() if fingerprint else content_hash(reading.delivery.body)
    client_id = reading.request.client_id if reading.request else None
    event = events.rejected_event(rejection, cause_of(reading, now), content, _replays(reading), client_id)
    answer = Answer(request_id or 0, "rejected", _replays(reading), replies.error(rejection), (event.body.decode(),))
    return refused_again(reading, answer, now, remember=request_id is not None)


def refused_again(reading: Reading, answer: Answer, now: datetime, *, remember: bool = False) -> Outcome:
    """Repeat a rejection: the reply, the event and the dead letter."""
    told = answer.reply.members
    code, message = str(told["code"]), str(told["message"])
    reason = Reason.MALFORMED if code in _UNREADABLE else Reason.REJECTED
    log_fields = {"reason": reason, "code": code}
    outcome = _answered(OutcomeKind.REJECTED, reading, answer, _recalled(answer), log_fields, remember=remember)
    attempts = headers.count_of(reading.delivery.properties.headers, headers.ATTEMPTS)
    letter = republish.dead_letter(reading.delivery, now, CauseOfDeath(reason, code, message), attempts)
    return Outcome(
        reading=reading,
        kind=outcome.kind,
        messages=(*outcome.messages, letter),
        request_id=outcome.request_id,
        answer=outcome.answer,
        log_fields=outcome.log_fields,
    )


def set_back(reading: Reading, error: BaseException, now: datetime) -> Outcome:
    """Count an attempt for a message that failed alone: it waits for its next one, or has had its last."""
    attempts = min(headers.count_of(reading.delivery.properties.headers, headers.ATTEMPTS), len(DELAYS)) + 1
    reason = type(error).__name__
    if attempts > len(DELAYS):
        return failed(reading, reason, now, attempts)
    delay = DELAYS[attempts - 1]
    return Outcome(
        reading=reading,
        kind=OutcomeKind.RETRIED,
        messages=(republish.delayed(reading.delivery, now, delay, attempts),),
        log_fields={"reason": reason, "attempts": attempts, "delay": delay},
    )


def failed(reading: Reading, reason: str, now: datetime, attempts: int) -> Outcome:
    """Set aside what is nobody's fault but ours: the traceback is in the log, the kind of error in the headers."""
    event = events.failed_event(
        reason, cause_of(reading, now), content_hash(reading.delivery.body), _replays(reading), attempts
    )
    letter = republish.dead_letter(
        reading.delivery, now, CauseOfDeath(Reason.FAILED, Code.INTERNAL_ERROR, reason), attempts
    )
    return Outcome(
        reading=reading,
        kind=OutcomeKind.FAILED,
        messages=(event_message(event), letter),
        log_fields={"reason": reason, "code": Code.INTERNAL_ERROR, "attempts": attempts},
    )


def suspected(reading: Reading, now: datetime) -> Outcome:
    """Move a message that was handed over again and again without an end: it may be what kills the process."""
    return Outcome(reading=reading, kind=OutcomeKind.SUSPECTED, messages=(republish.suspect(reading.delivery, now),))


def _recalled(answer: Answer) -> tuple[Event, ...]:
    return tuple(Event.from_body(body.encode()) for body in answer.events)


def _answered(  # noqa: PLR0913  # an answer, as it is kept and as it is said
    kind: OutcomeKind,
    reading: Reading,
    answer: Answer,
    said: Sequence[Event],
    log_fields: dict[str, Any],
    *,
    remember: bool,
) -> Outcome:
    messages = tuple(map(event_message, said))
    reply = _reply_message(reading, answer.reply)
    return Outcome(
        reading=reading,
        kind=kind,
        messages=(reply, *messages) if reply else messages,
        request_id=answer.request_id or None,
        answer=answer if remember else None,
        log_fields=log_fields,
    )


def _reply_message(reading: Reading, reply: Reply) -> Outgoing | None:
    """Answer where this delivery asks, in the encoding that it asks for."""
    properties = reading.delivery.properties
    if not properties.reply_to or properties.reply_to.startswith(OWN_QUEUES):
        return None
    return Outgoing(
        exchange="",
        routing_key=properties.reply_to,
        body=replies.render(reply, reading.response_type),
        properties=Properties(
            # An id of its own: of two unroutable publishes under one id, one would be reported as confirmed.
            message_id=str(uuid.uuid4()),
            correlation_id=properties.correlation_id or properties.message_id,
            content_type=reading.response_type.content_type,
        ),
        # Of a direct reply-to RabbitMQ says that nobody takes it, even while it delivers.
        mandatory=not properties.reply_to.startswith(DIRECT_REPLY),
        may_be_lost=True,
    )


def event_message(event: Event) -> Outgoing:
    return Outgoing(
        exchange="orders.events",
        routing_key=event.type,
        body=event.body,
        properties=Properties(message_id=event.id, content_type=events.CONTENT_TYPE),
        mandatory=event.is_follow_up,
    )


def _replays(reading: Reading) -> int:
    return headers.count_of(reading.delivery.properties.headers, headers.REPLAYS)


# ---------------------------------------------------------------- what is told of one

_EVENTS = {kind: f"order.{kind}" for kind in OutcomeKind}


def count_outcome(outcome: Outcome, seconds: float) -> None:
    metrics.ended(outcome.kind, seconds, outcome.reading.delivery.properties.timestamp)
    if outcome.kind is OutcomeKind.REJECTED:
        metrics.dead_lettered(outcome.log_fields["reason"], outcome.log_fields["code"])
    elif outcome.kind is OutcomeKind.FAILED:
        metrics.dead_lettered(Reason.FAILED, outcome.log_fields["code"])


def log_outcome(outcome: Outcome, seconds: float) -> None:
    """Write the one line of a delivery."""
    properties = outcome.reading.delivery.properties
    caller = outcome.reading.caller
    unknown_names = outcome.reading.unknown_names
    unknown = {"unknown_parameters": redaction.names(unknown_names)} if unknown_names else {}
    log.info(
        _EVENTS[outcome.kind],
        message_id=properties.message_id,
        caller=caller.name if caller else None,
        seconds=round(seconds, 4),
        **outcome.log_fields,
        **unknown,
    )
