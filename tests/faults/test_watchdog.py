"""A worker that is connected, and to which nothing comes though messages wait, ends: somebody starts it again."""

import asyncio

from tests.shop import SECONDS_MAX, Shop
from worker.broker import topology
from worker.broker.connection import connect

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
IMPATIENT = "tests.faults.impatient_worker"


async def test_a_worker_whose_consumer_is_gone_ends_when_messages_wait(shop: Shop) -> None:
    worker = await shop.start_worker(IMPATIENT)
    async with connect(shop.logins.administrator, "orders tests") as connection:
        async with connection.channel() as channel:
            await channel.queue_delete(topology.REQUESTS)  # takes the consumer with it, and leaves the connection
        await topology.apply(connection)
    asked = await shop.publish(ORDER)

    status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
    await shop.start_worker()

    assert status == 1
    assert "orders.requests has messages, and none has come for" in worker.words
    assert b"success" in await shop.reply(asked)


async def test_a_worker_to_which_nothing_comes_because_there_is_nothing_goes_on(shop: Shop) -> None:
    worker = await shop.start_worker(IMPATIENT)
    await asyncio.sleep(2.5)  # longer than it is patient

    reply = await shop.ask(ORDER)

    assert reply["result"] == "success"
    assert worker.process.poll() is None
