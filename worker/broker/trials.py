"""What a user of the broker may do, and how things differ: tried out without leaving a trace."""

from enum import Enum, auto

import aio_pika
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity, ChannelPreconditionFailed

from schemas import topology
from worker.broker.dead_letters import AnotherOperator, opened
from worker.broker.users import DEFAULT_EXCHANGE

# Keys to try: topic rights are tried as well as those of the exchange.
ROUTING_KEYS = {topology.COMMANDS: topology.ADD_ORDER, topology.EVENTS: "order.added"}
SOMEBODY_ELSE = "orders.somebody-else"  # no user's name


class Answer(Enum):
    """What the broker says to something tried."""

    FINE = auto()
    REFUSED = auto()
    FOREIGN = auto()  # another user's user_id is not for this user to write


async def publishing(connection: AbstractConnection, exchange: str, as_user: str | None = None) -> Answer:
    """Try to publish, in a transaction that is rolled back: RabbitMQ judges, and routes nothing."""
    message = aio_pika.Message(b"", user_id=as_user)
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            attempt = channel.transaction()
            await attempt.select()
            is_default = exchange == DEFAULT_EXCHANGE
            target = channel.default_exchange if is_default else await channel.get_exchange(exchange, ensure=False)
            await target.publish(message, ROUTING_KEYS.get(exchange, ""), mandatory=False)
            await attempt.rollback()
    except ChannelAccessRefused:
        return Answer.REFUSED
    except ChannelPreconditionFailed:
        return Answer.FOREIGN
    except ChannelNotFoundEntity:
        pass  # said under topology
    return Answer.FINE


async def reading(connection: AbstractConnection, queue: str) -> Answer:
    """Try to consume, with an argument that RabbitMQ refuses once it has let the user pass: nothing is delivered."""
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            tried = await channel.get_queue(queue, ensure=False)
            await tried.consume(_never_called, arguments={"x-priority": "none"})
    except ChannelAccessRefused:
        return Answer.REFUSED
    except (ChannelPreconditionFailed, ChannelNotFoundEntity):
        pass
    return Answer.FINE


async def may_lock(connection: AbstractConnection) -> bool:
    try:
        async with opened(connection):
            return True
    except AnotherOperator:
        return True
    except ChannelAccessRefused:
        return False


async def _never_called(_message: aio_pika.abc.AbstractIncomingMessage) -> None:
    raise AssertionError("the consumer was refused")


async def differences(connection: AbstractConnection) -> list[str] | None:
    """Declare again what is known to exist, which compares it; None: this user may not."""
    found = []
    for queue in topology.DECLARED:
        try:
            async with connection.channel(publisher_confirms=False) as channel:
                await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        except ChannelAccessRefused:
            return None
        except ChannelPreconditionFailed as error:
            found.append(words_of(error))
    for exchange in topology.EXCHANGES:
        try:
            async with connection.channel(publisher_confirms=False) as channel:
                arguments = dict(exchange.arguments)
                await channel.declare_exchange(exchange.name, exchange.type, durable=True, arguments=arguments)
        except ChannelAccessRefused:
            return None
        except ChannelPreconditionFailed as error:
            found.append(words_of(error))
    return found


def words_of(error: Exception) -> str:
    """Keep of the broker's words what matters to a person."""
    return str(error).partition(" - ")[2] or str(error)
