"""What must be true once the dust has settled (reliability.md, "Oracle").

Every confirmed request has exactly one ending: one order, or one dead letter; one result event by id; each follow-up at
least once and, told by id, once; and nothing else exists. Stock and promotion uses add up.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import QueueEmpty

from schemas import topology
from tests.faults.load import Ledger
from tests.shop import Worker
from worker.broker.connection import BROKER_FAULTS, connect
from worker.broker.dead_letters import opened

WITNESS = "tests.witness"  # a queue that hears every event, and survives what the broker survives
POLL_SECONDS = 0.2
SHOWN_MAX = 10  # requests that are named for one thing that is wrong

RESULTS = {"order.added": "placed", "order.rejected": "dead", "order.failed": "dead"}
FOLLOW_UPS = sorted(topology.FOLLOW_UPS)
WORK = (topology.REQUESTS, topology.SUSPECTS, *topology.RETRY_DELAYS)

STOCK_TAKEN = "SELECT 100000 - quantity FROM product_stock WHERE product_id = 5"  # as the sample catalogue began
STOCK_SOLD = "SELECT count(*) FROM services WHERE product_id = 5 AND order_id IS NOT NULL"
PROMOTION_USES = "SELECT uses FROM promotion_uses JOIN promotions ON id = promotion_id WHERE code = 'LASTUSE'"
PROMOTION_ORDERS = "SELECT count(*) FROM orders WHERE promotion_code = 'LASTUSE'"

# Half an order, in whatever way: without its invoice, or with one that does not add up to what the order says.
HALF_ORDERS = """
    SELECT inbox.message_id
    FROM orders
    JOIN inbox ON inbox.id = orders.request_id
    LEFT JOIN invoices ON invoices.order_id = orders.id
    LEFT JOIN LATERAL (SELECT sum(amount) FROM invoice_lines WHERE invoice_id = invoices.id) AS lines (total) ON true
    WHERE
        invoices.id IS NULL
        OR invoices.total <> orders.amount
        OR lines.total + invoices.tax + invoices.tax2 <> invoices.total
        OR NOT EXISTS (SELECT FROM services WHERE services.order_id = orders.id)
        OR NOT EXISTS (SELECT FROM answers WHERE answers.request_id = orders.request_id)
"""
PLACED = """
    SELECT inbox.message_id, array_agg(orders.id) AS orders
    FROM orders JOIN inbox ON inbox.id = orders.request_id
    GROUP BY inbox.message_id
