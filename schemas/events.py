"""What we publish, as types: CloudEvents 1.0, for results and for follow-ups (messages.md, "Events")."""

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Generic, Literal, TypeVar

import orjson
from pydantic import Field

from schemas.bodies import Money, MoneyOrPercent, Percent, value, write
from schemas.catalog import BillingCycle, DomainType, PromotionType
from schemas.members import with_reserved_names
from schemas.order import LineKind, RenewalKind
from schemas.rejections import Code, Fault, Rejection

CONTENT_TYPE = "application/cloudevents+json"

# Names of ids are made under this namespace; it must never change.
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "order-processor:/orders").bytes


class EventType(StrEnum):
    """What happened. The value is the routing key too."""

    ORDER_ADDED = "order.added"
    ORDER_REJECTED = "order.rejected"
    ORDER_FAILED = "order.failed"
    ORDER_CANCELLED = "order.cancelled"
    INVOICE_CANCELLED = "invoice.cancelled"
    INVOICE_CREATED = "email.invoice-created"
    ORDER_CONFIRMATION = "email.order-confirmation"


# ---------------------------------------------------------------- order.added


@value
class ServiceItem:
    """A service. `first` is what it costs now, after discounts and before tax; `recurring` null: it is billed once.

    A code lowers `recurring` for `discounts_left` further payments (null: for all), then it is `recurring_full`; null:
    none does. `period_end` is the last day that is billed.
    """

    kind: Literal["service"]
    id: int
    product: int
    name: str
    domain: str | None
    cycle: BillingCycle
    quantity: int
    first: Money
    recurring: Money | None
    recurring_full: Money | None
    discounts_left: int | None
    period_end: dt.date | None


@value
class AddonItem:
    """An addon of a service."""

    kind: Literal["addon"]
    id: int
    addon: int
    name: str
    cycle: BillingCycle
    quantity: int
    first: Money
    recurring: Money | None
    recurring_full: Money | None
    discounts_left: int | None
    period_end: dt.date | None


@value
class DomainItem:
    """A domain that is registered or transferred, by its ASCII name. `recurring` null: its TLD is not renewed.

    `period_end` null: it is transferred, and the registry tells until when it is paid then.
    """

    kind: Literal["domain"]
    id: int
    tld: str
    domain: str
    type: DomainType
    years: int
    first: Money
    recurring: Money | None
    recurring_full: Money | None
    discounts_left: int | None
    period_end: dt.date | None


@value
class DomainRenewalItem:
    """A domain that is renewed for some years; `id` is the domain's. `tld` null: it is not sold any more.

    `late_fee` is in `first`. The period is null in what is told of an order whose rows do not keep it.
    """

    kind: Literal[RenewalKind.DOMAIN]
    id: int
    name: str
    tld: str | None
    years: int
    cycle: None
    first: Money
    recurring: Money | None
    late_fee: Money
    period_start: dt.date | None
    period_end: dt.date | None


@value
class RenewalItem:
    """A service or an addon that is renewed for a cycle; `id` is that service's or addon's."""

    kind: Literal[RenewalKind.SERVICE, RenewalKind.ADDON]
    id: int
    name: str
    tld: None
    years: None
    cycle: BillingCycle
    first: Money
    recurring: Money | None
    period_start: dt.date | None
    period_end: dt.date | None


OrderedItem = ServiceItem | AddonItem | DomainItem | DomainRenewalItem | RenewalItem


@value
class AppliedPromotion:
    """The promotion that applied; its type says whether its value is an amount or a percentage."""

    code: str
    type: PromotionType
    value: MoneyOrPercent


@value
class Tax:
    """A tax on the bill. `base` is what it is of, without the tax itself; null: that was not written down."""

    level: int
    name: str
    rate: Percent
    base: Money | None
    amount: Money


@value
class Seller:
    """Who sells."""

    name: str
    address: str
    country: str
    tax_id: str


@value
class Buyer:
    """Who buys. `tax_exempt`: no tax is asked of them, and `tax_note` says why."""

    name: str
    company: str
    address1: str
    address2: str
    city: str
    state: str
    postcode: str
    country: str
    tax_id: str
    tax_exempt: bool


@value
class OrderInvoice:
    """The invoice of an order, with whom it names for good. `number` and `issued` null: it has none, or not yet."""

    id: int
    number: str | None
    proforma: bool
    issued: dt.date | None
    date: dt.date
    due: dt.date
    status: Literal["Paid", "Unpaid"]
    client: Buyer
    seller: Seller | None
    tax_note: str | None


