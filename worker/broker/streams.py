"""Streams, read without taking anything out: by any number at once, each for itself."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from worker.broker.queues import look_at

# AMQP does not say where a stream ends. What was there when we came is given at once; others may go on writing.
AT_ONCE_SECONDS = 0.3
# For a message that the broker counts. It counts every few seconds: none may be a few. A consumer that comes while the
# stream is just coming back, as after a restart, is sometimes given nothing at all: another one is.
NEXT_SECONDS_MAX = 1.0
TRIES_MAX = 10
ANSWER_SECONDS_MAX = 10.0  # a stream without a leader says nothing
PREFETCH = 200  # a stream gives nothing without one

Message = tuple[int, bytes]  # its place in the stream, and its body


async def tail(connection: AbstractConnection, stream: str, count: int) -> list[bytes]:
    """Read the last messages of a stream, oldest first: so many, and perhaps some more."""
    last = await _last(connection, stream)
    if not last:
        return []
    first = last[0][0]
    before = [message async for message in _between(connection, stream, max(0, first - count), first)]
    return [body for _, body in (*before, *last)]


async def everything(connection: AbstractConnection, stream: str) -> AsyncIterator[bytes]:
    """Read all that is in a stream at this moment, oldest first."""
    last = await _last(connection, stream)
    if last:
        async with aclosing(_between(connection, stream, "first", last[-1][0] + 1)) as reading:
            async for _, body in reading:
                yield body


async def _last(connection: AbstractConnection, stream: str) -> list[Message]:
    """Read what was written last before now, and perhaps what comes in this moment."""
    is_empty = not (await look_at(connection, stream)).ready
    for _ in range(1 if is_empty else TRIES_MAX):
        async with _consumed(connection, stream, "last") as arrived:
            found: list[Message] = []
            message = await _next(arrived, AT_ONCE_SECONDS if is_empty else NEXT_SECONDS_MAX)
            ends_at = time.monotonic() + AT_ONCE_SECONDS
            while message is not None:
                found.append(message)
                message = await _next(arrived, ends_at - time.monotonic())
            if found:
                return found
    return []


async def _between(connection: AbstractConnection, stream: str, start: int | str, end: int) -> AsyncGenerator[Message]:
    """Read from a place in a stream up to another one, which is there."""
    if start == end:
        return
    async with _consumed(connection, stream, start) as arrived:
        while (message := await _next(arrived, NEXT_SECONDS_MAX)) is not None and message[0] < end:
            yield message
            if message[0] == end - 1:
                return


async def _next(arrived: "asyncio.Queue[AbstractIncomingMessage]", seconds: float) -> Message | None:
    """Wait for the next message; None: nothing came."""
    try:
        message = await asyncio.wait_for(arrived.get(), seconds)
    except TimeoutError:
        return None
    await message.ack()
    place = message.headers.get("x-stream-offset")
    assert isinstance(place, int), "RabbitMQ writes it into each message of a stream"
    return place, message.body


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
