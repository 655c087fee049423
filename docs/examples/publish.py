#!/usr/bin/env python3
"""Place one order and show the answer: ./publish.py KEY. The same key again never orders twice."""

import asyncio
import json
import os
import sys

import aio_pika
from aio_pika import exceptions

# Whoever tries again is told the same: a password, a right, an exchange; and a key that no queue takes.
FOR_GOOD = (exceptions.ProbableAuthenticationError, exceptions.ChannelClosed, exceptions.PublishError)


async def ask(request: dict, message_id: str, number: int) -> bytes:
    async with await aio_pika.connect(os.environ["ORDERS_AMQP_URL"]) as connection:
        channel = await connection.channel(on_return_raises=True)  # with publisher confirms, as it comes
        orders = await channel.get_exchange("orders", ensure=False)  # declare nothing: it is there
        answers = await channel.get_queue("amq.rabbitmq.reply-to", ensure=False)
        async with answers.iterator(no_ack=True) as replies:
            message = aio_pika.Message(
                json.dumps(request).encode(),
                content_type="application/json",
                message_id=message_id,  # aio-pika makes up another for every try, where none is given
                headers={"try": number} if number > 1 else {},
                user_id=connection.url.user,
                reply_to="amq.rabbitmq.reply-to",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await orders.publish(message, "order.add", mandatory=True)
            return (await anext(replies)).body


async def order(request: dict, message_id: str) -> bytes:
    for number, pause_seconds in enumerate((1, 2, 5, 10), start=1):
        try:
            return await asyncio.wait_for(ask(request, message_id, number), timeout=10)
        except FOR_GOOD as error:
            sys.exit(f"the broker refuses: {error}")
        except exceptions.InvalidFrameError:  # what aio-pika makes of a refusal at this point
            sys.exit("the broker refuses: there is no such virtual host, or this user may not use it")
        except (exceptions.AMQPError, OSError, TimeoutError):
            # Nobody knows whether the order was placed. To ask again under the same message_id is safe.
            await asyncio.sleep(pause_seconds)
    sys.exit(f"outcome of {message_id} unknown: ask again later, under the same key")


cart = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
answer = asyncio.run(order(cart, message_id=sys.argv[1]))
sys.stdout.write(answer.decode() + "\n")
