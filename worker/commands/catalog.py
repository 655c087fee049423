"""`orders catalog`: what is sold, from a file and back into one."""

import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
import yaml
from rich.markup import escape

from repository import catalog as catalogue
from repository import catalog_versions
from repository.catalog import CatalogError, LoadReport
from repository.catalog_versions import Version, VersionError
from repository.database import Connection, Database
from schemas.catalog_changes import EntryChange, in_detail
from schemas.catalog_check import check as check_entries
from schemas.catalog_check import elsewhere
from schemas.catalog_entries import CatalogFile
from schemas.catalog_file import FILE_BYTES_MAX, parse
from schemas.catalog_offers import strange_states
from worker.commands import echo, err, fail, person
from worker.commands.catalog_report import (
    VERSION_CHANGES_SHOWN_MAX,
    fail_for,
    show_version,
    tell_changes,
    tell_elsewhere,
    tell_findings,
    tell_report,
    tell_strange_states,
)
from worker.commands.database import with_database
from worker.operations.catalog_advice import advise

VERSIONS_MAX = 1_000

app = typer.Typer(help="What is sold: load, check, compare, go back, export.", no_args_is_help=True)

File = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE", help="The catalogue, as JSON or YAML; - for standard input.", show_default=False),
]

Force = Annotated[
    bool, typer.Option("--force", help="Turn `tax` although there are services: their prices mean another.")
]
Whole = Annotated[bool, typer.Option("--json", help="Print one JSON object, with everything that changed.")]


@app.command()
def load(
    file: File,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")] = False,
    force: Force = False,
    as_json: Whole = False,
) -> None:
    """Load a catalogue file, and tell what changed.

    It is taken whole or not at all. Entries are added or updated, never deleted.
    A product goes by retiring it, a price by giving it as -1.00.
    Stock and promotion uses are set the first time only.
    Orders, services, their addons and domains that exist are left alone.
    Workers take the change up with their next batch.
    """
    catalog_file = _read(file, as_json=as_json)
    step = partial(catalogue.load, file=catalog_file, by=person(), force=force, dry_run=dry_run)
    tell_report(_changing(step, as_json=as_json), dry_run=dry_run, as_json=as_json)


@app.command()
def rollback(
    version: Annotated[
        int, typer.Argument(metavar="VERSION", help="The version to go back to: see `history`.", show_default=False)
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")] = False,
    force: Force = False,
    as_json: Whole = False,
) -> None:
    """Go back to an older version, and tell what changed.

    What is sold is as it was then. This makes a new version: nothing of the history goes.
    What was not there then stays, because orders may refer to it, and is no
    longer sold; each such thing is told.
    Clients and what they own, stock, uses and credentials are left alone.
    """
    step = partial(catalogue.rollback, back_to=version, by=person(), force=force, dry_run=dry_run)
    tell_report(_changing(step, as_json=as_json), dry_run=dry_run, as_json=as_json)


@app.command()
def diff(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|VERSION", help="A catalogue file, - for standard input; or a version.", show_default=False
        ),
    ],
    version: Annotated[
        int | None,
        typer.Argument(metavar="VERSION", help="Another version; without it, what is sold now.", show_default=False),
    ] = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a changed value, all of them.")
    ] = False,
) -> None:
    """Tell what a file would change, or what two versions did.

    Changes nothing.

    `diff FILE` compares what is sold now with the file, `diff 12` version 12
    with what is sold now, `diff 12 14` two versions.
    """
    if what.isdecimal():
        changes = _between(int(what), version)
    elif version is not None:
        raise typer.BadParameter("a file is compared with what is sold now", param_hint="VERSION")
    else:
        with _opened(what) as file:
            catalog_file = _read(file, as_json=as_json)
        step = partial(catalogue.load, file=catalog_file, by=person(), force=True, dry_run=True)
        changes = _changing(step, as_json=as_json).changes
    tell_changes(changes, as_json=as_json)


@app.command()
def history(
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=VERSIONS_MAX, metavar="N", help="How many versions, the newest first.")
    ] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a version, with all it changed.")
    ] = False,
) -> None:
    """List the versions: when, by whom, what each changed."""

    async def run(database: Database) -> list[Version]:
        async with database.snapshot() as connection:
            most = None if as_json else VERSION_CHANGES_SHOWN_MAX
            return await catalog_versions.history(connection, most=limit, changes_most=most)

    for version in with_database(run):
        if as_json:
            echo({**asdict(version), "changes": [asdict(change) for change in in_detail(version.changes)]})
        else:
            show_version(version)


@app.command()
def check(
    file: File,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list: path, code and message of each finding.")
    ] = False,
) -> None:
    """Check a catalogue file by itself, without a database.

    Changes nothing.     It may be a part, to be loaded on top of what is there: what it refers to
    must be in it only if it has others of that kind.
    Tells what `load` refuses; if that is nothing, what it takes and what hurts
    later: missing prices, options given away, promotions that never apply, tax
    rules that overlap. Each with its place in the file, and the fix.
    A price of -1.00 is taken as not offered on purpose.

    The status is 1 if anything is found, so that a script may stop there.
    """
    catalog_file = _read(file, as_json=as_json)
    try:
        check_entries(catalog_file)
    except CatalogError as error:
        if not as_json:
            err.print("Of a kind that is in the file, all must be in it here; `load` looks into the database as well.")
        fail_for(error, as_json=as_json)
    findings = advise(catalog_file, datetime.now(UTC).date())
    if as_json:
        echo(findings)
    else:
        tell_findings(findings)
        tell_strange_states(strange_states(catalog_file))
        tell_elsewhere(len(elsewhere(catalog_file)))
    raise typer.Exit(1 if findings else 0)


@app.command()
def export(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the catalogue as `load` takes it.

    It is without secrets, clients and what they own.
    """

    async def run(database: Database) -> dict[str, object]:
        async with database.connection() as connection:
            return await catalogue.export(connection)

    values = with_database(run)
    # Not through rich: what is printed must be what is meant, however wide the terminal.
    if as_json:
        typer.echo(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as file:
            yield file
    except OSError as error:
        fail(f"{escape(name)}: {error.strerror}")


def _read(file: BinaryIO, *, as_json: bool = False) -> CatalogFile:
    try:
        return parse(file.read(FILE_BYTES_MAX + 1))
    except CatalogError as error:
        fail_for(error, as_json=as_json)


def _changing(step: Callable[[Connection], Awaitable[LoadReport]], *, as_json: bool) -> LoadReport:
    """Take a step that changes the catalogue, in a transaction."""

    async def run(database: Database) -> LoadReport:
        async with database.transaction() as connection:
            return await step(connection)

    try:
        return with_database(run)
    except CatalogError as error:
        fail_for(error, as_json=as_json)
    except VersionError as error:
        fail(str(error))


def _between(older: int, newer: int | None) -> tuple[EntryChange, ...]:
    """Tell what changed from one version to another, in whichever order they are named."""
    is_back = newer is not None and newer < older

    async def run(database: Database) -> tuple[EntryChange, ...]:
        async with database.snapshot() as connection:
            return await catalog_versions.between(connection, *((newer, older) if is_back else (older, newer)))

    try:
        changes = with_database(run)
    except VersionError as error:
        fail(str(error))
    return tuple(replace(one, before=one.after, after=one.before) for one in changes) if is_back else changes
