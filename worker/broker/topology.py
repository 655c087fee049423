"""Declare the topology, and see that it is there."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed

from schemas.topology import DECLARED, EXCHANGES, FORMER_BINDINGS, STREAMS, Exchange, Queue, Stream
from worker.broker.queues import is_missing


class TopologyError(Exception):
    """What differs from this page, a line each, with the mend."""


@dataclass(frozen=True, slots=True)
class Declared:
    """Names of what was not there before."""

    exchanges: list[str]
    queues: list[str]


async def apply_topology(connection: AbstractConnection) -> Declared:
    """Declare everything; what exists already is compared.

    Raises:
        TopologyError: something exists with other arguments; the rest has been declared.
    """
    faults = []
    declared = Declared([], [])
    for exchange in EXCHANGES:
        if await _try(connection, exchange.name, _exists("exchange", exchange.name)):
            declared.exchanges.append(exchange.name)
        faults += await _try(connection, exchange.name, _declare_exchange(exchange))
    for queue in DECLARED:
        if await _try(connection, queue.name, _exists("queue", queue.name)):
            declared.queues.append(queue.name)
        faults += await _try(connection, queue.name, _declare_queue(queue))
    # After the new ones are there: nothing is to go nowhere meanwhile.
    for name, exchange_name, routing_key in FORMER_BINDINGS:
        faults += await _try(connection, name, _unbind(name, exchange_name, routing_key))
    if faults:
        raise TopologyError("\n".join(faults))
    return declared


async def check_topology(connection: AbstractConnection) -> None:
    """See that every exchange and queue exists. Needs no permission to configure, and changes nothing.

    Raises:
        TopologyError: what is missing.
    """
    faults = []
    for name in (exchange.name for exchange in EXCHANGES):
        faults += await _try(connection, name, _exists("exchange", name))
    for name in (queue.name for queue in DECLARED):
        faults += await _try(connection, name, _exists("queue", name))
    if faults:
        raise TopologyError("\n".join(faults))


async def begin_streams_anew(connection: AbstractConnection) -> None:
    """Delete our streams, which cannot be purged, and declare them: nobody's, and empty."""
    async with connection.channel(publisher_confirms=False) as channel:
        for stream in STREAMS:
            await channel.queue_delete(stream.name)
            await _declare_queue(stream)(channel)


Step = Callable[[AbstractChannel], Awaitable[None]]


async def _try(connection: AbstractConnection, name: str, step: Step) -> list[str]:
    """Take a step on a channel of its own: a refusal closes the channel."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        await step(channel)
    except ChannelPreconditionFailed as error:
        return [f"{name}: {_reason(error)}. Empty it, delete it, and run `orders topology apply` again."]
    except ChannelNotFoundEntity as error:
        if not is_missing(error):
            raise
        return [f"{name}: does not exist. Run `orders topology apply`, or set ORDERS_TOPOLOGY=apply."]
    finally:
        if not channel.is_closed:
            await channel.close()
    return []


def _reason(error: ChannelPreconditionFailed) -> str:
    """Keep of the broker's words what differs: inequivalent arg 'x-message-ttl' … received '1' but current is '2'."""
    return str(error).strip("[]'").removeprefix("PRECONDITION_FAILED - ").split(", '")[0].strip("'")


def _declare_exchange(exchange: Exchange) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await channel.declare_exchange(exchange.name, exchange.type, durable=True, arguments=dict(exchange.arguments))

    return step


def _declare_queue(queue: Queue | Stream) -> Step:
    async def step(channel: AbstractChannel) -> None:
        declared = await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        for exchange, routing_key in queue.bindings:
            await declared.bind(exchange, routing_key)

    return step


def _unbind(queue_name: str, exchange_name: str, routing_key: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(queue_name, ensure=False)
        await queue.unbind(exchange_name, routing_key)

    return step


def _exists(kind: str, name: str) -> Step:
    async def step(channel: AbstractChannel) -> None:
        if kind == "queue":
            await channel.declare_queue(name, passive=True)
        else:
            await channel.declare_exchange(name, passive=True)

    return step
