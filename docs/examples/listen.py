#!/usr/bin/env python3
"""Follow what happens to orders, and handle each event once: ./listen.py. Stops with Ctrl-C, and loses nothing."""

import asyncio
import contextlib
import json
import os
import sqlite3
import sys

import aio_pika

QUEUE = "shop.order-events"  # your own: any name that does not begin with "orders."
ARGUMENTS = {
    "x-queue-type": "quorum",  # copied to all nodes: it survives the loss of one
    "x-delivery-limit": 1_000_000,  # as it comes, RabbitMQ 4 drops a message that was given back 20 times
}
KEPT = """
    CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS work (type TEXT, request_id TEXT);
    CREATE TABLE IF NOT EXISTS set_aside (body BLOB, why TEXT);
"""


def handle(event: dict, database: sqlite3.Connection) -> None:
    # Your work, in the transaction that notes the event as handled.
    database.execute("INSERT INTO work VALUES (?, ?)", (event["type"], event["data"]["request_id"]))
    say(f"{event['type']} {event['id']}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def event_in(body: bytes) -> dict:
    """Read a CloudEvent. Whoever may write to your queue may put anything there."""
    event = json.loads(body)
    if not isinstance(event, dict) or event.get("specversion") != "1.0" or event.get("source") != "/orders":
        raise ValueError("it is no CloudEvent of /orders")
    if not all(isinstance(event.get(name), kind) for name, kind in (("id", str), ("type", str), ("data", dict))):
        raise ValueError("its id, type or data is missing")
    return event


def take(body: bytes, database: sqlite3.Connection) -> None:
    with database:  # one transaction
        try:
            event = event_in(body)
        except ValueError as error:  # for a person to look at; what comes after it must not wait
            database.execute("INSERT INTO set_aside VALUES (?, ?)", (body, str(error)))
            say(f"set aside: {error}")
            return
        noted = database.execute("INSERT OR IGNORE INTO handled VALUES (?)", (event["id"],))
        if noted.rowcount:  # else it was handled before: every event may come more than once
            handle(event, database)


async def main() -> None:
    database = sqlite3.connect(os.environ.get("DATABASE", "events.sqlite"))
    database.executescript(KEPT)
    connection = await aio_pika.connect_robust(os.environ["ORDERS_AMQP_URL"])
    async with connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=20)
        queue = await channel.declare_queue(QUEUE, durable=True, arguments=ARGUMENTS)
        await queue.bind("orders.events", "order.*")  # "#" for all; "email.*" for follow-ups
        async with queue.iterator() as messages:
            async for message in messages:
                take(message.body, database)
                await message.ack()  # only now: what is not acknowledged comes again


with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(main())
