"""What the demo plays on: a fresh database, a worker process, and eyes on everything that comes out."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from deploy.local import processes
from deploy.local.servers import LOCAL, WORKER_PID_FILE, stop_worker
from repository import catalog as catalogue
from repository import placed_orders, scratch
from repository import show as archive
from repository.database import Database
from schemas import catalog_file, topology
from schemas.recorded import RecordedOrder
from worker.broker.addresses import user_of
from worker.broker.connection import BrokerConnection, connect
from worker.broker.dead_letters import DeadLetter, opened
from worker.broker.events import heard
from worker.broker.queues import look_at, purge
from worker.broker.shop import has_streams, owner
from worker.broker.topology import apply_topology, begin_streams_anew
from worker.client import Request, Storefront
from worker.commands import fail, person
from worker.key_ring import KeyRing
from worker.operations.actor import Actor, Role
from worker.operations.audit import run, written_if_possible
from worker.operations.replay import replayed, run_line, survey
from worker.operations.selection import Filter, Where

DATABASE = "orders_demo"
SECRET_KEY = "demonstration-key-which-is-no-secret"  # noqa: S105  # of a database that lives for minutes
WORKER_START_SECONDS_MAX = 20
WORKER_STOP_SECONDS_MAX = 30
REPLY_SECONDS_MAX = 10
EVENTS_SECONDS_MAX = 5
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Scene:
    """All that one request caused."""

    reply: bytes
    events: tuple[bytes, ...]

    @property
    def event_ids(self) -> set[str]:
        return {orjson.loads(event)["id"] for event in self.events}


class Stage:
    def __init__(self, storefront: Storefront, broker: BrokerConnection, database: Database, env_file: Path) -> None:
        self.env_file = env_file
        self._storefront = storefront
        self._broker = broker
        self._database = database
        self._events: list[bytes] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Hear every event from now on."""
        async with heard(self._broker) as bodies:
            hearing = asyncio.ensure_future(self._hear(bodies))
            try:
                yield
            finally:
                hearing.cancel()

    async def _hear(self, bodies: "asyncio.Queue[bytes]") -> None:
        while True:
            self._events.append(await bodies.get())

    async def send(self, request: Request) -> None:
        await self._storefront.send(request)

    async def play(self, request: Request, act: Callable[[], Awaitable[None]]) -> Scene:
        """Do something with a request, and gather its reply and its events."""
        seen = len(self._events)
        self._storefront.expect_reply(request)
        await act()
        reply = await self._storefront.reply_to(request, REPLY_SECONDS_MAX)
        expected = _event_count(request, reply)
        try:
            async with asyncio.timeout(EVENTS_SECONDS_MAX):
                while len(self._events) - seen < expected:  # noqa: ASYNC110  # bounded just above
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            fail(f"only {len(self._events) - seen} of {expected} events came; see {LOCAL / 'worker.log'}")
        return Scene(reply, tuple(self._events[seen:]))

    async def order(self, order_id: int) -> RecordedOrder:
        async with self._database.connection() as connection:
            return (await placed_orders.read(connection, [order_id]))[order_id]

    async def count_orders(self) -> int:
        async with self._database.connection() as connection:
            return await archive.count_orders(connection)

    async def load_catalogue(self, content: Mapping[str, Any]) -> None:
        await _load_catalogue(self._database, json.dumps(content))

    async def dead_letter(self, message_id: str) -> DeadLetter:
        """Wait for a request to lie among the dead letters."""
        async with asyncio.timeout(EVENTS_SECONDS_MAX):
            while True:
                async with opened(self._broker) as dead_letters:
                    async for letter in dead_letters.browse():
                        if letter.message_id == message_id:
                            return letter
                await asyncio.sleep(POLL_SECONDS)

    async def replay(self, message_id: str) -> None:
        actor = Actor("demo", "operator", Role.OPERATOR)
        async with (
            opened(self._broker, keys=KeyRing([SECRET_KEY.encode()])) as letters,
            written_if_possible(None, actor) as ledger,
            run(actor, ledger, run_line("replay", Where.DEAD, "", 1), of_many=False) as going,
        ):
            plan = await survey(letters, Filter.of([message_id]))
            async for _ in replayed(letters, plan, going):
                pass

    async def count_dead_letters(self) -> int:
        async with opened(self._broker) as dead_letters:
            return len([letter async for letter in dead_letters.browse()])


