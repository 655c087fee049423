"""`orders topology`: exchanges, queues and bindings."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping

import typer
from aio_pika.abc import AbstractConnection
from rich.box import SIMPLE
from rich.table import Table

from worker.broker import topology
from worker.broker.connection import connect
from worker.commands import broker_errors, err, out
from worker.settings import Settings

app = typer.Typer(help="Exchanges, queues and bindings: show, declare, verify, export.", no_args_is_help=True)


@app.command()
def show() -> None:
    """List what there is to declare."""
    table = Table("what", "with", box=SIMPLE)
    for exchange in topology.EXCHANGES:
        table.add_row(f"[bold]{exchange.name}[/]\n{exchange.type} exchange", _arguments(exchange.arguments))
    for queue in topology.QUEUES:
        bound = "".join(f"\nbound to {exchange} {key}".rstrip() for exchange, key in queue.bindings)
        table.add_row(f"[bold]{queue.name}[/]\nquorum queue{bound}", _arguments(queue.arguments))
        table.add_section()
    out.print(table)


@app.command()
def apply() -> None:
    """Declare everything; what exists already is compared, and a difference is named."""
    _run(topology.apply)
    err.print(f"{len(topology.EXCHANGES)} exchanges and {len(topology.QUEUES)} queues are as they should be")


@app.command()
def check() -> None:
    """See that everything exists. Changes nothing."""
    _run(topology.check)
    err.print("every exchange and queue exists")


@app.command()
def export() -> None:
    """Print the same as RabbitMQ's definitions.json."""
    out.print_json(json.dumps(topology.definitions()), highlight=False)


def _run(step: Callable[[AbstractConnection], Awaitable[None]]) -> None:
    url = Settings.read().require("amqp_url")

    async def run() -> None:
        async with connect(url, "orders topology") as connection:
            await step(connection)

    with broker_errors():
        asyncio.run(run())


def _arguments(arguments: Mapping[str, object]) -> str:
    return "\n".join(f"{name}={value}" for name, value in arguments.items())
