"""What became of requests that were sent again: heard from the events, and at last asked of the archive."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

import orjson

from repository import show
from repository.database import Database
from schemas import topology
from worker.broker.connection import BrokerConnection
from worker.broker.events import heard
from worker.broker.queues import look_at

# For the last ones: a worker answers in milliseconds, a queue that is long may take its time.
WAIT_SECONDS_MAX = 60.0
IDLE_SECONDS_MAX = 10.0  # in which nothing more is heard
ASK_SECONDS = 2.0  # of silence, after which the archive is asked: a repeat may be announced by nothing
ASKED_MAX = 200  # requests, one by one


class Became(StrEnum):
    PLACED = "placed"
    DIED = "died again"
    UNKNOWN = "not known yet"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`says` is the order's id, or why it came to nothing again."""

    message_id: str
    became: Became
    says: str = ""


_RESULTS = {"order.added": Became.PLACED, "order.rejected": Became.DIED, "order.failed": Became.DIED}


class Outcomes:
    """Hears what becomes of requests, by their message_id."""

    def __init__(self, events: "asyncio.Queue[bytes]", connection: BrokerConnection) -> None:
        self._events = events
        self._connection = connection
        self._expected = dict[str, int]()  # message_id → how many of that id

    def expect(self, message_id: str) -> None:
        self._expected[message_id] = self._expected.get(message_id, 0) + 1

    async def all(self, database: Database | None, *, wait: bool = True) -> AsyncIterator[Outcome]:
        """Tell of each that was expected what became of it; in the end, of which nobody knows yet."""
        until = time.monotonic() + (WAIT_SECONDS_MAX if wait else 0.0)
        heard_at = time.monotonic()
        while self._expected and time.monotonic() < min(until, heard_at + IDLE_SECONDS_MAX):
            outcome = await self._next(ASK_SECONDS)
            found = [outcome] if outcome else await self._asked(database)
            if found:
                heard_at = time.monotonic()
            for one in found:
                yield one
            if not found and not await self._has_workers():
                break
        for message_id, count in self._expected.items():
            for _ in range(count):
                yield Outcome(message_id, Became.UNKNOWN)

    async def _next(self, seconds: float) -> Outcome | None:
        """Wait for the next event that tells of one of ours."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if outcome := self._taken(await self._events.get()):
                        return outcome
        except TimeoutError:
            return None

    def _taken(self, body: bytes) -> Outcome | None:
        event = orjson.loads(body)
        became, data = _RESULTS.get(event["type"]), event["data"]
        message_id = data.get("request_id")
        if became is None or not self._strike(message_id):
            return None
        says = data["orderid"] if became is Became.PLACED else data.get("code") or data.get("reason")
        return Outcome(message_id, became, str(says))

    def _strike(self, message_id: str) -> bool:
        count = self._expected.get(message_id, 0)
        if count > 1:
            self._expected[message_id] = count - 1
        elif count:
            del self._expected[message_id]
        return count > 0

    async def _asked(self, database: Database | None) -> list[Outcome]:
        """Ask the archive which have an order: what was placed before is a repeat, and may be announced by nothing."""
        if database is None:
            return []
        found = []
        async with database.connection() as connection:
            for message_id in list(self._expected)[:ASKED_MAX]:
                for one in await show.find(connection, message_id):
                    if one.order is not None and one.asked and one.asked.message_id == message_id:
                        found.append(Outcome(message_id, Became.PLACED, str(one.order.id)))
                        self._strike(message_id)
                        break
        return found

    async def _has_workers(self) -> bool:
        return bool((await look_at(self._connection, topology.REQUESTS)).consumers)


@asynccontextmanager
async def listening(connection: BrokerConnection) -> AsyncIterator[Outcomes]:
    """Hear what is announced from now on."""
    async with heard(connection, "order.*") as events:
        yield Outcomes(events, connection)


def counted(outcomes: Collection[Outcome]) -> str:
    """Write how many became what."""
    counts = {became: sum(outcome.became is became for outcome in outcomes) for became in Became}
    return ", ".join(f"{count:,} {became}" for became, count in counts.items() if count)
