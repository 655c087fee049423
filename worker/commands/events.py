"""`orders events`: follow what is published."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from repository.database import Database
from schemas.events import EventType
from worker.broker.events import heard
from worker.commands import err, needed, out
from worker.commands.bars import progress
from worker.commands.database import with_database
from worker.commands.operating import PROGRESS_FROM, actor_of
from worker.commands.options import Since, Until
from worker.operations import again
from worker.operations.audit import Written
from worker.operations.servers import archive, broker
from worker.redaction import escape_controls
from worker.settings import Settings


def events(  # noqa: PLR0913  # an option is a parameter
    *,
    match: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only types that this topic pattern matches, such as 'email.*'.")
    ] = "#",
    count: Annotated[int | None, typer.Option(min=1, metavar="N", help="End after so many events.")] = None,
    since: Since = None,
    until: Until = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="QUEUE", help="With --since: send what is kept to this queue only."),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="With --to: at most so many a second.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run/--no-dry-run", help="With --to: only tell how many.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole events, one a line.")] = False,
) -> None:
    """Follow orders.events readably, from now on, until Ctrl-C.

    With --since: what was announced from then on and is still kept; with --to as well it is sent again to a queue
    of somebody who came late, under the same ids. That takes the right to write to queues, as a worker's user has it.
    """
    settings = Settings.read()
    if since is None:
        if to or until:
            raise typer.BadParameter("say from when on", param_hint="--since")
        [url] = needed(settings, "amqp_url")
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_follow(url, match, count, as_json=as_json))
        return
    span = (since.first, until.last if until else datetime.now(UTC))
    if to is None:
        with_database(lambda database: _print(database, span, match, count, as_json=as_json))
    else:
        asyncio.run(_send(settings, to, span, match, None if dry_run else Rate(rate)))


@dataclass(frozen=True, slots=True)
class Rate:
    """How many a second; None: as fast as it goes."""

    most: float | None


Span = tuple[datetime, datetime]


async def _print(database: Database, span: Span, match: str, count: int | None, *, as_json: bool) -> None:
    left = count
    async with aclosing(again.found(database, *span, match)) as stretches:
        async for events_ in stretches:
            for event in events_[:left]:
                _tell(event.body, as_json=as_json)
            left = None if left is None else left - len(events_[:left])
            if left == 0:
                return


async def _send(settings: Settings, queue: str, span: Span, match: str, rate: Rate | None) -> None:
    """Send kept events to a queue; None for a rate: only tell how many."""
    amqp_url, postgres_url = needed(settings, "amqp_url", "postgres_url")
    actor = actor_of(settings)
    async with (
        archive(postgres_url) as database,
        broker(amqp_url, "orders events") as connection,
    ):
        await again.check_target(connection, queue)
        planned = await again.count(database, *span, match)
        if rate is None:
            err.print(f"{planned:,} events would be sent to {queue}; none was. Add [bold]--no-dry-run[/] to send them.")
            return
        sending = again.send_again(
            connection,
            database,
            queue,
            *span,
            match=match,
            rate=rate.most,
            actor=actor,
            ledger=Written(database, actor),
            planned=planned,
        )
        done = 0
        with progress(planned, PROGRESS_FROM) as bars:
            bar = bars.add_task("sending", total=planned)
            async with aclosing(sending):
                async for confirmed in sending:
                    done += confirmed
                    bars.advance(bar, confirmed)
    err.print(f"{done:,} events sent to {queue}", markup=False)


async def _follow(url: str, match: str, count: int | None, *, as_json: bool) -> None:
    async with broker(url, "orders events") as connection, heard(connection, match) as bodies:
        for _ in itertools.repeat(None) if count is None else range(count):
            _tell(await bodies.get(), as_json=as_json)


def _tell(body: bytes, *, as_json: bool) -> None:
    if as_json:
        typer.echo(body.decode())
    else:
        out.print(line_of(body))


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
    told = _ABOUT.get(event_type)
    return told(data) if told else ""


_ABOUT: Mapping[str, Callable[[dict[str, Any]], str]] = {
    EventType.ORDER_ADDED: lambda data: (
        f"order {data['orderid']} of client {data['clientid']}: {data['amount']} {data['currency']}"
    ),
    EventType.ORDER_CANCELLED: lambda data: (
        f"order {data['orderid']} of client {data['clientid']}: {data['from']} to {data['to']}"
    ),
    EventType.INVOICE_CANCELLED: lambda data: f"invoice {data['invoiceid']} over {data['total']} {data['currency']}",
    EventType.ORDER_REJECTED: lambda data: f"{data['code']}: {data['message']}",
    EventType.ORDER_FAILED: lambda data: str(data["reason"]),
    EventType.INVOICE_CREATED: lambda data: (
        f"invoice {data['invoice']['id']} over {data['invoice']['total']} to {data['to']['email']}"
    ),
    EventType.ORDER_CONFIRMATION: lambda data: f"order {data['ordernum']} to {data['to']['email']}",
}

_COLOURS: Mapping[str, str] = {
    EventType.ORDER_ADDED: "green",
    EventType.ORDER_CANCELLED: "yellow",
    EventType.INVOICE_CANCELLED: "yellow",
    EventType.ORDER_REJECTED: "yellow",
    EventType.ORDER_FAILED: "red",
}
