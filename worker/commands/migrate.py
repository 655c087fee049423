"""`orders migrate`."""

import asyncio

from worker.commands import err, out
from worker.operations.servers import postgres_in_words
from worker.settings import Settings


def migrate() -> None:
    """Bring the database's schema up to date. Safe to run from many places at once."""
    from repository import migrate as migrations  # noqa: PLC0415  # alembic takes long, and no other command needs it

    url = Settings.read().require("postgres_url")
    with postgres_in_words():
        applied = asyncio.run(migrations.migrate(url))
    if applied:
        out.print(f"applied {', '.join(applied)}")
    else:
        err.print("the schema is up to date")
