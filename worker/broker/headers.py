"""The headers that we write onto a message, and whose word counts (messages.md, "Whose word counts").

A publisher may write whatever it likes, under our names too, and copies keep the publisher's `user_id`. So what we
write is sealed: an HMAC over the message's id, its body and all of our headers. Without it they are the publisher's:
told, never obeyed.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from worker.broker.messages import NO_TRAIL, Headers, Properties, Trail, counted, is_message_id
from worker.key_ring import KeyRing

OURS = "x-orders-"
REASON = "x-orders-reason"
CODE = "x-orders-code"
MESSAGE = "x-orders-message"
ATTEMPTS = "x-orders-attempts"
FIRST_SEEN = "x-orders-first-seen"
DIED_AT = "x-orders-died-at"
ROUTING_KEY = "x-orders-routing-key"  # under which the request first came
REPLAYS = "x-orders-replays"
DROPPED = "x-orders-dropped"
SUPERSEDES = "x-orders-supersedes"  # of an edited message: the id that it had, or all that it had, oldest first
RETURNED = "x-orders-returned"  # on a copy that takes the place of a delivery: its caller may have been told already
PROBES = "x-orders-probes"  # of a probe: the routing key that it tries
SEAL = "x-orders-seal"
NAMES = frozenset(
    {REASON, CODE, MESSAGE, ATTEMPTS, FIRST_SEEN, DIED_AT, ROUTING_KEY, REPLAYS}
    | {DROPPED, SUPERSEDES, RETURNED, PROBES, SEAL}
)

SUPERSEDED_MAX = 20  # edits of one message
FIRST_SEEN_CHARS_MAX = 32
ROUTING_KEY_CHARS_MAX = 255  # AMQP's

# The broker's notes about deliveries that are over. A copy begins anew: with them it would look handed over already.
DELIVERY_COUNT = "x-delivery-count"
DEATHS = "x-death"  # where it was dead-lettered by the broker itself
BROKERS = frozenset(
    {DELIVERY_COUNT, "x-acquired-count", DEATHS}
    | {f"x-first-death-{what}" for what in ("exchange", "queue", "reason")}
    | {f"x-last-death-{what}" for what in ("exchange", "queue", "reason")}
)

TRY = "try"  # which try it is, as a publisher counts (messages.md)


def is_known(name: str) -> bool:
    """Whether a header is one that this program, its publishers or the broker are known to write."""
    return name == TRY or name in NAMES or name in BROKERS


def trail_of(properties: Properties, body: bytes, keys: KeyRing) -> Trail:
    """Read what we have noted on a message; nothing, where the seal is missing or does not fit."""
    headers = properties.headers
    if not headers or SEAL not in headers:
        return NO_TRAIL
    seal = headers[SEAL]
    try:
        is_ours = isinstance(seal, str) and keys.is_sealed(_sealed_content(properties, body), seal)
    except TypeError:  # values of kinds that we never write
        is_ours = False
    return trail_in(headers) if is_ours else NO_TRAIL


def trail_in(headers: Headers) -> Trail:
    """Read what headers note that are known to be ours."""
    return Trail(
        attempts=counted(headers.get(ATTEMPTS)),
        replays=counted(headers.get(REPLAYS)),
        first_seen=_text(headers.get(FIRST_SEEN), FIRST_SEEN_CHARS_MAX),
        routing_key=_text(headers.get(ROUTING_KEY), ROUTING_KEY_CHARS_MAX),
        supersedes=superseded(headers),
        is_returned=counted(headers.get(RETURNED)) > 0,
        probes=_text(headers.get(PROBES), ROUTING_KEY_CHARS_MAX),
    )


def sealed(properties: Properties, body: bytes, keys: KeyRing) -> dict[str, Any]:
    """Return the headers of a message that we send, with the seal on those that are ours."""
    return {**properties.headers, SEAL: keys.seal(_sealed_content(properties, body))}


def _sealed_content(properties: Properties, body: bytes) -> bytes:
    ours = {name: value for name, value in properties.headers.items() if name.startswith(OURS) and name != SEAL}
    content = [properties.message_id, hashlib.sha256(body).hexdigest(), ours]
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def count_of(headers: Mapping[str, Any], name: str) -> int:
    """Read a count from a header that anybody may have written."""
    return counted(headers.get(name))


def superseded(headers: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the requests, by message_id, that this one was edited from."""
    written = headers.get(SUPERSEDES)
    ids = written if isinstance(written, list) else [written]
    if not all(map(is_message_id, ids)) or len(ids) > SUPERSEDED_MAX:
        return ()
    return tuple(dict.fromkeys(ids))


def lineage(supersedes: tuple[str, ...]) -> dict[str, Any]:
    """Write which requests a message was edited from, as `superseded` reads it."""
    if not supersedes:
        return {}
    return {SUPERSEDES: supersedes[0] if len(supersedes) == 1 else list(supersedes)}


def _text(written: object, chars_max: int) -> str | None:
    return written if isinstance(written, str) and len(written) <= chars_max else None
