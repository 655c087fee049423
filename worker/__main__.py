"""The command line: `orders`. Every command is a module of worker/commands/."""

import logging
import sys
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console

from worker.commands import (
    catalog,
    credentials,
    dead,
    demo,
    doctor,
    events,
    migrate,
    out,
    price,
    prune,
    publish,
    secrets,
    show,
    status,
    topology,
    work,
)
from worker.settings import SettingsError


def _show_version(asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if asked:
        out.print(metadata.version("order-processor"))
        raise typer.Exit


app = typer.Typer(
    name="orders",
    help="Takes AddOrder requests from RabbitMQ, prices and places them in Postgres, and tells the world.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


@app.callback()
def program(
    *,
    version: Annotated[  # acts by its callback
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("worker")(work.work)
app.command("migrate")(migrate.migrate)
app.add_typer(topology.app, name="topology")
app.add_typer(catalog.app, name="catalog")
app.add_typer(credentials.app, name="credentials")
app.command("price")(price.price)
app.command("publish")(publish.publish)
app.command("events")(events.events)
app.add_typer(dead.app, name="dead")
app.add_typer(secrets.app, name="secrets")
app.command("prune")(prune.prune)
app.command("show")(show.show)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run a command; what a person did wrong is said in a line, not in a traceback."""
    # Commands say themselves, and once, that a server is away. A worker sets up logging of its own.
    logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    try:
        app(prog_name="orders")
    except SettingsError as error:
        Console(stderr=True).print(f"[red]settings:[/] {error}", highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
