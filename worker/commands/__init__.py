"""The commands of `orders`, one module each."""

import getpass
import os
import sys
from typing import Annotated, Literal, NoReturn

import orjson
import typer
from rich.console import Console

from worker.commands.layout import Block, Screen
from worker.settings import Settings, SettingsError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def echo(value: object) -> None:
    """Print JSON on a line of its own. Not through rich, which would wrap it and take :name: for an emoji."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z))


def display(block: Block, console: Console = out) -> None:
    console.print(Screen(block))


def fail(sentence: str) -> NoReturn:
    """Say in a line what went wrong and how to fix it, and end with status 1."""
    err.print(f"[red]error:[/] {sentence}")
    sys.exit(1)


def person() -> str:
    """Name the user of the operating system who gives the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


def needed(settings: Settings, *names: Literal["amqp_url", "postgres_url", "secret_keys"]) -> list[str]:
    """Return the URLs that a command cannot do without.

    Raises:
        SettingsError: with a line for each that is not set.
    """
    urls: list[str] = []
    faults: list[str] = []
    for name in names:
        try:
            if name == "secret_keys":
                settings.keys()
            else:
                urls.append(settings.require(name))
        except SettingsError as error:
            faults.append(str(error))
    if faults:
        raise SettingsError("\n".join(faults))
    return urls
