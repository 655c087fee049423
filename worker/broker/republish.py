"""A message sent on its way again, or set aside: its bytes, its properties, and why (messages.md, "Dead letters").

It starts anew: without the broker's notes about deliveries that are over, and with ours, sealed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from schemas import topology
from schemas.rejections import Reason
from worker.broker.headers import (
    ATTEMPTS,
    BROKERS,
    CODE,
    DIED_AT,
    DROPPED,
    FIRST_SEEN,
    MESSAGE,
    OURS,
    REASON,
    REPLAYS,
    RETURNED,
    ROUTING_KEY,
    ROUTING_KEY_CHARS_MAX,
    SEAL,
    SUPERSEDED_MAX,
    lineage,
    sealed,
)
from worker.broker.messages import Delivery, Outgoing, Properties, Trail, is_message_id
from worker.key_ring import SEAL_CHARS_MAX, KeyRing

# One header frame must fit into what the connection carries, 128 KiB as it comes. One that does not closes the
# connection, and again on every redelivery.
HEADERS_BYTES_MAX = 8 * 1024
HEADERS_BYTES_MIN = 1_024  # for ours, on a connection of the smallest frames that AMQP allows, 4 KiB
FRAME_BYTES_AROUND = 64  # of a header frame: what stands around properties and headers
MESSAGE_CHARS_MAX = 1_000
NAME_CHARS_SHOWN = 64  # of a header that was dropped
LEVELS_MAX = 8  # of lists and tables in a header
NAME_BYTES_MAX = 128  # of a header; longer ones would be cut

# CC and BCC would route the copy elsewhere too.
_LEFT_OUT = BROKERS | {"CC", "BCC"}


class CauseOfDeath(NamedTuple):
    """Why a request came to nothing."""

    reason: Reason
    code: str  # a Code; of an answer that is repeated, whatever it was then
    message: str


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a delivery goes on, and what is noted on it. `at` is the time, UTC."""

    exchange: str
    routing_key: str
    notes: Mapping[str, str | int]
    at: datetime

    @property
    def is_dead_letter(self) -> bool:
        return self.exchange == topology.DEAD


def dead_letter(delivery: Delivery, now: datetime, cause: CauseOfDeath, attempts: int) -> Moved:
    """Set a delivery aside in orders.dead until an operator replays or discards it."""
    notes: dict[str, str | int] = {
        REASON: cause.reason,
        CODE: cause.code,
        MESSAGE: cause.message[:MESSAGE_CHARS_MAX],
        ATTEMPTS: attempts,
        DIED_AT: _written(now),
        REPLAYS: delivery.trail.replays,
    }
    return Moved(topology.DEAD, delivery.came_under, notes, now)


def delayed(delivery: Delivery, now: datetime, delay: str, attempts: int) -> Moved:
    """Let a delivery wait in the delay queue `delay`, from which it comes back under its action's key.

    Not under the one that it came with: a request may have come by another exchange, whose keys nobody has bound.
    """
    return Moved(delay, action_key(delivery.came_under), {**_as_it_was(delivery), ATTEMPTS: attempts}, now)


def suspect(delivery: Delivery, now: datetime) -> Moved:
    """Move a delivery to orders.suspects, where each is taken alone."""
    return Moved("", topology.SUSPECTS, _as_it_was(delivery), now)


def returned(delivery: Delivery, now: datetime) -> Moved:
    """Give a delivery back as one that was never handed over: a server is in trouble, and it is not what it is."""
    return Moved("", topology.REQUESTS, _as_it_was(delivery), now)


def _as_it_was(delivery: Delivery) -> dict[str, str | int]:
    return {ATTEMPTS: delivery.trail.attempts, REPLAYS: delivery.trail.replays, RETURNED: 1}


def action_key(came_under: str) -> str:
    """Return the key under which every version of the topology takes such a request."""
    return came_under if came_under in topology.COMMAND_KEYS else topology.ADD_ORDER


