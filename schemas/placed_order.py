"""What is said of an order that was placed: the reply, order.added, and the mails that it asks for (addorder.md 6)."""

import datetime as dt
from collections.abc import Iterator
from typing import Literal, NamedTuple

from schemas.events import (
    AddonItem,
    AppliedPromotion,
    Buyer,
    Cause,
    Currency,
    DomainItem,
    DomainRenewalItem,
    Event,
    EventData,
    Invoice,
    InvoiceCreated,
    Line,
    OrderAdded,
    OrderConfirmation,
    OrderedItem,
    OrderInvoice,
    Recipient,
    RenewalItem,
    Seller,
    ServiceItem,
    Tax,
)
from schemas.order import (
    Bill,
    InvoiceLine,
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedRenewal,
    PricedService,
    RenewalKind,
)
from schemas.order_changes import cancelled
from schemas.replies import OrderPlaced, Reply


def reply(order: PricedOrder, placed: PlacedOrder) -> Reply:
    """Answer for a placed order (addorder.md 4)."""
    services = _as_text(_ids(order, placed, PricedService))
    said = OrderPlaced(
        result="success",
        orderid=placed.order_id,
        invoiceid=placed.invoice_id,
        serviceids=services,
        productids=services,
        addonids=_as_text(_ids(order, placed, PricedAddon)),
        domainids=_as_text(_ids(order, placed, PricedDomain)),
        warnings=order.warnings,
    )
    return Reply.of(said)


def events(order: PricedOrder, placed: PlacedOrder, cause: Cause) -> tuple[Event, ...]:
    """Say that an order was added, what mails it asks for, and which orders it has taken the place of."""
    subject = str(placed.order_id)
    said = tuple(Event.of(data, cause, subject=subject) for data in _said(order, placed, cause))
    return said + tuple(event for one in order.supersedes for event in cancelled(one, placed.order_id, cause))


def _said(order: PricedOrder, placed: PlacedOrder, cause: Cause) -> Iterator[EventData]:
    yield _order_added(order, placed, cause)
    mailed = _Mailed(_recipient(order), _currency(order), lines(order, placed))
    if placed.invoice_id and not order.request.no_invoice_email:
        yield InvoiceCreated(cause.message_id, mailed.to, _invoice(order, placed, mailed))
    if not order.request.no_email:
        yield _confirmation(order, placed, cause, mailed)


# ---------------------------------------------------------------- order.added


def _order_added(order: PricedOrder, placed: PlacedOrder, cause: Cause) -> OrderAdded:
    bill = order.bill
    return OrderAdded(
        request_id=cause.message_id,
        caller=cause.caller,
        clientid=order.client.id,
        orderid=placed.order_id,
        ordernum=placed.order_number,
        invoiceid=placed.invoice_id,
        serviceids=_ids(order, placed, PricedService),
        addonids=_ids(order, placed, PricedAddon),
        domainids=_ids(order, placed, PricedDomain),
        currency=order.currency.code,
        subtotal=bill.subtotal,
        discount=bill.discount,
        taxes=taxes(bill),
        tax_inclusive=bill.tax_inclusive,
        amount=bill.total,
        due=bill.due,
        paymentmethod=order.payment_method.name,
        paymentmethodname=order.payment_method.display_name,
        affiliateid=order.affiliate_id,
        invoice=_order_invoice(order, placed) if placed.invoice_id else None,
        items=tuple(item(priced, item_id) for priced, item_id in zip(order.items, placed.item_ids, strict=True)),
        promotion=promotion(order),
        warnings=order.warnings,
    )


def _order_invoice(order: PricedOrder, placed: PlacedOrder) -> OrderInvoice:
    bill, buyer = order.bill, order.bill.buyer
    return OrderInvoice(
        id=placed.invoice_id,
        number=placed.invoice_number,
        proforma=_is_proforma(bill),
        issued=_issued(order, placed),
        date=bill.date,
        due=bill.due,
        status=_status(bill),
        client=Buyer(
            name=buyer.name,
            company=buyer.company,
            address1=buyer.address1,
            address2=buyer.address2,
            city=buyer.city,
            state=buyer.state,
            postcode=buyer.postcode,
            country=buyer.country,
            tax_id=buyer.tax_id,
            tax_exempt=buyer.tax_exempt,
        ),
        seller=_seller(bill),
        tax_note=bill.tax_note or None,
    )


