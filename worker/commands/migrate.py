"""`orders migrate`."""

import asyncio

from repository import shop_settings
from repository.database import Database
from schemas.shop_settings import Given
from worker.commands import err, out, person
from worker.commands.database import database_errors
from worker.settings import Settings
from worker.shop_settings import overruled


def migrate() -> None:
    """Bring the database's schema up to date. Safe to run from many places at once.

    Of the shop's own settings, those that nobody has set yet are set to what
    ORDERS_TAX, ORDERS_INVOICE_GRACE_DAYS and ORDERS_NAMESERVERS say here.
    """
    from repository import migrate as migrations  # noqa: PLC0415  # alembic takes long, and no other command needs it

    settings = Settings.read()
    url, first = settings.require("postgres_url"), settings.first_values

    async def run() -> tuple[tuple[str, ...], Given]:
        applied = await migrations.migrate(url)
        async with Database(url, connections_max=1) as database, database.transaction() as connection:
            return applied, await shop_settings.fill(connection, first, by=person())

    with database_errors():
        applied, given = asyncio.run(run())
    if applied:
        out.print(f"applied {', '.join(applied)}")
    else:
        err.print("the schema is up to date")
    for sentence in overruled(first, given):
        err.print(f"warning: {sentence}", markup=False)
