"""What the world knows of orders and the database does not: it is told, and its ids are left out.

Read with docs/decisions/failover.md.

What is known are the notes of workers in the broker, and events that somebody has kept.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from repository import audit, shop
from repository.audit import Line
from repository.database import Connection, Database
from repository.shop import Home
from schemas.notes import Note, NotedOrder, note_of_event
from worker.broker.connection import BrokerConnection
from worker.broker.shop import notes
from worker.operations.actor import Actor, Role
from worker.operations.faults import OperationFault

AT_ONCE = 5_000  # orders that the database is asked for together


@dataclass(slots=True)
class Loss:
    """Orders that were placed and are not in the database.

    `highest` is the highest id that is known, of anything; `highest_there` is that of an order in the database.
    """

    home: Home
    highest_there: int
    lost: dict[int, NotedOrder] = field(default_factory=dict)  # by their ids
    highest: int = 0
    looked_at: int = 0

    @property
    def orders(self) -> list[NotedOrder]:
        return [self.lost[order_id] for order_id in sorted(self.lost)]


def notes_in(lines: Iterable[bytes]) -> Iterator[Note]:
    """Read the orders of a file of events, a line each, as `orders events --json` prints them; other events count not.

    Raises:
        OperationFault: a line is no event.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                note = note_of_event(line)
            except ValueError as error:
                raise OperationFault(f"line {number} of the events is none") from error
            if note is not None:
                yield note


async def survey(connection: BrokerConnection, database: Database, events: Iterable[bytes] = ()) -> Loss:
    """Find what is missing. Nothing is changed.

    Raises:
        OperationFault: a line of the events is none.
    """
    kept = list(notes_in(events))
    async with database.connection() as session:
        loss = Loss(await shop.home(session), await shop.highest(session))
        together: dict[int, NotedOrder] = {}
        async for note in _after(kept, notes(connection, await shop.shop_id(session))):
            loss.highest = max(loss.highest, note.highest)
            together |= {order.order_id: order for order in note.orders}
            if len(together) >= AT_ONCE:
                await _look(session, together, loss)
                together = {}
        await _look(session, together, loss)
    return loss


async def _after(first: Iterable[Note], then: AsyncIterator[Note]) -> AsyncIterator[Note]:
    for note in first:
        yield note
    async for note in then:
        yield note


async def _look(session: Connection, orders: Mapping[int, NotedOrder], loss: Loss) -> None:
    loss.lost |= {order_id: orders[order_id] for order_id in await shop.missing(session, orders)}
    loss.looked_at += len(orders)


async def leave_out(database: Database, loss: Loss, actor: Actor) -> int:
    """Leave out the ids that the world may know, from which on workers go on; return the last of them."""
    actor.check(Role.ADMIN)
    async with database.transaction() as connection:
        gap_to = await shop.leave_gap(connection, loss.highest)
        line = Line("recover", "orders", f"{len(loss.lost)} orders are lost", details={"gap_to": gap_to})
        [begun] = await audit.begin(connection, actor.name, actor.by, [line])
        await audit.end(connection, [(begun, {"done": len(loss.lost)})])
    return gap_to
