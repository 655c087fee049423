"""`orders events --since`: what is kept, for who came late, and for nobody else."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aio_pika.abc import AbstractQueue

from schemas import topology
from tests.integration.test_commands import orders
from tests.shop import Shop
from worker.broker.connection import connect

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
LATE = "shop.came-late"


@pytest.fixture
async def late(shop: Shop) -> AsyncIterator[AbstractQueue]:
    """A queue of somebody who was not there, and one that was and hears nothing twice."""
    async with connect(shop.logins.administrator, "orders tests") as connection, connection.channel() as channel:
        yield await channel.declare_queue(LATE, auto_delete=False)
        await channel.queue_delete(LATE)


async def placed(shop: Shop, count: int) -> list[str]:
    """Have orders placed and published, and return the ids of their events, in the order of the orders."""
    worker = await shop.start_worker()
    for number in range(count):
        await shop.ask(ORDER, message_id=f"order-{number}")
        await shop.until_events(f"order-{number}", "order.added", "email.invoice-created", "email.order-confirmation")
    worker.stop()
    return [event.id for number in range(count) for event in shop.events_of(f"order-{number}")]


async def again(shop: Shop, *options: str, **settings: str) -> tuple[int, str]:
    """Send as one who may write to queues."""
    settings = {"ORDERS_AMQP_URL": shop.logins.administrator, **settings}
    ended = await orders(shop, "events", "--since", "1h", "--to", LATE, *options, **settings)
    assert "Traceback" not in ended.stderr
    return ended.returncode, ended.stderr


async def received(queue: AbstractQueue) -> list[str]:
    ids = []
    while message := await queue.get(no_ack=True, fail=False):
        assert message.content_type == "application/cloudevents+json"
        assert json.loads(message.body)["id"] == message.message_id
        ids.append(str(message.message_id))
    return ids


async def test_what_is_kept_goes_to_the_queue_of_who_came_late_and_to_nobody_else(
    shop: Shop, late: AbstractQueue
) -> None:
    ids = await placed(shop, 3)
    before = {queue.name: await shop.waiting(queue.name) for queue in topology.QUEUES}

    dry = await again(shop)
    unsent = await received(late)
    sent = await again(shop, "--no-dry-run")

    assert dry == (0, f"9 events would be sent to {LATE}; none was. Add --no-dry-run to send them.\n")
    assert unsent == []
    assert sent == (0, f"9 events sent to {LATE}\n")
    assert sorted(await received(late)) == sorted(ids)
    assert {queue.name: await shop.waiting(queue.name) for queue in topology.QUEUES} == before
    assert len(shop.events) == 9  # those who were there hear none of it
    [act] = await shop.fetch("SELECT act, thing FROM audit WHERE begun_id IS NOT NULL")
    assert (act["act"], act["thing"]) == ("events", LATE)


async def test_only_what_was_asked_for_goes_and_at_the_rate_that_was_given(shop: Shop, late: AbstractQueue) -> None:
    await placed(shop, 4)

    began = asyncio.get_running_loop().time()
    await again(shop, "--no-dry-run", "--match", "email.*", "--rate", "4")

    assert asyncio.get_running_loop().time() - began > 1.5  # eight, at four a second
    assert len(await received(late)) == 8


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        ("shop.nobody-declared", "there is no queue shop.nobody-declared"),
        ("orders.requests", "orders.requests is no queue for this"),
        ("orders.email.invoice-created", "is no queue for this"),
        ("amq.gen-x", "is no queue for this"),
    ],
)
async def test_a_queue_that_is_not_there_or_is_ours_is_refused(shop: Shop, queue: str, words: str) -> None:
    ended = await orders(
        shop, "events", "--since", "1h", "--to", queue, "--no-dry-run", ORDERS_AMQP_URL=shop.logins.administrator
    )

    assert (ended.returncode, words in ended.stderr) == (1, True), ended.stderr


async def test_who_may_not_write_to_queues_is_told_who_may(shop: Shop, late: AbstractQueue) -> None:
    if shop.logins.operator == shop.logins.administrator:
        pytest.skip("this broker was given as it is, with one user")

    status, said = await again(shop, "--no-dry-run", ORDERS_AMQP_URL=shop.logins.operator)

    assert (status, "fix: ORDERS_AMQP_URL of a worker's user" in said) == (1, True)
    assert await received(late) == []


async def test_what_is_kept_can_be_read_without_sending_it(shop: Shop) -> None:
    ids = await placed(shop, 2)

    told = await orders(shop, "events", "--since", "1h", "--json")
    two = await orders(shop, "events", "--since", "1h", "--match", "order.*", "--count", "1")

    assert sorted(json.loads(line)["id"] for line in told.stdout.splitlines()) == sorted(ids)
    assert len(two.stdout.splitlines()) == 1
    assert " order.added order " in two.stdout