class Edited(NamedTuple):
    """What an operator made of a request."""

    message_id: str
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class Republisher:
    """Writes the messages that go on. `frame_bytes_max` is what the connection carries in one frame; 0: no limit."""

    keys: KeyRing
    frame_bytes_max: int = 0

    def copy(self, delivery: Delivery, moved: Moved) -> Outgoing:
        """Write a delivery as it goes on: its bytes and properties, its publisher's headers as far as they fit."""
        notes = {
            **moved.notes,
            FIRST_SEEN: delivery.trail.first_seen or _written(moved.at),
            ROUTING_KEY: delivery.came_under[:ROUTING_KEY_CHARS_MAX],
            **lineage(delivery.trail.supersedes),
        }
        headers = _fitted(delivery.properties.headers, notes, self._room(delivery.properties))
        return self._outgoing(moved.exchange, moved.routing_key, delivery.body, delivery.properties, headers)

    def replay(self, letter: Delivery, trail: Trail, routing_key: str) -> Outgoing:
        """Make a dead letter the request that it was, for its next try: attempts at zero, one more replay.

        `trail` is what we noted on it; `routing_key` the one that it is to count as having come under.
        """
        notes = {REPLAYS: trail.replays + 1, **lineage(trail.supersedes)}
        return self._request(letter.body, letter.properties, trail, routing_key, notes)

    def edited(self, letter: Delivery, trail: Trail, routing_key: str, new: Edited) -> Outgoing:
        """Make a request of its own of what an operator made of a dead letter, and let it supersede that one."""
        before = (*trail.supersedes, letter.properties.message_id)
        supersedes = tuple(one for one in before if is_message_id(one))[-SUPERSEDED_MAX:]
        properties = replace(
            letter.properties, message_id=new.message_id, content_type=new.content_type, content_encoding=None
        )
        return self._request(new.body, properties, trail, routing_key, lineage(supersedes))

    def _request(
        self, body: bytes, properties: Properties, trail: Trail, routing_key: str, notes: Mapping[str, Any]
    ) -> Outgoing:
        since = {FIRST_SEEN: trail.first_seen} if trail.first_seen else {}
        notes = {**notes, **since, ROUTING_KEY: routing_key}
        headers = _fitted(properties.headers, notes, self._room(properties))
        return self._outgoing(topology.COMMANDS, action_key(routing_key), body, properties, headers)

    def _outgoing(  # a message's parts
        self, exchange: str, routing_key: str, body: bytes, properties: Properties, headers: Mapping[str, Any]
    ) -> Outgoing:
        ours = replace(properties, headers=headers)
        return Outgoing(
            exchange=exchange,
            routing_key=routing_key,
            body=body,
            properties=replace(ours, headers=sealed(ours, body, self.keys)),
            mandatory=True,
        )

    def _room(self, properties: Properties) -> int:
        """Tell how many bytes of headers the connection carries beside the other properties."""
        if not self.frame_bytes_max:
            return HEADERS_BYTES_MAX
        left = self.frame_bytes_max - FRAME_BYTES_AROUND - _size_of_properties(properties)
        return max(HEADERS_BYTES_MIN, min(HEADERS_BYTES_MAX, left))


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fitted(headers: Mapping[str, Any], notes: Mapping[str, Any], room: int) -> dict[str, Any]:
    """Keep the publisher's headers as far as they fit beside ours, smallest first, and name those that do not."""
    theirs = {name: value for name, value in headers.items() if not name.startswith(OURS) and name not in _LEFT_OUT}
    dropped = [name[:NAME_CHARS_SHOWN] for name, value in theirs.items() if not _can_be_sent(name, value)]
    theirs = {name: value for name, value in theirs.items() if _can_be_sent(name, value)}
    half = min(MESSAGE_CHARS_MAX, room // 4)
    if MESSAGE in notes:
        notes = {**notes, MESSAGE: _cut(notes[MESSAGE], max(half, room - _size_of({**notes, MESSAGE: ""}) - half))}
    room -= _size_of(notes) + _size(SEAL, "x" * SEAL_CHARS_MAX) + _size(DROPPED, "x" * half)
    for name, value in sorted(theirs.items(), key=lambda pair: _size(*pair)):
        room -= _size(name, value)
        if room < 0:
            dropped.append(name[:NAME_CHARS_SHOWN])
            del theirs[name]
    note = {DROPPED: _cut(", ".join(dropped), half)} if dropped else {}
    return {**theirs, **note, **notes}


def _cut(text: str, bytes_max: int) -> str:
    return text.encode()[:bytes_max].decode(errors="ignore")


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


def _size_of(headers: Mapping[str, Any]) -> int:
    return sum(_size(name, value) for name, value in headers.items())


def _size_of_properties(properties: Properties) -> int:
    texts = (getattr(properties, name) for name in Properties.__dataclass_fields__)
    return sum(len(text.encode()) + 1 for text in texts if isinstance(text, str))
