"""What comes from the broker and what goes to it, without the broker's library."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ADD_ORDER = "order.add"  # the routing key of a request
# Marks a message whose properties or headers could not be decoded.
UNREADABLE = "x-orders-unreadable"

MESSAGE_ID_CHARS_MAX = 128

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


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as the broker handed it over. `tag` counts on its channel only."""

    body: bytes
    properties: Properties
    routing_key: str
    redelivered: bool
    tag: int


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


def is_message_id(written: object) -> bool:
    """Whether a text may be the half of the idempotency key that the caller gives (messages.md, "A request")."""
    return isinstance(written, str) and 0 < len(written) <= MESSAGE_ID_CHARS_MAX and "\0" not in written
