"""All that a worker publishes: replies, events, and what goes on or is set aside, each by connections of its own."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed

from worker.broker import batch
from worker.broker.addresses import user_of
from worker.broker.connection import connect
from worker.broker.messages import Outgoing, Properties
from worker.broker.outlet import Outlet, Route, Untaken, Why
from worker.broker.replier import Replier

EVENT_SECONDS_MAX = 2.0  # for all confirms of a batch's events; what takes longer is written down instead
MOVE_SECONDS_MAX = 5.0  # for those of its dead letters and retries
NOTE_SECONDS_MAX = 2.0  # for the confirm of what is to be remembered: then what follows goes out beside it
PROBE_SECONDS_MAX = 5.0

log = structlog.get_logger()


class Unconfirmed(AMQPError):
    """The broker did not confirm in time. What was sent may have arrived all the same."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a session publishes with. `impersonates`: whether a copy may keep the user_id of its publisher."""

    replier: Replier
    user: str
    impersonates: bool
    frame_bytes_max: int
    _events: Outlet
    _moves: Outlet
    _notes: Outlet

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, arrived: Callable[[Outgoing], None]) -> AsyncIterator["Publisher"]:
        """Open the connections. `arrived` is told of an event that is confirmed after it was given up.

        Raises:
            BROKER_FAULTS: one does not come about.
        """
        async with AsyncExitStack() as opening:
            moves = await opening.enter_async_context(Outlet.open(url, "orders worker, moving"))
            events = await opening.enter_async_context(Outlet.open(url, "orders worker, announcing", arrived=arrived))
            notes = await opening.enter_async_context(Outlet.open(url, "orders worker, noting"))
            replier = await opening.enter_async_context(Replier.open(url))
            channel = await (await moves.channel()).get_underlay_channel()
            yield cls(
                replier=replier,
                user=user_of(url),
                impersonates=await may_impersonate(url),
                frame_bytes_max=channel.connection.connection_tune.frame_max,
                _events=events,
                _moves=moves,
                _notes=notes,
            )

    async def announce(self, events: Iterable[Outgoing]) -> list[Untaken]:
        """Publish events; returns those that are not known to have arrived."""
        return await self._events.publish(events, EVENT_SECONDS_MAX)

    async def move(self, copies: Iterable[Outgoing]) -> list[Untaken]:
        """Publish what goes on or is set aside; returns what is not known to have arrived."""
        return await self._moves.publish(map(self._sendable, copies), MOVE_SECONDS_MAX)

    async def note(self, note: Outgoing) -> bool:
        """Publish what is to be remembered; False: it did not go out. Confirmed or not, nobody waits for it."""
        untaken = await self._notes.publish([note], NOTE_SECONDS_MAX)
        return not untaken or untaken[0][1] is Why.OVERDUE

    @property
    def overdue(self) -> list[Route]:
        """Name the exchanges and routing keys under which something waits for its confirm for too long."""
        return [*self._events.overdue, *self._moves.overdue]

    async def probe(self) -> None:
        """See that the broker takes messages: during an alarm it confirms nothing.

        Raises:
            Unconfirmed: it does not.
        """
        untaken = await self._moves.publish([_probe()], PROBE_SECONDS_MAX)
        if untaken:
            [(_, why)] = untaken
            raise Unconfirmed(
                f"RabbitMQ confirmed nothing for {PROBE_SECONDS_MAX:g} seconds ({why}): it may have an alarm"
            )

    async def waiting(self, queue: str) -> int:
        """Count the messages that are ready in a queue. Needs no permission to read it.

        Raises:
            Unconfirmed: nothing is said to that.
        """
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                declared = await (await self._moves.channel()).declare_queue(queue, passive=True)
        except TimeoutError:
            raise Unconfirmed(
                f"RabbitMQ said nothing for {PROBE_SECONDS_MAX:g} seconds: it may have an alarm"
            ) from None
        return declared.declaration_result.message_count or 0

    def _sendable(self, outgoing: Outgoing) -> Outgoing:
        if self.impersonates or outgoing.properties.user_id in {None, self.user}:
            return outgoing
        return replace(outgoing, properties=replace(outgoing.properties, user_id=None))


async def may_impersonate(url: str) -> bool:
    """Whether our user has the tag `impersonator`: without it the broker refuses a message under another user_id."""
    async with connect(url, "orders worker, starting") as connection:
        return await _may_impersonate(connection)


async def _may_impersonate(connection: AbstractConnection) -> bool:
    channel = await connection.channel(publisher_confirms=True)
    try:
        probe = _probe(user_id=str(uuid.uuid4()))
        on_the_way = await batch.send(await channel.get_underlay_channel(), [probe])
        await on_the_way.wait(PROBE_SECONDS_MAX)
    except ChannelPreconditionFailed:
        return False
    finally:
        if not channel.is_closed:
            await channel.close()
    return True


def _probe(user_id: str | None = None) -> Outgoing:
    """Make a message to a queue that is not there: the broker confirms, and nobody gets it."""
    properties = Properties(message_id=str(uuid.uuid4()), user_id=user_id)
    return Outgoing(exchange="", routing_key="orders.probe", body=b"", properties=properties, mandatory=False)
