"""What comes from the broker and what goes to it, without the broker's library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeGuard

from schemas import topology

# Marks a message whose properties or headers could not be decoded.
UNREADABLE = "x-orders-unreadable"
TRY = "try"  # counted by who sends a request again, from 2

MESSAGE_ID_CHARS_MAX = 128
COUNT_MAX = 1_000_000  # of whatever a header counts: anybody may have written it

Headers = Mapping[str, Any]  # AMQP tables: text, numbers, times, lists, tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Properties:
    """AMQP message properties that outlive a copy. Left out on purpose: expiration, CC and BCC (messages.md)."""

    message_id: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    reply_to: str | None = None
    correlation_id: str | None = None
    user_id: str | None = None
    app_id: str | None = None
    type: str | None = None
    priority: int | None = None
    timestamp: datetime | None = None
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """What we noted on a message ourselves. Nothing of it is there on one that comes from its publisher."""

    attempts: int = 0  # that failed alone
    replays: int = 0  # by operators
    first_seen: str | None = None  # RFC 3339, UTC
    routing_key: str | None = None  # under which it first came
    supersedes: tuple[str, ...] = ()  # message_ids that it was edited from, oldest first
    is_returned: bool = False  # it takes the place of a delivery that came to no end
    probes: str | None = None  # the routing key that it tries: it is no request


NO_TRAIL = Trail()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker handed it over. `tag` counts on its channel only."""

    body: bytes
    properties: Properties
    routing_key: str
    redelivered: bool
    tag: int
    trail: Trail = NO_TRAIL
    deliveries_before: int = 0  # how often the broker has handed it over already, without an end

    @property
    def came_under(self) -> str:
        """The routing key that it first came under, whatever way it took since."""
        return self.trail.routing_key or self.routing_key

    @property
    def is_probe(self) -> bool:
        """Whether it only asks whether its routing key is bound (messages.md, "Probes")."""
        return self.properties.type == topology.PROBE and self.trail.probes is not None

    @property
    def is_same_try(self) -> bool:
        """Whether its caller may have been told already what became of it: it is no new request to try again.

        Handed over again, come back from a delay, or sent again by who says so in the header `try` (messages.md).
        """
        came_back = self.redelivered or self.trail.is_returned or self.trail.attempts > 0
        return came_back or counted(self.properties.headers.get(TRY)) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message to publish, persistent and confirmed."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Properties
    mandatory: bool  # a queue must take it
    may_be_lost: bool = False  # a reply whose queue is gone: logged, not an error

    @property
    def is_direct_reply(self) -> bool:
        """Whether it goes to a direct reply-to, which is not there even while somebody listens."""
        return self.may_be_lost and not self.mandatory


def is_message_id(written: object) -> TypeGuard[str]:
    """Whether a text may be the half of the idempotency key that the caller gives (messages.md, "A request")."""
    return isinstance(written, str) and 0 < len(written) <= MESSAGE_ID_CHARS_MAX and "\0" not in written


def counted(written: object) -> int:
    """Read a count from a header that anybody may have written; 0 where it is none."""
    if isinstance(written, bool) or not isinstance(written, int):
        return 0
    return min(max(written, 0), COUNT_MAX)
