"""The command line: `orders`. Every command is a module of worker/commands/."""

import logging
import sys

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

app = typer.Typer(
    name="orders",
    help="Takes AddOrder requests from RabbitMQ, prices and places them in Postgres, and tells the world.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
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
