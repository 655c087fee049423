"""Where messages wait for a person: look in, send them back on their way, or take them out for good.

Two queues: orders.dead for requests that came to nothing, orders.unrouted for commands that no queue takes.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelLockedResource

from schemas import topology
from schemas.rejections import Reason
from worker.broker import batch, headers
from worker.broker.connection import delivery_of
from worker.broker.headers import DEATHS, trail_in
from worker.broker.messages import NO_TRAIL, Delivery, Outgoing, Properties, Trail
from worker.broker.republish import Republisher
from worker.key_ring import KeyRing

OPERATORS_LOCK = "orders.operators-lock"
CONFIRM_SECONDS_MAX = 30
ARRIVAL_SECONDS_MAX = 10  # of a message that the queue said it has
POLL_SECONDS = 0.05
IN_FLIGHT_MAX = 100  # of a replay, before their confirms
WINDOW = 200  # messages that are in memory at once; the largest are a MiB

Identity = tuple[str, str, int, bytes]


class AnotherOperator(Exception):
    """Somebody else is at the dead letters; two at once would see half of them each."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of orders.dead or orders.unrouted, and what its headers say of its end."""

    delivery: Delivery
    queue: str = topology.DEAD

    @property
    def message_id(self) -> str:
        return self.delivery.properties.message_id or ""

    @property
    def reason(self) -> str:
        """A Reason, or whatever else the header says: anybody may have written it."""
        if self.is_unrouted:
            return Reason.UNROUTED
        # Without our header it came by the broker's own delivery limit: the worker never got to say why.
        return self._text(headers.REASON) or Reason.DELIVERY_LIMIT

    @property
    def code(self) -> str:
        return "" if self.is_unrouted else self._text(headers.CODE)

    @property
    def message(self) -> str:
        return f"no queue takes {self.routing_key}" if self.is_unrouted else self._text(headers.MESSAGE)

    @property
    def attempts(self) -> int:
        return headers.count_of(self.delivery.properties.headers, headers.ATTEMPTS)

    @property
    def first_seen(self) -> str:
        return self._text(headers.FIRST_SEEN)

    @property
    def died_at(self) -> str:
        return "" if self.is_unrouted else self._text(headers.DIED_AT)

    @property
    def routing_key(self) -> str:
        # Nobody of ours has copied an unrouted message: it still has its own.
        return (
            self.delivery.routing_key
            if self.is_unrouted
            else self._text(headers.ROUTING_KEY) or self.delivery.routing_key
        )

    @property
    def replays(self) -> int:
        return headers.count_of(self.delivery.properties.headers, headers.REPLAYS)

    @property
    def trail(self) -> Trail:
        """What we have noted on it: nothing, where the broker put it here, with the headers that its publisher wrote.

        Beside the broker only workers and operators may write into orders.dead.
        """
        headers = self.delivery.properties.headers
        return NO_TRAIL if self.is_unrouted or DEATHS in headers else trail_in(headers)

    @property
    def dropped_headers(self) -> str:
        return self._text(headers.DROPPED)

    @property
    def is_unrouted(self) -> bool:
        return self.queue == topology.UNROUTED

    @property
    def identity(self) -> Identity:
        """What it is the same message by: a crash may have left it here twice, to the byte.

        The content counts too: of two that share a message_id, or have none, each is somebody's request.
        """
        digest = hashlib.sha256(self.delivery.body).digest()
        return self.delivery.properties.user_id or "", self.message_id, self.replays, digest

    @property
    def digest(self) -> bytes:
        """Stand for its identity in sixteen bytes, so that hundreds of thousands fit into memory."""
        return hashlib.blake2b(repr(self.identity).encode(), digest_size=16).digest()

    def _text(self, header: str) -> str:
        value = self.delivery.properties.headers.get(header)
        return value if isinstance(value, str) else ""


Held = tuple[DeadLetter, DeliveredMessage]  # until it is acknowledged, or the channel closes
Choice = Callable[[DeadLetter], bool]
Act = Callable[[DeadLetter], Awaitable[None]]


@asynccontextmanager
async def opened(
    connection: AbstractConnection, queue: str = topology.DEAD, keys: KeyRing | None = None
) -> AsyncIterator["DeadLetters"]:
    """Look into a queue as its only operator. Whatever is not taken out lies there as before.

    With the secret keys what is sent back is sealed: what we note on it counts (messages.md, "Whose word counts").

    Raises:
        AnotherOperator: somebody else has it open.
    """
    async with connection.channel(publisher_confirms=False) as locking:
        try:
            lock = await locking.declare_queue(OPERATORS_LOCK, exclusive=True)
        except ChannelLockedResource:
            raise AnotherOperator("another operator has the dead letters open: try again when they are done") from None
        async with connection.channel(publisher_confirms=True, on_return_raises=True) as publishing:
            yield DeadLetters(queue, connection, publishing, keys)
        if not locking.is_closed:
            await lock.delete()  # else it stays until the connection closes


