"""How the shop is doing: queues and consumers, what is unfinished, the last orders."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from repository import inbox, processes, revisions, show, unsent
from repository.processes import Process
from repository.show import Activity
from repository.unsent import Summary
from schemas import topology
from worker.broker import trials
from worker.broker.connection import BrokerConnection, TakesNothing
from worker.broker.management import Management, QueueDetails, Unmanaged
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
    unsent: list[Summary]
    activity: Activity
    paused: list[Process]


@dataclass(frozen=True, slots=True)
class BrokerState:
    """The queues, and why the broker takes nothing from publishers; empty: it takes.

    `details` is what only the management plugin tells of them; `untold` says why it tells nothing, or is empty.
    """

    queues: list[QueueState]
    alarm: str
    details: Mapping[str, QueueDetails]
    untold: str


async def ask_both(
    amqp_url: str | None, postgres_url: str | None, management_url: str | None
) -> tuple[BrokerState | Unanswered, ArchiveState | Unanswered]:
    async with asyncio.TaskGroup() as asking:
        state_of_broker = asking.create_task(_ask_broker(amqp_url, management_url))
        state = asking.create_task(_ask_database(postgres_url))
    return state_of_broker.result(), state.result()


async def _ask_broker(url: str | None, management_url: str | None) -> BrokerState | Unanswered:
    if url is None:
        return Unanswered("ORDERS_AMQP_URL is not set")
    details, untold = await _ask_management(url, management_url)
    try:
        async with broker(url, "orders status") as connection:
            queues = [await look_at(connection, queue.name) for queue in topology.QUEUES]
            return BrokerState(queues, await _alarm(connection), details, untold)
    except OperationFault as fault:
        return Unanswered(str(fault))


async def _ask_management(url: str, management_url: str | None) -> tuple[Mapping[str, QueueDetails], str]:
    if management_url is None:
        return {}, "ORDERS_MANAGEMENT_URL is not set"
    try:
        return await Management.of(management_url, url).queues(), ""
    except Unmanaged as error:
        return {}, f"the management plugin at ORDERS_MANAGEMENT_URL does not tell: {error}"


async def _alarm(connection: BrokerConnection) -> str:
    """Ask the broker whether it takes anything: it tells only who publishes. Last: an alarm ends the connection."""
    try:
        await trials.publishing(connection, topology.COMMANDS)
    except TakesNothing as error:
        return str(error)
    return ""


async def _ask_database(url: str | None) -> ArchiveState | Unanswered:
    if url is None:
        return Unanswered("ORDERS_POSTGRES_URL is not set")
    try:
        async with archive(url) as database, database.connection() as connection:
            count, oldest_seconds = await inbox.unpublished(connection)
            return ArchiveState(
                await revisions.schema_version(connection),
                count,
                oldest_seconds,
                await unsent.summary(connection),
                await show.activity(connection),
                [one for one in await processes.running(connection) if one.paused and not one.is_silent],
            )
    except OperationFault as fault:
        return Unanswered(str(fault))
