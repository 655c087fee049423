"""Publishing: pipelined, mandatory where a queue must exist, and nothing counts before the broker has confirmed it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import DeliveryError

from worker.broker.connection import message_of
from worker.messages import Outgoing, Properties

# All confirms of one batch. During a memory or disk alarm the broker confirms nothing.
CONFIRM_SECONDS_MAX = 30
PROBE_SECONDS_MAX = 5

log = structlog.get_logger()


class Publisher:
    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._exchanges: dict[str, AbstractExchange] = {"": channel.default_exchange}

    @classmethod
    @asynccontextmanager
    async def on(cls, connection: AbstractConnection) -> AsyncIterator["Publisher"]:
        """Publish on a channel of its own, with confirms, where an unroutable message is an error."""
        async with connection.channel(publisher_confirms=True, on_return_raises=True) as channel:
            yield cls(channel)

    async def probe(self) -> None:
        """See that the broker takes messages: during an alarm it confirms nothing.

        Raises:
            TimeoutError: it does not.
        """
        # To a queue that is not there: the broker confirms, and nobody gets it.
        properties = Properties(message_id=str(uuid.uuid4()))
        message = Outgoing(exchange="", routing_key="orders.probe", body=b"", properties=properties, mandatory=False)
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            await self._publish(message)

    async def publish_all(self, messages: Iterable[Outgoing]) -> None:
        """Publish and wait for every confirm.

        Raises:
            DeliveryError: a message that must have a queue has none.
            TimeoutError: not all confirmed in time. What was sent may have arrived all the same.
        """
        async with asyncio.timeout(CONFIRM_SECONDS_MAX):
            await asyncio.gather(*map(self._publish, messages))

    async def _exchange(self, name: str) -> AbstractExchange:
        exchange = self._exchanges.get(name)
        if exchange is None:
            exchange = self._exchanges[name] = await self._channel.get_exchange(name, ensure=False)
        return exchange

    async def _publish(self, outgoing: Outgoing) -> None:
        try:
            await (await self._exchange(outgoing.exchange)).publish(
                message_of(outgoing.body, outgoing.properties),
                routing_key=outgoing.routing_key,
                mandatory=outgoing.mandatory,
            )
        except DeliveryError:
            if not outgoing.may_be_lost:
                raise
            # The caller left before its answer came. It may send the same message_id again.
            log.warning("reply.lost", reply_to=outgoing.routing_key)