"""


@dataclass(slots=True)
class Said:
    """What was heard of one request: ids by type of event, and the orders that were named."""

    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    orders: set[int] = field(default_factory=set)

    @property
    def results(self) -> list[str]:
        """The endings that were told, one an event id."""
        return [RESULTS[kind] for kind, ids in self.ids.items() if kind in RESULTS for _ in ids]

    @property
    def is_whole(self) -> bool:
        """Whether an ending was told, and what follows it: that may have been kept for longer than the ending."""
        return bool(self.results) and ("order.added" not in self.ids or self.ids.keys() >= set(FOLLOW_UPS))

    @property
    def follow_ups(self) -> list[str]:
        return [kind for kind, ids in self.ids.items() if kind in FOLLOW_UPS for _ in ids]


@dataclass(frozen=True, slots=True)
class Found:
    """What there is in the end."""

    placed: dict[str, list[int]]  # message_id → orders
    dead: Counter[str]  # message_id → dead letters
    half: list[str]
    stock_taken: int
    stock_sold: int
    promotion_uses: int
    promotion_orders: int


class Oracle:
    """Listens from the start, and judges at the end. `amqp_url` is the administrator's."""

    def __init__(self, amqp_url: str, database_url: str) -> None:
        self._amqp_url = amqp_url
        self._database_url = database_url
        self._said: dict[str, Said] = defaultdict(Said)

    @classmethod
    @asynccontextmanager
    async def listening(cls, amqp_url: str, database_url: str) -> AsyncIterator["Oracle"]:
        oracle = cls(amqp_url, database_url)
        async with oracle._channel() as channel:
            witness = await channel.declare_queue(WITNESS, durable=True, arguments={"x-queue-type": "quorum"})
            await witness.bind(topology.EVENTS, "#")
            await witness.purge()
        yield oracle
        async with oracle._channel() as channel:
            await channel.queue_delete(WITNESS)

    async def unheard(self, ledger: Ledger) -> int:
        """Count the confirmed requests whose result has not been told yet."""
        await self._hear()
        return sum(not self._said[message_id].results for message_id in ledger.confirmed)

    async def judge(self, ledger: Ledger, workers: Iterable[Worker], seconds_max: float) -> None:
        """Wait until all has ended, stop the workers, so that nothing is in their hands, and judge.

        Every confirmed request has its result and its follow-ups, and nothing waits to be worked on.

        Raises:
            AssertionError: with everything that is not as it must be.
        """
        wrong: list[str] = []
        try:
            async with asyncio.timeout(seconds_max):
                while not await self._have_all_ended(ledger):
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            wrong.append(f"not all ended within {seconds_max:g} s")
        statuses = await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
        if any(statuses):
            wrong.append(f"workers ended with {statuses}")
        await self._hear()
        wrong += [f"{waiting} wait in {queue}" for queue, waiting in (await self._waiting()).items() if waiting]
        wrong += self._differences(ledger, await self._find())
        assert not wrong, "\n".join(wrong)

    # ---------------------------------------------------------------- seeing

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[AbstractChannel]:
        async with connect(self._amqp_url, "oracle") as connection, connection.channel() as channel:
            yield channel

    async def _have_all_ended(self, ledger: Ledger) -> bool:
        try:
            await self._hear()
            waiting = await self._waiting()
        except BROKER_FAULTS:
            return False  # it is still on its way up
        return not any(waiting.values()) and all(self._said[message_id].is_whole for message_id in ledger.confirmed)

    async def _waiting(self) -> dict[str, int]:
        """Count what waits to be worked on."""
        async with self._channel() as channel:
            queues = [await channel.declare_queue(name, passive=True) for name in WORK]
        return {queue.name: queue.declaration_result.message_count or 0 for queue in queues}

    async def _hear(self) -> None:
        """Take what the witness has heard since the last time."""
        async with self._channel() as channel:
            queue = await channel.get_queue(WITNESS)
            with suppress(QueueEmpty):
                while True:
                    message = await queue.get(no_ack=False)
                    event = json.loads(message.body)
                    said = self._said[event["data"]["request_id"]]
                    said.ids[event["type"]].add(event["id"])
                    if event["type"] == "order.added":
                        said.orders.add(event["data"]["orderid"])
                    await message.ack()

    async def _find(self) -> Found:
        async with connect(self._amqp_url, "oracle") as connection, opened(connection) as letters:
            dead = Counter([letter.message_id async for letter in letters.browse()])
        database = await asyncpg.connect(self._database_url)
        try:
            return Found(
                placed={row["message_id"]: row["orders"] for row in await database.fetch(PLACED)},
                dead=dead,
                half=[row["message_id"] for row in await database.fetch(HALF_ORDERS)],
                stock_taken=await database.fetchval(STOCK_TAKEN),
                stock_sold=await database.fetchval(STOCK_SOLD),
                promotion_uses=await database.fetchval(PROMOTION_USES),
                promotion_orders=await database.fetchval(PROMOTION_ORDERS),
            )
        finally:
            await database.close()

    # ---------------------------------------------------------------- judging

    def _differences(self, ledger: Ledger, found: Found) -> list[str]:
        said, placed, dead = self._said, found.placed.keys(), found.dead.keys()
        known = ledger.attempted.keys()
        told = {ending: {one for one in said if ending in said[one].results} for ending in ("placed", "dead")}
        faults = {
            "confirmed, and lost": ledger.confirmed - placed - dead,
            "placed and dead": placed & dead,
            "placed twice": [one for one, orders in found.placed.items() if len(orders) > 1],
            "dead twice": [one for one, times in found.dead.items() if times > 1],
            "there, though nobody asked": (placed | dead | said.keys()) - known,
            "placed, and not told so": placed - told["placed"],
            "dead, and not told so": dead - told["dead"],
            "told placed, and not so": told["placed"] - placed,
            "told dead, and not so": told["dead"] - dead,
            "told another order": [one for one, orders in found.placed.items() if said[one].orders != set(orders)],
            "more than one result": [one for one in said if len(said[one].results) > 1],
            "not each follow-up, once by id": [one for one in placed if sorted(said[one].follow_ups) != FOLLOW_UPS],
            "follow-ups without an order": [one for one in said.keys() - placed if said[one].follow_ups],
            "half an order": found.half,
            "dead, though it was right": [one for one in dead & known if ledger.is_right(one)],
            "placed, though it was wrong": [one for one in placed & known if not ledger.is_right(one)],
        }
        wrong = [f"{what}: {_some(message_ids)}" for what, message_ids in faults.items() if message_ids]
        if found.stock_taken != found.stock_sold:
            wrong.append(f"{found.stock_taken} units left the stock, {found.stock_sold} were sold")
        if found.promotion_uses != found.promotion_orders:
            wrong.append(f"a code was used {found.promotion_uses} times, by {found.promotion_orders} orders")
        return wrong


def _some(message_ids: Collection[str]) -> str:
    shown = ", ".join(sorted(message_ids)[:SHOWN_MAX])
    return f"{len(message_ids)}: {shown}{', …' if len(message_ids) > SHOWN_MAX else ''}"
