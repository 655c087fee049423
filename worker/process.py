"""A process and its neighbours: signals, several of them under one supervisor, the port that they answer on."""

import asyncio
import contextlib
import errno
import gc
import os
import resource
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from worker import health, metrics
from worker.settings import Settings

OBJECTS_BEFORE_COLLECTING = 50_000  # some tens of orders; 700 by default, which costs a tenth of the time
LATE_SECONDS_MAX = 10.0  # for a worker of several to end, beyond its drain time: connections have bounds of their own
# Connections, and whoever is at the port; and what comes over the years.
FILES_MIN = 128
FILES_MAX = 65_536  # without a limit: more is of no use
HEARTBEAT_SECONDS = 1.0  # a tenth of what /livez lets pass


log = structlog.get_logger()


class ProcessError(Exception):
    """A process lacks what it needs of this machine; the text says what."""


def spare_the_collector() -> None:
    """Let the garbage collector look at little, and seldom: modules stay, and what orders are made of has no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTING)


@contextmanager
def gathered(size: int) -> Iterator[metrics.Team]:
    """Make the folder in which the processes tell what they count."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="orders-metrics-")
    except OSError as error:
        raise ProcessError(f"{size} processes need a temporary folder for their metrics: {error.strerror}") from error
    with folder as path:
        yield metrics.Team(Path(path), size)


@contextmanager
def serving(
    settings: Settings, registry: CollectorRegistry, condition: Callable[[], metrics.Condition]
) -> Iterator[None]:
    """Answer on the port, if there is one."""
    address, port = settings.http_address, settings.http_port
    if port is None:
        yield
        return
    try:
        server = health.Server(address, port, health.application(registry, condition))
    except OSError as error:
        place = f"port {port}, which ORDERS_HTTP_PORT names"
        if error.errno == errno.EADDRNOTAVAIL:
            place = f"the address {address}, which ORDERS_HTTP_ADDRESS names"
        raise ProcessError(f"cannot listen on {place}: {os.strerror(error.errno or 0)}") from error
    with server.running():
        yield


def have_files() -> None:
    """Raise the limit of open files to what is allowed, and see that it is enough.

    Raises:
        ProcessError: it is not. A connection that cannot be opened would look like a server that is away.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted < FILES_MIN:
        raise ProcessError(
            f"this process may have {wanted} files and connections open, and needs {FILES_MIN}; "
            "fix: ulimit -n 1024, or LimitNOFILE=1024 for systemd"
        )


async def supervise(processes: int, team: metrics.Team, drain_seconds: float) -> int:
    """Run several workers and end with them. When one ends by itself, all do: whoever started us starts us again.

    One that has not ended when its time to finish is long over, for it is stopped or stuck, is killed: what it had in
    hand goes back.
    """
    stopping = stop_signal()
    command = (sys.executable, "-m", "worker", "worker", "--supervised")
    environment = {**os.environ, metrics.FOLDER_VARIABLE: str(team.folder)}
    workers = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(processes)]
    ends = [asyncio.ensure_future(_end(worker, team)) for worker in workers]
    told = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([told, *ends], return_when=asyncio.FIRST_COMPLETED)
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            worker.terminate()
    await asyncio.wait(ends, timeout=drain_seconds + LATE_SECONDS_MAX)
    for worker, end in zip(workers, ends, strict=True):
        if not end.done():
            log.error("worker.killed", pid=worker.pid, seconds=drain_seconds + LATE_SECONDS_MAX)
            worker.kill()
    statuses = await asyncio.gather(*ends)
    told.cancel()
    return 0 if stopping.is_set() and not any(statuses) else 1


async def _end(worker: asyncio.subprocess.Process, team: metrics.Team) -> int:
    """Wait until a worker ends. Its metrics count for the team as long as it runs."""
    team.joined(worker.pid)
    status = await worker.wait()
    team.left(worker.pid)
    return status


@asynccontextmanager
async def heartbeat(stopping: asyncio.Event, supervisor: int | None) -> AsyncIterator[None]:
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


def stop_signal() -> asyncio.Event:
    """Make an event that SIGTERM and Ctrl-C set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping
