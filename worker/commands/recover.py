"""`orders recover`: what a failover or a restored backup has lost, and how workers go on."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from schemas.notes import NotedOrder
from worker.commands import echo, err, needed, out
from worker.commands.operating import actor_of, confirm
from worker.commands.options import Yes
from worker.operations import recover as operation
from worker.operations.recover import Loss
from worker.operations.servers import archive, broker
from worker.redaction import escape_controls
from worker.settings import Settings


def recover(
    *,
    events: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(
            metavar="FILE", help="Events as well, one a line, as `orders events --json` prints them; - for stdin."
        ),
    ] = None,
    gap: Annotated[bool, typer.Option("--gap", help="Leave ids out although nothing is known to be missing.")] = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lost orders as JSON, one a line.")] = False,
) -> None:
    """Tell what a failover or a restored backup has lost.

    Then leave the ids of those orders out, and let workers go on.

    What workers noted in RabbitMQ, and FILE, are held against the database. Then ids are left out, so that none which
    the world has seen is given a second time. Nothing is brought back: who sends a lost request again places it anew.
    """
    settings = Settings.read()
    amqp_url, postgres_url = needed(settings, "amqp_url", "postgres_url")

    async def run() -> None:
        async with archive(postgres_url) as database, broker(amqp_url, "orders recover") as connection:
            loss = await operation.survey(connection, database, events or ())
            _tell(loss, as_json=as_json)
            if not (loss.lost or gap):
                return
            if not yes:
                await asyncio.to_thread(
                    confirm, "leave out all ids up to those, and let workers go on?", "nothing done"
                )
            gap_to = await operation.leave_out(database, loss, actor_of(settings))
        err.print(f"ids go on beyond {gap_to}; paused workers go on within seconds")

    asyncio.run(run())


def _tell(loss: Loss, *, as_json: bool) -> None:
    for order in loss.orders:
        echo(asdict(order)) if as_json else out.print(_line_of(order))
    standing = f"the highest there is {loss.highest_there}, the timeline {loss.home.timeline}"
    if loss.lost:
        err.print(f"{len(loss.lost):,} of {loss.looked_at:,} orders are not in the database: {standing}")
    else:
        err.print(f"nothing is missing of {loss.looked_at:,} orders that are known: {standing}")
        err.print("a worker that is paused for an order that nobody noted goes on after --gap")


def _line_of(order: NotedOrder) -> Text:
    about = f" of client {order.client_id}: {order.amount} {order.currency}"
    return Text.assemble("order ", (str(order.order_id), "bold"), escape_controls(about)).append(
        f" (request {escape_controls(order.message_id)})", style="dim"
    )
