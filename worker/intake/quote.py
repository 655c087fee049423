"""What a request would cost: the stages of carry_out.py that change nothing, on a snapshot that cannot be written to.

read ─ facts ─ decide         nothing is claimed, locked, placed, remembered or published
"""

from repository import catalog as catalogue
from repository import facts
from repository.database import Database
from schemas import add_order, topology, wire
from schemas.order import OrderRequest, PricedOrder
from schemas.rejections import Rejected, Rejection
from worker.actions.parsers import action_of
from worker.domain.decide import decide
from worker.domain.facts_needed import facts_needed
from worker.intake.edge import check_size


def read(body: bytes, content_type: str | None, *, bytes_max: int) -> OrderRequest | Rejection:
    """Read a request as the edge does, apart from who asks: its credentials are not looked at."""
    try:
        check_size(body, bytes_max)
        tree = wire.decode(body, content_type)
        action_of(tree, topology.ADD_ORDER)
        return add_order.parse(tree)
    except Rejected as rejected:
        return Rejection.of(rejected.faults)


async def quote(request: OrderRequest, database: Database) -> PricedOrder | Rejection:
    """Decide on a request as a worker would at this moment. Stock and uses may be gone by the time it is sent."""
    async with database.snapshot() as connection:
        catalog = await catalogue.read(connection)
        found = await facts.read(connection, facts_needed(request, catalog))
    verdict, _ = decide(request, found.facts, found.totals, catalog)
    return verdict
