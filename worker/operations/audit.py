"""Whatever an operator changes is written down before it is done, and again when it is over: no line, no act."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from repository import audit
from repository.audit import Details, Line
from repository.database import Database
from worker.broker.dead_letters import DeadLetter
from worker.operations.actor import Actor
from worker.operations.faults import OperationFault, Unavailable
from worker.operations.letters import readable_body
from worker.operations.servers import archive

WHO_SECONDS_MAX = 3  # to ask the database who is at it; it is only to say more

UNWRITTEN = 0  # stands for the id of a line that was not written


class Ledger(Protocol):
    """Where acts are written down."""

    async def begin(self, lines: Sequence[Line], run_id: int | None = None) -> list[int]: ...

    async def end(self, ends: Sequence[tuple[int, Details]]) -> None: ...


class Written:
    """A ledger in the database. Without it nothing is done."""

    def __init__(self, database: Database, actor: Actor) -> None:
        self.database = database
        self._actor = actor

    async def begin(self, lines: Sequence[Line], run_id: int | None = None) -> list[int]:
        if not lines:
            return []
        async with self.database.transaction() as connection:
            return await audit.begin(connection, self._actor.name, self._actor.by, lines, run_id)

    async def end(self, ends: Sequence[tuple[int, Details]]) -> None:
        async with self.database.transaction() as connection:
            await audit.end(connection, ends)


class WrittenIfPossible:
    """A ledger for what must be possible without the database too. `fault` says why something was not written."""

    def __init__(self, ledger: Written | None, fault: str = "") -> None:
        self.fault = fault
        self._ledger = ledger

    @property
    def database(self) -> Database | None:
        return self._ledger.database if self._ledger else None

    async def begin(self, lines: Sequence[Line], run_id: int | None = None) -> list[int]:
        try:
            if self._ledger is not None:
                return await self._ledger.begin(lines, run_id or None)
        except Unavailable as fault:
            self._lose(fault)
        return [UNWRITTEN] * len(lines)

    async def end(self, ends: Sequence[tuple[int, Details]]) -> None:
        written = [pair for pair in ends if pair[0] != UNWRITTEN]
        try:
            if self._ledger is not None and written:
                await self._ledger.end(written)
        except Unavailable as fault:
            self._lose(fault)

    def _lose(self, fault: Unavailable) -> None:
        self.fault, self._ledger = str(fault), None


@asynccontextmanager
async def written(postgres_url: str, actor: Actor) -> AsyncIterator[Written]:
    async with archive(postgres_url) as database:
        yield Written(database, actor)


@asynccontextmanager
async def written_if_possible(postgres_url: str | None, actor: Actor) -> AsyncIterator[WrittenIfPossible]:
    """Write acts down where that can be done, and say where it cannot."""
    async with AsyncExitStack() as stack:
        fault, ledger = "ORDERS_POSTGRES_URL is not set", None
        if postgres_url is not None:
            try:
                ledger = Written(await stack.enter_async_context(archive(postgres_url)), actor)
            except OperationFault as away:
                fault = str(away)
        yield WrittenIfPossible(ledger, "" if ledger else fault)


async def who_is_at_it(postgres_url: str | None) -> str:
    """Say who has begun something and not ended it, as far as the database tells."""
    if postgres_url is None:
        return ""
    try:
        async with (
            asyncio.timeout(WHO_SECONDS_MAX),
            archive(postgres_url) as database,
            database.connection() as connection,
        ):
            act = await audit.going_on(connection)
    except (OperationFault, TimeoutError):
        return ""
    return f"{act.actor} as {act.by} ({act.act}, since {act.began_at:%Y-%m-%d %H:%M:%S} UTC)" if act else ""


class Run:
    """What somebody does to one thing or to many, and why. Each is an act of its own; of many, all are one more."""

    def __init__(self, actor: Actor, why: str, ledger: Ledger, run_id: int | None) -> None:
        self.actor = actor
        self.why = why
        self.done = self.skipped = self.doubles = 0
        self._ledger = ledger
        self._run_id = run_id

    async def begin(self, lines: Sequence[Line]) -> list[int]:
        return await self._ledger.begin(lines, self._run_id)

    async def end(self, ends: Sequence[tuple[int, Details]]) -> None:
        await self._ledger.end(ends)

    @property
    def counts(self) -> dict[str, int]:
        counts = {"done": self.done, "skipped": self.skipped, "doubles": self.doubles}
        return {name: count for name, count in counts.items() if count or name == "done"}


@asynccontextmanager
async def run(actor: Actor, ledger: Ledger, line: Line, *, of_many: bool) -> AsyncIterator[Run]:
    """Write down what is done to many things, and how it ended. What is done to one thing has no line but its own."""
    run_id = (await ledger.begin([line]))[0] if of_many else None
    going = Run(actor, line.why, ledger, run_id)
    how: dict[str, Any] = {}
    try:
        yield going
    except BaseException as stopped:
        how = {"stopped": str(stopped) or "interrupted"}
        raise
    finally:
        if run_id is not None:
            await ledger.end([(run_id, {**going.counts, **how})])


def line_of(letter: DeadLetter, act: str, why: str, new_message_id: str | None = None, **details: Any) -> Line:
    """Say what is about to be done to a message, and what it was: nobody may be able to see it any more."""
    about = {
        "queue": letter.queue,
        "publisher": letter.publisher or None,
        "reason": letter.reason,
        "code": letter.code,
        "body_sha256": readable_body(letter, bytes_max=0).sha256,
    }
    return Line(act, letter.message_id, why, new_message_id, {**about, **details})
