"""A worker to which nothing comes though messages wait ends, so that somebody starts it again."""

import asyncio

from schemas import topology
from tests.shop import SECONDS_MAX, Shop
from worker.broker.connection import connect
from worker.broker.topology import apply_topology

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
DEAF = "tests.faults.deaf_worker"


async def test_a_worker_that_is_handed_nothing_ends_when_messages_wait(shop: Shop) -> None:
    worker = await shop.start_worker(DEAF, ORDERS_PREFETCH="1")
    asked = [await shop.publish(ORDER) for _ in range(3)]

    status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
    await shop.start_worker()

    assert status == 1
    assert "orders.requests has messages, and none has come for 1 s" in worker.words
    for one in asked:
        assert b"success" in await shop.reply(one)


async def test_a_worker_to_which_nothing_comes_because_there_is_nothing_goes_on(shop: Shop) -> None:
    worker = await shop.start_worker(DEAF, "impatient")
    await asyncio.sleep(2.5)  # longer than it is patient

    reply = await shop.ask(ORDER)

    assert reply["result"] == "success"
    assert worker.process.poll() is None


async def test_a_worker_whose_queue_is_deleted_says_so_at_once(shop: Shop) -> None:
    worker = await shop.start_worker()
    async with connect(shop.logins.administrator, "orders tests") as connection:
        async with connection.channel() as channel:
            await channel.queue_delete(topology.REQUESTS)  # takes the consumer with it, and leaves the connection
        status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
        await apply_topology(connection)
    asked = await shop.publish(ORDER)
    await shop.start_worker()

    assert status == 1
    assert "orders.requests" in worker.words
    assert b"success" in await shop.reply(asked)
