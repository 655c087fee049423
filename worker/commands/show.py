"""`orders show`: where is my request? Its order, its ending, its events, or its dead letter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from rich.text import Text

from repository.show import Answered, Asked, Found
from schemas.recorded import (
    RecordedBill,
    RecordedChange,
    RecordedInvoice,
    RecordedItem,
    RecordedLine,
    RecordedOrder,
    RecordedRenewal,
    RecordedService,
)
from worker.broker.dead_letters import DeadLetter
from worker.commands import display, echo, err, fail, out
from worker.commands.audit import sentence_of
from worker.commands.database import with_database
from worker.commands.events import line_of
from worker.commands.invoice_text import invoice_text, tax_text
from worker.commands.layout import Column, Content, Grid, Stack, Table, in_rows
from worker.commands.letters import moment
from worker.operations.letters import REASONS, details
from worker.operations.selection import Where
from worker.operations.trace import Fault, Letters, Trace, ending_of, faults_of, trace
from worker.redaction import escape_controls
from worker.settings import Settings

Columns = Mapping[str, Callable[[Any], object]]  # heading → what of a value stands below it

ITEM: Columns = {"first": lambda item: item.first_payment, "recurring": lambda item: item.recurring}

# What is shown of each part; --json shows the rest.
COLUMNS: Mapping[str, Columns] = {
    "services": {
        "id": lambda service: service.id,
        "product": lambda service: service.product_name,
        "domain": lambda service: service.domain,
        "cycle": lambda service: service.cycle,
        "qty": lambda service: "" if service.quantity == 1 else service.quantity,
        **ITEM,
        "status": lambda service: service.status,
    },
    "addons": {
        "id": lambda addon: addon.id,
        "addon": lambda addon: addon.name,
        "service": lambda addon: addon.service_id,
        "cycle": lambda addon: addon.cycle,
        "qty": lambda addon: "" if addon.quantity == 1 else addon.quantity,
        **ITEM,
        "status": lambda addon: addon.status,
    },
    "domains": {
        "id": lambda domain: domain.id,
        "name": lambda domain: domain.name.ascii,
        "type": lambda domain: domain.type,
        "years": lambda domain: domain.years,
        **ITEM,
        "status": lambda domain: domain.status,
    },
    "renewals": {
        "id": lambda renewal: renewal.target_id,
        "what": lambda renewal: renewal.name,
        "years": lambda renewal: renewal.years,
        "cycle": lambda renewal: renewal.cycle,
        "amount": lambda renewal: renewal.amount,
        "status": lambda renewal: renewal.status,
    },
}
LONG = frozenset({"product", "addon", "domain", "name", "what"})
NUMBERS = frozenset({"id", "service", "qty", "years", "amount", "first", "recurring"})


def show(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="ORDER_OR_MESSAGE_ID", help="An order id, an order number or a message_id.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show where a request is.

    Its order, its ending, its events, its dead letter, and what operators did about it.
    """
    settings = Settings.read()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None

    traced = with_database(lambda database: trace(reference, database, amqp_url, settings.request_bytes_max))
    if as_json and not traced.is_empty:
        echo(_json(reference, traced, settings.request_bytes_max))
    else:
        for number, screen in enumerate(_screens(traced)):
            if number:
                out.print()
            display(screen)
        for sentence in traced.letters.unread:
            err.print(f"note: {sentence}", markup=False)
    if traced.is_empty:
        fail(
            f"no order, no request and no dead letter is called {escape(escape_controls(reference))}. "
            "One that was just sent may still wait in a queue: `orders status` tells"
        )


# ---------------------------------------------------------------- as JSON


def _json(reference: str, traced: Trace, bytes_max: int) -> dict[str, object]:
    return {
        "reference": reference,
        "requests": [_json_of(one) for one in traced.requests],
        "dead_letters": [
            {**details(letter, bytes_max, traced.letters.identifiers), "faults": [asdict(fault) for fault in faults]}
            for letter, faults in _with_faults(traced.letters)
        ],
        "acts": [{**asdict(done.act), "order_id": done.order_id} for done in traced.done],
        "not_looked_into": traced.letters.unread,
    }


def _json_of(found: Found) -> dict[str, object]:
    asked, answer = found.asked, found.answer
    return {
        "message_id": asked and asked.message_id,
        "caller": asked and asked.caller,
        "credential": asked and asked.credential,
        "first_seen": asked and asked.first_seen,
        "deliveries": asked and asked.deliveries,
        "ending": ending_of(found),
        "answered_at": answer and answer.answered_at,
        "published_at": answer and answer.published_at,
        "reply": answer and answer.reply,
        "events": [orjson.loads(event) for event in answer.events] if answer else [],
        "order": _json_of_order(found.order) if found.order else None,
    }