class DeadLetters:
    """One queue of messages that need a person. Of any number of them, no more than WINDOW are in memory at once."""

    def __init__(
        self, queue: str, connection: AbstractConnection, publishing: AbstractChannel, keys: KeyRing | None
    ) -> None:
        self._queue = queue
        self._keys = keys
        self._connection = connection
        self._publishing = publishing
        self._left = 0  # messages, when the last look was over: those that it held are on their way back

    async def count(self) -> int:
        declared = await self._publishing.declare_queue(self._queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def browse(self) -> AsyncIterator[DeadLetter]:
        """Go through what lies in the queue, each message once. In no order: every look shuffles what lies there."""
        seen = _Seen()
        async with self._all() as letters:
            async for letter, _message in letters:
                if seen.is_new(letter):
                    yield letter

    async def move(self, chosen: Choice, act: Act, *, at_once: int = 1) -> AsyncIterator[DeadLetter]:
        """Do something about each chosen message, and only then take it from the queue.

        A crash in between can do it twice, never lose it. A message that lies there twice is done once, and taken out
        twice. `act` runs for up to `at_once` messages side by side; where it raises, that message stays.
        """
        seen = _Seen()
        async with self._all() as letters:
            batch: list[Held] = []
            async for letter, message in letters:
                if not chosen(letter):
                    continue
                if not seen.is_new(letter):
                    await self._take_out(message)
                    continue
                batch.append((letter, message))
                if len(batch) == at_once:
                    for done in await self._act_on(batch, act):
                        yield done
                    batch.clear()
            for done in await self._act_on(batch, act):
                yield done

    async def replay(
        self,
        chosen: Choice,
        routing_key: str | None = None,
        *,
        rate: float | None = None,
    ) -> AsyncIterator[DeadLetter]:
        """Publish the chosen ones back to `orders`, and only then take each from the queue.

        Each goes under the routing key that it came with, or under the one given, at most `rate` a second. What dies
        again during the run waits for the next one: it stands behind all that the queue had. A duplicate after a crash
        changes nothing.
        """
        pace = _Pace(rate)

        async def send(letter: DeadLetter) -> None:
            await pace.wait()
            await self.send(self.republisher.replay(letter.delivery, letter.trail, routing_key or letter.routing_key))

        at_once = IN_FLIGHT_MAX if rate is None else max(1, min(IN_FLIGHT_MAX, int(rate)))
        async for letter in self.move(chosen, send, at_once=at_once):
            yield letter

    @property
    def republisher(self) -> Republisher:
        assert self._keys is not None, "who sends something back has the keys"
        return Republisher(self._keys)

    async def send(self, outgoing: Outgoing) -> None:
        """Send a request on its way, and return when the broker has confirmed it."""
        async with asyncio.timeout(CONFIRM_SECONDS_MAX):
            for _, error in await batch.publish(await self._publishing.get_underlay_channel(), [outgoing]):
                raise error

    async def put(self, body: bytes, properties: Properties) -> None:
        """Put a message into this queue, as it is. The exchange of the same name leads there and nowhere else."""
        await self.send(
            Outgoing(exchange=self._queue, routing_key=self._queue, body=body, properties=properties, mandatory=True)
        )

    @asynccontextmanager
    async def _all(self) -> AsyncIterator[AsyncIterator[Held]]:
        """Hold what lies in the queue, each message until it is acknowledged or the channel closes."""
        async with self._connection.channel(publisher_confirms=False) as browsing:
            yield self._arriving(await browsing.get_underlay_channel())

    async def _arriving(self, browsing: aiormq.abc.AbstractChannel) -> AsyncIterator[Held]:
        """Let them come a window at a time: as many as there are now. What comes meanwhile stands behind them.

        Getting them one by one takes sixteen times as long.
        """
        arrived = asyncio.Queue[DeliveredMessage]()
        await browsing.basic_qos(prefetch_count=WINDOW)
        room = 0
        for _ in range(await self._count_all()):
            if room == 0:
                # A consumer holds as many unacknowledged messages as its prefetch, so the next window is another one's.
                await browsing.basic_consume(self._queue, arrived.put)
                room = WINDOW
            try:
                message = await asyncio.wait_for(arrived.get(), ARRIVAL_SECONDS_MAX)
            except TimeoutError:
                return  # somebody else took the rest
            room -= 1
            yield DeadLetter(delivery_of(message), self._queue), message

    async def _count_all(self) -> int:
        """Count the messages once all are back that the look before held: when its channel closes, that takes a moment.

        Those that do not come back are in nobody's reach: somebody has emptied the queue.
        """
        count = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
                while (count := await self.count()) < self._left:  # noqa: ASYNC110  # the broker tells nobody
                    await asyncio.sleep(POLL_SECONDS)
        self._left = count
        return count

    async def _take_out(self, message: DeliveredMessage) -> None:
        await message.channel.basic_ack(delivery_of(message).tag)
        self._left -= 1

    async def _act_on(self, batch: Sequence[Held], act: Act) -> list[DeadLetter]:
        """Act side by side; take out what was done, then raise what went wrong with the others."""
        outcomes = await asyncio.gather(*(act(letter) for letter, _ in batch), return_exceptions=True)
        faults = [outcome for outcome in outcomes if outcome is not None]
        done = [pair for pair, outcome in zip(batch, outcomes, strict=True) if outcome is None]
        for _, message in done:
            await self._take_out(message)
        if faults:
            raise faults[0]
        return [letter for letter, _ in done]


class _Pace:
    """Lets one go every so many seconds."""

    def __init__(self, rate: float | None) -> None:
        self._seconds = 0.0 if rate is None else 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        now = time.monotonic()
        self._next = max(self._next, now) + self._seconds
        await asyncio.sleep(self._next - self._seconds - now)


class _Seen:
    """Which messages have come by."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def is_new(self, letter: DeadLetter) -> bool:
        count = len(self._digests)
        self._digests.add(letter.digest)
        return len(self._digests) > count


def is_routed(routing_key: str) -> bool:
    """Whether a queue takes what is published to `orders` under this key."""
    patterns = [key for queue in topology.QUEUES for exchange, key in queue.bindings if exchange == topology.COMMANDS]
    return any(_topic(pattern).fullmatch(routing_key) for pattern in patterns)


def _topic(pattern: str) -> re.Pattern[str]:
    """Write a topic pattern as a regular one: a star is one word. None of ours has the hash, which is any number."""
    return re.compile(re.escape(pattern).replace(r"\*", "[^.]+"))
