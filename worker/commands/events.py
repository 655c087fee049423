"""`orders events`: follow what is published."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.text import Text

from schemas.events import EventType
from worker.broker.events import heard
from worker.commands import out
from worker.operations.servers import broker
from worker.redaction import escape_controls
from worker.settings import Settings


def events(
    match: Annotated[str, typer.Option(help="Only types that this topic pattern matches, such as 'email.*'.")] = "#",
    count: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole events, one a line.")] = False,
) -> None:
    """Follow orders.events readably, from now on, until Ctrl-C."""
    url = Settings.read().require("amqp_url")
    try:
        asyncio.run(_follow(url, match, count, as_json=as_json))
    except KeyboardInterrupt:
        return


async def _follow(url: str, match: str, count: int | None, *, as_json: bool) -> None:
    async with broker(url, "orders events") as connection, heard(connection, match) as bodies:
        for _ in itertools.repeat(None) if count is None else range(count):
            body = await bodies.get()
            out.print(body.decode() if as_json else line_of(body), markup=False)


def line_of(body: bytes, *, with_request: bool = True) -> Text:
    """Write an event in one line: when, what, and what matters of it."""
    event = json.loads(body)
    data = event["data"]
    line = Text.assemble(
        (event["time"][11:19], "dim"), " ", (escape_controls(event["type"]), _COLOURS.get(event["type"], "cyan"))
    )
    line.append(f" {escape_controls(_about(event['type'], data))}")
    return line.append(f" (request {escape_controls(str(data['request_id']))})", style="dim") if with_request else line


def _about(event_type: str, data: dict[str, Any]) -> str:
    """Tell what matters of an event."""
    match event_type:
        case EventType.ORDER_ADDED:
            return f"order {data['orderid']} of client {data['clientid']}: {data['amount']} {data['currency']}"
        case EventType.ORDER_REJECTED:
            return f"{data['code']}: {data['message']}"
        case EventType.ORDER_FAILED:
            return str(data["reason"])
        case EventType.INVOICE_CREATED:
            invoice = data["invoice"]
            return f"invoice {invoice['id']} over {invoice['total']} to {data['to']['email']}"
        case EventType.ORDER_CONFIRMATION:
            return f"order {data['ordernum']} to {data['to']['email']}"
    return ""


_COLOURS: Mapping[str, str] = {
    EventType.ORDER_ADDED: "green",
    EventType.ORDER_REJECTED: "yellow",
    EventType.ORDER_FAILED: "red",
}
