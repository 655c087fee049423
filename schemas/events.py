"""What we publish: CloudEvents 1.0, for results and for follow-ups (messages.md, "Events")."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from schemas.order import (
    Client,
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedRenewal,
    PricedService,
)
from schemas.rejections import Rejection
from schemas.replies import ids_of

CONTENT_TYPE = "application/cloudevents+json"
SOURCE = "/orders"
ORDER_ADDED = "order.added"
ORDER_REJECTED = "order.rejected"
ORDER_FAILED = "order.failed"
INVOICE_CREATED = "email.invoice-created"
ORDER_CONFIRMATION = "email.order-confirmation"

# Names of ids are made under this namespace; it must never change.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "order-processor:/orders").bytes

Data = dict[str, Any]  # JSON to be


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it goes out. `body` is what is remembered, so that a repeat says the very same bytes."""

    id: str
    type: str
    body: bytes

    @classmethod
    def from_body(cls, body: bytes) -> "Event":
        envelope = orjson.loads(body)
        return cls(envelope["id"], envelope["type"], body)

    @property
    def is_follow_up(self) -> bool:
        """Whether a queue waits for it, mailer or not."""
        return self.type.startswith("email.")


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that events speak of."""

    caller: str | None  # None: unknown, because authentication failed or nothing could be read
    message_id: str | None
    traceparent: str | None
    time: datetime  # UTC


def event_id(*names: object) -> str:
    """Derive an id from what it stands for, so that saying it again gives the same id: a UUIDv5, as uuid5 makes it."""
    digest = hashlib.sha1(_NAMESPACE + orjson.dumps([str(name) for name in names]), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def placed_events(order: PricedOrder, placed: PlacedOrder, cause: Cause) -> tuple[Event, ...]:
    """Say that an order was added, and what mails it asks for (addorder.md 6)."""
    wanted: list[tuple[str, Callable[[PricedOrder, PlacedOrder, Cause], Data]]] = [(ORDER_ADDED, _order_added)]
    if placed.invoice_id and not order.request.no_invoice_email:
        wanted.append((INVOICE_CREATED, _invoice_created))
    if not order.request.no_email:
        wanted.append((ORDER_CONFIRMATION, _order_confirmation))
    return tuple(
        _event(
            event_id(cause.caller, cause.message_id, event_type),
            event_type,
            {"request_id": cause.message_id, **data_of(order, placed, cause)},
            cause,
            subject=str(placed.order_id),
        )
        for event_type, data_of in wanted
    )


def rejected_event(rejection: Rejection, cause: Cause, content: str, replays: int, client_id: int | None) -> Event:
    """Say no. `content` is the request's fingerprint, or the hash of bytes that could not be read."""
    data = {
        "request_id": cause.message_id,
        "caller": cause.caller,
        "clientid": client_id,
        **rejection_data(rejection),
    }
    names = (cause.caller, cause.message_id, ORDER_REJECTED, rejection.code, content, replays)
    return _event(event_id(*names), ORDER_REJECTED, data, cause)


def rejection_data(rejection: Rejection) -> Data:
    return {
        "code": rejection.code,
        "message": rejection.message,
        "faults": [
            {"code": fault.code, "message": fault.message, "parameter": fault.parameter, "item": fault.item}
            for fault in rejection.faults
        ],
    }


def failed_event(reason: str, cause: Cause, content: str, replays: int, attempts: int) -> Event:
    """Say that a request was set aside for a fault that is not the caller's."""
    data = {"request_id": cause.message_id, "reason": reason, "attempts": attempts}
    names = (cause.caller, cause.message_id, ORDER_FAILED, reason, content, replays)
    return _event(event_id(*names), ORDER_FAILED, data, cause)


def _event(identifier: str, event_type: str, data: Data, cause: Cause, subject: str | None = None) -> Event:
    envelope: Data = {
        "specversion": "1.0",
        "id": identifier,
        "type": event_type,
        "source": SOURCE,
        "time": cause.time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }
    if subject is not None:
        envelope["subject"] = subject
    if cause.traceparent is not None:
        envelope["traceparent"] = cause.traceparent
    return Event(identifier, event_type, orjson.dumps(envelope, default=_json_value))


