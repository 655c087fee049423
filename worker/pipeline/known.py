"""What this process knows to be placed, so that it sees where the database has lost it (decisions/failover.md)."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from repository import shop
from repository.database import AnotherServer, Connection, OrdersLost
from repository.shop import Home
from schemas.notes import NotedOrder

# Of batches: more than a process has in hand at once. Of those committed last one is the last in the database's log,
# and where that one is, all before it are.
LATEST_MAX = 8
UNNOTED_MAX = 10_000  # orders that wait to be noted while the broker takes nothing; then the oldest are not


@dataclass(frozen=True, slots=True)
class Placed:
    """The orders of a batch that was committed, and the highest id of all that was born with them."""

    orders: Sequence[NotedOrder]
    highest: int


class Known:
    """Remembers what was committed last: for the database to be held against, and to be noted in the broker."""

    def __init__(self) -> None:
        self._latest = deque[int](maxlen=LATEST_MAX)  # an order of each batch: one is there if all of them are
        self._unnoted = deque[NotedOrder](maxlen=UNNOTED_MAX)
        self._highest = 0
        self._wait = asyncio.Event()
        self._home: Home | None = None  # None: not opened yet
        self._fault: AnotherServer | None = None

    def placed(self, batch: Placed) -> None:
        """Hear that a batch was committed."""
        if batch.orders:
            self._latest.append(batch.orders[-1].order_id)
            self._highest = max(self._highest, batch.highest)
            self.to_note(batch.orders)

    # ---------------------------------------------------------------- what is to be noted in the broker

    def to_note(self, orders: Sequence[NotedOrder]) -> None:
        self._unnoted.extend(orders)
        self._wait.set()

    async def until_some(self) -> None:
        """Wait until there is something to note."""
        await self._wait.wait()

    def take_unnoted(self, count: int) -> Placed:
        """Take what is to be noted: so many orders at most."""
        taken = [self._unnoted.popleft() for _ in range(min(count, len(self._unnoted)))]
        if not self._unnoted:
            self._wait.clear()
        return Placed(taken, self._highest)

    # ---------------------------------------------------------------- what the database has of it

    async def look(self, connection: Connection) -> None:
        """Look where a session is that is new. What is found, `check` says.

        A pool opens a session anew where one was lost, and nobody hears of it: it may be of another server.
        """
        home = await shop.home(connection)
        if self._home is not None and home != self._home:
            timelines = f"timeline {home.timeline}, before {self._home.timeline}"
            self._fault = AnotherServer(f"a session is of another server or database than those before ({timelines})")

    async def begin(self, connection: Connection) -> None:
        """See that the database has the orders that this process knows, and take its server for ours from now on.

        Raises:
            OrdersLost: it does not have them, and nobody was told yet.
        """
        self._home, self._fault = await shop.home(connection), None
        await self.see(connection, self._latest)

    async def see(self, connection: Connection, order_ids: Collection[int]) -> None:
        """See that the database has these orders.

        Raises:
            OrdersLost: it does not, and nobody was told yet.
        """
        if missing := await shop.missing(connection, order_ids):
            raise await lost(connection, missing)

    def check(self) -> None:
        """See that no session has come to another server. It costs nothing: every batch asks.

        Raises:
            AnotherServer: one has.
        """
        if self._fault is not None:
            raise self._fault


async def lost(connection: Connection, missing: Sequence[int]) -> OrdersLost:
    """Say what is missing. How that came about is for a person to find out."""
    home, highest = await shop.home(connection), await shop.highest(connection)
    return OrdersLost(
        f"order {missing[-1]} was placed and is not in the database, whose highest is {highest} (timeline "
        f"{home.timeline}): a standby that was behind has taken over, or a backup was restored",
        "bring back the server that has it, or let `orders recover` tell what is lost and leave its ids out",
    )
