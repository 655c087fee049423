"""What is said of an order that changes after it was placed (life.md 6)."""

from collections.abc import Iterator
from decimal import Decimal

from schemas.events import Cause, Event, InvoiceCancelled, ItemChange, OrderCancelled
from schemas.order import OpenInvoice, OpenOrder

CANCELLED = "Cancelled"


def cancelled(order: OpenOrder, superseded_by: int, cause: Cause) -> Iterator[Event]:
    """Say that an order of nothing but renewals was cancelled, and its invoice: another order took its place."""
    said = OrderCancelled(
        request_id=cause.message_id,
        caller=cause.caller,
        clientid=order.client_id,
        orderid=order.id,
        ordernum=order.order_number,
        from_=order.status,
        to=CANCELLED,
        superseded_by=superseded_by,
        items=tuple(
            ItemChange(kind=one.kind, id=one.target_id, from_="Pending", to=CANCELLED) for one in order.renewals
        ),
    )
    yield Event.of(said, cause, order.id, subject=str(order.id))
    if order.invoice is not None:
        yield Event.of(_invoice(order, order.invoice, cause), cause, order.invoice.id, subject=str(order.invoice.id))


def _invoice(order: OpenOrder, invoice: OpenInvoice, cause: Cause) -> InvoiceCancelled:
    return InvoiceCancelled(
        request_id=cause.message_id,
        caller=cause.caller,
        clientid=order.client_id,
        orderid=order.id,
        invoiceid=invoice.id,
        currency=invoice.currency,
        net=invoice.total - invoice.tax - invoice.tax2,
        tax=invoice.tax,
        tax2=invoice.tax2,
        total=invoice.total,
        paid=Decimal("0.00"),
    )
