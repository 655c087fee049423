"""Where is my request? Its order, its ending, its events, or its dead letter."""

from dataclasses import dataclass

from repository import show as archive
from repository.database import Database
from repository.show import Found
from worker.broker.connection import BROKER_FAULTS, AccessRefused, connect
from worker.broker.dead_letters import AnotherOperator, DeadLetter, opened
from worker.operations.selection import Where


@dataclass(frozen=True, slots=True)
class Letters:
    """What was found among the dead letters, and for each queue that could not be looked into, why."""

    found: list[DeadLetter]
    unread: list[str]


async def trace(reference: str, database: Database, amqp_url: str | None) -> tuple[list[Found], Letters]:
    """Find what an order id, an order number or a message_id may mean, in the archive and among the dead letters."""
    async with database.connection() as connection:
        found = await archive.find(connection, reference)
    message_ids = {reference, *(one.asked.message_id for one in found if one.asked)}
    return found, await look_among_dead(amqp_url, message_ids)


async def look_among_dead(amqp_url: str | None, message_ids: set[str]) -> Letters:
    """Look for messages in the two queues that wait for a person, as far as they may be looked into."""
    if amqp_url is None:
        return Letters([], ["the dead letters were not looked into: ORDERS_AMQP_URL is not set"])
    letters = Letters([], [])
    try:
        async with connect(amqp_url, "orders show") as connection:
            for where in Where:
                try:
                    async with opened(connection, where.queue) as queue:
                        letters.found.extend([one async for one in queue.browse() if one.message_id in message_ids])
                except AccessRefused:
                    letters.unread.append(f"{where.queue} was not looked into: this user may not read it")
    except AnotherOperator as error:
        letters.unread.append(f"the dead letters were not looked into: {error}")
    except BROKER_FAULTS as error:
        letters.unread.append(
            f"the dead letters were not looked into: RabbitMQ does not answer ({type(error).__name__})"
        )
    return letters


def ending_of(found: Found) -> str:
    # An order outlives the memory of what its request was answered.
    return "placed" if found.order is not None else found.answer.outcome if found.answer else "not answered"
