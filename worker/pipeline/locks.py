"""A row that somebody holds keeps the requests that need it, and no others (reliability.md 29).

A batch that waited too long for a lock is begun anew without the requests whose client, service, domain, stock or code
is held; those wait in a delay queue, and no attempt is counted. For a while every batch is looked at so before it
begins, and waits for locks a moment only: whoever holds one may go on for minutes.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from repository import facts
from repository.database import Database
from repository.facts import Held
from schemas.catalog import Catalog
from schemas.order import FactsNeeded
from worker.pipeline.repeats import Command

EXPECTED_SECONDS = 10.0  # after somebody was seen to hold something
LOOK_AGAIN_SECONDS = 0.1  # another worker holds what it needs for less
TELL_EVERY_SECONDS = 10.0
TOLD_MAX = 10  # ids in a line of the log

log = structlog.get_logger()


class Locked(Exception):
    """Somebody is known to hold something, and a batch, or one request alone, needs what nobody can tell by a look."""


@dataclass(slots=True)
class Locks:
    """What this process knows of locks that others hold."""

    _expected_until: float = field(default=0.0)
    _told_at: float = field(default=-TELL_EVERY_SECONDS)

    @property
    def are_expected(self) -> bool:
        return time.monotonic() < self._expected_until

    def expect(self) -> None:
        """Hear that a lock was not to be had in time."""
        self._expected_until = time.monotonic() + EXPECTED_SECONDS

    async def apart(
        self, commands: Sequence[Command], catalog: Catalog, database: Database
    ) -> tuple[list[Command], list[Command]]:
        """Tell the commands that can be carried out from those that must wait for somebody."""
        needed = [command.asked.facts_needed(catalog) for command in commands]
        held = await self._held(FactsNeeded.joined(needed), database)
        if not held.things:
            return list(commands), []
        self.expect()
        self._tell(held)
        free, waiting = list[Command](), list[Command]()
        for command, one in zip(commands, needed, strict=True):
            (waiting if one.common(held.things) else free).append(command)
        return free, waiting

    async def _held(self, needed: FactsNeeded, database: Database) -> Held:
        """Look twice: what is held both times is held by somebody who takes their time."""
        async with database.transaction() as connection:
            first = await facts.held(connection, needed)
        if not first.things:
            return first
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        async with database.transaction() as connection:
            second = await facts.held(connection, first.things)
        return Held(first.things.common(second.things), first.holders & second.holders)

    def _tell(self, held: Held) -> None:
        if time.monotonic() - self._told_at < TELL_EVERY_SECONDS:
            return
        self._told_at = time.monotonic()
        things = {kind: sorted(map(str, getattr(held.things, kind)))[:TOLD_MAX] for kind in FactsNeeded.__slots__}
        holders = [f"pid {holder.pid}, user {holder.user}" for holder in sorted(held.holders)[:TOLD_MAX]]
        log.warning("orders.locked", **{kind: ids for kind, ids in things.items() if ids}, perhaps_held_by=holders)
