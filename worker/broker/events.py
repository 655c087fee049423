"""What is announced at orders.events, heard from now on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from schemas import topology


@asynccontextmanager
async def heard(connection: AbstractConnection, match: str = "#") -> AsyncIterator["asyncio.Queue[bytes]"]:
    """Gather the bodies of events whose type a topic pattern matches, in a queue that goes with the connection."""
    bodies = asyncio.Queue[bytes]()

    async def hear(message: AbstractIncomingMessage) -> None:
        bodies.put_nowait(message.body)

    async with connection.channel(publisher_confirms=False) as channel:
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(topology.EVENTS, match)
        await queue.consume(hear, no_ack=True)
        yield bodies
