"""`orders price`: what a request would cost and why, line by line, without placing it."""

from collections.abc import Iterator

import typer
from rich.text import Text

from repository.database import Database
from schemas.order import Charge, InvoiceLine, PricedAddon, PricedDomain, PricedItem, PricedOrder, PricedService
from schemas.quotes import quote as quote_of
from schemas.rejections import Rejection
from worker.commands import AsJson, display, echo, err, out
from worker.commands.database import with_database
from worker.commands.invoice_text import tax_text
from worker.commands.layout import Column, Stack, Table, in_rows
from worker.commands.requests import Files, Forms, requests_in
from worker.domain.dates import last_day
from worker.intake import quote
from worker.redaction import escape_controls
from worker.settings import Settings

Verdict = PricedOrder | Rejection


def price(files: Files = None, form: Forms = None, as_json: AsJson = False) -> None:
    """Tell what requests would cost, or why they would be refused.

    Line by line; nothing is sent or placed.

    The same rules decide as in a worker, on the database as it stands; whether the caller may ask is not checked.
    Ends with status 1 when one would be refused.
    """
    settings = Settings.read()
    requests = [
        quote.read(request.body, request.content_type, bytes_max=settings.request_bytes_max)
        for request in requests_in(files, form)
    ]

    async def run(database: Database) -> list[Verdict]:
        return [
            request if isinstance(request, Rejection) else await quote.quote(request, database) for request in requests
        ]

    verdicts = with_database(run)
    for number, verdict in enumerate(verdicts):
        if as_json:
            echo(quote_of(verdict))
        else:
            if number:
                out.print()
            display(_screen(verdict))
    if not verdicts:
        err.print("no request was given")
    if any(isinstance(verdict, Rejection) for verdict in verdicts):
        raise typer.Exit(1)


def _screen(verdict: Verdict) -> Stack:
    return _refused(verdict) if isinstance(verdict, Rejection) else _priced(verdict)


def _refused(rejection: Rejection) -> Stack:
    said = [Text.assemble(("it would be rejected: ", "bold yellow"), rejection.code)]
    return Stack([*said, *(f"  {fault.message}" for fault in rejection.faults)])


def _priced(order: PricedOrder) -> Stack:
    rows: list[tuple[str | Text, str | Text]] = [
        (_described(line, order), str(line.amount)) for line in order.bill.lines
    ]
    rows += [(Text(name, style="dim"), amount) for name, amount in _sums(order)]
    total = f"{order.bill.total} {order.currency.code}"
    rows.append((Text("to be paid now", style="bold"), Text(total, style="bold")))
    bill = Table([Column("", text=True), Column("", right=True)], rows, with_headings=False)
    notes = [Text(f"warning: {escape_controls(warning)}", style="yellow") for warning in order.warnings]
    return Stack([bill, Text(_invoice(order), style="dim"), *notes])


def _described(line: InvoiceLine, order: PricedOrder) -> Text:
    """Write a line; below that of an item, what its amount is made of."""
    text = in_rows(line.description)
    # A discount stands below the line of its item, and says itself what it is.
    if line.item is not None and line.amount >= 0:
        why = ", ".join(_reasons(order.items[line.item], order))
        text.append(f"\n  {why}", style="dim")
    return text


def _reasons(item: PricedItem, order: PricedOrder) -> Iterator[str]:
    """Say what is in the amount of an item's first payment, and what comes after it."""
    charge = item.charge
    yield f"{_own_price(item, order)} {charge.price - charge.options}"
    if charge.options:
        yield f"{'options' if isinstance(item, PricedService) else 'extras'} {charge.options}"
    if charge.setup:
        yield f"setup fee {charge.setup}"
    if order.bill.taxes:
        yield "taxed" if charge.taxed else "not taxed"
    yield _afterwards(item, charge)


def _own_price(item: PricedItem, order: PricedOrder) -> str:
    """Name the rule that made the price (addorder.md 5)."""
    asked = next((asked for asked in order.request.items if asked.key == getattr(item, "item", None)), None)
    match item:
        case PricedService() if asked and asked.price_override is not None:
            name = "price asked for (priceoverride)"
        case PricedService() if item.period_end and item.period_end != last_day(item.next_due, item.cycle.months):
            name = "price of the days up to the prorata day"
        case PricedDomain() if item.free:
            name = "free with the product"
        case PricedDomain() if asked and asked.domain_price_override is not None:
            name = "price asked for (domainpriceoverride)"
        case _:
            name = "price"
    units = item.quantity if isinstance(item, PricedService | PricedAddon) else 1
    return name if units == 1 else f"{name} for {units}"


def _afterwards(item: PricedItem, charge: Charge) -> str:
    if charge.recurring is None:
        return "once"
    if isinstance(item, PricedDomain):
        return f"then {charge.recurring} for {'a year' if item.years == 1 else f'{item.years} years'}"
    return f"then {charge.recurring} {item.cycle}"


def _sums(order: PricedOrder) -> Iterator[tuple[str, str]]:
    bill = order.bill
    if bill.discount or bill.taxes:
        yield "subtotal", str(bill.subtotal)
    if bill.discount:
        yield "discounts", str(-bill.discount)
    for tax in bill.taxes:
        yield tax_text(tax, contained=bill.tax_inclusive), str(tax.amount)


def _invoice(order: PricedOrder) -> str:
    bill = order.bill
    note = f"; {escape_controls(bill.tax_note)}" if bill.tax_note else ""
    if bill.invoiced:
        kind = "a pro forma invoice" if bill.numbered and not bill.paid else "an invoice"
        return f"{kind} of {bill.date}, {'paid at once' if bill.paid else f'due {bill.due}'}{note}"
    return "no invoice: noinvoice" if order.request.no_invoice else "no invoice: everything is free"