def _event_count(request: Request, reply: bytes) -> int:
    """One result event; of an order also its two mails, where the request does not do without."""
    answer = orjson.loads(reply)
    if answer["result"] == "error":
        return 1
    return 1 + int(answer["invoiceid"] != 0) + int(b"noemail" not in request.body)


async def at_stake(postgres_url: str, amqp_url: str) -> str:
    """Say what a demo would take away that somebody may want; empty: nothing."""
    count = await scratch.orders_in(postgres_url, DATABASE)
    async with connect(amqp_url, "orders demo") as broker:
        queues = [await look_at(broker, queue.name) for queue in topology.QUEUES]
        theirs = await owner(broker) if await has_streams(broker) else None
    messages = sum(queue.ready or 0 for queue in queues)
    consumers = sum(queue.consumers or 0 for queue in queues if queue.name == topology.REQUESTS)
    found = (
        (count, f"{count:,} order{'s' * (count > 1)} in the database {DATABASE}"),
        (messages, f"{messages:,} message{'s' * (messages > 1)} in our queues"),
        (consumers, "a worker that consumes"),
        (theirs is not None, f"the id of the shop {theirs} in the broker"),
    )
    return ", ".join(words for number, words in found if number)


@asynccontextmanager
async def running_stage(postgres_url: str, amqp_url: str, *, keep: bool) -> AsyncIterator[Stage]:
    """Make a fresh database with the sample catalogue, empty queues, and a worker; with `keep` they stay."""
    stop_worker()
    database_url = await scratch.recreate(postgres_url, DATABASE)
    from repository import migrate  # noqa: PLC0415  # alembic takes long, and few commands need it

    await migrate.migrate(database_url)
    environment = {
        "ORDERS_AMQP_URL": amqp_url,
        "ORDERS_POSTGRES_URL": database_url,
        "ORDERS_SECRET_KEYS": SECRET_KEY,
        "ORDERS_TRUSTED_PUBLISHERS": user_of(amqp_url),
        "ORDERS_TOPOLOGY": "apply",
        "ORDERS_LOG_FORMAT": "console",
    }
    async with connect(amqp_url, "orders demo") as broker:
        await apply_topology(broker)
        await _purge(broker)
        env_file = _write_env_file(environment)
        worker = _start_worker(environment, detached=keep)
        if keep:
            processes.remember(worker, WORKER_PID_FILE)
        try:
            async with Database(database_url) as database:
                sample = files("deploy").joinpath("sample", "catalog.json").read_text(encoding="utf-8")
                await _load_catalogue(database, sample)
                await _wait_for_consumer(broker, worker)
                async with Storefront.open(amqp_url) as storefront:
                    stage = Stage(storefront, broker, database, env_file)
                    async with stage.listening():
                        yield stage
        except BaseException:
            keep = False
            raise
        finally:
            if not keep:
                worker.terminate()
                worker.wait(WORKER_STOP_SECONDS_MAX)
                env_file.unlink(missing_ok=True)
                await _purge(broker)
                await scratch.drop(postgres_url, DATABASE)


async def _purge(broker: BrokerConnection) -> None:
    for queue in topology.QUEUES:
        await purge(broker, queue.name)
    await begin_streams_anew(broker)


async def _load_catalogue(database: Database, text: str) -> None:
    async with database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(text), by=person())


def _write_env_file(environment: Mapping[str, str]) -> Path:
    LOCAL.mkdir(exist_ok=True)
    path = LOCAL / "orders.env"
    path.write_text("".join(f"{name}={value}\n" for name, value in environment.items()), encoding="utf-8")
    return path.resolve()


def _start_worker(environment: Mapping[str, str], *, detached: bool) -> "subprocess.Popen[bytes]":
    """Run `orders worker` as a process of its own, as in real life."""
    with (LOCAL / "worker.log").open("wb") as output:
        return subprocess.Popen(  # our own program
            [sys.executable, "-m", "worker", "worker"],
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=detached,
        )


async def _wait_for_consumer(broker: BrokerConnection, worker: "subprocess.Popen[bytes]") -> None:
    async with asyncio.timeout(WORKER_START_SECONDS_MAX):
        while worker.poll() is None:
            if (await look_at(broker, topology.REQUESTS)).consumers:
                return
            await asyncio.sleep(POLL_SECONDS)
    fail(f"the worker ended with status {worker.returncode}; its log is {LOCAL / 'worker.log'}")
