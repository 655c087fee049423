"""A message sent on its way again, or set aside: its bytes, its properties, and why (messages.md, "Dead letters")."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas.rejections import Reason
from worker.broker.headers import (
    ATTEMPTS,
    CODE,
    DELIVERY_COUNT,
    DIED_AT,
    DROPPED,
    FIRST_SEEN,
    MESSAGE,
    OURS,
    REASON,
    REPLAYS,
    ROUTING_KEY,
    SUPERSEDED_MAX,
    SUPERSEDES,
    count_of,
    superseded,
)
from worker.broker.messages import Delivery, Outgoing, Properties, is_message_id

# One header frame must fit in 128 KiB, and one that does not closes the connection on every redelivery.
HEADERS_BYTES_MAX = 8 * 1024
MESSAGE_CHARS_MAX = 1_000
FIRST_SEEN_CHARS_MAX = 32
LEVELS_MAX = 8  # of lists and tables in a header
NAME_BYTES_MAX = 128  # of a header; longer ones would be cut

# CC and BCC would route the copy elsewhere too; the others are the broker's notes about a delivery that is over.
_LEFT_OUT = frozenset(
    {"CC", "BCC", DELIVERY_COUNT, "x-acquired-count", "x-death"}
    | {f"x-first-death-{what}" for what in ("exchange", "queue", "reason")}
    | {f"x-last-death-{what}" for what in ("exchange", "queue", "reason")}
)


class CauseOfDeath(NamedTuple):
    """Why a request came to nothing."""

    reason: Reason
    code: str  # a Code; of an answer that is repeated, whatever it was then
    message: str


def dead_letter(delivery: Delivery, now: datetime, cause: CauseOfDeath, attempts: int) -> Outgoing:
    """Set a delivery aside in orders.dead until an operator replays or discards it."""
    ours = {
        REASON: cause.reason,
        CODE: cause.code,
        MESSAGE: cause.message[:MESSAGE_CHARS_MAX],
        ATTEMPTS: attempts,
        DIED_AT: _written(now),
        REPLAYS: count_of(delivery.properties.headers, REPLAYS),
    }
    return _copy(delivery, now, "orders.dead", delivery.routing_key, ours)


def delayed(delivery: Delivery, now: datetime, delay: str, attempts: int) -> Outgoing:
    """Let a delivery wait in the delay queue `delay`, from which it comes back under its own routing key."""
    ours = {ATTEMPTS: attempts, REPLAYS: count_of(delivery.properties.headers, REPLAYS)}
    return _copy(delivery, now, delay, delivery.routing_key, ours)


def suspect(delivery: Delivery, now: datetime) -> Outgoing:
    """Move a delivery to orders.suspects, where each is taken alone."""
    headers = delivery.properties.headers
    ours = {ATTEMPTS: count_of(headers, ATTEMPTS), REPLAYS: count_of(headers, REPLAYS)}
    return _copy(delivery, now, "", "orders.suspects", ours)


def _copy(delivery: Delivery, now: datetime, exchange: str, routing_key: str, ours: Mapping[str, Any]) -> Outgoing:
    first_seen = delivery.properties.headers.get(FIRST_SEEN)
    known = isinstance(first_seen, str) and len(first_seen) <= FIRST_SEEN_CHARS_MAX
    always = {FIRST_SEEN: first_seen if known else _written(now), ROUTING_KEY: delivery.routing_key[:255]}
    always |= _lineage(delivery.properties.headers)
    return Outgoing(
        exchange=exchange,
        routing_key=routing_key,
        body=delivery.body,
        properties=replace(delivery.properties, headers=_kept(delivery.properties.headers, {**ours, **always})),
        mandatory=True,
    )


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replay(properties: Properties, replays: int) -> Properties:
    """Make a dead letter the request that it was, for its next try: attempts at zero, one more replay."""
    return replace(properties, headers={**_of_request(properties), REPLAYS: replays + 1})


def edited(properties: Properties, message_id: str, content_type: str) -> Properties:
    """Make a dead letter a request of its own, which supersedes the one that it was."""
    before = (*superseded(properties.headers), properties.message_id)
    supersedes = [one for one in before if is_message_id(one)][-SUPERSEDED_MAX:]
    headers = _of_request(properties)
    if supersedes:
        headers[SUPERSEDES] = supersedes if len(supersedes) > 1 else supersedes[0]
    return replace(properties, message_id=message_id, content_type=content_type, content_encoding=None, headers=headers)


def _of_request(properties: Properties) -> dict[str, Any]:
    """Leave out what we noted when it was set aside; when it was first seen, and what it was edited from, stay."""
    theirs = {name: value for name, value in properties.headers.items() if not name.startswith(OURS)}
    first_seen = properties.headers.get(FIRST_SEEN)
    since = {FIRST_SEEN: first_seen} if isinstance(first_seen, str) else {}
    return {**theirs, **since, **_lineage(properties.headers)}


def _lineage(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {SUPERSEDES: headers[SUPERSEDES]} if superseded(headers) else {}


def _kept(headers: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the publisher's headers as far as they fit, smallest first, and name those that do not."""
    theirs = {name: value for name, value in headers.items() if not name.startswith(OURS) and name not in _LEFT_OUT}
    noted = _size(DROPPED, "x" * MESSAGE_CHARS_MAX)
    dropped = [name[:64] for name, value in theirs.items() if not _can_be_sent(name, value)]
    theirs = {name: value for name, value in theirs.items() if _can_be_sent(name, value)}
    room = HEADERS_BYTES_MAX - noted - sum(_size(name, value) for name, value in ours.items())
    for name, value in sorted(theirs.items(), key=lambda pair: _size(*pair)):
        room -= _size(name, value)
        if room < 0:
            dropped.append(name[:64])
            del theirs[name]
    note = {DROPPED: _cut(", ".join(dropped))} if dropped else {}
    return {**theirs, **note, **ours}


def _cut(text: str) -> str:
    return text.encode()[:MESSAGE_CHARS_MAX].decode(errors="ignore")


def _can_be_sent(name: str, value: object, levels: int = LEVELS_MAX) -> bool:
    """Whether a header can make the way back: not everything that AMQP allows can be written by its client."""
    match value:
        case list() | dict() if not levels:
            return False
        case list():
            return all(_can_be_sent("", member, levels - 1) for member in value)
        case dict():
            return all(_can_be_sent(key, member, levels - 1) for key, member in value.items())
        case bytes():
            return False  # text that is not UTF-8
    return len(name.encode()) <= NAME_BYTES_MAX


def _size(name: str, value: object) -> int:
    return len(name.encode()) + (len(value) if isinstance(value, bytes) else len(str(value).encode())) + 8
