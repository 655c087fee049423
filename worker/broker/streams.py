"""Streams, read without taking anything out: by any number at once, each for itself."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from worker.broker.queues import look_at

# AMQP does not say where a stream ends: it is at its end when nothing has come for so long.
QUIET_SECONDS = 0.3
# For the first message, where the broker counts some. It counts every few seconds: none may be a few.
FIRST_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 10.0  # a stream without a leader says nothing
PREFETCH = 200  # a stream gives nothing without one

Message = tuple[int, bytes]  # its place in the stream, and its body


async def tail(connection: AbstractConnection, stream: str, count: int) -> list[bytes]:
    """Read the last messages of a stream, oldest first: so many, and perhaps some more."""
    last = [message async for message in _read(connection, stream, "last")]  # the last that were written together
    if not last:
        return []
    first, before = last[0][0], list[Message]()
    if first:
        async with aclosing(_read(connection, stream, max(0, first - count))) as reading:
            async for message in reading:
                if message[0] >= first:
                    break
                before.append(message)
    return [body for _, body in (*before, *last)]


async def everything(connection: AbstractConnection, stream: str) -> AsyncIterator[bytes]:
    """Read all that is in a stream, oldest first."""
    async with aclosing(_read(connection, stream, "first")) as reading:
        async for _, body in reading:
            yield body


async def _read(connection: AbstractConnection, stream: str, offset: str | int) -> AsyncGenerator[Message]:
    """Read from an offset on, until nothing more comes."""
    is_empty = not (await look_at(connection, stream)).ready
    async with _consumed(connection, stream, offset) as arrived:
        wait_seconds = QUIET_SECONDS if is_empty else FIRST_SECONDS_MAX
        while True:
            try:
                message = await asyncio.wait_for(arrived.get(), wait_seconds)
            except TimeoutError:
                return
            wait_seconds = QUIET_SECONDS
            await message.ack()
            place = message.headers.get("x-stream-offset")
            assert isinstance(place, int), "RabbitMQ writes it into each message of a stream"
            yield place, message.body


@asynccontextmanager
async def _consumed(
    connection: AbstractConnection, stream: str, offset: str | int
) -> AsyncIterator["asyncio.Queue[AbstractIncomingMessage]"]:
    arrived = asyncio.Queue[AbstractIncomingMessage]()
    async with connection.channel(publisher_confirms=False) as channel:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(stream, ensure=False)
            await queue.consume(arrived.put, arguments={"x-stream-offset": offset})
        yield arrived
