"""Who runs: what each process has said of itself, and where nobody can be asked for that, whom the broker names."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from repository import processes
from repository.processes import Kind, Process
from schemas import topology
from worker.broker.management import Management, SeenConsumer, Unmanaged
from worker.broker.queues import look_at
from worker.operations.faults import OperationFault
from worker.operations.servers import archive, broker


@dataclass(frozen=True, slots=True)
class Instead:
    """What the broker knows of the consumers of orders.requests. `says` tells what it does not, and why."""

    consumers: list[SeenConsumer]
    says: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why nobody knows who runs, in a sentence, and what the broker tells instead."""

    why: str
    instead: Instead


async def who_runs(
    postgres_url: str | None, amqp_url: str | None, management_url: str | None
) -> list[Process] | Unknown:
    """Tell who runs; those that are silent as well."""
    if postgres_url is None:
        why = "ORDERS_POSTGRES_URL is not set"
    else:
        try:
            return await asked(postgres_url)
        except OperationFault as fault:
            why = str(fault)
    return Unknown(why, await _ask_broker(amqp_url, management_url))


async def asked(postgres_url: str) -> list[Process]:
    """Ask the database who runs.

    Raises:
        OperationFault: it cannot be asked.
    """
    async with archive(postgres_url) as database, database.connection() as connection:
        return await processes.running(connection)


async def _ask_broker(amqp_url: str | None, management_url: str | None) -> Instead:
    if amqp_url is None:
        return Instead([], "nor can RabbitMQ be asked: ORDERS_AMQP_URL is not set")
    why_unnamed = "ORDERS_MANAGEMENT_URL is not set"
    if management_url is not None:
        try:
            return Instead(await Management.of(management_url, amqp_url).consumers(topology.REQUESTS), "")
        except Unmanaged as error:
            why_unnamed = f"ORDERS_MANAGEMENT_URL: {error}"
    try:
        async with broker(amqp_url, "orders workers") as connection:
            count = (await look_at(connection, topology.REQUESTS)).consumers
    except OperationFault as fault:
        return Instead([], str(fault))
    return Instead([], f"RabbitMQ counts {count} on {topology.REQUESTS}; who they are is not known: {why_unnamed}")


def differences(found: Iterable[Process]) -> Iterator[str]:
    """Say in what those differ that should not, the silent ones aside."""
    workers = [one.identity for one in found if one.identity.kind == Kind.WORKER and not one.is_silent]
    settings = Counter(one.settings_hash for one in workers)
    versions = Counter(one.version for one in workers)
    for what, counts in (("settings", settings), ("versions", versions)):
        if len(counts) > 1:
            told = ", ".join(f"{count} with {value}" for value, count in counts.most_common())
            yield f"the workers' {what} differ: {told}"
