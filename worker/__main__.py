"""The command line: `orders`. Every command is a module of worker/commands/."""

import logging
import signal
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module, metadata
from typing import Annotated

import typer
from rich.markup import escape

from worker.commands import err, fail, out
from worker.commands.output import OutputFault, forget_output, guarded_output
from worker.operations.faults import OperationFault
from worker.settings import SettingsError

# Name → what is run, in the module of that name. A group of commands is an `app` of its own.
COMMANDS: Mapping[str, str] = {
    "demo": "demo.demo",
    "worker": "work.work",
    "migrate": "migrate.migrate",
    "topology": "topology.app",
    "catalog": "catalog.app",
    "credentials": "credentials.app",
    "price": "price.price",
    "publish": "publish.publish",
    "events": "events.events",
    "dead": "dead.app",
    "audit": "audit.audit",
    "secrets": "secrets.app",
    "prune": "prune.prune",
    "show": "show.show",
    "find": "find.find",
    "status": "status.status",
    "doctor": "doctor.doctor",
}


READER_GONE = 128 + signal.SIGPIPE  # as a shell shows whoever ends so


def _show_version(asked: bool) -> None:  # noqa: FBT001  # as typer calls it
    if asked:
        out.print(metadata.version("order-processor"))
        raise typer.Exit


def program(
    *,
    version: Annotated[  # acts by its callback
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass


def app_of(names: Iterable[str]) -> typer.Typer:
    """Make the program with these commands."""
    app = typer.Typer(
        name="orders",
        help="Takes AddOrder requests from RabbitMQ, prices and places them in Postgres, and tells the world.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        callback=program,
    )
    for name in names:
        module, _, attribute = COMMANDS[name].partition(".")
        command = getattr(import_module(f"worker.commands.{module}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _asked_for(arguments: list[str]) -> Iterable[str]:
    """Load the command that is asked for and no other: all of them take as long again to import."""
    return arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS


def main() -> None:
    """Run a command; what a person did wrong is said in a line, not in a traceback."""
    # Commands say themselves, and once, that a server is away. A worker sets up logging of its own.
    logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    try:
        with guarded_output():
            _run(app_of(_asked_for(sys.argv[1:])))
    except OutputFault as fault:
        forget_output()
        if fault.is_reader_gone:
            sys.exit(READER_GONE)
        fail(escape(str(fault)))


def _run(app: typer.Typer) -> None:
    """Run the program, and tell in a line what came in between: the one place where this is done."""
    try:
        app(prog_name="orders")
    except OperationFault as fault:
        fail(escape(str(fault)))
    except SettingsError as error:
        err.print(f"[red]settings:[/] {escape(str(error))}")
        sys.exit(2)


if __name__ == "__main__":
    main()
