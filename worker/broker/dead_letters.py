"""The dead-letter queue: look into it, and send its messages back on their way."""

from collections.abc import AsyncIterator, Callable
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


class AnotherOperator(Exception):
    """Somebody else is at the dead letters; two at once would see half of them each."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of orders.dead, and what its headers say of its end."""

    delivery: Delivery

    @property
    def message_id(self) -> str:
        return self.delivery.properties.message_id or ""

    @property
    def reason(self) -> str:
        # Without our header it came by the broker's own delivery limit: the worker never got to say why.
        return self._text(copies.REASON) or "delivery_limit"

    @property
    def code(self) -> str:
        return self._text(copies.CODE)

    @property
    def message(self) -> str:
        return self._text(copies.MESSAGE)

    @property
    def died_at(self) -> str:
        return self._text(copies.DIED_AT)

    @property
    def routing_key(self) -> str:
        return self._text(copies.ROUTING_KEY) or self.delivery.routing_key

    @property
    def replays(self) -> int:
        return copies.count_of(self.delivery.properties.headers, copies.REPLAYS)

    @property
    def identity(self) -> tuple[str, str, int]:
        """What it is the same message by: a crash may have left it here twice."""
        return self.delivery.properties.user_id or "", self.message_id, self.replays

    def _text(self, header: str) -> str:
        value = self.delivery.properties.headers.get(header)
        return value if isinstance(value, str) else ""


Choice = Callable[[DeadLetter], bool]


@asynccontextmanager
async def opened(connection: AbstractConnection) -> AsyncIterator["DeadLetters"]:
    """Look into the queue as its only operator. Whatever is not replayed lies there as before.

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
            yield DeadLetters(browsing, publishing)
        if not locking.is_closed:
            await lock.delete()  # else it stays until the connection closes


class DeadLetters:
    def __init__(self, browsing: AbstractChannel, publishing: AbstractChannel) -> None:
        self._browsing = browsing
        self._publishing = publishing
        self._began = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    async def browse(self) -> AsyncIterator[DeadLetter]:
        """Go through what lay in the queue at the start, oldest first, each message once."""
        async for letter, _message in self._all():
            yield letter

    async def replay(self, chosen: Choice) -> AsyncIterator[DeadLetter]:
        """Publish the chosen ones back to `orders`, and only then take each from the queue.

        A crash in between can duplicate, never lose; a duplicate changes nothing. What dies again during the run
        waits for the next one.
        """
        commands = await self._publishing.get_exchange(topology.COMMANDS, ensure=False)
        seen: set[tuple[str, str, int]] = set()
        async for letter, message in self._all(once=False):
            if letter.died_at > self._began or not chosen(letter):
                continue
            if letter.identity not in seen:
                properties = copies.replay(letter.delivery.properties, letter.replays)
                await commands.publish(
                    message_of(letter.delivery.body, properties), letter.routing_key, timeout=CONFIRM_SECONDS_MAX
                )
                seen.add(letter.identity)
                yield letter
            await message.ack()

    async def _all(self, *, once: bool = True) -> AsyncIterator[tuple[DeadLetter, AbstractIncomingMessage]]:
        queue = await self._browsing.declare_queue(topology.DEAD, passive=True)
        seen: set[tuple[str, str, int]] = set()
        for _ in range(queue.declaration_result.message_count or 0):
            try:
                message = await queue.get(no_ack=False)
            except QueueEmpty:
                return
            letter = DeadLetter(delivery_of(message))
            if not once or letter.identity not in seen:
                seen.add(letter.identity)
                yield letter, message
