"""Where messages wait for a person: look in, send them back on their way, or take them out for good.

Two queues: orders.dead for requests that came to nothing, orders.unrouted for commands that no queue takes.
"""

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import aiormq
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelLockedResource
from pamqp.commands import Queue

from schemas import topology
from schemas.rejections import Reason
from worker.broker import headers, sending
from worker.broker.connection import delivery_of
from worker.broker.headers import trail_in
from worker.broker.messages import NO_TRAIL, Delivery, Outgoing, Properties, Trail
from worker.broker.republish import Republisher
from worker.key_ring import KeyRing

OPERATORS_LOCK = "orders.operators-lock"
ARRIVAL_SECONDS_MAX = 10  # of a message that the queue said it has
BESIDE_SECONDS_MAX = 5  # of a look while somebody acts: half of what the other waits for what the look holds
POLL_SECONDS = 0.05
WINDOW = 200  # messages that are in memory at once; the largest are a MiB

# What the broker calls the death of a message that nobody of ours has set aside.
DEATHS = frozenset({"expired", "maxlen"})
COUNTS_OF_LOOKS = (headers.DELIVERY_COUNT, "x-acquired-count")

Identity = tuple[object, ...]


class AnotherOperator(Exception):
    """Somebody else is at the dead letters; two at once would see half of them each."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of orders.dead or orders.unrouted, and what its headers say of its end."""

    delivery: Delivery
    queue: str = topology.DEAD

    @property
    def has_our_headers(self) -> bool:
        """Whether what it says under our names was written by us: the one place where this is decided.

        Only workers and operators may write to orders.dead. What the broker puts there itself, with `x-death`, says
        what its publisher wrote: that is told as the publisher's, and never obeyed.
        """
        return not self.is_unrouted and headers.DEATHS not in self.delivery.properties.headers

    @property
    def message_id(self) -> str:
        return self.delivery.properties.message_id or ""

    @property
    def publisher(self) -> str:
        return self.delivery.properties.user_id or ""

    @property
    def reason(self) -> str:
        """A Reason, or whatever else the header says: anybody may have written it."""
        if self.is_unrouted:
            return Reason.UNROUTED
        if self.has_our_headers:
            return self._text(headers.REASON) or Reason.DELIVERY_LIMIT
        death = self._death.get("reason")
        return death if death in DEATHS else Reason.DELIVERY_LIMIT

    @property
    def code(self) -> str:
        return self._text(headers.CODE)

    @property
    def message(self) -> str:
        return f"no queue takes {self.routing_key}" if self.is_unrouted else self._text(headers.MESSAGE)

    @property
    def attempts(self) -> int:
        return self._count(headers.ATTEMPTS)

    @property
    def first_seen(self) -> str:
        return self._text(headers.FIRST_SEEN)

    @property
    def died_at(self) -> str:
        if self.is_unrouted or self.has_our_headers:
            return self._text(headers.DIED_AT)
        died = self._death.get("time")
        return _iso_time(died) if isinstance(died, datetime) else ""

    @property
    def routing_key(self) -> str:
        """Under which it came: our copies say it, of all others the broker does."""
        if written := self._text(headers.ROUTING_KEY):
            return written
        # From there the broker knows the queue's name only.
        return topology.ADD_ORDER if self.delivery.routing_key == topology.SUSPECTS else self.delivery.routing_key

    @property
    def replays(self) -> int:
        return self._count(headers.REPLAYS)

    @property
    def trail(self) -> Trail:
        """What we have noted on it."""
        return trail_in(self.delivery.properties.headers) if self.has_our_headers else NO_TRAIL

    @property
    def dropped_headers(self) -> str:
        return self._text(headers.DROPPED)

    @property
    def is_unrouted(self) -> bool:
        return self.queue == topology.UNROUTED

    @property
    def is_probe(self) -> bool:
        """Whether it only asked whether a key is bound: it is for nobody, and no tool shows it.

        That is told without the secret keys. Nothing can be hidden by it: what has no body is no request.
        """
        properties = self.delivery.properties
        return properties.type == topology.PROBE and headers.PROBES in properties.headers and not self.delivery.body

    @property
    def properties(self) -> Properties:
        """Its properties, with of our headers those that we wrote: what another try of it is made of."""
        if self.has_our_headers:
            return self.delivery.properties
        written = self.delivery.properties.headers
        theirs = {name: value for name, value in written.items() if not name.startswith(headers.OURS)}
        return replace(self.delivery.properties, headers=theirs)

    @property
    def identity(self) -> Identity:
        """What it is the same message by: a crash may have left it here twice.

        It is all that would make another try of it, and why it came to nothing (messages.md, "Dead letters").
        """
        properties = self.properties
        return (
            *(self.publisher, self.message_id, properties.content_type, properties.content_encoding),
            *(self.routing_key, self.replays, headers.superseded(properties.headers), self.reason, self.code),
            hashlib.sha256(self.delivery.body).digest(),
        )

    @property
    def digest(self) -> bytes:
        """Stand for its identity in sixteen bytes, so that hundreds of thousands fit into memory."""
        return hashlib.blake2b(repr(self.identity).encode(), digest_size=16).digest()

    @property
    def _death(self) -> dict[str, Any]:
        """Return what the broker says of the last death; anybody may have written the header before."""
        deaths = self.delivery.properties.headers.get(headers.DEATHS)
        return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}

    def _text(self, header: str) -> str:
        value = self.delivery.properties.headers.get(header) if self.has_our_headers else None
        return value if isinstance(value, str) else ""

    def _count(self, header: str) -> int:
        return headers.count_of(self.delivery.properties.headers, header) if self.has_our_headers else 0


