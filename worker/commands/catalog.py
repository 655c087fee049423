"""`orders catalog`: what is sold, from a file and back into one."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer
import yaml
from rich.table import Table

from repository import catalog as catalogue
from repository.catalog import CatalogError, LoadReport
from repository.database import Database
from schemas.catalog_check import check as check_entries
from schemas.catalog_entries import CatalogFile
from schemas.catalog_file import FAULTS_SHOWN_MAX, FILE_BYTES_MAX, parse
from worker.commands import echo, err, fail, out
from worker.commands.database import with_database
from worker.operations.catalog_advice import Finding, advise

app = typer.Typer(help="Products, prices, TLDs and promotions: load, check and export them.", no_args_is_help=True)

File = Annotated[
    typer.FileBinaryRead,
    typer.Argument(help="The catalogue, as JSON or YAML; - for standard input.", show_default=False),
]


@app.command()
def load(file: File) -> None:
    """Load a catalogue file, whole or not at all.

    Entries are added or updated, never deleted.
    A product goes by retiring it, a price by giving it as -1.00.
    Stock and promotion uses are set the first time only.
    Orders, services, their addons and domains that exist are left alone.
    Workers take the change up with their next batch.
    """
    catalog_file = _read(file)

    async def run(database: Database) -> LoadReport:
        async with database.transaction() as connection:
            return await catalogue.load(connection, catalog_file)

    try:
        report = with_database(run)
    except CatalogError as error:
        _fail(error)
    _show(report)


@app.command()
def check(
    file: File,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list: place, code and message of each finding.")
    ] = False,
) -> None:
    """Check a catalogue file by itself: changes nothing, and needs no database.

    Tells what `load` refuses; if that is nothing, what it takes and what hurts
    later: missing prices, options given away, promotions that never apply, tax
    rules that overlap. Each with its place in the file, and the mend.
    A price of -1.00 is taken as not offered on purpose.

    The status is 1 if anything is found, so that a script may stop there.
    """
    catalog_file = _read(file, as_json=as_json)
    try:
        check_entries(catalog_file)
    except CatalogError as error:
        if not as_json:
            err.print("What the file refers to must be in it here; `load` looks into the database as well.")
        _fail(error, as_json=as_json)
    findings = advise(catalog_file, datetime.now(UTC).date())
    if as_json:
        echo(findings)
    else:
        _tell(findings)
    raise typer.Exit(1 if findings else 0)


@app.command()
def export(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the catalogue as `load` takes it: without secrets, clients and what they own."""

    async def run(database: Database) -> dict[str, object]:
        async with database.connection() as connection:
            return await catalogue.export(connection)

    values = with_database(run)
    # Not through rich: what is printed must be what is meant, however wide the terminal.
    if as_json:
        typer.echo(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        typer.echo(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


def _read(file: typer.FileBinaryRead, *, as_json: bool = False) -> CatalogFile:
    try:
        return parse(file.read(FILE_BYTES_MAX + 1))
    except CatalogError as error:
        _fail(error, as_json=as_json)


def _fail(error: CatalogError, *, as_json: bool = False) -> NoReturn:
    if as_json:
        echo([_refused(fault) for fault in error.faults])
        raise typer.Exit(1)
    err.print(str(error), markup=False)
    things = "one thing" if len(error.faults) == 1 else f"{len(error.faults)} things"
    fail(f"{things} to mend in the file first")


def _refused(fault: str) -> Finding:
    """Take a line apart: its place, unless the fault is the whole file's, stands before a colon."""
    place, _, message = fault.partition(": ")
    return Finding(place, "refused", message) if message else Finding("the file", "refused", fault)


def _tell(findings: Sequence[Finding]) -> None:
    for finding in findings[:FAULTS_SHOWN_MAX]:
        out.print(f"{finding.place}: {finding.message}", markup=False)
    more = len(findings) - FAULTS_SHOWN_MAX
    if more > 0:
        out.print(f"… and {more} more; --json prints them all")
    if findings:
        things = "one thing" if len(findings) == 1 else f"{len(findings)} things"
        err.print(f"{things} in the file will hurt later, though `load` takes it")
    else:
        err.print("the file is in order")


def _show(report: LoadReport) -> None:
    table = Table("section", "new", "updated", "unchanged")
    for section, count in report.sections.items():
        table.add_row(section, str(count.new), str(count.updated), str(count.unchanged))
    out.print(table)
    for note in report.notes:
        err.print(f"note: {note}", markup=False)
    out.print(f"the catalogue is at version {report.version}{'' if report.moved else ', as before'}")
