"""`orders show`: where is my request? Its order, its ending, its events, or its dead letter."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from repository.show import Answered, Asked, Found, Rows
from worker.broker.dead_letters import DeadLetter
from worker.commands import echo, err, fail, out
from worker.commands.database import with_database
from worker.commands.events import line_of
from worker.commands.letters import facts, moment
from worker.operations.letters import REASONS, whole
from worker.operations.selection import Where
from worker.operations.trace import Letters, ending_of, trace
from worker.redaction import plain
from worker.settings import Settings

Columns = Mapping[str, str]

# What is shown of each table, under which heading, so that a row fits a line of 80 columns; --json shows the rest.
COLUMNS: Mapping[str, Columns] = {
    "services": {
        "id": "id",
        "product": "product",
        "domain": "domain",
        "cycle": "cycle",
        "quantity": "qty",
        "first_payment": "first",
        "recurring": "recurring",
        "status": "status",
    },
    "service_addons": {
        "id": "id",
        "addon": "addon",
        "service_id": "service",
        "cycle": "cycle",
        "quantity": "qty",
        "first_payment": "first",
        "recurring": "recurring",
        "status": "status",
    },
    "domains": {
        "id": "id",
        "name": "name",
        "type": "type",
        "years": "years",
        "first_payment": "first",
        "recurring": "recurring",
        "status": "status",
    },
    "renewals": {
        "domain": "domain",
        "service_id": "service",
        "service_addon_id": "addon",
        "years": "years",
        "cycle": "cycle",
        "amount": "amount",
        "status": "status",
    },
    "invoices": {
        "id": "id",
        "due": "due",
        "subtotal": "subtotal",
        "discount": "discount",
        "tax": "tax",
        "tax2": "tax 2",
        "total": "total",
        "status": "status",
    },
    "invoice_lines": {"description": "description", "amount": "amount"},
}
LONG = frozenset({"product", "addon", "domain", "name", "description"})
MONEY = frozenset({"amount", "first_payment", "recurring", "subtotal", "discount", "tax", "tax2", "total"})


def show(
    reference: Annotated[
        str,
        typer.Argument(
            metavar="ORDER_OR_MESSAGE_ID", help="An order id, an order number or a message_id.", show_default=False
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show where a request is: its order, its ending, its events, or its dead letter."""
    settings = Settings.read()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None

    found, letters = with_database(lambda database: trace(reference, database, amqp_url))
    if as_json and (found or letters.found):
        echo(_json(reference, found, letters, settings.request_bytes_max))
    else:
        for number, screen in enumerate(_screens(found, letters.found)):
            out.print(*([Rule(style="dim")] if number else []), screen)
        for sentence in letters.unread:
            err.print(f"note: {sentence}", markup=False)
    if not (found or letters.found):
        fail(
            f"no order, no request and no dead letter is called {escape(plain(reference))}. "
            "One that was just sent may still wait in a queue: `orders status` tells"
        )


# ---------------------------------------------------------------- as JSON


def _json(reference: str, found: Sequence[Found], letters: Letters, bytes_max: int) -> dict[str, object]:
    return {
        "reference": reference,
        "requests": [_json_of(one) for one in found],
        "dead_letters": [whole(letter, bytes_max) for letter in letters.found],
        "not_looked_into": letters.unread,
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
        "order": {"id": found.order_id, **found.rows} if found.rows else None,
    }


# ---------------------------------------------------------------- on a screen


def _screens(found: Iterable[Found], letters: Iterable[DeadLetter]) -> Iterator[Table]:
    for one in found:
        yield facts([*_request(one), *_answer(one), *parts_of_order(one.rows)])
    for letter in letters:
        yield _letter(letter)


