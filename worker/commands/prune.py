"""`orders prune`: take out remembered replies and events that nobody will ask for again."""

import re
from typing import Annotated

import typer

from repository import prune as archive
from repository.database import Database
from repository.prune import Pruned, Range
from worker.commands import echo, err
from worker.commands.bars import progress
from worker.commands.database import with_database

DAYS = 90  # how long a caller may want the very same bytes again, with room
# A rejection that the broker hands over again is answered from what is remembered: never take one that may still come.
DAYS_MIN = 1
DAYS_MAX = 36_500
_AGE = re.compile(r"([0-9]{1,5})([dw])", re.ASCII)
_UNITS = {"d": 1, "w": 7}


def days_of(written: str) -> int:
    """Read an age such as 90d or 12w."""
    match = _AGE.fullmatch(written)
    days = int(match[1]) * _UNITS[match[2]] if match else 0
    if not DAYS_MIN <= days <= DAYS_MAX:
        raise typer.BadParameter("an age in days or weeks, such as 90d or 12w, of one day or more")
    return days


def prune(
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Only what was answered longer ago: days or weeks.")
    ] = f"{DAYS}d",
    rate: Annotated[float | None, typer.Option(min=1, metavar="N", help="So many a second at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what went as one JSON object.")] = False,
) -> None:
    """Take out remembered replies and events that are old. Orders stay, and so does what makes a repeat a repeat.

    A request that comes again later is answered from its order, under the same ids; one that was rejected is judged
    anew. Workers go on meanwhile. It may be interrupted at any moment, and run again.
    """
    days = days_of(older_than)

    async def run(database: Database) -> tuple[Range, Pruned, int]:
        where = await archive.range_of(database, days)
        sum_ = Pruned()
        with progress(where.length, archive.AT_ONCE + 1) as bars:
            bar = bars.add_task("counting" if dry_run else "pruning", total=where.length)
            async for step in archive.prune(database, where, rate=rate, dry_run=dry_run):
                sum_ += step
                bars.advance(bar, step.looked_at)
        return where, sum_, await archive.unpublished(database, where)

    where, pruned, unpublished = with_database(run)
    if as_json:
        echo(
            {
                "older_than": where.older_than,
                "dry_run": dry_run,
                "answers": pruned.answers,
                "placed": pruned.placed,
                "rejected": pruned.rejected,
                "unpublished": unpublished,
            }
        )
        return
    err.print(_sentence(where, pruned, dry_run=dry_run))
    if unpublished:
        err.print(f"{unpublished:,} more are as old and stay: the broker has not confirmed them yet (`orders status`)")


def _sentence(where: Range, pruned: Pruned, *, dry_run: bool) -> str:
    what = "would be taken out" if dry_run else "taken out"
    return (
        f"{pruned.answers:,} answers from before {where.older_than:%Y-%m-%d %H:%M} UTC {what}: "
        f"{pruned.placed:,} of orders, {pruned.rejected:,} of rejections"
    )
