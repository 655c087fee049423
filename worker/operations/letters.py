"""What is told of a message that needs a person, as values; never its secrets."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from schemas.add_order import is_known
from schemas.rejections import Reason
from worker.broker import headers
from worker.broker.dead_letters import COUNTS_OF_LOOKS, DeadLetter
from worker.operations.selection import UNKNOWN, asked_client
from worker.redaction import ReadableBody, Shown, readable, redacted

# What each reason means to who has to see to it.
REASONS = {
    Reason.REJECTED: "the caller's fault; nothing was placed",
    Reason.MALFORMED: "the caller's fault; it could not be read",
    Reason.FAILED: "our fault, or a server's, at every attempt",
    Reason.DELIVERY_LIMIT: "the broker gave up on it, and no worker got to say why",
    "expired": "its caller set an expiration, and no worker took it in time",
    "maxlen": "the broker had no room for it, by a limit that is not ours",
    Reason.UNROUTED: "not a command that anybody here carries out",
}


def summary_of(letter: DeadLetter) -> dict[str, Shown]:
    """Tell what became of a message, in a line and without its content."""
    told = {column: getattr(letter, column) for column in _COLUMNS}
    return {"queue": letter.queue, "publisher": letter.publisher or None, "client": client_of(letter), **told}


_COLUMNS = (
    "message_id", "reason", "code", "message", "attempts", "first_seen", "died_at", "routing_key", "replays",
)  # fmt: skip


def client_of(letter: DeadLetter) -> str | None:
    """Tell for whom it is, as far as it says so."""
    client = asked_client(letter)
    return None if client in ("", UNKNOWN) else client


def details(
    letter: DeadLetter, bytes_max: int, identifiers: Collection[str], *, with_unknown: bool = False
) -> dict[str, Shown]:
    """Tell everything of a message but its secrets; `identifiers` of credentials are those that may be shown.

    Of parameters and headers that are not known it tells the names, and the values where somebody asks for them.
    """
    body = readable_body(letter, bytes_max, identifiers, with_unknown=with_unknown)
    return {
        **summary_of(letter),
        "properties": redacted(properties_of(letter)),
        "headers": readable_headers(letter, with_unknown=with_unknown),
        "dropped_headers": letter.dropped_headers or None,
        "body": {
            "bytes": body.size_bytes,
            "sha256": body.sha256,
            "parameters": body.parameters,
            "head": body.head,
            "note": body.note or None,
        },
    }


def readable_body(
    letter: DeadLetter, bytes_max: int, identifiers: Collection[str] = (), *, with_unknown: bool = False
) -> ReadableBody:
    return readable(
        letter.delivery.body,
        letter.delivery.properties.content_type,
        bytes_max=bytes_max,
        identifiers=identifiers,
        with_unknown=with_unknown,
    )


def readable_headers(letter: DeadLetter, *, with_unknown: bool = False) -> dict[str, Shown]:
    return redacted(headers_of(letter), known=None if with_unknown else headers.is_known)


def has_unknown(letter: DeadLetter, body: ReadableBody) -> bool:
    """Whether there are names of which this program knows nothing."""
    return not all(map(headers.is_known, headers_of(letter))) or not all(map(is_known, body.parameters or ()))


def properties_of(letter: DeadLetter) -> dict[str, Any]:
    properties = asdict(letter.delivery.properties)
    shown_apart = ("message_id", "user_id", "headers")
    return {name: value for name, value in properties.items() if value is not None and name not in shown_apart}


def headers_of(letter: DeadLetter) -> dict[str, Any]:
    """Return the publisher's headers; ours are told in words, and the broker counts every look into the queue."""
    written = letter.delivery.properties.headers
    told = (headers.OURS, *COUNTS_OF_LOOKS) if letter.has_our_headers else COUNTS_OF_LOOKS
    return {name: value for name, value in written.items() if not name.startswith(told)}
