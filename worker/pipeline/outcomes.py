"""How a request ends, and what the world then hears: a reply, events, and where the message goes (messages.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import structlog

from repository.inbox import Answer, Mark
from schemas import events, replies
from schemas.events import Cause, Event
from schemas.rejections import Code, Reason, Rejection
from schemas.replies import Reply
from worker import metrics, redaction
from worker.actions.asked import Said
from worker.broker import republish
from worker.broker.republish import CauseOfDeath, Moved
from worker.intake.edge import Reading, content_hash, trace_of

log = structlog.get_logger()

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
    PERHAPS_PLACED = "perhaps_placed"  # failed, but something was placed under its message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is to go out before the delivery may be acknowledged. `answer` is what the inbox is to remember."""

    reading: Reading
    kind: OutcomeKind
    reply: Reply | None = None
    events: tuple[Event, ...] = ()
    moved: Moved | None = None  # where the message itself goes on, or is set aside
    mark: Mark | None = None  # of the answer whose events these are
    answer: Answer | None = None
    log_fields: Mapping[str, Any] = field(default_factory=dict)


def cause_of(reading: Reading, now: datetime) -> Cause:
    traceparent, tracestate = trace_of(reading.delivery)
    return Cause(
        caller=reading.caller.name if reading.caller else None,
        message_id=reading.delivery.properties.message_id,
        traceparent=traceparent,
        time=now,
        tracestate=tracestate,
    )


def placed(reading: Reading, request_id: int, said: Said, now: datetime) -> Outcome:
    answer = Answer(
        request_id=request_id,
        outcome="placed",
        replays=reading.delivery.trail.replays,
        reply=said.reply,
        events=_bodies(said.events),
        answered_at=now,
    )
    return Outcome(
        reading=reading,
        kind=OutcomeKind.PLACED,
        reply=answer.reply,
        events=said.events,
        mark=answer.mark,
        answer=answer,
        log_fields=said.log_fields,
    )


def repeated(reading: Reading, answer: Answer) -> Outcome:
    """Say again what was said: the very same reply, and its events while the broker is not known to have them."""
    return Outcome(
        reading=reading,
        kind=OutcomeKind.REPEATED,
        reply=answer.reply,
        events=_not_known_to_be_there(answer),
        mark=None if answer.is_published else answer.mark,
        log_fields={"order_id": answer.reply.members.get("orderid")},
    )


def rebuilt(reading: Reading, said: Said) -> Outcome:
    """Say again what was said of a request whose answer is not kept any more."""
    return Outcome(reading=reading, kind=OutcomeKind.REPEATED, reply=said.reply, log_fields=said.log_fields)


def rejected(reading: Reading, rejection: Rejection, now: datetime, request_id: int | None = None) -> Outcome:
    """Say no. With a `request_id` the answer is remembered, so that another copy of the same try repeats it."""
    delivery, fingerprint = reading.delivery, reading.fingerprint
    content = fingerprint.digest.hex() if fingerprint else content_hash(delivery.body)
    client_id = reading.asked.client_id if reading.asked else None
    event = events.rejected_event(rejection, cause_of(reading, now), content, delivery.trail.replays, client_id)
    reply = replies.error(rejection)
    answer = None
    if request_id is not None:
        answer = Answer(request_id, "rejected", delivery.trail.replays, reply, _bodies([event]), now)
    return _refused(reading, reply, (event,), answer, now, mark=answer.mark if answer else None, note=rejection.note)


def rejected_again(reading: Reading, answer: Answer, now: datetime) -> Outcome:
    """Repeat a rejection to another copy of the same try.

    The message is set aside once more only where it is the very message that was: whoever had it may have died before.
    """
    is_the_very_message = reading.delivery.redelivered or reading.delivery.trail.attempts > 0
    mark = None if answer.is_published else answer.mark
    return _refused(
        reading, answer.reply, _not_known_to_be_there(answer), None, now, mark=mark, set_aside=is_the_very_message
    )


def _refused(  # noqa: PLR0913  # a rejection, as it is kept and as it is said
    reading: Reading,
    reply: Reply,
    said: tuple[Event, ...],
    answer: Answer | None,
    now: datetime,
    *,
    mark: Mark | None,
    set_aside: bool = True,
    note: str = "",  # for operators: in the dead letter and the log
) -> Outcome:
    told = reply.members
    code, message = str(told["code"]), str(told["message"])
    reason = Reason.MALFORMED if code in _UNREADABLE else Reason.REJECTED
    cause = CauseOfDeath(reason, code, f"{message}: {note}" if note else message)
    delivery = reading.delivery
    return Outcome(
        reading=reading,
        kind=OutcomeKind.REJECTED,
        reply=reply,
        events=said,
        moved=republish.dead_letter(delivery, now, cause, delivery.trail.attempts) if set_aside else None,
        mark=mark,
        answer=answer,
        log_fields={"reason": reason, "code": code} | ({"note": note} if note else {}),
    )


