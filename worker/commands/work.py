"""`orders worker`: consume until SIGTERM."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from prometheus_client import REGISTRY, CollectorRegistry

from repository.database import Database
from worker import health, logs, metrics
from worker.commands import broker_errors, fail
from worker.commands.database import database_errors
from worker.intake.authentication import Authenticator
from worker.intake.edge import Edge
from worker.key_ring import KeyRing
from worker.pipeline.consumer import Consumer
from worker.pipeline.context import Context
from worker.pipeline.session import BATCHES_IN_FLIGHT
from worker.settings import Settings

OBJECTS_BEFORE_COLLECTING = 50_000  # some tens of orders; 700 by default, which costs a tenth of the time
HEARTBEAT_SECONDS = 1.0  # a tenth of what /livez lets pass

log = structlog.get_logger()


def work(
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many processes consume the same queue.")] = 1,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Consume requests until SIGTERM, then finish what is in hand.

    With ORDERS_HTTP_PORT it answers there, for all processes: /livez, /readyz, and /metrics for Prometheus.
    """
    settings = Settings.read()
    logs.configure(settings.log_format)
    # Not by taking the variable out of the environment: the port may be written in ORDERS_ENV_FILE.
    port = None if supervised else settings.http_port
    if processes > 1:
        with _team(processes) as team, _serving(port, team.registry, team.condition):
            status = uvloop.run(supervise(processes, team))
        sys.exit(status)
    _spare_the_collector()
    with _serving(port, REGISTRY, metrics.condition), broker_errors(), database_errors():
        uvloop.run(consume(settings, supervisor=os.getppid() if supervised else None))


def _spare_the_collector() -> None:
    """Let the garbage collector look at little, and seldom: modules stay, and what orders are made of has no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTING)


@contextmanager
def _team(processes: int) -> Iterator[metrics.Team]:
    """Make the folder in which the processes tell what they count."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="orders-metrics-")
    except OSError as error:
        fail(f"{processes} processes need a temporary folder for their metrics: {error.strerror}")
    with folder as path:
        yield metrics.Team(Path(path), processes)


@contextmanager
def _serving(
    port: int | None, registry: CollectorRegistry, condition: Callable[[], metrics.Condition]
) -> Iterator[None]:
    """Answer on the port, if there is one."""
    if port is None:
        yield
        return
    try:
        server = health.Server(port, health.application(registry, condition))
    except OSError as error:
        fail(f"cannot listen on port {port}, which ORDERS_HTTP_PORT names: {error.strerror}")
    with server.running():
        yield


async def supervise(processes: int, team: metrics.Team) -> int:
    """Run several workers and end with them. When one ends by itself, all do: whoever started us starts us again."""
    stopping = _stopping()
    command = (sys.executable, "-m", "worker", "worker", "--supervised")
    environment = {**os.environ, metrics.FOLDER_VARIABLE: str(team.folder)}
    workers = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(processes)]
    ends = [asyncio.ensure_future(_end(worker, team)) for worker in workers]
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([told, *ends], return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.terminate()
    statuses = await asyncio.gather(*ends)
    told.cancel()
    return 0 if stopping.is_set() and not any(statuses) else 1


async def _end(worker: asyncio.subprocess.Process, team: metrics.Team) -> int:
    """Wait until a worker ends. Its metrics count for the team as long as it runs."""
    team.joined(worker.pid)
    status = await worker.wait()
    team.left(worker.pid)
    return status


async def consume(settings: Settings, supervisor: int | None = None) -> None:
    """Run one worker in this process. With the pid of a supervisor it ends when that is gone."""
    stopping = _stopping()
    async with _heartbeat(stopping, supervisor), open_context(settings) as context:
        await Consumer(settings, context).run(stopping)


@asynccontextmanager
async def _heartbeat(stopping: asyncio.Event, supervisor: int | None) -> AsyncIterator[None]:
    # Not a TaskGroup: it would wrap in a group the faults that the command tells in a sentence.
    beating = asyncio.ensure_future(_beat(stopping, supervisor))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(stopping: asyncio.Event, supervisor: int | None) -> None:
    while True:
        metrics.loop_turned()
        # Left behind by a supervisor that was killed, nobody would see us or stop us.
        if supervisor is not None and os.getppid() != supervisor:
            stopping.set()
        await asyncio.sleep(HEARTBEAT_SECONDS)


def _stopping() -> asyncio.Event:
    """Make an event that SIGTERM and Ctrl-C set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Wire what carrying out needs. Nothing is connected yet: the servers may still be on their way."""
    keys = KeyRing(settings.keys())
    url = settings.require("postgres_url")
    async with Database(url, connections_max=BATCHES_IN_FLIGHT + 2) as database:
        yield Context(
            database=database,
            edge=Edge(keys, Authenticator(keys, settings.trusted_publishers), settings.request_bytes_max),
            keys=keys,
            terms=settings.terms(),
        )
