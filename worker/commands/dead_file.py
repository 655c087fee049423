"""`orders dead export` and `import`: messages into a file and back, to the byte."""

import asyncio
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import typer

from worker.broker.message_lines import NotALine
from worker.commands import err, fail, needed
from worker.commands.operating import actor_of, check_found, follow
from worker.commands.options import (
    Action,
    Client,
    Code,
    MessageIds,
    Publisher,
    Reason,
    Since,
    Until,
    WhichQueue,
    Why,
)
from worker.commands.output import Guarded, spooled, told
from worker.operations.audit import run, written_if_possible
from worker.operations.files import exported, imported, messages_in
from worker.operations.looks import acting_on
from worker.operations.replay import run_line
from worker.operations.selection import Filter, Where, criteria
from worker.settings import Settings

STANDARD = Path("-")
OWNER_ONLY = 0o600

FileToWrite = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet. - for standard output.")
]
FileToRead = Annotated[Path, typer.Argument(metavar="FILE", help="What an export wrote; - for standard input.")]


def export(  # noqa: PLR0913  # an option is a parameter
    *,
    file: FileToWrite,
    message_ids: MessageIds = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many would be written.")] = False,
    queue: WhichQueue = Where.DEAD,
) -> None:
    """Write messages to a file of JSON lines, exactly as they are.

    Nothing is left out, secrets neither. They stay in the queue. Only you may read the file; delete it when it is
    not needed any more.
    """
    chosen = Filter.of(message_ids, criteria(reason, code, client, publisher, action), since, until)
    [amqp_url] = needed(Settings.read(), "amqp_url")
    with spooled() if dry_run else _to_write(file) as lines:
        ids, looked = asyncio.run(exported(amqp_url, queue, chosen, lines))
    if looked.unseen:
        err.print(f"note: {looked.unseen}")
    err.print(f"{looked.count:,} {'would be exported' if dry_run else 'exported'}")
    check_found(message_ids or [], ids, queue)


def import_(file: FileToRead, queue: WhichQueue = Where.DEAD, why: Why = None) -> None:
    """Put exported messages back into the queue.

    What lies there already is left out, so that it can be run again.
    """
    settings = Settings.read()
    [amqp_url] = needed(settings, "amqp_url")
    postgres_url = settings.postgres_url.get_secret_value() if settings.postgres_url else None
    with _to_read(file) as lines:
        try:
            total = sum(1 for _ in messages_in(lines))  # all of them can be read, before any is put back
        except NotALine as error:
            fail(f"{error}; nothing was imported")
        lines.seek(0)

        async def put() -> tuple[int, int, int, str]:
            line = run_line("import", queue, why or "", total)
            async with (
                written_if_possible(postgres_url, actor_of(settings)) as ledger,
                acting_on(amqp_url, queue, postgres_url) as letters,
                run(actor_of(settings), ledger, line, of_many=total > 1) as going,
            ):
                steps = imported(letters, messages_in(lines), queue, going)
                told = await follow(steps, total, "imported", as_json=False, tell=lambda _: None)
            return told.done, told.doubles, told.skipped, ledger.fault

        done, there, skipped, fault = asyncio.run(put())
    if fault:
        err.print(f"note: who did this is not written down: {fault}", markup=False)
    if skipped:
        err.print(f"{skipped:,} skipped")
    err.print(f"{done:,} imported, {there:,} were there already")
    if skipped:
        raise typer.Exit(1)


@contextmanager
def _to_write(file: Path) -> Iterator[BinaryIO]:
    if file == STANDARD:
        with spooled() as spool:  # a look must not last as long as somebody reads
            yield spool
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    with told(str(file)):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as raw:
            lines = cast("BinaryIO", Guarded(io.BufferedWriter(raw), str(file)))
            yield lines
            lines.flush()
            with told(str(file)):
                os.fsync(descriptor)
    except BaseException:
        file.unlink()  # half of the letters would look like all of them
        raise


@contextmanager
def _to_read(file: Path) -> Iterator[BinaryIO]:
    """Open a file that can be read twice."""
    if file == STANDARD:
        with tempfile.TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield spool
        return
    try:
        lines = file.open("rb")
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    with lines:
        yield lines
