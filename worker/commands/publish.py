"""`orders publish`: send requests, and wait for their replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import aio_pika
import typer
from aio_pika.abc import AbstractIncomingMessage
from rich.progress import Progress

from schemas import topology
from worker.broker.addresses import user_of
from worker.broker.connection import connect
from worker.broker.messages import ADD_ORDER
from worker.commands import broker_errors, err, fail, out
from worker.commands.requests import Files, Forms, Request, requests_in
from worker.settings import Settings

DIRECT_REPLY = "amq.rabbitmq.reply-to"
PUBLISH_SECONDS_MAX = 30
IN_FLIGHT_MAX = 100


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
            connect(url, "orders publish") as connection,
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
        await self._exchange.publish(message, ADD_ORDER, timeout=PUBLISH_SECONDS_MAX)

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


def publish(
    files: Files = None,
    form: Forms = None,
    message_id: Annotated[
        str | None, typer.Option(help="Idempotency key of a single request; give the same one to send it again.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for each reply and print it.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to wait for a reply.")] = 30.0,
) -> None:
    """Send AddOrder requests. Prints each message_id as soon as the broker has it, or with --wait the reply."""
    requests = list(requests_in(files, form))
    if message_id and len(requests) != 1:
        raise typer.BadParameter("it is the key of one request, but there are several", param_hint="--message-id")
    if message_id:
        requests = [replace(requests[0], message_id=message_id)]
    url = Settings.read().require("amqp_url")
    with broker_errors():
        unanswered = asyncio.run(_publish(url, requests, seconds if wait else None))
    if unanswered:
        fail(f"{unanswered} without a reply: their outcome is unknown; send them again with the same --message-id")


async def _publish(url: str, requests: list[Request], reply_seconds: float | None) -> int:
    """Send everything, at most IN_FLIGHT_MAX at a time; returns how many replies did not come."""
    unanswered = 0
    room = asyncio.Semaphore(IN_FLIGHT_MAX)
    async with Storefront.open(url) as storefront:
        with Progress(console=err, transient=True, disable=len(requests) < IN_FLIGHT_MAX) as progress:
            bar = progress.add_task("publishing", total=len(requests))

            async def one(request: Request) -> None:
                nonlocal unanswered
                async with room:
                    await storefront.send(request, wants_reply=reply_seconds is not None)
                    if reply_seconds is None:
                        out.print(request.message_id)
                    else:
                        try:
                            out.print((await storefront.reply_to(request, reply_seconds)).decode(), markup=False)
                        except TimeoutError:
                            unanswered += 1
                            err.print(f"{request.message_id}: no reply in {reply_seconds:g} s")
                    progress.advance(bar)

            async with asyncio.TaskGroup() as sending:
                for request in requests:
                    sending.create_task(one(request))
    return unanswered
