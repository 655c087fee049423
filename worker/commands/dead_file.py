"""`orders dead export` and `import`: messages into a file and back, to the byte."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from worker.broker.messages import Properties
from worker.commands import err, fail
from worker.commands.operating import check_found, run_on
from worker.commands.options import Action, Client, Code, Reason, Since, Until, WhichQueue
from worker.operations.files import NotALine, exported, imported, message_in
from worker.operations.selection import Filter, Where, criteria

STANDARD = Path("-")
OWNER_ONLY = 0o600

FileToWrite = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where to; it must not be there yet. - for standard output.")
]
FileToRead = Annotated[Path, typer.Argument(metavar="FILE", help="What an export wrote; - for standard input.")]


def export(  # noqa: PLR0913  # an option is a parameter
    *,
    file: FileToWrite,
    message_ids: Annotated[list[str] | None, typer.Argument(metavar="MESSAGE_ID", help="Only these.")] = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    queue: WhichQueue = Where.DEAD,
) -> None:
    """Write messages to a file of JSON lines, exactly as they are: nothing is left out, secrets neither.

    They stay in the queue. Only you may read the file; delete it when it is not needed any more.
    """
    chosen = Filter.of(message_ids, criteria(reason, code, client, action), since, until)
    with _to_write(file) as lines:
        written, count = run_on(queue, lambda letters: exported(letters, chosen, lines))
        err.print(f"{count:,} exported")
    check_found(message_ids or [], written, queue)


def import_(
    file: FileToRead,
    queue: WhichQueue = Where.DEAD,
) -> None:
    """Put exported messages back into the queue. What lies there already is left out, so that it can be run again."""
    with _to_read(file) as lines:
        total = sum(1 for _ in _messages(lines))  # all of them can be read, before any is put back
        lines.seek(0)

        count = run_on(queue, lambda letters: imported(letters, _messages(lines), queue.queue))
    err.print(f"{count:,} imported, {total - count:,} were there already")


@contextmanager
def _to_write(file: Path) -> Iterator[BinaryIO]:
    if file == STANDARD:
        yield sys.stdout.buffer
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    with os.fdopen(descriptor, "wb") as lines:
        yield lines
        lines.flush()
        os.fsync(descriptor)


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


def _messages(file: BinaryIO) -> Iterator[tuple[bytes, Properties]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            try:
                yield message_in(line)
            except NotALine as error:
                fail(f"line {number}: {error}; nothing was imported")
