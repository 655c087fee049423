"""A placed order, put together again from its rows and from the request that comes again for it.

The request says which items there were, in which order, and which mails were wanted; the rows say what they were given
and what they cost. What neither knows is of today: names of items, and of orders of the version before what it did not
write down.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from schemas.catalog import Catalog, DomainType, Promotion, PromotionType
from schemas.order import (
    Bill,
    Charge,
    InvoiceLine,
    Item,
    OrderRequest,
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedRenewal,
    PricedService,
    RenewalKind,
    TaxAmount,
)
from schemas.recorded import (
    RecordedAddon,
    RecordedBill,
    RecordedDomain,
    RecordedInvoice,
    RecordedItem,
    RecordedLine,
    RecordedOrder,
    RecordedRenewal,
    RecordedService,
)
from schemas.shop_settings import Seller
from worker.domain.dates import MONTHS_A_YEAR, last_day
from worker.domain.domain_names import tld_of
from worker.domain.money import ZERO, to_minor_unit
from worker.domain.periods import first_period
from worker.domain.tax import rule_of
from worker.domain.wording import (
    addon_renewal_text,
    addon_text,
    domain_renewal_text,
    domain_text,
    period_text,
    service_renewal_text,
    service_text,
)


def rebuild_order(request: OrderRequest, order: RecordedOrder, catalog: Catalog) -> tuple[PricedOrder, PlacedOrder]:
    """Put an order together again, so that its reply and events say what they said, under the ids that they had."""
    digits = catalog.currencies[order.currency].digits
    recorded = tuple(_in_order(request, order))
    items = tuple(_priced(item, order, catalog, digits) for item in recorded)
    priced = PricedOrder(
        request=request,
        client=order.client,
        currency=catalog.currencies[order.currency],
        payment_method=catalog.payment_methods[order.payment_method],
        items=items,
        bill=_bill(order, items, catalog, digits),
        promotion=_promotion(order, catalog),
        affiliate_id=order.affiliate_id,
        warnings=order.warnings,
        stock_taken={},
    )
    placed = PlacedOrder(
        order_id=order.id,
        order_number=order.order_number,
        invoice_id=order.invoice.id if order.invoice else 0,
        # One that was paid later had none when the order was told.
        invoice_number=order.invoice.number if order.invoice and order.invoice.total == 0 else None,
        item_ids=tuple(item.target_id if isinstance(item, RecordedRenewal) else item.id for item in recorded),
    )
    return priced, placed


def _in_order(request: OrderRequest, order: RecordedOrder) -> Iterator[RecordedItem]:
    """Give the rows the order that their items have in the request (cart.py).

    A request that is not the one the order was made of, because the key of its fingerprint is gone, loses none of them.
    """
    services, domains = deque(order.services), deque(order.domains)
    for item in request.items:
        if item.product_id is not None and services:
            for _ in range(min(_copies(item, services[0]), len(services))):
                yield from _with_addons(services.popleft(), order)
        if item.domain_type is not None and domains:
            yield domains.popleft()
    for service in services:
        yield from _with_addons(service, order)
    yield from domains
    own = {service.id for service in order.services}
    yield from (addon for addon in order.addons if addon.service_id not in own)
    yield from order.renewals


def _copies(item: Item, first: RecordedService) -> int:
    """Count the services of an item: a quantity is either in the row, or there are as many rows (addorder.md 5.3)."""
    asked = item.quantity or 1
    return 1 if first.quantity == asked else asked


def _with_addons(service: RecordedService, order: RecordedOrder) -> Iterator[RecordedItem]:
    yield service
    yield from (addon for addon in order.addons if addon.service_id == service.id)


# ---------------------------------------------------------------- items


def _priced(item: RecordedItem, order: RecordedOrder, catalog: Catalog, digits: int) -> PricedItem:
    match item:
        case RecordedService():
            return _service(item, order, catalog, digits)
        case RecordedAddon():
            return _addon(item, order, catalog, digits)
        case RecordedDomain():
            return _domain(item, order, catalog, digits)
        case RecordedRenewal():
            return _renewal(item, catalog, digits)


def _charge(item: RecordedService | RecordedAddon | RecordedDomain, recurring: Decimal | None, digits: int) -> Charge:
    """Write what was paid first with its discounts taken off: they are not known item by item any more."""
    return Charge(
        price=to_minor_unit(item.first_payment, digits),
        setup=to_minor_unit(ZERO, digits),
        recurring=None if recurring is None else to_minor_unit(recurring, digits),
        recurring_full=None if item.recurring_full is None else to_minor_unit(item.recurring_full, digits),
        discounts_left=item.discounts_left,
        taxed=False,
    )


def _service(item: RecordedService, order: RecordedOrder, catalog: Catalog, digits: int) -> PricedService:
    period_end = item.period_end
    if period_end is None:
        period_end = first_period(item.cycle, catalog.products[item.product_id].prorata, order.date).last_day
    return PricedService(
        item=0,
        product_id=item.product_id,
        product_name=item.product_name,
        domain=item.domain,
        cycle=item.cycle,
        quantity=item.quantity,
        charge=_charge(item, item.recurring if item.cycle.months else None, digits),
        description=service_text(
            item.product_name,
            item.quantity,
            item.domain,
            period_text(order.date, period_end, catalog.settings.date_format),
        ),
        next_due=item.next_due,
        period_end=period_end,
    )


def _addon(item: RecordedAddon, order: RecordedOrder, catalog: Catalog, digits: int) -> PricedAddon:
    domain = next((service.domain for service in order.services if service.id == item.service_id), None)
    period_end = item.period_end or first_period(item.cycle, None, order.date).last_day
    return PricedAddon(
        addon_id=item.addon_id,
        name=item.name,
        service=None,
        service_id=item.service_id,
        cycle=item.cycle,
        quantity=item.quantity,
        charge=_charge(item, item.recurring if item.cycle.months else None, digits),
        description=addon_text(
            item.name, item.quantity, domain, period_text(order.date, period_end, catalog.settings.date_format)
        ),
        next_due=item.next_due,
        period_end=period_end,
    )


def _domain(item: RecordedDomain, order: RecordedOrder, catalog: Catalog, digits: int) -> PricedDomain:
    tld = tld_of(item.name, catalog.tlds)
    period_end = item.period_end
    if period_end is None and item.type is DomainType.REGISTER:
        period_end = last_day(order.date, item.years * MONTHS_A_YEAR)
    period = period_text(order.date, period_end, catalog.settings.date_format)
    return PricedDomain(
        item=0,
        name=item.name,
        tld=tld.tld if tld else "",
        type=item.type,
        years=item.years,
        extras=item.extras,
        free=False,
        charge=_charge(item, _recurring(item), digits),
        description=domain_text(item.type, item.name.unicode, item.years, item.extras, period),
        next_due=item.next_due,
        period_end=period_end,
    )


def _recurring(item: RecordedDomain) -> Decimal | None:
    """Tell 0.00 from nothing: the version before wrote 0.00 for a TLD that is not renewed, and no period."""
    return None if item.period_end is None and not item.recurring else item.recurring


def _renewal(item: RecordedRenewal, catalog: Catalog, digits: int) -> PricedRenewal:
    tld = tld_of(item.domain, catalog.tlds) if item.domain else None
    period = (
        ""
        if item.period_start is None
        else period_text(item.period_start, item.period_end, catalog.settings.date_format)
    )
    match item.kind:
        case RenewalKind.DOMAIN:
            description = domain_renewal_text(item.name, item.years or 1, (), period)
        case RenewalKind.SERVICE:
            description = service_renewal_text(item.name, None, period)
        case RenewalKind.ADDON:
            description = addon_renewal_text(item.name, period)
    late_fee = to_minor_unit(item.late_fee or ZERO, digits)
    return PricedRenewal(
        kind=item.kind,
        target_id=item.target_id,
        name=item.name,
        tld=tld.tld if tld else None,
        years=item.years,
        cycle=item.cycle,
        charge=Charge(
            price=to_minor_unit(item.amount, digits) - late_fee,
            setup=to_minor_unit(ZERO, digits),
            recurring=None,
            taxed=False,
            late_fee=late_fee,
        ),
        description=description,
        period_start=item.period_start,
        period_end=item.period_end,
    )


# ---------------------------------------------------------------- the bill


def _bill(order: RecordedOrder, items: tuple[PricedItem, ...], catalog: Catalog, digits: int) -> Bill:
    if order.invoice is not None:
        return _invoice(order, order.invoice, catalog, digits)
    return _bill_of_before(order, items, digits) if order.bill is None else _bill_kept(order, order.bill, digits)


def _invoice(order: RecordedOrder, invoice: RecordedInvoice, catalog: Catalog, digits: int) -> Bill:
    taxes = tuple(_taxes_of_before(invoice, order, catalog, digits)) if invoice.taxes is None else invoice.taxes
    return Bill(
        lines=tuple(_lines(order.lines, digits)),
        subtotal=to_minor_unit(invoice.subtotal, digits),
        discount=to_minor_unit(invoice.discount, digits),
        taxes=taxes,
        tax_inclusive=invoice.tax_inclusive,
        total=to_minor_unit(invoice.total, digits),
        invoiced=True,
        paid=invoice.total == 0,
        date=invoice.date,
        due=invoice.due,
        buyer=invoice.client or order.client.as_buyer,
        seller=invoice.seller or Seller(),
        tax_note=invoice.tax_note or "",
        numbered=bool(invoice.proforma),
    )


def _bill_kept(order: RecordedOrder, bill: RecordedBill, digits: int) -> Bill:
    return Bill(
        lines=tuple(_lines(bill.lines, digits)),
        subtotal=bill.subtotal,
        discount=bill.discount,
        taxes=bill.taxes,
        tax_inclusive=bill.tax_inclusive,
        total=to_minor_unit(order.amount, digits),
        invoiced=False,
        paid=False,
        date=order.date,
        due=bill.due,
        buyer=order.client.as_buyer,
        seller=bill.seller,
        tax_note=bill.tax_note,
        numbered=False,
    )


def _lines(lines: Iterable[RecordedLine], digits: int) -> Iterator[InvoiceLine]:
    """Tell the lines' items by their order: each item has one, with its promotion right below (invoice.py)."""
    position = -1
    for line in lines:
        position += line.kind not in {"promotion", "group_discount"}
        of_item = None if line.kind == "group_discount" else position
        # A discount is negative, and rounding half up is for amounts that are not: these are exact already.
        yield InvoiceLine(of_item, line.description, to_minor_unit(line.amount, digits), line.taxed)


