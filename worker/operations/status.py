"""How the shop is doing: queues and consumers, what is unfinished, the last orders."""

import asyncio
from dataclasses import dataclass

from repository import inbox, revisions, show
from repository.show import Activity
from schemas import topology
from worker.broker.queues import QueueState, look_at
from worker.operations.faults import OperationFault
from worker.operations.servers import archive, broker


class Unanswered(Exception):
    """A server that could not be asked, and why, in a sentence."""


@dataclass(frozen=True, slots=True)
class ArchiveState:
    schema: str | None
    unpublished: int
    oldest_unpublished_seconds: float
    activity: Activity


async def ask_both(
    amqp_url: str | None, postgres_url: str | None
) -> tuple[list[QueueState] | Unanswered, ArchiveState | Unanswered]:
    async with asyncio.TaskGroup() as asking:
        queues = asking.create_task(_ask_broker(amqp_url))
        state = asking.create_task(_ask_database(postgres_url))
    return queues.result(), state.result()


async def _ask_broker(url: str | None) -> list[QueueState] | Unanswered:
    if url is None:
        return Unanswered("ORDERS_AMQP_URL is not set")
    try:
        async with broker(url, "orders status") as connection:
            return [await look_at(connection, queue.name) for queue in topology.QUEUES]
    except OperationFault as fault:
        return Unanswered(str(fault))


async def _ask_database(url: str | None) -> ArchiveState | Unanswered:
    if url is None:
        return Unanswered("ORDERS_POSTGRES_URL is not set")
    try:
        async with archive(url) as database, database.connection() as connection:
            count, oldest_seconds = await inbox.unpublished(connection)
            return ArchiveState(
                await revisions.schema_version(connection), count, oldest_seconds, await show.activity(connection)
            )
    except OperationFault as fault:
        return Unanswered(str(fault))
