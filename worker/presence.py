"""What a process says of itself, so that others see who runs: its row of `processes`.

It is for information. No order waits for it, and what goes wrong with it is told once and hurts nobody.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from repository import processes
from repository.database import Connection, Database
from repository.faults import POSTGRES_FAULTS
from repository.processes import Identity, Kind
from schemas import topology
from worker import metrics
from worker.metrics import Activity
from worker.settings import Settings

KNOWS = (topology.PROBE,)
TURN_SECONDS_MAX = 3.0  # for a connection and a statement, together

log = structlog.get_logger()


def identity_of(kind: Kind, settings: Settings) -> Identity:
    """Say what this process is. Each start is a run of its own."""
    return Identity(
        run_id=uuid.uuid4().hex[:12],
        kind=kind,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=metrics.VERSION,
        settings_hash=settings.digest(),
        knows=KNOWS,
    )


@asynccontextmanager
async def telling(database: Database, identity: Identity, activity: Callable[[], Activity]) -> AsyncIterator[None]:
    """Say at once and then again and again what this process is and does, and in the end that it ends."""
    teller = _Teller(database, identity, activity)
    if await teller.tell():
        await teller.forget_silent()
    # Not a TaskGroup: it would wrap in a group the faults that the command tells in a sentence.
    going_on = asyncio.ensure_future(teller.go_on())
    try:
        yield
    finally:
        going_on.cancel()
        await asyncio.wait([going_on])
        await teller.end()


class _Teller:
    def __init__(self, database: Database, identity: Identity, activity: Callable[[], Activity]) -> None:
        self._database = database
        self._identity = identity
        self._activity = activity
        self._is_fault_told = False

    async def go_on(self) -> None:
        while True:
            await asyncio.sleep(processes.TELL_EVERY_SECONDS)
            await self.tell()

    async def tell(self) -> bool:
        now = self._activity()
        return await self._try(lambda connection: processes.tell(connection, self._identity, now.in_hand, now.paused))

    async def forget_silent(self) -> None:
        await self._try(processes.forget_silent)

    async def end(self) -> None:
        await self._try(lambda connection: processes.end(connection, self._identity.run_id))

    async def _try(self, step: Callable[[Connection], Awaitable[None]]) -> bool:
        """Take a step; False: it went wrong, which is told once."""
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX), self._database.connection() as connection:
                await step(connection)
        except POSTGRES_FAULTS as error:
            if not self._is_fault_told:
                log.warning("process.untold", fault=type(error).__name__)
            self._is_fault_told = True
            return False
        self._is_fault_told = False
        return True
