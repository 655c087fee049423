"""The servers of a run, and what each round gets of its own: a fresh database and fresh queues.

Postgres and RabbitMQ are this checkout's own (deploy/local), as they come: fsync and synchronous_commit are on, the
queues are quorum queues, and everything is declared by the product's own migrations and topology.
"""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Self

import asyncpg
import psutil

from deploy.local import processes
from deploy.local.host import LocalServerError, say
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.server import LocalServer
from deploy.local.servers import LOCAL, Servers
from repository import catalog as catalogue
from repository import migrate, scratch
from repository.database import PLANNING, Database
from schemas import catalog_file, topology
from tests.benchmarks.link import Link
from tests.benchmarks.load import MORE_CLIENTS, PUBLISHER
from tests.shop import SECRET_KEY, Logins, make_vhost, vhost_of
from worker.broker.connection import connect
from worker.broker.topology import apply_topology

FOLLOW_UPS = tuple(f"orders.{event}" for event in topology.FOLLOW_UPS)
START_SECONDS_MAX = 15.0  # for a program to bring its first order to an end
STOP_SECONDS_MAX = 30.0
STILL_SECONDS_MAX = 30.0  # a program that brings nothing to an end for so long has failed
POLL_SECONDS = 0.02
SAMPLE_SECONDS = 0.5  # between two looks at /proc, which take some milliseconds

