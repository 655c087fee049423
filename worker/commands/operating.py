"""What is done to dead letters is done by one operator at a time, who is known, and says why."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from repository.audit import Operation
from repository.database import Database
from repository.revisions import check_migrated
from schemas import topology
from worker.broker.addresses import user_of
from worker.broker.connection import connect
from worker.broker.dead_letters import AnotherOperator, DeadLetter, DeadLetters, opened
from worker.commands import broker_errors, fail, person
from worker.commands.database import database_errors
from worker.commands.letters import readable_body
from worker.key_ring import KeyRing
from worker.redaction import plain
from worker.settings import Settings

Result = TypeVar("Result")


class Where(StrEnum):
    DEAD = "dead"
    UNROUTED = "unrouted"

    @property
    def queue(self) -> str:
        return {Where.DEAD: topology.DEAD, Where.UNROUTED: topology.UNROUTED}[self]

    @property
    def words(self) -> str:
        return {Where.DEAD: "dead letters", Where.UNROUTED: "unrouted messages"}[self]


WhichQueue = Annotated[
    Where, typer.Option("--queue", help="dead: requests that came to nothing. unrouted: commands that no queue takes.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.", show_default=False)]


def run_on(where: Where, step: Callable[[DeadLetters], Coroutine[None, None, Result]]) -> Result:
    """Take a step as the one operator of a queue; what goes wrong with a server is said in a sentence."""
    settings = Settings.read()
    url = settings.require("amqp_url")
    keys = KeyRing(settings.keys()) if settings.secret_keys else None

    async def run() -> Result:
        async with connect(url, "orders dead") as connection, opened(connection, where.queue, keys) as letters:
            return await step(letters)

    with broker_errors(), database_errors():
        try:
            return asyncio.run(run())
        except AnotherOperator as error:
            fail(str(error))


@asynccontextmanager
async def audited(settings: Settings) -> AsyncIterator[Database]:
    """Open the database in which operations are written down."""
    async with Database(settings.require("postgres_url"), connections_max=1) as database:
        async with database.connection() as connection:
            await check_migrated(connection)
        yield database


def operation_on(letter: DeadLetter, action: str, why: str, settings: Settings, **edit: Any) -> Operation:
    """Say who does what to a message, and why: the operator is the person at the machine, by their broker's user."""
    return Operation(
        operator=f"{person()} as {user_of(settings.require('amqp_url'))}",
        action=action,
        because=why,
        queue=letter.queue,
        publisher=letter.delivery.properties.user_id,
        message_id=letter.message_id,
        reason=letter.reason,
        code=letter.code,
        body_sha256=readable_body(letter, bytes_max=0).sha256,
        **edit,
    )


def check_why(why: str) -> None:
    if not why.strip():
        raise typer.BadParameter("say why", param_hint="--reason")


def check_found(message_ids: list[str], found: Collection[str], queue: Where) -> None:
    missing = sorted(set(message_ids) - set(found))
    if missing:
        elsewhere = "" if queue is Where.UNROUTED else ". Another queue to look into: --queue unrouted"
        fail(escape(plain(f"not among the {queue.words}: {', '.join(missing)}")) + elsewhere)
