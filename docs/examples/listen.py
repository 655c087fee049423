#!/usr/bin/env python3
"""Follow what happens to orders, and handle each event once: ./listen.py. Stops with Ctrl-C, and loses nothing."""

import asyncio
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


def handle(event: dict, database: sqlite3.Connection) -> None:
    # Your work, in the transaction that notes the event as handled.
    database.execute("INSERT INTO work VALUES (?, ?)", (event["type"], event["data"]["request_id"]))
    sys.stdout.write(f"{event['type']} {event['id']}\n")
    sys.stdout.flush()


async def main() -> None:
    database = sqlite3.connect(os.environ.get("DATABASE", "events.sqlite"))
    database.execute("CREATE TABLE IF NOT EXISTS handled (id TEXT PRIMARY KEY)")
    database.execute("CREATE TABLE IF NOT EXISTS work (type TEXT, request_id TEXT)")
    connection = await aio_pika.connect_robust(os.environ["ORDERS_AMQP_URL"])
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=20)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments=ARGUMENTS)
    await queue.bind("orders.events", "order.*")  # "#" for all; "email.*" for follow-ups
    async with queue.iterator() as messages:
        async for message in messages:
            event = json.loads(message.body)
            with database:  # one transaction
                noted = database.execute("INSERT OR IGNORE INTO handled VALUES (?)", (event["id"],))
                if noted.rowcount:  # else it was handled before: every event may come more than once
                    handle(event, database)
            await message.ack()  # only now: what is not acknowledged comes again


asyncio.run(main())
