"""What may be wrong with the database beside us, as findings, each with its fix."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

from repository import processes, trouble
from repository.database import Connection, Database
from repository.faults import POSTGRES_FAULTS, fix_of
from repository.processes import Process
from repository.trouble import Session, Trouble
from worker.operations.findings import Finding, Level
from worker.operations.kept import span
from worker.operations.servers import words_of

TRANSACTION_IDS_WARNED = 1_000_000_000  # autovacuum begins at 200 million; Postgres stops at two thousand
TRANSACTION_IDS_MAX = 1_900_000_000


async def writes(database: Database) -> AsyncIterator[Finding]:
    """Commit a write, with a bound: a server that is full, or whose standby is gone, answers and takes none."""
    try:
        await database.probe()
    except POSTGRES_FAULTS as error:
        fix = fix_of(error) or "look at its disk, and at synchronous_standby_names: a commit may wait for who is gone"
        says = f"answers, and commits no write ({words_of(error)})"
        yield Finding("writes", Level.WRONG, says, f"{fix[:1].upper()}{fix[1:]}.")
    else:
        yield Finding("writes", Level.OK, "a write was committed")


async def beside(connection: Connection) -> AsyncIterator[Finding]:
    """Name who holds what others wait for, what no worker may touch, and which workers are paused."""
    for finding in found_in(await trouble.look(connection)):
        yield finding
    for process in await processes.running(connection):
        if finding_of := paused(process):
            yield finding_of


def found_in(seen: Trouble) -> Iterator[Finding]:
    for one in seen.waiting:
        says = f"{_named(one.session)} waits for {_for(one.seconds)} for what {_named(one.holder)} holds"
        yield Finding("locks", Level.WARNING, says, _end(one.holder))
    for session, seconds in seen.idle:
        says = (
            f"{_named(session)} is in a transaction and has done nothing for {_for(seconds)}: "
            "what it has locked stays locked"
        )
        yield Finding("locks", Level.WARNING, says, _end(session))
    for prepared in seen.prepared:
        says = (
            f"transaction {prepared.gid} of {prepared.user} was prepared {_for(prepared.seconds)} ago "
            "and never ended: what it has locked stays locked"
        )
        yield Finding("locks", Level.WARNING, says, f"ROLLBACK PREPARED '{prepared.gid}', or COMMIT PREPARED.")
    if seen.transaction_ids > TRANSACTION_IDS_WARNED:
        level = Level.WRONG if seen.transaction_ids > TRANSACTION_IDS_MAX else Level.WARNING
        says = f"{seen.transaction_ids:,} transaction ids are in use: at 2,000,000,000 Postgres takes no write"
        yield Finding("transaction ids", level, says, "VACUUM, by an administrator; end what has been open for days.")
    for table, lacks in seen.rights:
        says = f"this user lacks {' and '.join(lacks)} on table {table}"
        yield Finding("tables", Level.WRONG, says, f"GRANT {', '.join(lacks)} ON {table} TO the user of a worker.")


def paused(process: Process) -> Finding | None:
    """Tell of a worker that is there and consumes nothing."""
    if process.is_silent or not process.paused:
        return None
    says = f"{process.identity.run_id} on {process.identity.host} is paused: {process.paused}"
    return Finding("workers", Level.WARNING, says, "It goes on by itself; `orders workers` shows all of them.")


def _for(seconds: float) -> str:
    return span(timedelta(seconds=seconds))


def _named(session: Session) -> str:
    if not session.pid:
        return "a prepared transaction"
    who = ", ".join(filter(None, (f"user {session.user}" if session.user else "", session.application)))
    return f"pid {session.pid}" + (f" ({who})" if who else "")


def _end(session: Session) -> str:
    if not session.pid:
        return "See pg_prepared_xacts; ROLLBACK PREPARED, or COMMIT PREPARED."
    return f"Let it end, or end it: SELECT pg_terminate_backend({session.pid})."
