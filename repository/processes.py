"""Who runs: each process says again and again what it is, and whoever asks sees who has fallen silent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import asyncpg

from repository import queries
from repository.database import Connection

SQL = queries.load("processes.sql")

TELL_EVERY_SECONDS = 10.0
SILENT_SECONDS = 30.0  # then one is shown as silent: it has missed to tell twice
FORGET_SECONDS = 86_400.0  # then it is taken out
STATEMENT_SECONDS_MAX = 2.0  # telling is for information: it waits for nobody, and holds nobody up


class Kind(StrEnum):
    """What a process does. A newer version may have others."""

    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a process is, from its start to its end."""

    run_id: str
    kind: str  # a Kind, or one of a newer version
    host: str
    pid: int
    version: str
    settings_hash: str
    knows: Sequence[str]  # what may be sent to it that not every version understands


@dataclass(frozen=True, slots=True)
class Process:
    """What a process has told last. Times are the database's."""

    identity: Identity
    in_hand: int  # deliveries
    paused: str  # why, in a sentence; empty: it works
    started_at: datetime
    seen_at: datetime
    silent_seconds: float

    @property
    def is_silent(self) -> bool:
        return self.silent_seconds > SILENT_SECONDS


async def tell(connection: Connection, identity: Identity, in_hand: int, paused: str) -> None:
    """Say what a process is now."""
    await connection.execute(
        SQL["tell"],
        identity.run_id,
        identity.kind,
        identity.host,
        identity.pid,
        identity.version,
        identity.settings_hash,
        identity.knows,
        in_hand,
        paused or None,
        timeout=STATEMENT_SECONDS_MAX,
    )


async def end(connection: Connection, run_id: str) -> None:
    """Say that a process ends: nobody is to look for it."""
    await connection.execute(SQL["end"], run_id, timeout=STATEMENT_SECONDS_MAX)


async def forget_silent(connection: Connection) -> None:
    """Take out who has not been heard of for a day."""
    await connection.execute(SQL["forget"], FORGET_SECONDS, timeout=STATEMENT_SECONDS_MAX)


async def running(connection: Connection) -> list[Process]:
    """List the processes that have not said that they end, silent ones too."""
    return [_process(row) for row in await connection.fetch(SQL["running"])]


def _process(row: asyncpg.Record) -> Process:
    identity = Identity(**{name: row[name] for name in Identity.__dataclass_fields__})
    told = {name: row[name] for name in ("in_hand", "started_at", "seen_at", "silent_seconds")}
    return Process(identity=identity, paused=row["paused"] or "", **told)