def _request(found: Found) -> Iterator[tuple[str, RenderableType]]:
    asked = found.asked
    if asked is None:
        yield "request", "none: this order did not come through the queue"
        return
    times = "once" if asked.deliveries == 1 else f"{asked.deliveries} times"
    yield "request", Text(plain(asked.message_id), style="bold")
    yield "caller", _caller(asked)
    yield "first seen", f"{_time(asked.first_seen)}, delivered {times}"


def _caller(asked: Asked) -> str:
    return f"{asked.caller} ({asked.credential})" if asked.credential else asked.caller


def _answer(found: Found) -> Iterator[tuple[str, RenderableType]]:
    answer = found.answer
    if answer is None:
        if found.asked is not None:
            placed = "placed; what was answered is not kept any more"
            yield (
                "ending",
                placed if found.order_id is not None else "none yet, or a rejection that is not kept any more",
            )
        return
    if answer.outcome == "rejected":
        code, message = (plain(str(answer.reply.get(name, ""))) for name in ("code", "message"))
        yield "ending", Text.assemble(("rejected", "bold yellow"), f" {_time(answer.answered_at)}\n{code}: {message}")
    else:
        yield "ending", Text.assemble(("placed", "bold green"), f" {_time(answer.answered_at)}, order {found.order_id}")
    yield "events", Group(*_events(answer))


def _events(answer: Answered) -> Iterator[Text]:
    if answer.published_at is None:
        yield Text("not confirmed by the broker yet; a worker publishes them until they are:", style="yellow")
    else:
        yield Text(f"published {_time(answer.published_at)}")
    for event in answer.events:
        line = line_of(event.encode(), with_request=False)
        line.plain = plain(line.plain)
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line


def parts_of_order(rows: Rows) -> Iterator[tuple[str, RenderableType]]:
    """Name and lay out an order and all that was born with it, for 80 columns."""
    if not rows:
        return
    [order] = rows["order"]
    number, amount = Text(order["order_number"], style="bold"), f"{order['amount']} {order['currency']}"
    who = f"client {order['client_id']}" + (f", contact {order['contact_id']}" if order["contact_id"] else "")
    by = f", asked by {order['asked_by']}" if order["asked_by"] else ""
    promotion = f", promotion {order['promotion_code']}" if order["promotion_code"] else ""
    yield "order", Text.assemble(f"{order['id']}, number ", number, f", {order['status']}")
    yield "", f"{who}, placed {_time(order['placed_at'])}{by}"
    yield "", f"{amount} by {order['payment_method']}{promotion}"
    for table, columns in COLUMNS.items():
        if table in rows:
            yield table.replace("_", " "), _table(rows[table], columns)


def _table(rows: Sequence[Mapping[str, Any]], columns: Columns) -> Table:
    used = {
        column: heading for column, heading in columns.items() if any(_says_much(column, row[column]) for row in rows)
    }
    table = Table.grid(padding=(0, 2))
    for column in used:
        table.add_column(justify="right" if column in MONEY else "left", no_wrap=column not in LONG, overflow="fold")
    table.add_row(*(Text(heading, style="dim") for heading in used.values()))
    for row in rows:
        table.add_row(*(Text(plain(_cell(row[column]))) for column in used))
    return table


def _says_much(column: str, value: object) -> bool:
    return bool(value) and not (column == "quantity" and value == 1)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _letter(letter: DeadLetter) -> Table:
    where = next(where for where in Where if where.queue == letter.queue)
    option = "" if where is Where.DEAD else f" --queue {where}"
    return facts(
        [
            (f"{where} letter" if where is Where.DEAD else "unrouted", Text(plain(letter.message_id), style="bold")),
            ("publisher", letter.delivery.properties.user_id),
            ("reason", Text.assemble((letter.reason, "bold yellow"), f": {REASONS.get(letter.reason, 'see message')}")),
            ("message", ": ".join(filter(None, (letter.code, letter.message)))),
            ("died", moment(letter.died_at)),
            ("replays", str(letter.replays or "")),
            ("more", f"orders dead show {letter.message_id}{option}"),
        ]
    )


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