def _json_value(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


# ---------------------------------------------------------------- order.added


def _order_added(order: PricedOrder, placed: PlacedOrder, cause: Cause) -> Data:
    return {
        "caller": cause.caller,
        "clientid": order.client.id,
        "orderid": placed.order_id,
        "ordernum": placed.order_number,
        "invoiceid": placed.invoice_id,
        "serviceids": ids_of(order, placed, PricedService),
        "addonids": ids_of(order, placed, PricedAddon),
        "domainids": ids_of(order, placed, PricedDomain),
        "currency": order.currency.code,
        "amount": order.bill.total,
        "items": [
            {"kind": item.kind, "id": item_id, **item_data(item)}
            for item, item_id in zip(order.items, placed.item_ids, strict=True)
        ],
        "promotion": promotion_data(order),
        "warnings": order.warnings,
    }


def promotion_data(order: PricedOrder) -> Data | None:
    if order.promotion is None:
        return None
    return {"code": order.promotion.code, "type": order.promotion.type, "value": order.promotion.value}


def item_data(item: PricedItem) -> Data:
    """Write one item as consumers see it; `first` is after its discounts, before tax."""
    money = {"first": item.charge.first - item.charge.discount, "recurring": item.charge.recurring}
    match item:
        case PricedService():
            named: Data = {
                "product": item.product_id,
                "name": item.product_name,
                "domain": item.domain,
                "cycle": item.cycle,
                "quantity": item.quantity,
            }
        case PricedAddon():
            named = {"addon": item.addon_id, "name": item.name, "cycle": item.cycle, "quantity": item.quantity}
        case PricedDomain():
            named = {"tld": item.tld, "domain": item.name.ascii, "type": item.type, "years": item.years}
        case PricedRenewal():
            named = {"name": item.name, "tld": item.tld, "years": item.years, "cycle": item.cycle}
    return {**named, **money}


# ---------------------------------------------------------------- follow-ups


def _invoice_created(order: PricedOrder, placed: PlacedOrder, _cause: Cause) -> Data:
    bill = order.bill
    return {
        "to": _recipient(order.client),
        "invoice": {
            "id": placed.invoice_id,
            "date": bill.date,
            "due": bill.due,
            "status": "Paid" if bill.paid else "Unpaid",
            "lines": lines_data(order),
            "subtotal": bill.subtotal,
            "discount": bill.discount,
            "taxes": taxes_data(order),
            "total": bill.total,
            "currency": _currency(order),
            "paymentmethod": order.payment_method.display_name,
            "ordernum": placed.order_number,
        },
    }


def _order_confirmation(order: PricedOrder, placed: PlacedOrder, _cause: Cause) -> Data:
    return {
        "to": _recipient(order.client),
        "orderid": placed.order_id,
        "ordernum": placed.order_number,
        "date": order.bill.date,
        "lines": lines_data(order),
        "subtotal": order.bill.subtotal,
        "discount": order.bill.discount,
        "amount": order.bill.total,
        "currency": _currency(order),
        "paymentmethod": order.payment_method.display_name,
        "services": [
            f"{item.product_name} - {item.domain}" if item.domain else item.product_name
            for item in order.items
            if isinstance(item, PricedService)
        ],
        "domains": [item.name.unicode for item in order.items if isinstance(item, PricedDomain)],
        "warnings": order.warnings,
    }


def _recipient(client: Client) -> Data:
    return {
        "name": f"{client.first_name} {client.last_name}".strip(),
        "company": client.company_name,
        "email": client.email,
        "language": client.language,
    }


def taxes_data(order: PricedOrder) -> list[Data]:
    return [{"level": tax.level, "name": tax.name, "rate": tax.rate, "amount": tax.amount} for tax in order.bill.taxes]


def lines_data(order: PricedOrder) -> list[Mapping[str, object]]:
    return [{"description": line.description, "amount": line.amount} for line in order.bill.lines]


def _currency(order: PricedOrder) -> Data:
    return {"code": order.currency.code, "prefix": order.currency.prefix, "suffix": order.currency.suffix}
