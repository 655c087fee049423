"""A way out to RabbitMQ: a connection of its own, which is opened anew when it is lost.

RabbitMQ stops a whole connection, healthy queues of the same exchange with it, for one queue that has no leader. So
what must not wait for each other goes out by different outlets, and none waits for anything longer than it is told to.
"""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, PublishError

from worker.broker import batch
from worker.broker.connection import BROKER_FAULTS, connect
from worker.broker.messages import Outgoing

# Messages on their way, confirmed or given up: what a connection that is stuck may hold of our memory, about 10 MB.
IN_FLIGHT_MAX = 5_000
LOCK_SECONDS_MAX = 2.0  # of the channel: during an alarm the broker does not answer who has asked something on it
REOPEN_SECONDS = 1.0  # between two tries to open the connection anew
ANOTHER_CHANNEL_SECONDS = 1.0  # that a channel is used at least, though a queue has refused something on it

log = structlog.get_logger()

Route = tuple[str, str]  # exchange and routing key: what is published under one goes to the same queues


class Why(StrEnum):
    """Why a message is not known to be in the queues that it is for. It may have arrived in some of them, or in all."""

    RETURNED = "returned"  # no queue takes it
    REFUSED = "refused"  # a queue says no: it is full
    OVERDUE = "overdue"  # nobody has confirmed it in time
    LOST = "lost"  # the connection went away meanwhile
    UNSENT = "unsent"  # there is no connection


Untaken = tuple[Outgoing, Why]
Arrived = Callable[[Outgoing], None]  # told of a message that is confirmed after it was given up


@dataclass(slots=True)
class _Link:
    """One channel of an outlet, and what is on its way over it. With the channel nobody will hear of that."""

    channel: AbstractChannel
    opened_at: float  # monotonic seconds
    was_refused: bool = False  # by a queue
    overdue: Counter[Route] = field(default_factory=Counter)
    in_flight: int = 0