@dataclass(frozen=True, slots=True)
class Held:
    """A message in hand, until it is taken out of the queue or the channel closes."""

    letter: DeadLetter
    is_double: bool  # of one that was taken out before: nothing is to be done but to take it out too
    message: DeliveredMessage


Choice = Callable[[DeadLetter], bool]


@asynccontextmanager
async def opened(
    connection: AbstractConnection,
    queue: str = topology.DEAD,
    keys: KeyRing | None = None,
    *,
    wait_seconds: float = 0.0,
) -> AsyncIterator["DeadLetters"]:
    """Be the only operator of a queue. Whatever is not taken out lies there as before.

    With the secret keys what is sent back is sealed: what we note on it counts (messages.md, "Whose word counts").

    Raises:
        AnotherOperator: somebody else has it open, and did not end in the time that is waited for them.
    """
    async with connection.channel(publisher_confirms=False) as locking:
        if not await _is_locked(locking, wait_seconds):
            raise AnotherOperator("another operator has the dead letters open")
        async with connection.channel(publisher_confirms=True, on_return_raises=True) as publishing:
            yield DeadLetters(queue, connection, publishing, keys, is_alone=True)
        if not locking.is_closed:
            await locking.queue_delete(OPERATORS_LOCK)  # else it stays until the connection closes


@asynccontextmanager
async def looked_into(
    connection: AbstractConnection, queue: str = topology.DEAD, *, wait_seconds: float = 0.0
) -> AsyncIterator["DeadLetters"]:
    """Look into a queue: alone, so that nobody else's look hides a half, or beside somebody who does not end in time.

    Beside somebody it sees what they have not in hand, and `is_alone` says so.
    """
    async with connection.channel(publisher_confirms=False) as locking:
        is_alone = await _is_locked(locking, wait_seconds)
        async with connection.channel(publisher_confirms=False) as counting:
            yield DeadLetters(queue, connection, counting, is_alone=is_alone)
        if is_alone and not locking.is_closed:
            await locking.queue_delete(OPERATORS_LOCK)


async def _is_locked(channel: AbstractChannel, wait_seconds: float) -> bool:
    """Take the lock, as soon as it is free; False: it is not, in this time."""
    until = time.monotonic() + wait_seconds
    while True:
        try:
            await channel.declare_queue(OPERATORS_LOCK, exclusive=True)
        except ChannelLockedResource:
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(POLL_SECONDS)
            await channel.reopen()
        else:
            return True


