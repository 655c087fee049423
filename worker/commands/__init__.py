"""The commands of `orders`, one module each."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import orjson
import typer
from rich.console import Console

from worker.broker.connection import BROKER_FAULTS, BrokerRefused
from worker.broker.topology import TopologyError
from worker.settings import SettingsError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def echo(value: object) -> None:
    """Print JSON on a line of its own. Not through rich, which would wrap it and take :name: for an emoji."""
    typer.echo(orjson.dumps(value, default=str, option=orjson.OPT_UTC_Z))


def fail(sentence: str) -> NoReturn:
    """Say in a line what went wrong and how to mend it, and end with status 1."""
    err.print(f"[red]error:[/] {sentence}")
    sys.exit(1)


def person() -> str:
    """Name the user of the operating system who gives the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


@contextmanager
def broker_errors() -> Iterator[None]:
    """Turn what the broker throws into a sentence."""
    try:
        yield
    except SettingsError:
        raise
    except (TopologyError, BrokerRefused) as error:
        fail(str(error))
    except BROKER_FAULTS as error:
        _fail_for(error)
    except BaseExceptionGroup as group:
        faults, others = group.split(BROKER_FAULTS)
        if faults is None or others is not None:
            raise
        _fail_for(next(_leaves(faults)))


def _fail_for(error: BaseException) -> NoReturn:
    fail(f"RabbitMQ at ORDERS_AMQP_URL does not answer, or refuses ({type(error).__name__}: {error})")


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
