"""Findings about whose servers these are, and about what a failover has lost, or would lose."""

from collections.abc import AsyncIterator

from repository import shop
from repository.database import Connection
from worker.broker.connection import AccessRefused, BrokerConnection
from worker.broker.shop import AnotherShop, has_streams, latest_orders, owner
from worker.operations.faults import OperationFault
from worker.operations.findings import Finding, Level
from worker.operations.servers import archive
from worker.settings import Settings

STANDBYS_FIX = (
    "Let commits wait for one: synchronous_standby_names = 'ANY 1 (*)' in postgresql.conf, and a reload. Else a "
    "failover loses the last orders, and `orders recover` tells which."
)


async def standbys(connection: Connection) -> AsyncIterator[Finding]:
    """Warn where a failover may lose what callers were told of."""
    count = await shop.asynchronous_standbys(connection)
    if count:
        stream = "standbys stream" if count > 1 else "standby streams"
        says = f"{count} {stream}, and no commit waits for it: a failover loses orders"
        yield Finding("standby", Level.WARNING, says, STANDBYS_FIX)


async def whose(connection: BrokerConnection, settings: Settings) -> AsyncIterator[Finding]:
    """Tell whether broker and database are of one shop, and whether the database has what workers noted.

    What is not there, or not for this user to read, is told elsewhere.
    """
    if settings.postgres_url is None or not await has_streams(connection):
        return
    try:
        async with archive(settings.postgres_url.get_secret_value()) as database, database.connection() as session:
            ours = await shop.shop_id(session)
            theirs = await owner(connection)
            missing = await shop.missing(session, await latest_orders(connection, ours))
    except (OperationFault, AccessRefused):
        return
    if theirs is None:
        says = "nobody has said whose broker this is: a worker of another shop would take its orders"
        yield Finding("shop", Level.WARNING, says, "Run `orders topology adopt`.")
    elif theirs != ours:
        says, _, fix = str(AnotherShop(theirs, ours)).partition("; fix: ")
        yield Finding("shop", Level.WRONG, says, f"{fix[:1].upper()}{fix[1:]}.")
    else:
        yield Finding("shop", Level.OK, f"database and broker are of the shop {ours}")
    if missing:
        says = f"of the orders that workers noted last, {len(missing)} are not in the database: {missing[-1]} is one"
        yield Finding("lost", Level.WRONG, says, "Run `orders recover`: it tells all of them, and lets workers go on.")
