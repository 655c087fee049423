"""Everything is declared from one place, compared, and checked (messages.md, "Topology")."""

from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractConnection

from worker.broker import topology
from worker.broker.connection import connect


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[AbstractConnection]:
    async with connect(amqp_url, "orders tests") as opened:
        yield opened
        async with opened.channel() as channel:
            await channel.queue_delete("orders.retry.5s")
        await topology.apply(opened)


async def test_applying_again_changes_nothing(connection: AbstractConnection) -> None:
    await topology.apply(connection)
    await topology.check(connection)


async def test_a_queue_that_differs_is_named_with_its_difference_and_the_mend(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete("orders.retry.5s")
        await channel.declare_queue("orders.retry.5s", durable=True, arguments={"x-queue-type": "quorum"})

    with pytest.raises(topology.TopologyError) as error:
        await topology.apply(connection)

    [line] = str(error.value).splitlines()
    assert line.startswith("orders.retry.5s: inequivalent arg 'x-")
    assert line.endswith("Empty it, delete it, and run `orders topology apply` again.")


async def test_a_queue_that_is_missing_is_named_by_the_check(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete("orders.retry.5s")

    with pytest.raises(topology.TopologyError) as error:
        await topology.check(connection)

    assert str(error.value) == (
        "orders.retry.5s: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply."
    )


async def test_a_command_that_nothing_takes_is_kept(connection: AbstractConnection) -> None:
    async with connection.channel(on_return_raises=True) as channel:
        unrouted = await channel.get_queue(topology.UNROUTED, ensure=False)
        await unrouted.purge()
        orders = await channel.get_exchange(topology.COMMANDS, ensure=False)

        await orders.publish(Message(b"{}"), "invoice.pay")
        kept = await unrouted.get(no_ack=True)

    assert (kept.routing_key, kept.body) == ("invoice.pay", b"{}")


async def test_a_delayed_copy_comes_back_under_its_own_routing_key(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        requests = await channel.get_queue(topology.REQUESTS, ensure=False)
        await requests.purge()
        delay = await channel.get_exchange("orders.retry.5s", ensure=False)

        await delay.publish(Message(b"{}", expiration=0.1), "order.add")
        async with requests.iterator(timeout=10) as deliveries:
            message = await anext(deliveries)
            await message.ack()

    assert message.routing_key == "order.add"


def test_definitions_say_the_same_as_what_is_declared() -> None:
    definitions = topology.definitions()

    assert {queue["name"] for queue in definitions["queues"]} == {queue.name for queue in topology.QUEUES}
    assert all("x-delivery-limit" in queue["arguments"] for queue in definitions["queues"])
    assert {binding["source"] for binding in definitions["bindings"]} <= {one.name for one in topology.EXCHANGES}
