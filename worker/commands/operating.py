"""What is done to dead letters is done by one operator at a time, who is known, and says why."""

import asyncio
import getpass
import os
from collections.abc import Callable, Collection, Coroutine
from typing import TypeVar

import typer
from rich.markup import escape

from worker.broker.addresses import user_of
from worker.broker.dead_letters import DeadLetters, opened
from worker.commands import fail
from worker.operations.actor import Actor, Role
from worker.operations.selection import Where
from worker.operations.servers import broker
from worker.redaction import escape_controls
from worker.settings import Settings

Result = TypeVar("Result")


def run_on(where: Where, step: Callable[[DeadLetters], Coroutine[None, None, Result]]) -> Result:
    """Take a step as the one operator of a queue; what goes wrong with a server is said in a sentence."""
    url = Settings.read().require("amqp_url")

    async def run() -> Result:
        async with broker(url, "orders dead") as connection, opened(connection, where.queue) as letters:
            return await step(letters)

    return asyncio.run(run())


def actor_of(settings: Settings) -> Actor:
    """Say who operates: the person at the machine, by their broker's user, who may do everything."""
    return Actor(_person(), user_of(settings.require("amqp_url")), Role.ADMIN)


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may have no name for its user
        return f"uid {os.getuid()}"


def check_why(why: str) -> None:
    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--reason")


def check_found(message_ids: list[str], found: Collection[str], queue: Where) -> None:
    missing = sorted(set(message_ids) - set(found))
    if missing:
        elsewhere = "" if queue is Where.UNROUTED else ". Another queue to look into: --queue unrouted"
        fail(escape(escape_controls(f"not among the {queue.words}: {', '.join(missing)}")) + elsewhere)
