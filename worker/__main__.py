"""The command line: `orders`. Every command is a module of worker/commands/."""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Annotated

import typer
from rich.markup import escape
from typer._click import Context, HelpFormatter  # its own copy of click, with which it calls us
from typer.core import TyperArgument, TyperCommand

from worker.commands import err, fail, out
from worker.commands.output import OutputFault, forget_output, guarded_output
from worker.operations.faults import OperationFault
from worker.settings import SettingsError


@dataclass(frozen=True, slots=True)
class Command:
    """What is run, in a module of worker/commands/, and by which settings. A group is an `app` of its own."""

    where: str
    settings: str


AMQP, POSTGRES = "ORDERS_AMQP_URL", "ORDERS_POSTGRES_URL"
MANAGEMENT = "ORDERS_MANAGEMENT_URL"
SHOP = "ORDERS_TAX, ORDERS_INVOICE_GRACE_DAYS, ORDERS_NAMESERVERS"

COMMANDS: Mapping[str, Command] = {
    "demo": Command("demo.demo", f"none: it makes its own; {AMQP} and {POSTGRES} name servers to use"),
    "worker": Command("work.work", "all of them; README.md tells what each means"),
    "migrate": Command("migrate.migrate", POSTGRES),
    "topology": Command(
        "topology.app", f"{AMQP}; to check, apply and adopt also {POSTGRES}, ORDERS_SECRET_KEYS, {MANAGEMENT}"
    ),
    "catalog": Command("catalog.app", POSTGRES),
    "credentials": Command("credentials.app", POSTGRES),
    "price": Command("price.price", f"{POSTGRES}, {SHOP}, ORDERS_REQUEST_BYTES_MAX"),
    "publish": Command("publish.publish", AMQP),
    "events": Command("events.events", f"{AMQP}; with --since {POSTGRES}"),
    "dead": Command("dead.app", f"{AMQP}; {POSTGRES} for edit and discard, and to write down the others"),
    "audit": Command("audit.audit", POSTGRES),
    "secrets": Command("secrets.app", f"{POSTGRES}, ORDERS_SECRET_KEYS"),
    "recover": Command("recover.recover", f"{AMQP}, {POSTGRES}"),
    "prune": Command("prune.prune", POSTGRES),
    "show": Command("show.show", f"{POSTGRES}; with {AMQP} it looks among the dead letters too"),
    "find": Command("find.find", POSTGRES),
    "workers": Command("workers.workers", f"{POSTGRES}; where that is away {AMQP} and {MANAGEMENT}"),
    "status": Command("status.status", f"{AMQP}, {POSTGRES}, or one of them"),
    "doctor": Command("doctor.doctor", "those that are to be checked"),
}
COMPLETING = "_ORDERS_COMPLETE"  # set by shells that complete a line
READER_GONE = 128 + signal.SIGPIPE  # as a shell shows whoever ends so


class Worded(TyperCommand):
    """A command whose help names an argument alone: the type that Python gives it tells a person nothing."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        arguments, options = [], []
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is None:
                continue
            if isinstance(parameter, TyperArgument):
                arguments.append((str(parameter.metavar), record[1]))
            else:
                options.append(record)
        for title, records in (("Arguments", arguments), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


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
        epilog="Settings are ORDERS_… variables, or lines of a file that ORDERS_ENV_FILE names.",
        no_args_is_help=True,
        # Without frames: they take the room of what there is to read.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        callback=program,
    )
    for name in names:
        module, _, attribute = COMMANDS[name].where.partition(".")
        command = getattr(import_module(f"worker.commands.{module}"), attribute)
        epilog = f"Settings: {COMMANDS[name].settings}."
        if isinstance(command, typer.Typer):
            for member in command.registered_commands:
                member.cls, member.epilog = Worded, epilog
            app.add_typer(command, name=name, epilog=epilog)
        else:
            app.command(name, cls=Worded, epilog=epilog)(command)
    return app


def _asked_for(arguments: Sequence[str], environ: Mapping[str, str]) -> Iterable[str]:
    """Load the command that is asked for and no other: all of them take as long again to import.

    A shell that completes a line says in a variable what was written so far: bash in the one, zsh in the other.
    """
    if COMPLETING in environ:
        written = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
        arguments = written.split()[1:]
    return arguments[:1] if arguments and arguments[0] in COMMANDS else COMMANDS


def main() -> None:
    """Run a command; what a person did wrong is said in a line, not in a traceback."""
    app = app_of(_asked_for(sys.argv[1:], os.environ))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on commands end as they think right
    # Commands say themselves, and once, that a server is away. A worker sets up logging of its own.
    logging.getLogger("aio_pika").setLevel(logging.CRITICAL)
    logging.getLogger("aiormq").setLevel(logging.CRITICAL)
    try:
        with guarded_output():
            _run(app)
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
