"""`orders credentials`: who may ask from outside."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from repository import credentials
from repository.credentials import CredentialError, ListedCredential, NewCredential
from repository.database import Database
from worker.commands import AsJson, err, fail, out
from worker.commands.database import with_database

app = typer.Typer(help="API credentials: make, list and revoke them.", no_args_is_help=True)


@app.command()
def add(
    *,
    identifier: Annotated[str | None, typer.Option(help="Its name; random unless given.", show_default=False)] = None,
    action: Annotated[list[str], typer.Option(help="What it may call; may be repeated.")] = ["addorder"],  # noqa: B006  # typer's way
    as_json: AsJson = False,
) -> None:
    """Make a credential. Its secret is shown now and never again."""

    async def run(database: Database) -> NewCredential:
        async with database.transaction() as connection:
            return await credentials.add(connection, action, identifier)

    try:
        made = with_database(run)
    except CredentialError as error:
        fail(escape(str(error)))
    if as_json:
        typer.echo(json.dumps({"identifier": made.identifier, "secret": made.secret}, ensure_ascii=False))
        return
    out.print(f"identifier  {made.identifier}\nsecret      {made.secret}", markup=False)
    err.print("Keep the secret: it is not shown again.")


@app.command("list")
def list_(
    *,
    everything: Annotated[bool, typer.Option("--all", help="The revoked ones too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the credentials in force."""

    async def run(database: Database) -> tuple[ListedCredential, ...]:
        async with database.connection() as connection:
            return await credentials.list_(connection)

    listed = [one for one in with_database(run) if everything or one.revoked_at is None]
    if as_json:
        for one in listed:
            typer.echo(json.dumps(_row(one), ensure_ascii=False))
        return
    table = Table(Column("identifier", overflow="fold"), "may call", "made", "revoked")
    for one in listed:
        moments = [f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in (one.created_at, one.revoked_at)]
        table.add_row(escape(one.identifier), ", ".join(one.actions), *moments)
    out.print(table if listed else "no credentials")


@app.command()
def revoke(identifier: Annotated[str, typer.Argument(help="Whose.", show_default=False)]) -> None:
    """End a credential. Workers refuse it from their next batch on."""

    async def run(database: Database) -> None:
        async with database.transaction() as connection:
            await credentials.revoke(connection, identifier)

    try:
        with_database(run)
    except CredentialError as error:
        fail(escape(str(error)))
    err.print(f"{identifier} is revoked", markup=False)


def _row(one: ListedCredential) -> dict[str, object]:
    return {
        "identifier": one.identifier,
        "actions": one.actions,
        "created_at": one.created_at.isoformat(timespec="seconds"),
        "revoked_at": one.revoked_at and one.revoked_at.isoformat(timespec="seconds"),
    }