class Outlet:
    """Publishes on its connection, and tells of each message that is not confirmed why.

    As long as a message is overdue, others of its route are sent and not waited for: the same queue is in their way.
    """

    def __init__(self, url: str, name: str, arrived: Arrived | None, reopen_seconds: float) -> None:
        self._url = url
        self._name = name
        self._arrived = arrived
        self._reopen_seconds = reopen_seconds
        self._link: _Link | None = None
        self._broker: AbstractConnection | None = None
        self._connection: AsyncExitStack | None = None  # that closes it
        self._closing: set[asyncio.Future[None]] = set()
        self._opening: asyncio.Task[_Link] | None = None
        self._tried_at = -math.inf

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, name: str, *, arrived: Arrived | None = None, reopen_seconds: float = REOPEN_SECONDS
    ) -> AsyncIterator[Self]:
        """Connect, and close in the end.

        Raises:
            BROKER_FAULTS: the connection does not come about, this first time.
        """
        outlet = cls(url, name, arrived, reopen_seconds)
        try:
            await outlet._open()
            yield outlet
        finally:
            await outlet._close()

    @property
    def overdue(self) -> list[Route]:
        """Name the routes on which something is overdue."""
        return list(self._link.overdue) if self._link else []

    async def channel(self) -> AbstractChannel:
        """Return the channel, opened anew where it is lost.

        Raises:
            BROKER_FAULTS: it can't be.
        """
        return (await self._ready()).channel

    async def publish(self, messages: Iterable[Outgoing], seconds: float) -> list[Untaken]:
        """Publish all of them, and wait until the broker has said something of each, `seconds` at most.

        Messages that are in flight together must differ in their message_id.
        """
        everything = list(messages)
        if not everything:
            return []
        try:
            async with asyncio.timeout(seconds):
                link = await self._ready()
        except BROKER_FAULTS:
            return [(outgoing, Why.UNSENT) for outgoing in everything]
        patient = [outgoing for outgoing in everything if _route(outgoing) not in link.overdue]
        others = [outgoing for outgoing in everything if _route(outgoing) in link.overdue] if link.overdue else []
        return await self._send(link, others, 0) + await self._send(link, patient, seconds)

    async def _send(self, link: _Link, messages: Sequence[Outgoing], seconds: float) -> list[Untaken]:
        room = max(0, IN_FLIGHT_MAX - link.in_flight)
        sent, held_back = messages[:room], messages[room:]
        untaken = [(outgoing, Why.OVERDUE) for outgoing in held_back]
        if not sent:
            return untaken
        link.in_flight += len(sent)
        try:
            async with asyncio.timeout(LOCK_SECONDS_MAX):
                on_the_way = await batch.send(await link.channel.get_underlay_channel(), sent)
        except BROKER_FAULTS:
            link.in_flight -= len(sent)
            return untaken + [(outgoing, Why.UNSENT) for outgoing in sent]
        why = Why.OVERDUE
        try:
            await on_the_way.wait(seconds)
        except AMQPError:
            why = Why.LOST
        left = on_the_way.give_up(lambda outgoing, error: self._hear_late(link, outgoing, error))
        link.overdue.update(map(_route, left))
        link.in_flight -= len(sent) - len(left)
        refused = [(outgoing, _why(error)) for outgoing, error in on_the_way.refused]
        link.was_refused |= any(why is Why.REFUSED for _, why in refused)
        untaken += refused
        return untaken + [(outgoing, why) for outgoing in left]

    def _hear_late(self, link: _Link, outgoing: Outgoing, error: AMQPError | None) -> None:
        route = _route(outgoing)
        link.in_flight -= 1
        link.overdue[route] -= 1
        if not link.overdue[route]:
            del link.overdue[route]
        if error is None and self._arrived:
            self._arrived(outgoing)

    async def _ready(self) -> _Link:
        link = self._link
        if link is not None and not link.channel.is_closed:
            is_due = link.was_refused and time.monotonic() - link.opened_at > ANOTHER_CHANNEL_SECONDS
            return await self._with_another_channel(link) if is_due and not link.overdue else link
        if self._opening is None or self._opening.done():
            if time.monotonic() - self._tried_at < self._reopen_seconds:
                raise ConnectionError("the connection was lost, and is opened anew in a moment")
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(_heard)
        return await asyncio.shield(self._opening)  # who has no patience left does not stop it

    async def _with_another_channel(self, link: _Link) -> _Link:
        """Go on over another channel of the connection.

        A quorum queue that was full tells so no more to a channel that it has once refused (RabbitMQ 3.10).
        """
        link.was_refused = False  # nobody else is to do the same meanwhile
        assert self._broker is not None, "who has a link has its connection"
        self._link = await self._linked(self._broker)
        self._leave_behind(link.channel.close())
        return self._link

    async def _linked(self, connection: AbstractConnection) -> _Link:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        return _Link(channel, time.monotonic())

    def renew(self) -> None:
        """Give the connection up. What is on its way over it may still arrive; nobody will hear of it."""
        self._link = None

    async def _open(self) -> _Link:
        self._tried_at = time.monotonic()
        if self._connection is not None:
            log.warning("outlet.lost", connection=self._name)
            self._leave_behind(self._connection.aclose())
            self._connection = None
        async with AsyncExitStack() as opening:
            self._broker = await opening.enter_async_context(connect(self._url, self._name))
            self._link = await self._linked(self._broker)
            self._connection = opening.pop_all()
        return self._link

    def _leave_behind(self, closing: Awaitable[None]) -> None:
        """Close something beside the opening of what follows: one that is stuck takes long."""
        task = asyncio.ensure_future(_closed(closing))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self) -> None:
        self._link = None
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._connection is not None:
            self._leave_behind(self._connection.aclose())
        if self._closing:
            await asyncio.wait(self._closing)


async def _closed(closing: Awaitable[None]) -> None:
    with contextlib.suppress(*BROKER_FAULTS):
        await closing


def _heard(opening: "asyncio.Task[_Link]") -> None:
    """Hear of a connection that did not come about, though nobody waits any more."""
    if not opening.cancelled():
        opening.exception()


def _route(outgoing: Outgoing) -> Route:
    return outgoing.exchange, outgoing.routing_key


def _why(error: AMQPError) -> Why:
    return Why.RETURNED if isinstance(error, PublishError) else Why.REFUSED
