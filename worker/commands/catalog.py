"""`orders catalog`: what is sold, from a file and back into one."""

import json
from typing import Annotated, NoReturn

import typer
import yaml
from rich.table import Table

from repository import catalog as catalogue
from repository.catalog import CatalogError, LoadReport
from repository.database import Database
from schemas.catalog_check import check as check_entries
from schemas.catalog_entries import CatalogFile
from schemas.catalog_file import FILE_BYTES_MAX, parse
from worker.commands import err, fail, out
from worker.commands.database import with_database

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
def check(file: File) -> None:
    """Check a catalogue file by itself: changes nothing, and needs no database."""
    try:
        check_entries(_read(file))
    except CatalogError as error:
        err.print("What the file refers to must be in it here; `load` looks into the database as well.")
        _fail(error)
    err.print("the file is in order")


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


def _read(file: typer.FileBinaryRead) -> CatalogFile:
    try:
        return parse(file.read(FILE_BYTES_MAX + 1))
    except CatalogError as error:
        _fail(error)


def _fail(error: CatalogError) -> NoReturn:
    err.print(str(error), markup=False)
    things = "one thing" if len(error.faults) == 1 else f"{len(error.faults)} things"
    fail(f"{things} to mend in the file first")


def _show(report: LoadReport) -> None:
    table = Table("section", "new", "updated", "unchanged")
    for section, count in report.sections.items():
        table.add_row(section, str(count.new), str(count.updated), str(count.unchanged))
    out.print(table)
    for note in report.notes:
        err.print(f"note: {note}", markup=False)
    out.print(f"the catalogue is at version {report.version}{'' if report.moved else ', as before'}")
