"""From a delivery to a request, or to a rejection that needs no database: the stages before the claim."""

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas import add_order, rejections, wire
from schemas.catalog import Catalog
from schemas.rejections import Rejected, Rejection
from schemas.replies import ResponseType
from worker.actions.asked import Asked
from worker.actions.parsers import PARSERS, action_of
from worker.broker.messages import MESSAGE_ID_CHARS_MAX, UNREADABLE, Delivery, is_message_id
from worker.intake.authentication import Authenticator, Caller, Stranger
from worker.intake.verifications import Verification
from worker.key_ring import Fingerprint, KeyRing

# What a content_encoding may say of a body that is not encoded: MIME's words for that, and charsets. Celery's kombu has
# "binary" and "utf-8" there, .NET clients the name of the charset.
PLAIN = frozenset({"", "identity", "binary", "8bit", "7bit", "utf-8", "utf8", "us-ascii", "ascii"})
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}", re.ASCII)  # vendors' own; longer than this nobody has to carry
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be told of a delivery without the database. Either `asked` or `rejection` is set.

    With a `verification` neither is: who asks is not known before that is done.
    """

    delivery: Delivery
    response_type: ResponseType = ResponseType.JSON
    unknown_names: tuple[str, ...] = ()
    caller: Caller | None = None
    asked: Asked | None = None
    fingerprint: Fingerprint | None = None
    rejection: Rejection | None = None
    verification: Verification | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A delivery whose body was read as far as it can be: nobody is known to ask yet."""

    delivery: Delivery
    tree: wire.Tree
    rejection: Rejection | None = None

    @property
    def publisher(self) -> str | None:
        """Who vouches for it. Nobody does for nothing: an empty body is not authenticated (addorder.md 1)."""
        return self.delivery.properties.user_id if self.delivery.body.strip() else None


@dataclass(frozen=True, slots=True)
class Edge:
    keys: KeyRing
    authenticator: Authenticator
    request_bytes_max: int

    async def read(
        self, batch: Sequence[Delivery], catalog: Catalog, now: datetime, *, waits: bool = True
    ) -> list[Reading]:
        """Decode, authenticate and parse; for each delivery the first stage that says no ends it.

        `now` is the database's time. What must be verified first is waited for, or told as its `verification`.
        """
        opened = [self._open(delivery) for delivery in batch]
        asking = [(one.tree, one.publisher) for one in opened if one.rejection is None]
        who: Iterator[Caller | Stranger | Verification] = iter(
            await self.authenticator.authenticate(asking, catalog.credentials, now)
            if waits
            else self.authenticator.identify(asking, catalog.credentials, now)
        )
        return [self._read(one, next(who) if one.rejection is None else None) for one in opened]

    def _open(self, delivery: Delivery) -> _Opened:
        tree: wire.Tree = {}
        try:
            tree = self._decode(delivery)
            check_message_id(delivery.properties.message_id)
        except Rejected as rejected:
            return _Opened(delivery, tree, Rejection.of(rejected.faults))
        return _Opened(delivery, tree)

    def _read(self, opened: _Opened, asking: Caller | Stranger | Verification | None) -> Reading:
        delivery, tree = opened.delivery, opened.tree
        if isinstance(asking, asyncio.Future):
            return Reading(delivery, verification=asking)
        response_type = ResponseType.of(tree.get("responsetype")) or ResponseType.JSON
        unknown = _unknown_names(tree, delivery.came_under)
        if asking is None:
            return Reading(delivery, response_type, unknown, rejection=opened.rejection)
        caller = asking if isinstance(asking, Caller) else None
        try:
            asked = _asked(tree, delivery.came_under, asking if delivery.body else Stranger("an empty body"))
        except Rejected as rejected:
            rejection = Rejection.of(rejected.faults, rejected.note)
            return Reading(delivery, response_type, unknown, caller, rejection=rejection)
        fingerprint = self.keys.fingerprint(asked.content, asked.action)
        return Reading(delivery, response_type, unknown, caller, asked, fingerprint)

    def _decode(self, delivery: Delivery) -> wire.Tree:
        check_size(delivery.body, self.request_bytes_max)
        if UNREADABLE in delivery.properties.headers:
            raise Rejected(rejections.malformed("its properties or headers make no sense"))
        encoding = delivery.properties.content_encoding or ""
        if encoding.strip().lower() not in PLAIN:
            raise Rejected(
                rejections.malformed(
                    f"its content_encoding is {wire.shown(encoding)}: send the plain body, without one"
                )
            )
        tree = wire.decode(delivery.body, delivery.properties.content_type)
        add_order.check_separators(tree)
        return tree


def check_message_id(message_id: str | None) -> None:
    if not message_id:
        raise Rejected(rejections.message_id_missing())
    if not is_message_id(message_id):
        raise Rejected(rejections.message_id_invalid(MESSAGE_ID_CHARS_MAX))


def check_size(body: bytes, bytes_max: int) -> None:
    if len(body) > bytes_max:
        raise Rejected(rejections.request_too_large(bytes_max))


def _asked(tree: wire.Tree, routing_key: str, caller: Caller | Stranger) -> Asked:
    """Let the caller ask only what they may (addorder.md 2), then read what they ask (addorder.md 3)."""
    if isinstance(caller, Stranger):
        raise Rejected(rejections.authentication_failed(), note=caller.why)
    action = action_of(tree, routing_key)
    if not caller.may(action):
        raise Rejected(rejections.permission_denied(action))
    return PARSERS[action].parse(tree)


def _unknown_names(tree: wire.Tree, routing_key: str) -> tuple[str, ...]:
    """Name what the action that is asked does not know; where that is none, there is nothing to compare with."""
    try:
        return tuple(PARSERS[action_of(tree, routing_key)].unknown_names(tree))
    except Rejected:
        return ()


def content_hash(body: bytes) -> str:
    """Stand for a request that could not be read, or whose caller is not known."""
    return hashlib.sha256(body).hexdigest()


def trace_of(delivery: Delivery) -> tuple[str | None, str | None]:
    """Read traceparent and tracestate (W3C trace context); what is none is left out, and a state without its trace."""
    traceparent, tracestate = map(delivery.properties.headers.get, ("traceparent", "tracestate"))
    if not isinstance(traceparent, str) or not _TRACEPARENT.fullmatch(traceparent):
        return None, None
    is_state = isinstance(tracestate, str) and _TRACESTATE.fullmatch(tracestate)
    return traceparent, tracestate if is_state else None