OURS = ("worker", "worker")
PEER = ("tests.benchmarks.peer",)
BARE = ("tests.benchmarks.bare",)


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of user and system time since the beginning, over a whole tree of processes."""

    program: float
    postgres: float
    broker: float

    def __sub__(self, before: "Cpu") -> "Cpu":
        return Cpu(self.program - before.program, self.postgres - before.postgres, self.broker - before.broker)


@dataclass(frozen=True, slots=True)
class Sample:
    """How far a program is at one moment."""

    at: float
    follow_ups: int
    cpu: Cpu
    rss: int  # bytes of its processes together


def cpu_seconds(root: int) -> float:
    """Sum up a tree of processes. Those that ended are in the numbers of their parents."""
    seconds = 0.0
    for process in _tree(root):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def rss_bytes(root: int) -> int:
    total = 0
    for process in _tree(root):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def _tree(root: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(root)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


class Bench:
    """Both servers, a database to copy, and the broker's users."""

    def __init__(self, servers: Servers, logins: Logins, template: str) -> None:
        self.logins = logins
        self._servers = servers
        self.postgres_url = servers.postgres_url
        self.folder = LOCAL / "benchmarks"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._template = template
        self._postgres = _root_of(servers.postgres)
        self._broker = _root_of(servers.rabbitmq)

    @classmethod
    @asynccontextmanager
    async def open(cls, servers: Servers) -> AsyncIterator[Self]:
        """Make the template and the virtual host.

        Raises:
            LocalServerError: a server is not of this checkout, so that its processes cannot be measured.
        """
        broker, postgres = servers.rabbitmq, servers.postgres
        if not isinstance(broker, RabbitMQ) or not isinstance(postgres, Postgres):
            raise LocalServerError(
                "benchmarks measure the processes of servers that they start themselves; fix: "
                "unset ORDERS_AMQP_URL and ORDERS_POSTGRES_URL, and do not let a Docker engine be found"
            )
        template = f"orders_bench_template_{uuid.uuid4().hex[:8]}"
        try:
            await _make_template(await scratch.recreate(servers.postgres_url, template))
            with _vhost(broker) as logins:
                yield cls(servers, logins, template)
        finally:
            await scratch.drop(servers.postgres_url, template)

    @contextmanager
    def beside(self) -> Iterator["Bench"]:
        """Lend queues beside these, in a virtual host of their own, at the same servers."""
        broker = self._servers.rabbitmq
        assert isinstance(broker, RabbitMQ), "the bench would not be open"
        with _vhost(broker) as logins:
            yield Bench(self._servers, logins, self._template)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Lend a copy of the template, in which everybody's statements are planned as a worker's are."""
        name = f"orders_bench_{uuid.uuid4().hex[:8]}"
        url = await scratch.clone(self.postgres_url, name, self._template)
        await _plan_alike(url, name)
        await self.checkpoint()  # so that none falls into one round and not into the other
        yield url
        await scratch.drop(self.postgres_url, name)

    async def checkpoint(self) -> None:
        connection = await asyncpg.connect(self.postgres_url)
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def fresh_queues(self) -> None:
        """Delete every queue and declare all of them again."""
        async with connect(self.logins.administrator, "orders benchmarks") as connection:
            channel = await connection.channel()
            for queue in topology.DECLARED:
                await channel.queue_delete(queue.name)
            await apply_topology(connection)

    @asynccontextmanager
    async def storefront(self) -> AsyncIterator[Link]:
        async with Link.open(self.logins.storefront) as link:
            yield link

    @contextmanager
    def program(self, database_url: str, *module: str, **more: str) -> Iterator["Program"]:
        """Run `python -m module` as workers are run, and stop it at the end."""
        name = module[0].rpartition(".")[2]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *module],
                env={**os.environ, **self.environment(database_url), **more},
                stderr=output,
                stdout=output,
            )
        try:
            yield Program(process, log, self._postgres, self._broker)
            process.terminate()
            status = process.wait(STOP_SECONDS_MAX)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(STOP_SECONDS_MAX)
        if status:
            raise BenchmarkFailed(f"{name} ended with {status}; its log: {log}")

    def environment(self, database_url: str) -> Mapping[str, str]:
        return {
            "ORDERS_AMQP_URL": self.logins.worker,
            "ORDERS_POSTGRES_URL": database_url,
            "ORDERS_SECRET_KEYS": SECRET_KEY,
            "ORDERS_TOPOLOGY": "check",
            "ORDERS_TRUSTED_PUBLISHERS": PUBLISHER,
        }


def tell(text: str) -> None:
    say(text)


class BenchmarkFailed(Exception):
    """What was measured did not do its work, so that there is no figure."""


@dataclass(frozen=True, slots=True)
class Program:
    process: "subprocess.Popen[bytes]"
    log: Path
    postgres: int
    broker: int

    def sample(self, at: float, follow_ups: int) -> Sample:
        pid = self.process.pid
        cpu = Cpu(cpu_seconds(pid), cpu_seconds(self.postgres), cpu_seconds(self.broker))
        return Sample(at, follow_ups, cpu, rss_bytes(pid))

    def check(self) -> None:
        if self.process.poll() is not None:
            raise BenchmarkFailed(f"{self.log.stem} ended with {self.process.returncode}; its log: {self.log}")


class Watch:
    """Counts what a program has brought to an end: its messages for mails, of which it is known how many there must be.

    Nobody consumes those queues. To ask how long one is costs the broker microseconds; a reader would cost it more than
    the worker does.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    @asynccontextmanager
    async def open(cls, bench: Bench) -> AsyncIterator[Self]:
        async with Link.open(bench.logins.administrator) as link:
            yield cls(link)

    async def follow_ups(self) -> int:
        return sum([await self._link.waiting(queue) for queue in FOLLOW_UPS])

    async def waiting(self) -> int:
        return await self._link.waiting(topology.REQUESTS)

    async def until(self, program: Program, warm: int, follow_ups: int) -> list[Sample]:
        """Take samples from when there are so many as it takes to be warm, until there are all."""
        before = await self.follow_ups()
        samples: list[Sample] = []
        moved = time.perf_counter()
        while True:
            now, at = await self.follow_ups(), time.perf_counter()
            if now > before:
                before, moved = now, at
                is_due = at - samples[-1].at > SAMPLE_SECONDS if samples else now >= warm
                if is_due or now >= follow_ups:
                    samples.append(program.sample(at, now))
                if now >= follow_ups:
                    return samples
            program.check()
            patience = STILL_SECONDS_MAX if samples else START_SECONDS_MAX
            if at - moved > patience:
                raise BenchmarkFailed(f"{now} of {follow_ups} after {patience:.0f} s without any; log: {program.log}")
            await asyncio.sleep(POLL_SECONDS)


@contextmanager
def _vhost(broker: RabbitMQ) -> Iterator[Logins]:
    url = make_vhost(broker.url, broker.import_definitions)
    try:
        yield Logins.of(url)
    finally:
        with suppress(LocalServerError):
            broker.control("delete_vhost", vhost_of(url))


async def _make_template(url: str) -> None:
    await migrate.migrate(url)
    sample = files("deploy").joinpath("sample", "catalog.json").read_bytes()
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(sample), by="tests")
        await connection.execute(MORE_CLIENTS)
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _root_of(server: object) -> int:
    assert isinstance(server, LocalServer)
    process = processes.recall(server.pid_file(next(iter(server.ENDING))))
    assert process is not None, "it was started a moment ago"
    return process.pid


async def _plan_alike(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    for setting, value in PLANNING.items():
        await connection.execute(f"ALTER DATABASE {name} SET {setting} = {value}")
    await connection.close()