@value
class OrderAdded:
    """An order was placed. `amount` is what is owed now; `invoiceid` is 0, and `invoice` null, without an invoice.

    `subtotal` - `discount` = `amount`, with taxes on top unless `tax_inclusive`: then they are contained.
    """

    TYPE: ClassVar = EventType.ORDER_ADDED

    request_id: str | None
    caller: str | None
    clientid: int
    orderid: int
    ordernum: str
    invoiceid: int
    serviceids: tuple[int, ...]
    addonids: tuple[int, ...]
    domainids: tuple[int, ...]
    currency: str
    subtotal: Money
    discount: Money
    taxes: tuple[Tax, ...]
    tax_inclusive: bool
    amount: Money
    due: dt.date
    paymentmethod: str
    paymentmethodname: str
    affiliateid: int | None
    invoice: OrderInvoice | None
    items: tuple[OrderedItem, ...]
    promotion: AppliedPromotion | None
    warnings: tuple[str, ...]


# ---------------------------------------------------------------- what becomes of an order


@value
class ItemChange:
    """What became of something that belongs to an order; of a renewal, `id` is of what was to be renewed."""

    kind: RenewalKind
    id: int
    from_: Annotated[str, Field(serialization_alias="from")]
    to: str


@value
class OrderCancelled:
    """An order was cancelled, with what hangs on it. `superseded_by` is the order that took its place."""

    TYPE: ClassVar = EventType.ORDER_CANCELLED

    request_id: str | None
    caller: str | None
    clientid: int
    orderid: int
    ordernum: str
    from_: Annotated[str, Field(serialization_alias="from")]
    to: str
    superseded_by: int | None
    items: tuple[ItemChange, ...]


@value
class InvoiceCancelled:
    """An invoice was cancelled before it was paid. `net` is without any tax; `paid` was paid of it already."""

    TYPE: ClassVar = EventType.INVOICE_CANCELLED

    request_id: str | None
    caller: str | None
    clientid: int
    orderid: int
    invoiceid: int
    currency: str
    net: Money
    tax: Money
    tax2: Money
    total: Money
    paid: Money


# ---------------------------------------------------------------- order.rejected, order.failed


@value
class OrderRejected:
    """A request was refused for the caller's fault; `caller` and `clientid` are null as long as they are not known."""

    TYPE: ClassVar = EventType.ORDER_REJECTED

    request_id: str | None
    caller: str | None
    clientid: int | None
    code: Code
    message: str
    faults: tuple[Fault, ...]


@value
class OrderFailed:
    """A request was set aside for a fault that is not the caller's; `reason` is the fault's name."""

    TYPE: ClassVar = EventType.ORDER_FAILED

    request_id: str | None
    reason: str
    attempts: int


# ---------------------------------------------------------------- follow-ups


@value
class Recipient:
    """Who gets a mail, in which language, and as whom an invoice names them."""

    name: str
    company: str
    email: str
    language: str
    address1: str
    address2: str
    city: str
    state: str
    postcode: str
    country: str
    tax_id: str
    tax_exempt: bool


@value
class Currency:
    """A currency, and what stands before and behind its amounts."""

    code: str
    prefix: str
    suffix: str


@value
class Line:
    """A line of a bill; a discount is negative. A description may have several rows, with a line break between them.

    `relid` is the id of the service, addon, domain or renewed thing that it bills; null: it is about the whole order,
    or about what has no id yet. `period_end` is the last day that it pays for; null: it pays for no period.
    """

    kind: LineKind
    relid: int | None
    description: str
    amount: Money
    taxed: bool
    period_end: dt.date | None


@value
class Invoice:
    """An invoice as it was made. `number` and `issued` null: it has none, or not yet, and is a pro forma."""

    id: int
    number: str | None
    proforma: bool
    issued: dt.date | None
    date: dt.date
    due: dt.date
    status: Literal["Paid", "Unpaid"]
    lines: tuple[Line, ...]
    subtotal: Money
    discount: Money
    taxes: tuple[Tax, ...]
    tax_inclusive: bool
    total: Money
    tax_note: str | None
    seller: Seller | None
    currency: Currency
    paymentmethod: str
    ordernum: str


@value
class InvoiceCreated:
    """The mail with an invoice is to be sent."""

    TYPE: ClassVar = EventType.INVOICE_CREATED

    request_id: str | None
    to: Recipient
    invoice: Invoice


