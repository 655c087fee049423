"""The broker itself refuses each of its three users what is not their work (worker/broker/users.py)."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused

from schemas import topology
from tests.shop import DIRECT_REPLY, Logins, Shop
from worker.broker.connection import connect
from worker.broker.topology import check_topology
from worker.broker.users import USERS

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
COMMAND = "order.add"

Step = Callable[[AbstractChannel], Awaitable[Any]]


@pytest.fixture
def logins(amqp_url: str) -> Logins:
    found = Logins.of(amqp_url)
    if found.storefront == found.administrator:
        pytest.skip("this broker was given as it is, with one user")
    return found


def get_from(queue: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).get(fail=False)

    return step


def empty(queue: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).purge()

    return step


def bind(queue: str, exchange: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).bind(exchange, "#")

    return step


def unbind(queue: str, exchange: str, routing_key: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await (await channel.get_queue(queue, ensure=False)).unbind(exchange, routing_key)

    return step


def declare(queue: str | None, *, exclusive: bool = False) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await channel.declare_queue(queue, durable=not exclusive, exclusive=exclusive)

    return step


def declare_exchange(name: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await channel.declare_exchange(name, "topic", durable=True)

    return step


def delete(queue: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await channel.queue_delete(queue)

    return step


def publish(exchange: str, routing_key: str, **properties: Any) -> Step:
    async def step(channel: AbstractChannel) -> None:
        there = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
        await there.publish(Message(b"{}", **properties), routing_key)

    return step


def listen(routing_key: str) -> Step:
    """Bind a queue of one's own to the events."""

    async def step(channel: AbstractChannel) -> None:
        await (await channel.declare_queue(exclusive=True)).bind(topology.EVENTS, routing_key)

    return step


REFUSED: dict[str, tuple[str, Step]] = {
    "a storefront reads requests": ("storefront", get_from(topology.REQUESTS)),
    "a storefront reads dead letters": ("storefront", get_from(topology.DEAD)),
    "a storefront reads follow-ups": ("storefront", get_from("orders.email.invoice-created")),
    "a storefront empties a queue": ("storefront", empty(topology.REQUESTS)),
    "a storefront has a queue of its own": ("storefront", declare(None, exclusive=True)),
    "a storefront binds a queue": ("storefront", bind(topology.UNROUTED, topology.COMMANDS)),
    "a storefront deletes a queue": ("storefront", delete(topology.REQUESTS)),
    "a storefront gives an unknown command": ("storefront", publish(topology.COMMANDS, "invoice.pay")),
    "a storefront announces an order": ("storefront", publish(topology.EVENTS, "order.added")),
    "a storefront writes a dead letter": ("storefront", publish(topology.DEAD, COMMAND)),
    "a storefront delays a request": ("storefront", publish("orders.retry.10m", COMMAND)),
    "a storefront goes past the exchange": ("storefront", publish("", topology.REQUESTS)),
    "an operator binds a pattern that costs the broker seconds": ("operator", listen(".".join(["#"] * 60))),
    "an operator binds two words of any kind": ("operator", listen("*.*")),
    "a worker declares a queue": ("worker", declare("orders.more")),
    "a worker declares a queue that exists": ("worker", declare(topology.REQUESTS)),
    "a worker declares an exchange": ("worker", declare_exchange("orders.more")),
    "a worker unbinds requests": ("worker", unbind(topology.REQUESTS, topology.COMMANDS, topology.ADD_ORDER)),
    "a worker deletes a queue": ("worker", delete(topology.REQUESTS)),
    "a worker reads dead letters": ("worker", get_from(topology.DEAD)),
    "a worker gives a command": ("worker", publish(topology.COMMANDS, COMMAND)),
    "a worker announces something else": ("worker", publish(topology.EVENTS, "stock.low")),
    "an operator reads requests": ("operator", get_from(topology.REQUESTS)),
    "an operator declares a queue": ("operator", declare("orders.more")),
    "an operator deletes the dead letters": ("operator", delete(topology.DEAD)),
    "an operator gives an unknown command": ("operator", publish(topology.COMMANDS, "invoice.pay")),
    "an operator announces an order": ("operator", publish(topology.EVENTS, "order.added")),
    "an operator makes a request wait": ("operator", publish(next(iter(topology.RETRY_DELAYS)), COMMAND)),
    "an operator goes past the exchange": ("operator", publish("", topology.REQUESTS)),
}


