"""`orders secrets`: what is encrypted at rest."""

import typer
from cryptography.fernet import InvalidToken

from repository import sealed
from repository.database import Database
from worker.commands import err, fail, needed
from worker.commands.database import with_database
from worker.key_ring import KeyRing
from worker.settings import Settings

app = typer.Typer(help="What is encrypted in the database: bring it under a new key.", no_args_is_help=True)


@app.callback()
def secrets() -> None:
    """Keep a group of one command a group: `orders secrets rotate`."""


@app.command()
def rotate() -> None:
    """Encrypt all anew, under the first of ORDERS_SECRET_KEYS.

    First put the new key in front everywhere, and restart the workers; then run this; then the old key may go. Requests
    that were signed with it count as unchanged from then on. It may be interrupted, and run again.
    """
    settings = Settings.read()
    needed(settings, "secret_keys", "postgres_url")
    keys = KeyRing(settings.keys())

    async def run(database: Database) -> int:
        return sum([count async for count in sealed.rotate(database, keys.encrypt_anew)])

    try:
        count = with_database(run)
    except InvalidToken:
        fail("something is encrypted under a key that ORDERS_SECRET_KEYS does not name: add it behind the first")
    err.print(f"{count:,} encrypted anew")
