"""Publishing: pipelined, mandatory where a queue must exist, and nothing counts before the broker has confirmed it."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError, ChannelPreconditionFailed, PublishError

from worker.broker import batch
from worker.broker.addresses import user_of
from worker.broker.connection import BROKER_FAULTS, connect
from worker.broker.messages import Outgoing, Properties

# All confirms of one batch. During a memory or disk alarm the broker confirms nothing.
CONFIRM_SECONDS_MAX = 30
PROBE_SECONDS_MAX = 5
REPLY_SECONDS_MAX = 5
AGAIN_SECONDS = 0.2  # after the broker has refused a message: electing another leader takes it about a second

log = structlog.get_logger()


class Unconfirmed(AMQPError):
    """The broker did not confirm in time. What was sent may have arrived all the same."""


class Replier:
    """Publishes direct replies, on a connection of its own that may be lost.

    A direct reply-to is a name that only RabbitMQ can make. Over one that somebody made up, the broker cuts the
    connection; that must hurt nothing but the reply.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: AsyncExitStack | None = None
        self._channel: AbstractChannel | None = None
        self._alone = asyncio.Lock()
        self._opening = asyncio.Lock()

    async def publish(self, outgoing: Outgoing) -> None:
        """Publish a reply. One that cannot be, or takes the connection with it, is given up.

        Others that were on their way with such a one are sent again, each alone.
        """
        try:
            await self._send(outgoing)
        except BROKER_FAULTS:
            try:
                async with self._alone:
                    await self._send(outgoing)
            except BROKER_FAULTS as error:
                log.warning("reply.lost", reply_to=outgoing.routing_key, fault=type(error).__name__)

    async def _send(self, outgoing: Outgoing) -> None:
        async with asyncio.timeout(REPLY_SECONDS_MAX):
            channel = await self._ready()
            await batch.publish(await channel.get_underlay_channel(), [outgoing])

    async def _ready(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                await self.close()
                async with AsyncExitStack() as opening:
                    connection = await opening.enter_async_context(connect(self._url, "orders worker, replying"))
                    self._channel = await connection.channel(publisher_confirms=True)
                    self._opened = opening.pop_all()
            return self._channel

    async def close(self) -> None:
        self._channel = None
        opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(*BROKER_FAULTS):
                await opened.aclose()


class Publisher:
    def __init__(self, channel: AbstractChannel, replier: Replier, user: str, *, impersonates: bool) -> None:
        self.user = user
        self.impersonates = impersonates  # whether a copy may keep the user_id of its publisher
        self._replier = replier
        self._channel = channel

    @classmethod
    @asynccontextmanager
    async def on(cls, connection: AbstractConnection, url: str) -> AsyncIterator["Publisher"]:
        """Publish on a channel of its own, with confirms, where an unroutable message is an error."""
        replier = Replier(url)
        impersonates = await may_impersonate(connection)
        async with connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
            yield cls(channel, replier, user_of(url), impersonates=impersonates)
        await replier.close()

    async def probe(self) -> None:
        """See that the broker takes messages: during an alarm it confirms nothing.

        Raises:
            Unconfirmed: it does not.
        """
        message = _probe(Properties(message_id=str(uuid.uuid4())))
        async with _confirmed_within(PROBE_SECONDS_MAX):
            await self._send([message])

    async def waiting(self, queue: str) -> int:
        """Count the messages that are ready in a queue. Needs no permission to read it."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def publish_all(self, messages: Iterable[Outgoing]) -> None:
        """Publish and wait for every confirm.

        Raises:
            DeliveryError: a message that must have a queue has none.
            Unconfirmed: at least one was not, in time.
        """
        direct: list[Outgoing] = []
        others: list[Outgoing] = []
        for outgoing in messages:
            (direct if outgoing.is_direct_reply else others).append(outgoing)
        async with _confirmed_within(CONFIRM_SECONDS_MAX):
            replying = [self._replier.publish(outgoing) for outgoing in direct]
            await asyncio.gather(self._send(others), *replying)

    async def _send(self, messages: Sequence[Outgoing]) -> None:
        """Send until all are confirmed, as long as whoever waits for that has patience."""
        channel = await self._channel.get_underlay_channel()
        waiting = [self._sendable(outgoing) for outgoing in messages]
        while waiting:
            refused = await batch.publish(channel, waiting)
            waiting = [outgoing for outgoing, error in refused if self._may_be_sent_again(outgoing, error)]
            if waiting:
                await asyncio.sleep(AGAIN_SECONDS)

    def _sendable(self, outgoing: Outgoing) -> Outgoing:
        if self.impersonates or outgoing.properties.user_id in {None, self.user}:
            return outgoing
        return replace(outgoing, properties=replace(outgoing.properties, user_id=None))

    def _may_be_sent_again(self, outgoing: Outgoing, error: AMQPError) -> bool:
        if outgoing.may_be_lost:
            # The caller left before its answer came, or its queue takes no more. It may send the same message_id again.
            log.warning("reply.lost", reply_to=outgoing.routing_key)
            return False
        if isinstance(error, PublishError):
            log.error("publish.unroutable", exchange=outgoing.exchange, routing_key=outgoing.routing_key)
            raise error
        # A queue whose leader has just died. To end the session for it would give everything back, again and again,
        # until the requests looked like what kills its worker.
        return True


@asynccontextmanager
async def _confirmed_within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unconfirmed(f"RabbitMQ confirmed nothing for {seconds} seconds: it may have an alarm") from error


async def may_impersonate(connection: AbstractConnection) -> bool:
    """Whether our user has the tag `impersonator`: without it the broker refuses a message under another user_id."""
    channel = await connection.channel(publisher_confirms=True)
    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            probe = _probe(Properties(message_id=str(uuid.uuid4()), user_id=str(uuid.uuid4())))
            await batch.publish(await channel.get_underlay_channel(), [probe])
    except ChannelPreconditionFailed:
        return False
    finally:
        if not channel.is_closed:
            await channel.close()
    return True


def _probe(properties: Properties) -> Outgoing:
    """Make a message to a queue that is not there: the broker confirms, and nobody gets it."""
    return Outgoing(exchange="", routing_key="orders.probe", body=b"", properties=properties, mandatory=False)
