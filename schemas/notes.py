"""What is kept in the broker beside requests and events: whose it is, and which orders were placed.

Written by us for us, and read with care all the same: whoever may write there may write anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas.events import EventType


@dataclass(frozen=True, slots=True)
class NotedOrder:
    """An order that was committed. `amount` is in the major unit of the currency, as it is written."""

    order_id: int
    message_id: str
    client_id: int
    amount: str
    currency: str


@dataclass(frozen=True, slots=True)
class Note:
    """Orders that were committed. `highest` is the highest id of these orders and of all that was born with them."""

    shop: str
    highest: int
    orders: tuple[NotedOrder, ...]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose broker this is."""

    shop: str


@dataclass(frozen=True, slots=True)
class _Added:
    """What matters here of the data of an event order.added, of whatever version."""

    orderid: int
    clientid: int
    amount: str
    currency: str
    request_id: str | None = None
    invoiceid: int = 0
    serviceids: tuple[int, ...] = ()
    addonids: tuple[int, ...] = ()
    domainids: tuple[int, ...] = ()


_NOTE = TypeAdapter(Note)
_OWNER = TypeAdapter(Owner)
_ADDED = TypeAdapter(_Added)


def note_body(shop: str, highest: int, orders: Sequence[NotedOrder]) -> bytes:
    return orjson.dumps(Note(shop, highest, tuple(orders)))


def read_note(body: bytes) -> Note | None:
    """Read a note; None: it is none."""
    try:
        return _NOTE.validate_json(body)
    except ValidationError:
        return None


def owner_body(shop: str) -> bytes:
    return orjson.dumps(Owner(shop))


def read_owner(body: bytes) -> Owner | None:
    """Read whose broker it is; None: this does not say it."""
    try:
        return _OWNER.validate_json(body)
    except ValidationError:
        return None


def note_of_event(body: bytes) -> Note | None:
    """Read what an event tells of an order that was placed; None: it tells of something else.

    Raises:
        ValueError: it is no event.
    """
    event = orjson.loads(body)
    if not isinstance(event, dict) or "type" not in event:
        raise ValueError("no event")
    if event["type"] != EventType.ORDER_ADDED:
        return None
    data = _ADDED.validate_python(event.get("data"))
    order = NotedOrder(data.orderid, data.request_id or "", data.clientid, data.amount, data.currency)
    highest = max((data.orderid, data.invoiceid, *data.serviceids, *data.addonids, *data.domainids))
    return Note("", highest, (order,))
