"""From a delivery to a request, or to a rejection that needs no database: the stages before the claim."""

import hashlib
import re
from dataclasses import dataclass

from schemas import add_order, rejections, wire
from schemas.catalog import Catalog
from schemas.order import OrderRequest
from schemas.rejections import Rejected, Rejection
from schemas.replies import ResponseType
from worker.authentication import Authenticator, Caller
from worker.key_ring import Fingerprint, KeyRing
from worker.messages import ADD_ORDER, UNREADABLE, Delivery

MESSAGE_ID_CHARS_MAX = 128
ACTION = "addorder"
# What a content_encoding may say of a body that is not encoded. Celery's kombu, for one, names the charset there.
PLAIN = frozenset({"identity", "utf-8", "utf8"})
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be told of a delivery without the database. Either `request` or `rejection` is set."""

    delivery: Delivery
    response_type: ResponseType = ResponseType.JSON
    unknown_names: tuple[str, ...] = ()
    caller: Caller | None = None
    request: OrderRequest | None = None
    fingerprint: Fingerprint | None = None
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    keys: KeyRing
    authenticator: Authenticator
    request_bytes_max: int

    async def read(self, delivery: Delivery, catalog: Catalog) -> Reading:
        """Decode, authenticate and parse; the first stage that says no ends it."""
        response_type, caller = ResponseType.JSON, None
        unknown: tuple[str, ...] = ()
        try:
            tree = self._decode(delivery)
            response_type = ResponseType.of(tree.get("responsetype")) or ResponseType.JSON
            unknown = tuple(add_order.unknown_names(tree))
            check_message_id(delivery.properties.message_id)
            caller = await self.authenticator.authenticate(tree, delivery.properties.user_id, catalog)
            check_action(tree, delivery.routing_key)
            _check_permission(caller)
            request = add_order.parse(tree)
        except Rejected as rejected:
            rejection = Rejection.of(rejected.faults)
            return Reading(delivery, response_type, unknown, caller, rejection=rejection)
        return Reading(delivery, response_type, unknown, caller, request, self.keys.fingerprint(request))

    def _decode(self, delivery: Delivery) -> wire.Tree:
        check_size(delivery.body, self.request_bytes_max)
        if UNREADABLE in delivery.properties.headers:
            raise Rejected(rejections.malformed("its properties or headers make no sense"))
        if (delivery.properties.content_encoding or "identity").lower() not in PLAIN:
            raise Rejected(rejections.malformed("content_encoding is not supported: send the plain body"))
        return wire.decode(delivery.body, delivery.properties.content_type)


def check_message_id(message_id: str | None) -> None:
    if not message_id:
        raise Rejected(rejections.message_id_missing())
    if len(message_id) > MESSAGE_ID_CHARS_MAX or "\0" in message_id:
        raise Rejected(rejections.message_id_invalid(MESSAGE_ID_CHARS_MAX))


def check_size(body: bytes, bytes_max: int) -> None:
    if len(body) > bytes_max:
        raise Rejected(rejections.request_too_large(bytes_max))


def check_action(tree: wire.Tree, routing_key: str) -> None:
    """See that the body, or else the routing key, asks for what this queue does (addorder.md 3, `action`)."""
    action = tree.get("action") or (ACTION if routing_key == ADD_ORDER else "")
    if not isinstance(action, str) or action.strip().lower() != ACTION:
        raise Rejected(rejections.unknown_action())


def _check_permission(caller: Caller) -> None:
    if not caller.may(ACTION):
        raise Rejected(rejections.permission_denied(ACTION))


def content_hash(body: bytes) -> str:
    """Stand for a request that could not be read, or whose caller is not known."""
    return hashlib.sha256(body).hexdigest()


def traceparent_of(delivery: Delivery) -> str | None:
    written = delivery.properties.headers.get("traceparent")
    return written if isinstance(written, str) and _TRACEPARENT.fullmatch(written) else None
