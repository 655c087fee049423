"""Everything is declared from one place, compared, and checked (messages.md, "Topology")."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractConnection

from schemas import topology
from tests.integration.test_bindings import unbound
from tests.integration.test_operator_commands import administrator, orders
from tests.shop import SECONDS_MAX, Shop
from worker.broker.connection import connect
from worker.broker.topology import TopologyError, apply_topology, check_topology


@pytest.fixture
async def connection(amqp_url: str) -> AsyncIterator[AbstractConnection]:
    async with connect(amqp_url, "orders tests") as opened:
        yield opened
        async with opened.channel() as channel:
            await channel.queue_delete("orders.retry.5s")
        await apply_topology(opened)


async def test_applying_again_changes_nothing(connection: AbstractConnection) -> None:
    await apply_topology(connection)
    await check_topology(connection)


async def test_a_queue_that_differs_is_named_with_its_difference_and_the_mend(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete("orders.retry.5s")
        await channel.declare_queue("orders.retry.5s", durable=True, arguments={"x-queue-type": "quorum"})

    with pytest.raises(TopologyError) as error:
        await apply_topology(connection)

    [line] = str(error.value).splitlines()
    assert line.startswith("orders.retry.5s: inequivalent arg 'x-")
    assert line.endswith("Empty it, delete it, and run `orders topology apply` again.")


async def test_a_queue_that_is_missing_is_named_by_the_check(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete("orders.retry.5s")

    with pytest.raises(TopologyError) as error:
        await check_topology(connection)

    assert str(error.value) == (
        "orders.retry.5s: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply."
    )


async def test_an_exchange_that_is_missing_is_named_by_the_check(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.exchange_delete("orders.retry.1m")

    with pytest.raises(TopologyError) as error:
        await check_topology(connection)

    assert str(error.value) == (
        "orders.retry.1m: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply."
    )


async def test_an_exchange_that_differs_is_named_with_its_difference(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.exchange_delete("orders.retry.1m")
        await channel.declare_exchange("orders.retry.1m", "topic", durable=True)

    try:
        with pytest.raises(TopologyError) as error:
            await apply_topology(connection)
    finally:
        async with connection.channel() as channel:
            await channel.exchange_delete("orders.retry.1m")

    [line] = str(error.value).splitlines()
    assert line.startswith("orders.retry.1m: inequivalent arg 'type'")


async def test_a_binding_that_is_missing_is_made_again_by_applying(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await (await channel.get_queue(topology.DEAD)).unbind(topology.DEAD, "")

    await apply_topology(connection)

    async with connection.channel(on_return_raises=True) as channel:
        dead = await channel.get_exchange(topology.DEAD)
        await dead.publish(Message(b"{}"), "order.add", mandatory=True)  # raises where no queue takes it
        await (await channel.get_queue(topology.DEAD)).purge()


async def test_a_binding_of_a_version_before_is_taken_away_by_applying(connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await (await channel.get_queue(topology.UNROUTED)).purge()  # of tests before
        await (await channel.get_queue(topology.REQUESTS)).bind(topology.COMMANDS, "order.*")

    await apply_topology(connection)

    async with connection.channel() as channel:
        commands = await channel.get_exchange(topology.COMMANDS)
        await commands.publish(Message(b"{}"), "order.unheard-of")
        unrouted = await channel.get_queue(topology.UNROUTED)
        message = await unrouted.get()
        assert (message.routing_key, message.body) == ("order.unheard-of", b"{}")
        await unrouted.purge()


async def words_of_a_worker_that_ends(shop: Shop, **settings: str) -> str:
    """Start a worker that must not go on, and return what it said."""
    worker = await shop.spawn_worker(**settings)
    assert await asyncio.to_thread(worker.process.wait, SECONDS_MAX) == 1
    return worker.words


def said_beside_the_log(words: str) -> list[str]:
    return [line for line in words.splitlines() if not line.startswith("{")]


async def test_a_worker_names_all_that_is_missing_and_ends(shop: Shop, connection: AbstractConnection) -> None:
    async with connection.channel() as channel:
        await channel.exchange_delete("orders.retry.1m")
        await channel.queue_delete("orders.retry.5s")

    words = await words_of_a_worker_that_ends(shop)

    assert said_beside_the_log(words) == [
        "error: orders.retry.1m: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply.",
        "orders.retry.5s: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply.",
    ]


async def test_a_worker_that_may_declare_names_a_queue_that_differs_and_ends(
    shop: Shop, connection: AbstractConnection
) -> None:
    async with connection.channel() as channel:
        await channel.queue_delete("orders.retry.5s")
        await channel.declare_queue("orders.retry.5s", durable=True, arguments={"x-queue-type": "classic"})

    words = await words_of_a_worker_that_ends(shop, ORDERS_TOPOLOGY="apply", ORDERS_AMQP_URL=shop.logins.administrator)

    [line] = said_beside_the_log(words)
    assert line.startswith("error: orders.retry.5s: inequivalent arg 'x-")
    assert line.endswith("Empty it, delete it, and run `orders topology apply` again.")


async def test_a_dead_letter_that_no_queue_takes_is_kept_until_one_does(
    shop: Shop, connection: AbstractConnection
) -> None:
    async with connection.channel() as channel:
        await (await channel.get_queue(topology.DEAD)).unbind(topology.DEAD, "")
    worker = await shop.start_worker("tests.faults.hasty_worker")
    asked = await shop.publish({"clientid": 99_999, "pid": 7, "paymentmethod": "paypal"})
    assert json.loads(await shop.reply(asked))["code"] == "client_not_found"
    await shop.until(lambda: any(line["event"] == "publish.kept" for line in worker.log))

    await apply_topology(connection)

    [letter] = await shop.dead_letters()
    assert letter.message_id == asked.message_id
    assert worker.process.poll() is None


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

    assert {queue["name"] for queue in definitions["queues"]} == {queue.name for queue in topology.DECLARED}
    kinds = {queue["name"]: queue["arguments"]["x-queue-type"] for queue in definitions["queues"]}
    assert {name for name, kind in kinds.items() if kind == "stream"} == {topology.SHOP, topology.PLACED}
    assert all(
        "x-delivery-limit" in queue["arguments"] for queue in definitions["queues"] if kinds[queue["name"]] == "quorum"
    )
    assert {binding["source"] for binding in definitions["bindings"]} <= {one.name for one in topology.EXCHANGES}


# ---------------------------------------------------------------- the command


async def shop_id_of(shop: Shop) -> str:
    return str(await shop.database.fetchval("SELECT id FROM shop"))


def as_administrator(shop: Shop, **settings: str) -> dict[str, str]:
    return {"ORDERS_AMQP_URL": shop.logins.administrator, **settings}


@pytest.mark.usefixtures("nobodys")
async def test_applying_says_what_it_fixed_and_that_nothing_was_to_do(shop: Shop, management_url: str) -> None:
    settings = as_administrator(shop, ORDERS_MANAGEMENT_URL=management_url)
    async with administrator(shop) as channel:
        await channel.queue_delete("orders.retry.5s")
        await (await channel.get_queue(topology.DEAD, ensure=False)).unbind(topology.DEAD, "")
        await (await channel.get_queue(topology.REQUESTS, ensure=False)).bind(topology.COMMANDS, "order.*")

    first = await orders(shop, "topology", "apply", **settings)
    second = await orders(shop, "topology", "apply", **settings)

    assert first.stderr.splitlines() == [
        "declared queue orders.retry.5s",
        "bound orders.dead to orders.dead",
        "bound orders.retry.5s to orders.retry.5s",
        "unbound orders.requests from orders under order.*",
        f"wrote down that this is the broker of the shop {await shop_id_of(shop)}",
        f"{len(topology.EXCHANGES)} exchanges and {len(topology.DECLARED)} queues are as they should be",
    ]
    assert second.stderr.splitlines()[:-1] == ["nothing to do"]


@pytest.mark.usefixtures("nobodys")
async def test_applying_without_the_plugin_says_what_probes_told_and_what_is_not_known(shop: Shop) -> None:
    await shop.start_worker()
    async with unbound(shop):
        first = await orders(shop, "topology", "apply", **as_administrator(shop))
    second = await orders(shop, "topology", "apply", **as_administrator(shop))

    note = (
        "note: whether other bindings than those of commands were missing is not known: ORDERS_MANAGEMENT_URL is not "
        "set; all of them are there now"
    )
    assert first.stderr.splitlines()[:-1] == [
        "bound orders.requests to orders under order.add",
        f"wrote down that this is the broker of the shop {await shop_id_of(shop)}",
        note,
    ]
    assert second.stderr.splitlines()[:-1] == ["nothing to do", note]
