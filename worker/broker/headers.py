"""The headers that we add to a message, and what they say (messages.md, "Dead letters")."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from worker.broker.messages import Delivery, is_message_id

# What we add. Whatever a publisher sends under these names is dropped: they are ours to say.
OURS = "x-orders-"
REASON = "x-orders-reason"
CODE = "x-orders-code"
MESSAGE = "x-orders-message"
ATTEMPTS = "x-orders-attempts"
FIRST_SEEN = "x-orders-first-seen"
DIED_AT = "x-orders-died-at"
ROUTING_KEY = "x-orders-routing-key"
REPLAYS = "x-orders-replays"
DROPPED = "x-orders-dropped"
SUPERSEDES = "x-orders-supersedes"  # of an edited message: the id that it had, or all that it had, oldest first

SUPERSEDED_MAX = 20  # edits of one message
COUNT_MAX = 1_000_000  # of replays and attempts: headers are whatever a publisher wrote
DELIVERY_COUNT = "x-delivery-count"


def count_of(headers: Mapping[str, Any], name: str) -> int:
    """Read a count from a header that anybody may have written."""
    value = headers.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(value, 0), COUNT_MAX)


def superseded(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the requests, by message_id, that this one was edited from."""
    written = headers.get(SUPERSEDES)
    ids = written if isinstance(written, list) else [written]
    if not all(map(is_message_id, ids)) or len(ids) > SUPERSEDED_MAX:
        return ()
    return tuple(dict.fromkeys(ids))


def unmoved(delivery: Delivery) -> Delivery:
    """Give a delivery from orders.suspects back the routing key that it came with."""
    routing_key = delivery.properties.headers.get(ROUTING_KEY)
    return replace(delivery, routing_key=routing_key) if isinstance(routing_key, str) else delivery


def deliveries_before(delivery: Delivery) -> int:
    """Count how often the broker has handed this message over before, without an end."""
    return count_of(delivery.properties.headers, DELIVERY_COUNT)