def _taxes_of_before(
    invoice: RecordedInvoice, order: RecordedOrder, catalog: Catalog, digits: int
) -> Iterator[TaxAmount]:
    """Name the taxes as their rules are named today; what they are of was not written down."""
    for level, rate, amount in ((1, invoice.tax_rate, invoice.tax), (2, invoice.tax_rate2, invoice.tax2)):
        if amount:
            rule = rule_of(order.client, level, catalog.tax_rules)
            yield TaxAmount(level, rule.name if rule else "", rate, None, to_minor_unit(amount, digits))


def _bill_of_before(order: RecordedOrder, items: tuple[PricedItem, ...], digits: int) -> Bill:
    """List what was owed for each item: of an order without an invoice, the version before kept no more."""
    return Bill(
        lines=tuple(InvoiceLine(n, item.description, item.charge.first, taxed=False) for n, item in enumerate(items)),
        subtotal=sum((item.charge.first for item in items), to_minor_unit(ZERO, digits)),
        discount=to_minor_unit(ZERO, digits),
        taxes=(),
        tax_inclusive=False,
        total=to_minor_unit(order.amount, digits),
        invoiced=False,
        paid=False,
        date=order.date,
        due=order.date,
        buyer=order.client.as_buyer,
        seller=Seller(),
        tax_note="",
        numbered=False,
    )


def _promotion(order: RecordedOrder, catalog: Catalog) -> Promotion | None:
    """Take the promotion as it applied then. A catalogue changes promotions, but takes none away."""
    applied = order.promotion
    if applied is None:
        return None
    today = next(promotion for promotion in catalog.promotions.values() if promotion.id == applied.id)
    return replace(today, code=applied.code, type=PromotionType(applied.type), value=applied.value)
