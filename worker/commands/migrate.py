"""`orders migrate`."""

import asyncio

from rich.markup import escape

from repository import shop_settings
from repository.database import Database
from schemas.shop_settings import Given
from worker.commands import err, fail, out, person
from worker.operations.servers import postgres_in_words
from worker.redaction import escape_controls
from worker.settings import Settings
from worker.shop_settings import overruled


def migrate() -> None:
    """Bring the database's schema up to date. Safe to run from many places at once, and beside workers.

    Where a table is in use, it says by whom, gives way and tries again, for a quarter of an hour.
    Of the shop's own settings, those that nobody has set yet are set to what
    ORDERS_TAX, ORDERS_INVOICE_GRACE_DAYS and ORDERS_NAMESERVERS say here.
    """
    from repository import migrate as migrations  # noqa: PLC0415  # alembic takes long, and no other command needs it

    settings = Settings.read()
    url, first = settings.require("postgres_url"), settings.first_values

    async def run() -> tuple[tuple[str, ...], Given]:
        applied = await migrations.migrate(url, _say)
        async with Database(url, connections_max=1) as database, database.transaction() as connection:
            return applied, await shop_settings.fill(connection, first, by=person())

    with postgres_in_words():
        try:
            applied, given = asyncio.run(run())
        except migrations.Stopped as error:
            fail(escape(escape_controls(str(error))))
    if applied:
        out.print(f"applied {', '.join(applied)}")
    else:
        err.print("the schema is up to date")
    for sentence in overruled(first, given):
        err.print(f"warning: {sentence}", markup=False)


def _say(line: str) -> None:
    err.print(escape_controls(line), markup=False)