class DeadLetters:
    """One queue of messages that need a person. Of any number of them, no more than WINDOW are in memory at once.

    Probes that lie there are none of them, and are handed out to nobody.

    `unseen` is how many somebody else held during the last look.
    """

    def __init__(
        self,
        queue: str,
        connection: AbstractConnection,
        channel: AbstractChannel,
        keys: KeyRing | None = None,
        *,
        is_alone: bool,
    ) -> None:
        self.is_alone = is_alone
        self.unseen = 0
        self._queue = queue
        self._keys = keys
        self._connection = connection
        self._channel = channel
        self._left = 0  # messages, when the last look was over: those that it held are on their way back
        self._taken: set[bytes] = set()

    @property
    def connection(self) -> AbstractConnection:
        return self._connection

    async def count(self) -> int:
        return (await self._declared()).message_count or 0

    async def _declared(self) -> Queue.DeclareOk:
        return (await self._channel.declare_queue(self._queue, passive=True)).declaration_result

    async def browse(self) -> AsyncGenerator[DeadLetter]:
        """Go through what lies in the queue, each message once. In no order: every look shuffles what lies there."""
        seen = set[bytes]()
        async with self._all() as arriving:
            async for letter, _message in arriving:
                if not letter.is_probe and _is_new(letter, seen):
                    yield letter

    async def batches(self, chosen: Choice, at_once: int) -> AsyncGenerator[list[Held]]:
        """Hand out the chosen messages, up to `at_once` together, each to be taken out once it was seen to.

        A crash in between can have a message seen to twice, and loses none. What is not taken out stays. One that lies
        there twice comes again, alone and marked, if the first of it was taken out.
        """
        seen, batch = set[bytes](), list[Held]()
        async with self._all() as arriving:
            async for letter, message in arriving:
                if letter.is_probe or not chosen(letter):
                    continue
                is_double = not _is_new(letter, seen)
                if batch and (is_double or len(batch) == at_once):
                    yield batch  # what becomes of the first decides about its double
                    batch = []
                if not is_double:
                    batch.append(Held(letter, is_double=False, message=message))
                elif letter.digest in self._taken:
                    yield [Held(letter, is_double=True, message=message)]
            if batch:
                yield batch

    async def take_out(self, held: Held) -> None:
        await held.message.channel.basic_ack(delivery_of(held.message).tag)
        self._taken.add(held.letter.digest)
        self._left -= 1

    async def take_out_probes(self) -> set[str]:
        """Take out the probes that lie here, and tell their ids."""
        found = set[str]()
        async with self._all() as arriving:
            async for letter, message in arriving:
                if letter.is_probe:
                    await message.channel.basic_ack(letter.delivery.tag)
                    found.add(letter.message_id)
                    self._left -= 1
        return found

    @property
    def republisher(self) -> Republisher:
        """Write what is sent back."""
        assert self._keys is not None, "who sends something back has the keys"
        return Republisher(self._keys)

    async def send(self, requests: Sequence[Outgoing]) -> list[str | None]:
        """Send requests on their way. For each, None or why it was not sent."""
        return await sending.send(await self._channel.get_underlay_channel(), requests)

    async def put(self, messages: Sequence[Delivery]) -> list[str | None]:
        """Put messages into this queue, as they are. For each, None or why it was not put there.

        The exchange of the same name leads there and nowhere else, whatever the routing key.
        """
        return await self.send(
            [
                Outgoing(
                    exchange=self._queue,
                    routing_key=message.routing_key or self._queue,
                    body=message.body,
                    properties=_without_looks(message.properties),
                    mandatory=True,
                )
                for message in messages
            ]
        )

    @asynccontextmanager
    async def _all(self) -> AsyncIterator[AsyncIterator[tuple[DeadLetter, DeliveredMessage]]]:
        """Hold what lies in the queue, each message until it is acknowledged or the channel closes."""
        async with (
            self._connection.channel(publisher_confirms=False) as browsing,
            aclosing(self._arriving(await browsing.get_underlay_channel())) as arriving,
        ):
            yield arriving

    async def _arriving(
        self, browsing: aiormq.abc.AbstractChannel
    ) -> AsyncGenerator[tuple[DeadLetter, DeliveredMessage]]:
        """Let them come a window at a time: as many as there are now. What comes meanwhile stands behind them.

        Getting them one by one takes sixteen times as long.
        """
        arrived = asyncio.Queue[DeliveredMessage]()
        await browsing.basic_qos(prefetch_count=WINDOW)
        room = 0
        there = await self._count_all()
        until = None if self.is_alone else time.monotonic() + BESIDE_SECONDS_MAX
        for number in range(there):
            self.unseen = there - number
            if room == 0:
                # A consumer holds as many unacknowledged messages as its prefetch, so the next window is another one's.
                await browsing.basic_consume(self._queue, arrived.put)
                room = WINDOW
            patience = ARRIVAL_SECONDS_MAX if until is None else until - time.monotonic()
            try:
                message = await asyncio.wait_for(arrived.get(), patience)
            except TimeoutError:
                return  # somebody else holds the rest
            room -= 1
            yield DeadLetter(delivery_of(message), self._queue), message
        self.unseen = 0

    async def _count_all(self) -> int:
        """Count the messages once all are back that a look held: when its channel closes, that takes a moment.

        Whoever has the lock also waits for those who look beside it. What does not come back is in nobody's reach:
        somebody has emptied the queue.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
                while True:
                    declared = await self._declared()
                    count = declared.message_count or 0
                    if count >= self._left and not (self.is_alone and declared.consumer_count):
                        break
                    await asyncio.sleep(POLL_SECONDS)
        self._left = count
        return count


def _without_looks(properties: Properties) -> Properties:
    """Leave out how often it was looked at: what is put back begins anew."""
    kept = {name: value for name, value in properties.headers.items() if name not in COUNTS_OF_LOOKS}
    return replace(properties, headers=kept)


def _is_new(letter: DeadLetter, seen: set[bytes]) -> bool:
    count = len(seen)
    seen.add(letter.digest)
    return len(seen) > count


def _iso_time(time_: datetime) -> str:
    return time_.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_routed(routing_key: str) -> bool:
    """Whether a queue takes what is published to `orders` under this key."""
    patterns = [key for queue in topology.QUEUES for exchange, key in queue.bindings if exchange == topology.COMMANDS]
    return any(_topic(pattern).fullmatch(routing_key) for pattern in patterns)


def _topic(pattern: str) -> re.Pattern[str]:
    """Write a topic pattern as a regular one: a star is one word. None of ours has the hash, which is any number."""
    return re.compile(re.escape(pattern).replace(r"\*", "[^.]+"))
