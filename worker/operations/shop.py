"""Whose a broker is: said once by whoever sets it up, and moved on purpose only."""

from dataclasses import dataclass

from repository.audit import Line
from repository.database import Database
from repository.shop import shop_id
from schemas import topology
from worker.broker.connection import BrokerConnection
from worker.broker.queues import look_at
from worker.broker.shop import AnotherShop, has_streams, own, owner
from worker.operations.actor import Actor, Role
from worker.operations.audit import Ledger, run
from worker.operations.faults import OperationFault
from worker.operations.servers import archive
from worker.settings import Settings


@dataclass(frozen=True, slots=True)
class Adoption:
    """What would be moved. `theirs` is whose the broker is, None for nobody's; `consumers` take requests now."""

    ours: str
    theirs: str | None
    consumers: int

    @property
    def is_done(self) -> bool:
        return self.theirs == self.ours


async def ours(settings: Settings) -> tuple[str | None, str]:
    """Tell whose the database is; None where that is not known, and why."""
    if settings.postgres_url is None:
        return None, "ORDERS_POSTGRES_URL is not set"
    try:
        async with archive(settings.postgres_url.get_secret_value()) as database, database.connection() as connection:
            return await shop_id(connection), ""
    except OperationFault as fault:
        return None, str(fault)


async def theirs(connection: BrokerConnection) -> str | None:
    """Tell whose the broker is; None: nobody's, or the stream that would say it is not there yet."""
    return await owner(connection) if await has_streams(connection) else None


async def refuse_anothers(connection: BrokerConnection, settings: Settings) -> None:
    """See that nobody else's broker is about to be changed.

    Raises:
        AnotherShop: it is another shop's.
    """
    mine, _ = await ours(settings)
    found = await theirs(connection)
    if mine is not None and found not in {None, mine}:
        raise AnotherShop(str(found), mine)


async def say_whose(connection: BrokerConnection, settings: Settings) -> tuple[str, str]:
    """Write down whose this broker is, where nobody has said. Returns what was done, and what is not known and why."""
    mine, why = await ours(settings)
    if mine is None:
        return "", f"whose broker this is was not looked at: {why}"
    if await owner(connection) is not None:
        return "", ""
    await own(connection, mine)
    return f"wrote down that this is the broker of the shop {mine}", ""


async def look(connection: BrokerConnection, database: Database) -> Adoption:
    """Tell what adopting would come to."""
    async with database.connection() as session:
        mine = await shop_id(session)
    requests = await look_at(connection, topology.REQUESTS)
    return Adoption(mine, await theirs(connection), requests.consumers or 0)


async def adopt(connection: BrokerConnection, adoption: Adoption, actor: Actor, ledger: Ledger) -> None:
    """Make the broker this shop's from now on."""
    actor.check(Role.ADMIN)
    line = Line(
        "adopt", topology.SHOP, f"it was the shop {adoption.theirs}'s" if adoption.theirs else "it was nobody's"
    )
    async with run(actor, ledger, line, of_many=True) as going:
        await own(connection, adoption.ours)
        going.done = 1
