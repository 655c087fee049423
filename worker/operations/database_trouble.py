"""What may be wrong with the database beside us, as findings, each with its fix. Doctor and status tell the same.

In seconds, while it is in that trouble as well: what waits is looked at while it does.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

from repository import processes, trouble
from repository.database import CONNECTIONS_MIN, Database
from repository.faults import POSTGRES_FAULTS, fix_of
from repository.processes import Kind, Process
from repository.trouble import Room, Session, Standbys, Trouble
from worker.operations.findings import Finding, Level
from worker.operations.kept import span
from worker.operations.servers import sentence_of_fix, words_of
from worker.settings import CONNECTIONS
from worker.trial import write_nothing

TRANSACTION_IDS_WARNED = 1_000_000_000  # autovacuum begins at 200 million; Postgres stops at two thousand
TRANSACTION_IDS_MAX = 1_900_000_000
# Until what waits is looked at. A worker that knows that something is held waits for a lock a fifth of that time, and
# might not be seen at it; what is tried here is.
LOOK_AFTER_SECONDS = 1.0
WRITE_SECONDS_MAX = 6.0  # for a commit and an order; a lock is waited for 2 s
HELD_UP = "look at its disk, and at synchronous_standby_names: a commit may wait for a standby that is gone"


async def found(database: Database) -> AsyncIterator[Finding]:
    """Commit a write, try an order, and look meanwhile who waits for whom, what runs out, and which workers are paused.

    Takes two connections.
    """
    trying = asyncio.ensure_future(_tried(database))
    try:
        await asyncio.wait([trying], timeout=LOOK_AFTER_SECONDS)
        for looking in (_beside, _workers):
            async for finding in looking(database):
                yield finding
        for finding in await trying:
            yield finding
    finally:
        trying.cancel()
        await asyncio.wait([trying])


async def _tried(database: Database) -> list[Finding]:
    """Commit a write, with a bound, and place nothing by the statements of an order."""
    try:
        async with asyncio.timeout(WRITE_SECONDS_MAX):
            await database.probe()
    except POSTGRES_FAULTS as error:
        says = f"answers, and commits no write ({words_of(error)})"
        return [Finding("writes", Level.WRONG, says, sentence_of_fix(fix_of(error) or HELD_UP))]
    try:
        async with asyncio.timeout(WRITE_SECONDS_MAX):
            await write_nothing(database)
    except POSTGRES_FAULTS as error:
        says = f"no order can be placed ({words_of(error)})"
        return [Finding("writes", Level.WRONG, says, sentence_of_fix(fix_of(error) or HELD_UP))]
    return [Finding("writes", Level.OK, "a write was committed, and the statements of an order went through")]


async def _beside(database: Database) -> AsyncIterator[Finding]:
    try:
        async with database.connection() as connection:
            seen = await trouble.look(connection)
    except POSTGRES_FAULTS as error:
        yield Finding(
            "locks", Level.WARNING, f"cannot be looked at ({words_of(error)})", sentence_of_fix(fix_of(error))
        )
        return
    for finding in found_in(seen):
        yield finding


async def _workers(database: Database) -> AsyncIterator[Finding]:
    """Tell which workers are paused, and whether there is room for the connections of all of them."""
    try:
        async with database.connection() as connection:
            there = [one for one in await processes.running(connection) if not one.is_silent]
            room = await trouble.room(connection)
    except POSTGRES_FAULTS as error:
        says = f"cannot be looked at ({words_of(error)})"
        yield Finding("workers", Level.WARNING, says, sentence_of_fix(fix_of(error)))
        return
    for process in there:
        if finding_of := paused(process):
            yield finding_of
    for finding in connections(there, room):
        yield finding


def connections(there: Sequence[Process], room: Room) -> Iterator[Finding]:
    """Judge whether Postgres has room for what the workers that run would open."""
    count = sum(one.identity.kind == Kind.WORKER for one in there)
    if not count:
        return
    wanted, free = count * CONNECTIONS, room.most - room.others
    workers = "1 worker wants" if count == 1 else f"{count} workers want"
    if wanted <= free:
        yield Finding("connections", Level.OK, f"{workers} {wanted}, and there is room for {free}")
        return
    level = Level.WRONG if count * CONNECTIONS_MIN > free else Level.WARNING
    says = (
        f"{workers} {wanted}, and there is room for {max(free, 0)}: "
        f"{room.name} allows {room.most}, and others have {room.others}"
    )
    fix = f"Raise it, or run fewer workers: each works with {CONNECTIONS_MIN} or more, and more slowly."
    yield Finding("connections", level, says, fix)


def found_in(seen: Trouble) -> Iterator[Finding]:
    for waiting in seen.waiting:
        says = f"{_named(waiting.session)} waits for {_for(waiting.seconds)} for what {_named(waiting.holder)} holds"
        yield Finding("locks", Level.WARNING, says, _end(waiting.holder))
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
    for one in seen.rights:
        says = f"this user lacks {' and '.join(one.lacks)} on {one.kind} {one.name}"
        on = f"SEQUENCE {one.name}" if one.kind == "sequence" else one.name
        yield Finding("tables", Level.WRONG, says, f"GRANT {', '.join(one.lacks)} ON {on} TO the user of a worker.")
    for sequence in seen.sequences:
        level = Level.WRONG if sequence.last_value == sequence.max_value else Level.WARNING
        says = f"{sequence.name} is at {sequence.last_value:,}, and gives out no more than {sequence.max_value:,}"
        yield Finding("sequences", level, says, f"ALTER SEQUENCE {sequence.name} NO MAXVALUE.")
    if seen.standbys.are_missing:
        yield _standby_is_missing(seen.standbys)


def _standby_is_missing(standbys: Standbys) -> Finding:
    there = f"of {standbys.there} standbys none is one of them" if standbys.there else "no standby is there"
    says = f"each commit waits for a standby, synchronous_standby_names is {standbys.wanted!r}, and {there}"
    fix = (
        "Start it, and let it stream. To go on without one, so that what is committed is on one machine alone: ALTER "
        "SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf();"
    )
    return Finding("standby", Level.WRONG, says, fix)


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
