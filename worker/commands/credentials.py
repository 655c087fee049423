"""`orders credentials`: who may ask from outside."""

import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from rich.markup import escape

from repository import credentials
from repository.credentials import CredentialError, ListedCredential, NewCredential
from repository.database import Database
from worker import publishers
from worker.commands import AsJson, display, err, fail, out
from worker.commands.database import with_database
from worker.commands.layout import Column, Table

app = typer.Typer(help="API credentials: make, list, replace and revoke them.", no_args_is_help=True)

Result = TypeVar("Result")


OVERLAP_MAX = timedelta(days=30)  # long enough for whoever deploys once a month
_OVERLAP = re.compile(r"([0-9]{1,5})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def overlap_of(written: str) -> timedelta:
    """Read how long an old secret is taken as well, such as 1h or 2d."""
    match = _OVERLAP.fullmatch(written)
    overlap = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else OVERLAP_MAX * 2
    if overlap > OVERLAP_MAX:
        raise typer.BadParameter("a time such as 90s, 30m, 1h or 2d, of 30 days at most; 0s: at once")
    return overlap


def action_of(written: str) -> str:
    """Read an action. One that this version does not know is taken, unless it is nearly one that it does."""
    if meant := publishers.misspelt(written):
        raise typer.BadParameter(f"{written} is no action; did you mean {meant}?")
    return written


@app.command()
def add(
    *,
    identifier: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name; random unless given.", show_default=False)
    ] = None,
    caller: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whose keys it has: a name that several may share, such as shop, or a caller that there is already, "
            "such as credential:7. Unless given, that of the revoked credential of this identifier, else a new one.",
            show_default=False,
        ),
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ACTION",
            parser=action_of,
            help="What it may call; may be repeated. Unless given, addorder.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a credential. Its secret is shown now and never again."""

    async def run(database: Database) -> NewCredential:
        async with database.transaction() as connection:
            return await credentials.add(connection, action or ["addorder"], identifier, caller)

    _show_secret(_done(run), as_json=as_json)


@app.command()
def replace(
    identifier: Annotated[str, typer.Argument(metavar="IDENTIFIER", help="Whose.", show_default=False)],
    *,
    overlap: Annotated[
        str, typer.Option(metavar="TIME", help="How long the old secret is taken as well, such as 30m, 1h or 2d.")
    ] = "0s",
    as_json: AsJson = False,
) -> None:
    """Give a credential a new secret. It is shown now and never again; the requests of before keep their keys.

    Unless there is an overlap, workers refuse the old one from their next batch on: of requests that wait, too.
    """
    length = overlap_of(overlap)

    async def run(database: Database) -> NewCredential:
        async with database.transaction() as connection:
            return await credentials.replace(connection, identifier, length)

    made = _done(run)
    _show_secret(made, as_json=as_json)
    if made.old_secret_until is None:
        err.print("The old one is refused from the next batch on, with what waits under it: see `orders dead list`.")
    else:
        err.print(
            f"The old one is taken until {made.old_secret_until:%Y-%m-%d %H:%M:%S} UTC, and refused from then on."
        )


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
    columns = ("identifier", "caller", "may call", "made (UTC)", "until (UTC)")
    rows = [
        (one.identifier, one.caller, ", ".join(one.actions), f"{one.created_at:%Y-%m-%d %H:%M}", _until(one))
        for one in listed
    ]
    if listed:
        display(Table([Column(name, text=name in {"may call", "until (UTC)"}) for name in columns], rows))
    else:
        out.print("no credentials")


def _until(one: ListedCredential) -> str:
    """Tell when a credential, or its old secret, ends or has ended."""
    if one.revoked_at is not None:
        return f"revoked {one.revoked_at:%Y-%m-%d %H:%M}"
    return "" if one.old_secret_until is None else f"old secret {one.old_secret_until:%Y-%m-%d %H:%M}"


@app.command()
def revoke(identifier: Annotated[str, typer.Argument(metavar="IDENTIFIER", help="Whose.", show_default=False)]) -> None:
    """End a credential. Workers refuse it from their next batch on: requests that wait, and repeats, too."""

    async def run(database: Database) -> str:
        async with database.transaction() as connection:
            return await credentials.revoke(connection, identifier)

    caller = _done(run)
    err.print(
        f"{identifier} is revoked. What was placed stays. Requests of it that wait, and repeats, are refused from the "
        f"next batch on as `Authentication Failed`, and lie among the dead letters. Its keys stay those of {caller}: "
        f"`orders credentials add --caller {caller}` lets somebody go on with them.",
        markup=False,
    )


def _done(step: Callable[[Database], Awaitable[Result]]) -> Result:
    """Carry out a step, or say what can not be done."""
    try:
        return with_database(step)
    except CredentialError as error:
        fail(escape(str(error)))


def _show_secret(made: NewCredential, *, as_json: bool) -> None:
    if as_json:
        until = made.old_secret_until and made.old_secret_until.isoformat(timespec="seconds")
        row = {"identifier": made.identifier, "secret": made.secret, "caller": made.caller, "old_secret_until": until}
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    out.print(f"identifier  {made.identifier}\nsecret      {made.secret}\ncaller      {made.caller}", markup=False)
    err.print("Keep the secret: it is not shown again.")


def _row(one: ListedCredential) -> dict[str, object]:
    moments = {"created_at": one.created_at, "revoked_at": one.revoked_at, "old_secret_until": one.old_secret_until}
    told = {name: moment and moment.isoformat(timespec="seconds") for name, moment in moments.items()}
    return {"identifier": one.identifier, "caller": one.caller, "actions": one.actions, **told}
