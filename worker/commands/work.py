"""`orders worker`: consume until SIGTERM."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import structlog
import typer
import uvloop

from repository import catalog as catalogue
from repository.database import Database
from repository.migrate import check_migrated
from schemas.order import Terms
from worker import logs
from worker.authentication import Authenticator
from worker.carry_out import House
from worker.commands import broker_errors
from worker.commands.database import database_errors
from worker.consumer import BATCHES_IN_FLIGHT, Consumer
from worker.edge import Edge
from worker.key_ring import KeyRing
from worker.settings import Settings

log = structlog.get_logger()


def work(
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many processes consume the same queue.")] = 1,
) -> None:
    """Consume requests until SIGTERM, then finish what is in hand."""
    settings = Settings.read()
    logs.configure(settings.log_format)
    if processes > 1:
        sys.exit(uvloop.run(supervise(processes)))
    with broker_errors(), database_errors():
        uvloop.run(consume(settings))


async def supervise(processes: int) -> int:
    """Run several workers and end with them. When one ends by itself, all do: whoever started us starts us again."""
    stopping = _stopping()
    workers = [await asyncio.create_subprocess_exec(sys.executable, "-m", "worker", "worker") for _ in range(processes)]
    ends = [asyncio.ensure_future(worker.wait()) for worker in workers]
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([told, *ends], return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.terminate()
    statuses = await asyncio.gather(*ends)
    told.cancel()
    return 0 if stopping.is_set() and not any(statuses) else 1


async def consume(settings: Settings) -> None:
    """Run one worker in this process."""
    stopping = _stopping()
    async with open_house(settings) as house:
        await Consumer(settings, house).run(stopping)


def _stopping() -> asyncio.Event:
    """Make an event that SIGTERM and Ctrl-C set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Connect to the database and read the catalogue.

    Raises:
        NotMigrated: the schema is missing, or older than this program.
    """
    keys = KeyRing(settings.keys())
    url = settings.require("postgres_url")
    async with Database(url, connections_max=BATCHES_IN_FLIGHT + 2) as database:
        async with database.connection() as connection:
            await check_migrated(connection)
            catalog = await catalogue.read(connection)
        yield House(
            database=database,
            edge=Edge(keys, Authenticator(keys, settings.trusted_publishers), settings.request_bytes_max),
            keys=keys,
            terms=Terms(
                tax_inclusive=settings.tax == "inclusive",
                invoice_grace_days=settings.invoice_grace_days,
                nameservers=settings.nameservers,
            ),
            catalog=catalog,
        )