def _json_of_order(order: RecordedOrder) -> dict[str, object]:
    row = {
        "id": order.id,
        "order_number": order.order_number,
        "client_id": order.client.id,
        "contact_id": order.contact_id,
        "status": order.status,
        "currency": order.currency,
        "amount": order.amount,
        "payment_method": order.payment_method,
        "promotion_code": order.promotion and order.promotion.code,
        "affiliate_id": order.affiliate_id,
        "asked_by": order.asked_by,
        "placed_at": order.placed_at,
        "catalogue_version": order.catalogue_version,
    }
    parts = {
        "services": [{**asdict(one), "product": one.product_name} for one in order.services],
        "service_addons": [{**asdict(one), "addon": one.name} for one in order.addons],
        "domains": [
            {
                **asdict(one),
                "name": one.name.ascii,
                "name_unicode": one.name.unicode,
                "extras": sorted(one.extras),
            }
            for one in order.domains
        ],
        "renewals": [{**asdict(one), "domain": one.domain and one.domain.ascii} for one in order.renewals],
        "invoices": [asdict(order.invoice)] if order.invoice else [],
        "invoice_lines": [asdict(one) for one in order.lines],
        "bill": [asdict(order.bill)] if order.bill else [],
    }
    return {"id": order.id, "order": [row], **{name: rows for name, rows in parts.items() if rows}}


# ---------------------------------------------------------------- on a screen


def _screens(traced: Trace) -> Iterator[Grid]:
    for one in traced.requests:
        yield Grid([*_request(one), *_answer(one), *(parts_of_order(one.order) if one.order else ())])
    for letter, faults in _with_faults(traced.letters):
        yield _letter(letter, faults)
    if traced.done:
        yield Grid([("operators", Stack([sentence_of(done.act, done.order_id) for done in traced.done]))])


def _request(found: Found) -> Iterator[tuple[str, Content]]:
    asked = found.asked
    if asked is None:
        yield "request", "none: this order did not come through the queue"
        return
    times = "once" if asked.deliveries == 1 else f"{asked.deliveries} times"
    yield "request", Text(escape_controls(asked.message_id), style="bold")
    yield "caller", _caller(asked)
    yield "first seen", f"{_time(asked.first_seen)}, delivered {times}"


def _caller(asked: Asked) -> str:
    return f"{asked.caller} ({asked.credential})" if asked.credential else asked.caller


def _answer(found: Found) -> Iterator[tuple[str, Content]]:
    answer = found.answer
    if answer is None:
        if found.asked is not None:
            placed = "placed; what was answered is not kept any more"
            yield (
                "ending",
                placed if found.order is not None else "none yet, or a rejection that is not kept any more",
            )
        return
    if answer.outcome == "rejected":
        yield "ending", Text.assemble(("rejected", "bold yellow"), f" {_time(answer.answered_at)}")
        faults = faults_of(answer) or [Fault(str(answer.reply.get("code")), str(answer.reply.get("message")))]
        yield "", Stack([f"{fault.code}: {fault.message}" for fault in faults])
    else:
        order_id = found.order and found.order.id
        yield "ending", Text.assemble(("placed", "bold green"), f" {_time(answer.answered_at)}, order {order_id}")
    yield "events", Stack(list(_events(answer)))


def _events(answer: Answered) -> Iterator[Text]:
    if answer.published_at is None:
        yield Text("not confirmed by the broker yet; a worker publishes them until they are:", style="yellow")
    else:
        yield Text(f"published {_time(answer.published_at)}")
    for event in answer.events:
        line = line_of(event.encode(), with_request=False)
        line.plain = escape_controls(line.plain)
        yield line


def parts_of_order(order: RecordedOrder) -> Iterator[tuple[str, Content]]:
    """Name and lay out an order and all that was born with it."""
    who = f"client {order.client.id}" + (f", contact {order.contact_id}" if order.contact_id else "")
    by = f", asked by {escape_controls(order.asked_by)}" if order.asked_by else ""
    promotion = f", promotion {escape_controls(order.promotion.code)}" if order.promotion else ""
    yield "order", Text.assemble(f"{order.id}, number ", (order.order_number, "bold"), f", {order.status}")
    yield "", f"{who}, placed {_time(order.placed_at)}{by}"
    yield "", f"{order.amount} {order.currency} by {order.payment_method}{promotion}"
    for name, items in (
        ("services", order.services),
        ("addons", order.addons),
        ("domains", order.domains),
        ("renewals", order.renewals),
    ):
        if items:
            yield name, _table(items, COLUMNS[name], [_more_of(one) for one in items])
    if order.invoice:
        yield "invoice", Stack(list(invoice_text(order.invoice)))
        yield "invoice lines", _bill(order.lines, order.invoice, order)
    elif order.bill:
        yield "no invoice", f"due {order.bill.due}"
        yield "owed", _bill(order.bill.lines, order.bill, order)
    if order.history:
        yield "history", Stack([_change(one) for one in order.history])


