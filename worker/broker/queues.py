"""How many messages wait in a queue, and who consumes it."""

from dataclasses import dataclass

from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity


@dataclass(frozen=True, slots=True)
class QueueState:
    """`ready` and `consumers` are None where the queue could not be looked at; `trouble` says why."""

    name: str
    ready: int | None = None
    consumers: int | None = None
    trouble: str = ""


def is_missing(error: ChannelNotFoundEntity) -> bool:
    """Whether something is not there. Of what is coming back after a restart RabbitMQ says not found as well."""
    return str(error).partition(" - ")[2].startswith("no ")


async def look_at(connection: AbstractConnection, name: str) -> QueueState:
    """Count without a right to read: on a channel of its own, because a refusal closes it."""
    try:
        async with connection.channel(publisher_confirms=False) as channel:
            declared = (await channel.declare_queue(name, passive=True)).declaration_result
    except ChannelNotFoundEntity as error:
        if not is_missing(error):
            raise
        return QueueState(name, trouble="does not exist: orders topology apply")
    except ChannelAccessRefused:
        return QueueState(name, trouble="this user may not look at it")
    return QueueState(name, declared.message_count or 0, declared.consumer_count or 0)


async def purge(connection: AbstractConnection, name: str) -> None:
    """Take out all that waits in a queue."""
    async with connection.channel(publisher_confirms=False) as channel:
        await (await channel.get_queue(name, ensure=False)).purge()
