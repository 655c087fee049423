"""Where messages wait for a person: look in, send them back on their way, or take them out for good.

Two queues: orders.dead for requests that came to nothing, orders.unrouted for commands that no queue takes.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import QueueEmpty
from aiormq.exceptions import ChannelLockedResource

from worker import copies
from worker.broker import topology
from worker.broker.connection import delivery_of, message_of
from worker.messages import Delivery

OPERATORS_LOCK = "orders.operators-lock"
CONFIRM_SECONDS_MAX = 30

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
        if self.is_unrouted:
            return "unrouted"
        # Without our header it came by the broker's own delivery limit: the worker never got to say why.
        return self._text(copies.REASON) or "delivery_limit"

    @property
    def code(self) -> str:
        return "" if self.is_unrouted else self._text(copies.CODE)

    @property
    def message(self) -> str:
        return f"no queue takes {self.routing_key}" if self.is_unrouted else self._text(copies.MESSAGE)

    @property
    def attempts(self) -> int:
        return copies.count_of(self.delivery.properties.headers, copies.ATTEMPTS)

    @property
    def first_seen(self) -> str:
        return self._text(copies.FIRST_SEEN)

    @property
    def died_at(self) -> str:
        return "" if self.is_unrouted else self._text(copies.DIED_AT)

    @property
    def routing_key(self) -> str:
        # Nobody of ours has copied an unrouted message: it still has its own.
        return (
            self.delivery.routing_key
            if self.is_unrouted
            else self._text(copies.ROUTING_KEY) or self.delivery.routing_key
        )

    @property
    def replays(self) -> int:
        return copies.count_of(self.delivery.properties.headers, copies.REPLAYS)

    @property
    def dropped_headers(self) -> str:
        return self._text(copies.DROPPED)

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

    def _text(self, header: str) -> str:
        value = self.delivery.properties.headers.get(header)
        return value if isinstance(value, str) else ""


Choice = Callable[[DeadLetter], bool]


@asynccontextmanager
async def opened(connection: AbstractConnection, queue: str = topology.DEAD) -> AsyncIterator["DeadLetters"]:
    """Look into a queue as its only operator. Whatever is not taken out lies there as before.

    Raises:
        AnotherOperator: somebody else has it open.
    """
    async with connection.channel(publisher_confirms=False) as locking:
        try:
            lock = await locking.declare_queue(OPERATORS_LOCK, exclusive=True)
        except ChannelLockedResource:
            raise AnotherOperator("another operator has the dead letters open: try again when they are done") from None
        async with (
            # Messages that are got and not acknowledged go back to their place when the channel closes.
            connection.channel(publisher_confirms=False) as browsing,
            connection.channel(publisher_confirms=True, on_return_raises=True) as publishing,
        ):
            yield DeadLetters(queue, browsing, publishing)
        if not locking.is_closed:
            await lock.delete()  # else it stays until the connection closes


class DeadLetters:
    def __init__(self, queue: str, browsing: AbstractChannel, publishing: AbstractChannel) -> None:
        self._queue = queue
        self._browsing = browsing
        self._publishing = publishing
        self._began = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def browse(self) -> AsyncIterator[DeadLetter]:
        """Go through what lay in the queue at the start, oldest first, each message once."""
        seen: set[Identity] = set()
        async for letter, _message in self._all():
            if letter.identity not in seen:
                seen.add(letter.identity)
                yield letter

    async def replay(self, chosen: Choice, routing_key: str | None = None) -> AsyncIterator[DeadLetter]:
        """Publish the chosen ones back to `orders`, and only then take each from the queue.

        Each goes under the routing key that it came with, or under the one given. A crash in between can duplicate,
        never lose; a duplicate changes nothing. What dies again during the run waits for the next one.
        """
        commands = await self._publishing.get_exchange(topology.COMMANDS, ensure=False)
        seen: set[Identity] = set()
        async for letter, message in self._all():
            if letter.died_at > self._began or not chosen(letter):
                continue
            if letter.identity not in seen:
                properties = copies.replay(letter.delivery.properties, letter.replays)
                await commands.publish(
                    message_of(letter.delivery.body, properties),
                    routing_key or letter.routing_key,
                    timeout=CONFIRM_SECONDS_MAX,
                )
            await message.ack()
            if letter.identity not in seen:
                seen.add(letter.identity)
                yield letter

    async def discard(
        self, chosen: Choice, record: Callable[[DeadLetter], Awaitable[None]]
    ) -> AsyncIterator[DeadLetter]:
        """Take the chosen ones out of the queue for good, each once `record` has noted it: never without a trace."""
        seen: set[Identity] = set()
        async for letter, message in self._all():
            if not chosen(letter):
                continue
            if letter.identity not in seen:
                await record(letter)
            await message.ack()
            if letter.identity not in seen:
                seen.add(letter.identity)
                yield letter

    async def _all(self) -> AsyncIterator[tuple[DeadLetter, AbstractIncomingMessage]]:
        queue = await self._browsing.declare_queue(self._queue, passive=True)
        for _ in range(queue.declaration_result.message_count or 0):
            try:
                message = await queue.get(no_ack=False)
            except QueueEmpty:
                return
            yield DeadLetter(delivery_of(message), self._queue), message


def is_routed(routing_key: str) -> bool:
    """Whether a queue takes what is published to `orders` under this key."""
    patterns = [key for queue in topology.QUEUES for exchange, key in queue.bindings if exchange == topology.COMMANDS]
    return any(_topic(pattern).fullmatch(routing_key) for pattern in patterns)


def _topic(pattern: str) -> re.Pattern[str]:
    """Write a topic pattern as a regular one: a star is one word. None of ours has the hash, which is any number."""
    return re.compile(re.escape(pattern).replace(r"\*", "[^.]+"))
