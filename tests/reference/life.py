"""What becomes of an order later, as far as money goes: paid, accepted, cancelled (5.7, 5.8, 5.12; life.md 2 and 3)."""

from collections.abc import Iterator
from datetime import date

from tests.reference import numbers
from tests.reference.amounts import Entry
from tests.reference.books import Books, Domain, Order, Renewal, Service
from tests.reference.days import DAY, MONTHS, months_on


def cancel(books: Books, order_id: int) -> None:
    """Cancel a Pending order: its invoice is cancelled, and what it took is given back."""
    order = books.orders[order_id]
    assert order.status == "Pending"
    order.status = "Cancelled"
    invoice = books.unpaid_invoice(order_id)
    if invoice:
        invoice.status = "Cancelled"
    for one in _made_by(order, books):
        if one.status in ("Pending", "Active", "Suspended", "Pending Transfer"):
            one.status = "Cancelled"
    for renewal in order.renewals:
        if renewal.status == "Pending":
            renewal.status = "Cancelled"
            if renewal.took_discount:
                _renewed(renewal, books).discounts_left += 1
    for product, units in order.stock.items():
        books.stock[product] += units
    if order.promotion is not None:
        use(books, order.promotion, -1)


def use(books: Books, promotion: int, times: int) -> None:
    """Count a use of a code, or one that is given back; only of a code with a limit anybody keeps count."""
    if promotion in books.uses:
        books.uses[promotion] += times


def accept(books: Books, order_id: int, today: date) -> None:
    """Accept a Pending order. Without an invoice nothing is to be waited for: its renewals are complete (life.md 2)."""
    order = books.orders[order_id]
    assert order.status == "Pending"
    order.status = "Active"
    for one in _made_by(order, books):
        if one.status == "Pending":
            one.status = "Active"
    if order.invoice is None:
        _complete(order, books, today)


def settle(shop: Entry, books: Books, invoice_id: int, today: date) -> None:
    """Pay all of an invoice: it gets its number, its renewals are complete, and dates move."""
    invoice = books.invoices[invoice_id]
    assert invoice.status == "Unpaid"
    invoice.status, invoice.paid, invoice.issued = "Paid", invoice.total, today
    form = shop.get("settings", {}).get("invoice_number")
    if form:
        invoice.number = numbers.take(books.numbers, form, today)
    _complete(books.orders[invoice.order], books, today)


def _complete(order: Order, books: Books, today: date) -> None:
    """Move the dates of what an order made and renewed. A period is reckoned again, as things stand now."""
    for made in _made_by(order, books):
        if isinstance(made, Service) and made.period_end:
            made.next_due = made.period_end + DAY
        elif isinstance(made, Domain):
            made.period_end = made.billed_until
    for renewal in order.renewals:
        if renewal.status != "Pending":
            continue
        renewal.status = "Completed"
        if renewal.kind == "domain_renewal":
            domain = books.domains[renewal.target]
            known = [domain.expires, domain.period_end and domain.period_end + DAY]
            starts = max((day for day in known if day), default=today)
            domain.period_end = months_on(starts, renewal.months) - DAY
        else:
            one = _renewed(renewal, books)
            one.period_end = months_on(one.next_due, MONTHS[one.cycle]) - DAY
            one.next_due = one.period_end + DAY


def _made_by(order: Order, books: Books) -> Iterator[Service | Domain]:
    for rows in (books.services, books.addons, books.domains):
        yield from (one for one in rows.values() if one.order == order.id)


def _renewed(renewal: Renewal, books: Books) -> Service:
    return (books.services if renewal.kind == "service_renewal" else books.addons)[renewal.target]
