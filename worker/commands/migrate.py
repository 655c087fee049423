"""`orders migrate`."""

import asyncio

from rich.markup import escape

from worker.commands import err, fail, out
from worker.commands.database import database_errors
from worker.redaction import plain
from worker.settings import Settings


def migrate() -> None:
    """Bring the database's schema up to date. Safe to run from many places at once, and beside workers.

    Where a table is in use, it says by whom, gives way and tries again, for a quarter of an hour.
    """
    from repository import migrate as migrations  # noqa: PLC0415  # alembic takes long, and no other command needs it

    url = Settings.read().require("postgres_url")
    with database_errors():
        try:
            applied = asyncio.run(migrations.migrate(url, _say))
        except migrations.Stopped as error:
            fail(escape(plain(str(error))))
    if applied:
        out.print(f"applied {', '.join(applied)}")
    else:
        err.print("the schema is up to date")


def _say(line: str) -> None:
    err.print(plain(line), markup=False)