def _status(bill: Bill) -> Literal["Paid", "Unpaid"]:
    return "Paid" if bill.paid else "Unpaid"


def _is_proforma(bill: Bill) -> bool:
    """Whether an invoice is to get a number, once it is paid."""
    return bill.invoiced and bill.numbered and not bill.paid


def _issued(order: PricedOrder, placed: PlacedOrder) -> dt.date | None:
    """One that has its number as it is made has it of that day."""
    return None if placed.invoice_number is None else order.bill.date


def _seller(bill: Bill) -> Seller | None:
    """Name the seller, unless nobody has said who that is."""
    seller = bill.seller
    if not (seller.name or seller.address or seller.country or seller.tax_id):
        return None
    return Seller(seller.name, seller.address, seller.country, seller.tax_id)


def _ids(order: PricedOrder, placed: PlacedOrder, kind: type) -> tuple[int, ...]:
    """List the ids that the items of one kind were given, in item order."""
    pairs = zip(order.items, placed.item_ids, strict=True)
    return tuple(item_id for priced, item_id in pairs if isinstance(priced, kind))


def _as_text(ids: tuple[int, ...]) -> str:
    return ",".join(map(str, ids))


def promotion(order: PricedOrder) -> AppliedPromotion | None:
    applied = order.promotion
    if applied is None:
        return None
    return AppliedPromotion(applied.code, applied.type, applied.value)


def item(priced: PricedItem, item_id: int) -> OrderedItem:
    """Write one item as consumers see it; `first` is after its discounts, before tax."""
    first, recurring = priced.charge.first - priced.charge.discount, priced.charge.recurring
    # For ever lowered, it is not told: there is no other amount to come.
    full = priced.charge.recurring_full if priced.charge.discounts_left is not None else None
    match priced:
        case PricedService():
            return ServiceItem(
                kind="service",
                id=item_id,
                product=priced.product_id,
                name=priced.product_name,
                domain=priced.domain,
                cycle=priced.cycle,
                quantity=priced.quantity,
                first=first,
                recurring=recurring,
                recurring_full=full,
                discounts_left=priced.charge.discounts_left,
                period_end=priced.period_end,
            )
        case PricedAddon():
            return AddonItem(
                kind="addon",
                id=item_id,
                addon=priced.addon_id,
                name=priced.name,
                cycle=priced.cycle,
                quantity=priced.quantity,
                first=first,
                recurring=recurring,
                recurring_full=full,
                discounts_left=priced.charge.discounts_left,
                period_end=priced.period_end,
            )
        case PricedDomain():
            return DomainItem(
                kind="domain",
                id=item_id,
                tld=priced.tld,
                domain=priced.name.ascii,
                type=priced.type,
                years=priced.years,
                first=first,
                recurring=recurring,
                recurring_full=full,
                discounts_left=priced.charge.discounts_left,
                period_end=priced.period_end,
            )
        case PricedRenewal():
            return _renewal(priced, item_id)


def _renewal(priced: PricedRenewal, item_id: int) -> DomainRenewalItem | RenewalItem:
    first, recurring = priced.charge.first - priced.charge.discount, priced.charge.recurring
    if priced.kind is RenewalKind.DOMAIN:
        assert priced.years is not None, "a domain is renewed for years"
        return DomainRenewalItem(
            kind=priced.kind,
            id=item_id,
            name=priced.name,
            tld=priced.tld,
            years=priced.years,
            cycle=None,
            first=first,
            recurring=recurring,
            late_fee=priced.charge.late_fee,
            period_start=priced.period_start,
            period_end=priced.period_end,
        )
    assert priced.cycle is not None, "a service or an addon is renewed for a cycle"
    return RenewalItem(
        kind=priced.kind,
        id=item_id,
        name=priced.name,
        tld=None,
        years=None,
        cycle=priced.cycle,
        first=first,
        recurring=recurring,
        period_start=priced.period_start,
        period_end=priced.period_end,
    )