async def act(logins: Logins, user: str, step: Step) -> None:
    async with (
        connect(getattr(logins, user), "orders tests") as connection,
        connection.channel(publisher_confirms=True, on_return_raises=True) as channel,
    ):
        await step(channel)


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_their_work_is_refused(logins: Logins, what: str) -> None:
    user, step = REFUSED[what]

    with pytest.raises(ChannelAccessRefused, match=f"refused for user '{user}'"):
        await act(logins, user, step)


@pytest.mark.parametrize("routing_key", ["#", "order.*", "email.invoice-created"])
async def test_who_listens_binds_all_events_a_kind_or_a_type(logins: Logins, routing_key: str) -> None:
    await act(logins, "operator", listen(routing_key))


async def test_a_storefront_cannot_publish_as_somebody_else(logins: Logins) -> None:
    with pytest.raises(ChannelPreconditionFailed, match="user_id property set to 'operator'"):
        await act(logins, "storefront", publish(topology.COMMANDS, COMMAND, user_id="operator"))


@pytest.mark.parametrize("user", [user.name for user in USERS])
async def test_without_any_right_to_the_queues_everyone_can_see_that_they_are_there(logins: Logins, user: str) -> None:
    async with connect(getattr(logins, user), "orders tests") as connection:
        await check_topology(connection)


@pytest.mark.usefixtures("logins")
async def test_a_storefront_hears_its_reply_directly(shop: Shop) -> None:
    await shop.start_worker()

    reply = await shop.ask(ORDER, reply_to=DIRECT_REPLY)

    assert reply["result"] == "success"


@pytest.mark.usefixtures("logins")
async def test_a_copy_and_its_replay_are_still_the_storefronts(shop: Shop) -> None:
    """The body has no credentials: the order is placed only because RabbitMQ vouches for who asked first."""
    await shop.start_worker()
    asked = await shop.publish({**ORDER, "paymentmethod": "oldgateway"})
    [letter] = await shop.dead_letters()
    await shop.database.execute("UPDATE payment_methods SET active = true WHERE name = 'oldgateway'")
    await shop.database.execute("UPDATE catalogue SET version = version + 1")

    assert await shop.replay(asked.message_id or "") == 1
    reply = json.loads(await shop.reply(asked, 2))

    assert letter.delivery.properties.user_id == shop.user == "storefront"
    [order] = await shop.fetch("SELECT asked_by FROM orders WHERE id = $1", reply["orderid"])
    assert order["asked_by"] == "storefront"


@pytest.mark.parametrize("exchange", ["orders.retry.5s", topology.DEAD])
async def test_a_worker_copies_what_a_storefront_published(shop: Shop, logins: Logins, exchange: str) -> None:
    await act(logins, "worker", publish(exchange, COMMAND, user_id="storefront", message_id="copied"))

    assert await shop.waiting(exchange) == 1


@pytest.mark.usefixtures("shop")
async def test_a_worker_puts_a_suspect_aside_and_takes_it_up_again(logins: Logins) -> None:
    await act(logins, "worker", publish("", topology.SUSPECTS, user_id="storefront"))

    await act(logins, "worker", get_from(topology.SUSPECTS))


async def test_an_operator_sees_what_went_nowhere(shop: Shop, logins: Logins) -> None:
    await act(logins, "administrator", publish(topology.COMMANDS, "invoice.pay"))
    assert await shop.waiting(topology.UNROUTED) == 1

    await act(logins, "operator", get_from(topology.UNROUTED))


async def test_a_wrong_password_opens_nothing(logins: Logins) -> None:
    wrong = logins.storefront.replace(":of-the-tests@", ":guessed@")

    with pytest.raises(ConnectionError, match="ACCESS_REFUSED"):
        await asyncio.wait_for(act(Logins(wrong, wrong, wrong, wrong), "storefront", get_from(topology.DEAD)), 10)
