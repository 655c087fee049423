"""Publish a request as a storefront does, and await its reply."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from schemas import topology
from worker.broker.addresses import user_of
from worker.broker.connection import connect

DIRECT_REPLY = "amq.rabbitmq.reply-to"
PUBLISH_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True)
class Request:
    """A body with its content type, under a message_id of its own."""

    body: bytes
    content_type: str
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Storefront:
    """Publishes requests as a storefront does, and hears the replies."""

    def __init__(self, exchange: aio_pika.abc.AbstractExchange, user: str) -> None:
        self._exchange = exchange
        self._user = user
        self._replies: dict[str, asyncio.Future[bytes]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Storefront"]:
        async with (
            connect(url, "orders publish", gives_up_on_alarms=True) as connection,
            connection.channel(publisher_confirms=True, on_return_raises=True) as channel,
        ):
            exchange = await channel.get_exchange(topology.COMMANDS, ensure=False)
            storefront = cls(exchange, user_of(url))
            replies = await channel.get_queue(DIRECT_REPLY, ensure=False)
            await replies.consume(storefront._take_reply, no_ack=True)
            yield storefront

    async def send(self, request: Request, *, wants_reply: bool = True) -> None:
        """Publish, and return when the broker has confirmed."""
        message = aio_pika.Message(
            request.body,
            content_type=request.content_type,
            message_id=request.message_id,
            correlation_id=request.message_id,
            reply_to=DIRECT_REPLY if wants_reply else None,
            # RabbitMQ validates it: a trusted publisher needs no credentials in the body.
            user_id=self._user,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        self._replies.setdefault(request.message_id, asyncio.get_running_loop().create_future())
        await self._exchange.publish(message, topology.ADD_ORDER, timeout=PUBLISH_SECONDS_MAX)

    def expect_reply(self, request: Request) -> None:
        """Forget earlier replies to this request: the next one counts."""
        self._replies[request.message_id] = asyncio.get_running_loop().create_future()

    async def reply_to(self, request: Request, seconds: float) -> bytes:
        """Wait for the reply.

        Raises:
            TimeoutError: none in time: the outcome is unknown; the same message_id may be sent again.
        """
        async with asyncio.timeout(seconds):
            return await asyncio.shield(self._replies[request.message_id])

    async def _take_reply(self, message: AbstractIncomingMessage) -> None:
        waiting = self._replies.get(message.correlation_id or "")
        if waiting is not None and not waiting.done():
            waiting.set_result(message.body)