# ---------------------------------------------------------------- follow-ups


class _Mailed(NamedTuple):
    """What both mails say, made once."""

    to: Recipient
    currency: Currency
    lines: tuple[Line, ...]


def _invoice(order: PricedOrder, placed: PlacedOrder, mailed: _Mailed) -> Invoice:
    bill = order.bill
    return Invoice(
        id=placed.invoice_id,
        number=placed.invoice_number,
        proforma=_is_proforma(bill),
        issued=_issued(order, placed),
        date=bill.date,
        due=bill.due,
        status=_status(bill),
        lines=mailed.lines,
        subtotal=bill.subtotal,
        discount=bill.discount,
        taxes=taxes(bill),
        tax_inclusive=bill.tax_inclusive,
        total=bill.total,
        tax_note=bill.tax_note or None,
        seller=_seller(bill),
        currency=mailed.currency,
        paymentmethod=order.payment_method.display_name,
        ordernum=placed.order_number,
    )


def _confirmation(order: PricedOrder, placed: PlacedOrder, cause: Cause, mailed: _Mailed) -> OrderConfirmation:
    bill = order.bill
    return OrderConfirmation(
        request_id=cause.message_id,
        to=mailed.to,
        orderid=placed.order_id,
        ordernum=placed.order_number,
        invoiceid=placed.invoice_id,
        number=placed.invoice_number,
        proforma=_is_proforma(bill),
        date=bill.date,
        due=bill.due,
        status=_status(bill) if bill.invoiced else None,
        lines=mailed.lines,
        subtotal=bill.subtotal,
        discount=bill.discount,
        taxes=taxes(bill),
        tax_inclusive=bill.tax_inclusive,
        amount=bill.total,
        tax_note=bill.tax_note or None,
        seller=_seller(bill),
        currency=mailed.currency,
        paymentmethod=order.payment_method.display_name,
        services=tuple(
            f"{priced.product_name} - {priced.domain}" if priced.domain else priced.product_name
            for priced in order.items
            if isinstance(priced, PricedService)
        ),
        domains=tuple(priced.name.unicode for priced in order.items if isinstance(priced, PricedDomain)),
        warnings=order.warnings,
    )


def _recipient(order: PricedOrder) -> Recipient:
    buyer = order.bill.buyer
    return Recipient(
        name=buyer.name,
        company=buyer.company,
        email=order.client.email,
        language=order.client.language,
        address1=buyer.address1,
        address2=buyer.address2,
        city=buyer.city,
        state=buyer.state,
        postcode=buyer.postcode,
        country=buyer.country,
        tax_id=buyer.tax_id,
        tax_exempt=buyer.tax_exempt,
    )


def _currency(order: PricedOrder) -> Currency:
    return Currency(order.currency.code, order.currency.prefix, order.currency.suffix)


def lines(order: PricedOrder, placed: PlacedOrder | None = None) -> tuple[Line, ...]:
    """List the lines of the bill, with the ids that its items were given, if they have any yet."""
    return tuple(
        Line(
            kind=order.kind_of(line),
            relid=None if placed is None or line.item is None else placed.item_ids[line.item],
            description=line.description,
            amount=line.amount,
            taxed=line.taxed,
            period_end=_period_end(order, line),
        )
        for line in order.bill.lines
    )


def _period_end(order: PricedOrder, line: InvoiceLine) -> dt.date | None:
    """Tell the last day that a line pays for: a discount pays for none."""
    return None if line.item is None or line.amount < 0 else order.items[line.item].period_end


def taxes(bill: Bill) -> tuple[Tax, ...]:
    return tuple(Tax(tax.level, tax.name, tax.rate, tax.base, tax.amount) for tax in bill.taxes)