@value
class OrderConfirmation:
    """The mail that confirms an order is to be sent; services and domains are written as a person reads them.

    `invoiceid` is 0, and `status` null, without an invoice.
    """

    TYPE: ClassVar = EventType.ORDER_CONFIRMATION

    request_id: str | None
    to: Recipient
    orderid: int
    ordernum: str
    invoiceid: int
    number: str | None
    proforma: bool
    date: dt.date
    due: dt.date
    status: Literal["Paid", "Unpaid"] | None
    lines: tuple[Line, ...]
    subtotal: Money
    discount: Money
    taxes: tuple[Tax, ...]
    tax_inclusive: bool
    amount: Money
    tax_note: str | None
    seller: Seller | None
    currency: Currency
    paymentmethod: str
    services: tuple[str, ...]
    domains: tuple[str, ...]
    warnings: tuple[str, ...]


# ---------------------------------------------------------------- the envelope

EventData = (
    OrderAdded | OrderCancelled | InvoiceCancelled | OrderRejected | OrderFailed | InvoiceCreated | OrderConfirmation
)

D = TypeVar("D", bound=EventData)


@value
class CloudEvent(Generic[D]):
    """An event. `subject` is the order's id; `traceparent` and `tracestate` are the request's, if it had them."""

    specversion: Literal["1.0"]
    id: str
    type: EventType
    source: Literal["/orders"]
    time: dt.datetime
    datacontenttype: Literal["application/json"]
    data: D
    subject: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """The request that events speak of."""

    caller: str | None  # None: unknown, because authentication failed or nothing could be read
    message_id: str | None
    traceparent: str | None
    time: dt.datetime  # UTC
    tracestate: str | None = None  # never without a traceparent


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it goes out. `body` is what is remembered, so that a repeat says the very same bytes."""

    id: str
    type: str  # an EventType; of one that is read back, whatever it was then
    body: bytes
    traceparent: str | None = None
    tracestate: str | None = None

    @classmethod
    def of(cls, data: EventData, cause: Cause, *names: object, subject: str | None = None) -> "Event":
        """Say something of a request. `names` tell it from whatever else of its type is said of the same request."""
        event = CloudEvent(
            specversion="1.0",
            id=event_id(cause.caller, cause.message_id, data.TYPE, *names),
            type=data.TYPE,
            source="/orders",
            time=cause.time,
            datacontenttype="application/json",
            data=with_reserved_names(data),
            subject=subject,
            traceparent=cause.traceparent,
            tracestate=cause.tracestate,
        )
        return cls(event.id, event.type, write(event), cause.traceparent, cause.tracestate)

    @classmethod
    def from_body(cls, body: bytes) -> "Event":
        envelope = orjson.loads(body)
        traces = envelope.get("traceparent"), envelope.get("tracestate")
        return cls(envelope["id"], envelope["type"], body, *traces)

    @property
    def trace(self) -> dict[str, str]:
        """The trace that it belongs to, as headers of a message (W3C trace context)."""
        traces = {"traceparent": self.traceparent, "tracestate": self.tracestate}
        return {name: written for name, written in traces.items() if written}

    @property
    def is_follow_up(self) -> bool:
        """Whether a queue waits for it, mailer or not."""
        return self.type.startswith("email.")


def event_id(*names: object) -> str:
    """Derive an id from what it stands for, so that saying it again gives the same id: a UUIDv5, as uuid5 makes it."""
    digest = hashlib.sha1(_NAMESPACE + orjson.dumps([str(name) for name in names]), usedforsecurity=False).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def rejected_event(rejection: Rejection, cause: Cause, content: str, replays: int, client_id: int | None) -> Event:
    """Say no. `content` is the request's fingerprint, or the hash of bytes that could not be read."""
    data = OrderRejected(
        request_id=cause.message_id,
        caller=cause.caller,
        clientid=client_id,
        code=rejection.code,
        message=rejection.message,
        faults=rejection.faults,
    )
    return Event.of(data, cause, rejection.code, content, replays)


def failed_event(reason: str, cause: Cause, content: str, replays: int, attempts: int) -> Event:
    """Say that a request was set aside for a fault that is not the caller's."""
    data = OrderFailed(request_id=cause.message_id, reason=reason, attempts=attempts)
    return Event.of(data, cause, reason, content, replays)