def _change(change: RecordedChange) -> str:
    by = f" by {escape_controls(change.asked_by)}" if change.asked_by else ""
    superseded_by = change.details.get("superseded_by")
    why = f": order {superseded_by} renews all of it again" if superseded_by else ""
    return f"{_time(change.at)} {change.from_status} to {change.to_status}{by}{why}"


def _bill(lines: Sequence[RecordedLine], bill: RecordedInvoice | RecordedBill, order: RecordedOrder) -> Table:
    """List the lines, and below them how they come to the order's amount."""
    rows = [(in_rows(line.description), str(line.amount)) for line in lines]
    rows.append((Text("subtotal", style="dim"), str(bill.subtotal)))
    if bill.discount:
        rows.append((Text("discounts", style="dim"), str(-bill.discount)))
    for what, amount in _taxes(bill):
        rows.append((Text(what, style="dim"), str(amount)))
    rows.append((Text("total", style="bold"), f"{order.amount} {order.currency}"))
    return Table([Column("description", text=True), Column("amount", right=True)], rows)


def _taxes(bill: RecordedInvoice | RecordedBill) -> Iterator[tuple[str, Decimal]]:
    if bill.taxes is not None:
        yield from ((tax_text(tax, contained=bill.tax_inclusive), tax.amount) for tax in bill.taxes)
    elif isinstance(bill, RecordedInvoice):  # the version before did not write down what they are called
        levels = ((bill.tax_rate, bill.tax), (bill.tax_rate2, bill.tax2))
        yield from ((f"tax {rate.normalize():f} %", amount) for rate, amount in levels if amount)


def _table(values: Sequence[object], columns: Columns, tails: Sequence[str] = ()) -> Table:
    return Table(
        [Column(heading, right=heading in NUMBERS, text=heading in LONG) for heading in columns],
        [[_cell(get(value)) for get in columns.values()] for value in values],
        tails=tails,
    )


def _more_of(item: RecordedItem) -> str:
    """Say what stands in no column: until when it is billed, how long a code lowers it, what was chosen."""
    return "; ".join(filter(None, (_period_of(item), _lowered(item), _late(item), _chosen(item))))


def _period_of(item: RecordedItem) -> str:
    if item.period_end is None:
        return ""
    begins = f"from {item.period_start} " if isinstance(item, RecordedRenewal) else ""
    return f"billed {begins}until {item.period_end}"


def _lowered(item: RecordedItem) -> str:
    if isinstance(item, RecordedRenewal) or item.recurring_full is None or item.discounts_left is None:
        return ""
    return f"{item.recurring_full} after {item.discounts_left} more at {item.recurring}"


def _late(item: RecordedItem) -> str:
    return f"{item.late_fee} of it for being late" if isinstance(item, RecordedRenewal) and item.late_fee else ""


def _chosen(service: RecordedItem) -> str:
    """Name what was chosen and filled in; what was filled in is nobody's to see."""
    if not isinstance(service, RecordedService):
        return ""
    options = ", ".join(
        f"{option.name} {option.choice or ''}".strip() + (f" x {option.quantity}" if option.quantity > 1 else "")
        for option in service.options
        if option.quantity  # else it was not taken
    )
    fields = ", ".join(service.custom_fields)
    return "; ".join(filter(None, (options, f"filled in: {fields}" if fields else "")))


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _with_faults(letters: Letters) -> Iterator[tuple[DeadLetter, list[Fault]]]:
    return zip(letters.found, letters.faults, strict=True)


def _letter(letter: DeadLetter, faults: Sequence[Fault]) -> Grid:
    others = [f"{fault.code}: {fault.message}" for fault in faults[1:]]
    where = next(where for where in Where if where.queue == letter.queue)
    option = "" if where is Where.DEAD else f" --queue {where}"
    return Grid(
        [
            (
                f"{where} letter" if where is Where.DEAD else "unrouted",
                Text(escape_controls(letter.message_id), style="bold"),
            ),
            ("publisher", letter.delivery.properties.user_id),
            ("reason", Text.assemble((letter.reason, "bold yellow"), f": {REASONS.get(letter.reason, 'see message')}")),
            ("message", ": ".join(filter(None, (letter.code, letter.message)))),
            ("also", Stack(others) if others else None),
            ("died", moment(letter.died_at)),
            ("replays", str(letter.replays or "")),
            ("more", f"orders dead show {letter.message_id}{option}"),
        ]
    )


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