def copied(reading: Reading, first: Outcome) -> Outcome | None:
    """Tell a copy of a request, in hand together with the first, what that one was told; None: it was told nothing.

    Events and dead letter are the first's: they are on their way.
    """
    if first.kind not in {OutcomeKind.PLACED, OutcomeKind.REPEATED, OutcomeKind.REJECTED}:
        return None
    kind = OutcomeKind.REPEATED if first.kind is OutcomeKind.PLACED else first.kind
    return Outcome(reading=reading, kind=kind, reply=first.reply, log_fields=first.log_fields)


def retried(reading: Reading, reason: str, attempts: int, now: datetime) -> Outcome:
    """Let a message that failed alone wait for its next attempt."""
    delay = DELAYS[attempts - 1]
    return Outcome(
        reading=reading,
        kind=OutcomeKind.RETRIED,
        moved=republish.delayed(reading.delivery, now, delay, attempts),
        log_fields={"reason": reason, "attempts": attempts, "delay": delay},
    )


def locked(reading: Reading, now: datetime) -> Outcome:
    """Let a message wait for what somebody holds. That is no fault of its own: no attempt is counted."""
    delay, attempts = DELAYS[0], reading.delivery.trail.attempts
    return Outcome(
        reading=reading,
        kind=OutcomeKind.RETRIED,
        moved=republish.delayed(reading.delivery, now, delay, attempts),
        log_fields={"reason": "locked", "attempts": attempts, "delay": delay},
    )


def failed(reading: Reading, reason: str, attempts: int, now: datetime) -> Outcome:
    """Set aside what is nobody's fault but ours: the traceback is in the log, the kind of error in the headers."""
    delivery = reading.delivery
    event = events.failed_event(
        reason, cause_of(reading, now), content_hash(delivery.body), delivery.trail.replays, attempts
    )
    cause = CauseOfDeath(Reason.FAILED, Code.INTERNAL_ERROR, reason)
    return Outcome(
        reading=reading,
        kind=OutcomeKind.FAILED,
        events=(event,),
        moved=republish.dead_letter(delivery, now, cause, attempts),
        log_fields={"reason": reason, "code": cause.code, "attempts": attempts},
    )


def perhaps_placed(reading: Reading, reason: str, attempts: int, now: datetime, order_id: int) -> Outcome:
    """Set aside what failed, though an order was placed under its message_id: nobody is told that it failed."""
    message = f"{reason}; but order {order_id} was placed under this message_id: a replay repeats it, or is placed"
    cause = CauseOfDeath(Reason.FAILED, Code.PERHAPS_PLACED, message)
    return Outcome(
        reading=reading,
        kind=OutcomeKind.PERHAPS_PLACED,
        moved=republish.dead_letter(reading.delivery, now, cause, attempts),
        log_fields={"reason": reason, "code": cause.code, "attempts": attempts, "order_id": order_id},
    )


def suspected(reading: Reading, now: datetime) -> Outcome:
    """Move a message that was handed over again and again without an end: it may be what kills the process."""
    return Outcome(reading=reading, kind=OutcomeKind.SUSPECTED, moved=republish.suspect(reading.delivery, now))


def _not_known_to_be_there(answer: Answer) -> tuple[Event, ...]:
    return () if answer.is_published else tuple(Event.from_body(body.encode()) for body in answer.events)


def _bodies(said: Sequence[Event]) -> tuple[str, ...]:
    return tuple(event.body.decode() for event in said)


# ---------------------------------------------------------------- what is told of one

_EVENTS = {kind: f"order.{kind}" for kind in OutcomeKind}


def count_outcome(outcome: Outcome, seconds: float) -> None:
    metrics.ended(outcome.kind, seconds, outcome.reading.delivery.properties.timestamp)
    if outcome.kind is OutcomeKind.REJECTED:
        metrics.dead_lettered(outcome.log_fields["reason"], outcome.log_fields["code"])
    elif outcome.kind in {OutcomeKind.FAILED, OutcomeKind.PERHAPS_PLACED}:
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
