"""What a test sees of the world: it publishes as a storefront, hears replies and events, and looks into the tables.

Each comes to the broker under its own name and with no more rights than in production (worker/broker/users.py): the
storefront that publishes, the workers, and the operator who follows events and has the dead letters open. What a test
does beside them, such as emptying and counting queues, the administrator does.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlencode, urlsplit

import aio_pika
import asyncpg
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage

from schemas import topology, wire
from worker.broker import users
from worker.broker.connection import connect
from worker.broker.dead_letters import DeadLetter, DeadLetters, opened
from worker.broker.headers import sealed
from worker.broker.messages import Properties
from worker.broker.shop import own
from worker.broker.topology import begin_streams_anew
from worker.key_ring import KeyRing
from worker.operations.actor import Actor, Role
from worker.operations.audit import run, written_if_possible
from worker.operations.replay import Fate, replayed, run_line, survey
from worker.operations.selection import Filter, Where

SECONDS_MAX = 20.0  # for whatever a test waits for
POLL_SECONDS = 0.02
CREDENTIALS = {"identifier": "IDENT", "secret": "SECRET"}
SECRET_KEY = "a-key-of-the-tests-which-is-no-secret"
KEYS = KeyRing([SECRET_KEY.encode()])
DIRECT_REPLY = "amq.rabbitmq.reply-to"
VHOSTS = "orders-tests-"  # a virtual host whose name begins so has the three users
PASSWORD = "of-the-tests"  # of all three

# A schema that stands in front of the database's own functions.
CLOCK = """
    CREATE SCHEMA clock;
    CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS $$ SELECT timestamptz '{at}' $$;
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET search_path = clock, pg_catalog, public', current_database());
    END $$;
"""


class Absent(str):
    """A message_id that is not sent: true, so that aiormq makes none up, and empty, so that nothing is written."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return True


def make_vhost(amqp_url: str, import_definitions: Callable[[str], None]) -> str:
    """Make a virtual host with our topology and the three users, and return its URL for the administrator."""
    vhost = f"{VHOSTS}{uuid.uuid4().hex[:8]}"
    definitions = users.definitions(vhost, {user.name: PASSWORD for user in users.USERS})
    all_rights = {"configure": ".*", "write": ".*", "read": ".*"}
    definitions["permissions"] += [{"user": user_of(amqp_url), "vhost": vhost, **all_rights}]
    import_definitions(json.dumps(definitions))
    return urlsplit(amqp_url)._replace(path=f"/{vhost}").geturl()


def vhost_of(amqp_url: str) -> str:
    return urlsplit(amqp_url).path.removeprefix("/")


def user_of(amqp_url: str) -> str:
    return unquote(urlsplit(amqp_url).username or "guest")


@dataclass(frozen=True)
class Logins:
    """The URL of one broker for each who comes to it."""

    administrator: str
    storefront: str
    worker: str
    operator: str

    @classmethod
    def of(cls, amqp_url: str) -> Self:
        """Tell them from the administrator's. Where the three users are not known, that one serves for all."""
        if not vhost_of(amqp_url).startswith(VHOSTS):
            return cls(*(amqp_url,) * 4)
        address = urlsplit(amqp_url)
        place = address.netloc.rpartition("@")[2]
        storefront, worker, operator = (
            address._replace(netloc=f"{name}:{PASSWORD}@{place}").geturl()
            for name in ("storefront", "worker", "operator")
        )
        return cls(amqp_url, storefront, worker, operator)


@dataclass(frozen=True)
class Event:
    id: str
    type: str
    data: dict[str, Any]
    raw: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Asked:
    """A request that was published, and what came back under its correlation id."""

    message_id: str | None
    correlation_id: str
    replies: list[bytes] = field(default_factory=list)


class Worker:
    """`orders worker`, or a stand-in of the tests, as a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def words(self) -> str:
        """All that it has written."""
        return self._log.read_text(encoding="utf-8")

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.terminate()
        return self.process.wait(SECONDS_MAX)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(SECONDS_MAX)


class Shop:
    def __init__(
        self, database: "asyncpg.Pool[asyncpg.Record]", database_url: str, logins: Logins, folder: Path
    ) -> None:
        self.database = database
        self.logins = logins
        self.events: list[Event] = []
        self._database_url = database_url
        self._folder = folder
        self._asked: dict[str, Asked] = {}
        self._workers: list[Worker] = []
        self._operator: AbstractConnection
        self._channel: AbstractChannel
        self._orders: AbstractExchange
        self._reply_queue: str

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str, amqp_url: str) -> AsyncIterator[Self]:
        """Open the shop at a broker; `amqp_url` is its administrator's."""
        folder = Path(".local/tests")
        folder.mkdir(parents=True, exist_ok=True)
        logins = Logins.of(amqp_url)
        async with (
            asyncpg.create_pool(database_url, min_size=0, max_size=2) as database,
            connect(logins.administrator, "orders tests, administrator") as administrator,
            connect(logins.storefront, "orders tests, storefront") as storefront,
            connect(logins.operator, "orders tests, operator") as operator,
        ):
            shop = cls(database, database_url, logins, folder)
            await shop._empty(administrator)
            await shop._own(administrator)
            await shop._listen(administrator, storefront, operator)
            try:
                yield shop
            finally:
                for worker in shop._workers:
                    worker.kill()

    async def _empty(self, administrator: AbstractConnection) -> None:
        self._channel = await administrator.channel(publisher_confirms=False)
        for queue in topology.QUEUES:
            await self.purge(queue.name)

    async def _own(self, administrator: AbstractConnection) -> None:
        """Say whose the broker is, in streams that are empty. One that has just started has not opened them yet."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                with contextlib.suppress(aio_pika.exceptions.ChannelNotFoundEntity):
                    await begin_streams_anew(administrator)
                    # No such table: a schema from before shops had ids.
                    with contextlib.suppress(asyncpg.UndefinedTableError):
                        await own(administrator, await self.database.fetchval("SELECT id::text FROM shop"))
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def _listen(
        self, administrator: AbstractConnection, storefront: AbstractConnection, operator: AbstractConnection
    ) -> None:
        selling = await storefront.channel(publisher_confirms=True, on_return_raises=True)
        self._orders = await selling.get_exchange(topology.COMMANDS, ensure=False)
        direct = await selling.get_queue(DIRECT_REPLY, ensure=False)
        await direct.consume(self._hear_reply, no_ack=True)
        # A storefront may have no queue of its own, so this one is the administrator's: any will do for a worker.
        hearing = await administrator.channel(publisher_confirms=False)
        replies = await hearing.declare_queue(exclusive=True)
        await replies.consume(self._hear_reply, no_ack=True)
        self._reply_queue = replies.name
        self._operator = operator
        watching = await operator.channel(publisher_confirms=False)
        events = await watching.declare_queue(exclusive=True)
        await events.bind(topology.EVENTS, "#")
        await events.consume(self._hear_event, no_ack=True)

    async def _hear_reply(self, message: AbstractIncomingMessage) -> None:
        self._asked[message.correlation_id or ""].replies.append(message.body)

    async def _hear_event(self, message: AbstractIncomingMessage) -> None:
        body = json.loads(message.body)
        assert message.message_id == body["id"]
        assert message.routing_key == body["type"]
        self.events.append(Event(body["id"], body["type"], body["data"], message.body, message.headers))

    # ---------------------------------------------------------------- acting

    @property
    def user(self) -> str:
        """Who publishes, as the broker knows them."""
        return user_of(self.logins.storefront)

    @property
    def environment(self) -> dict[str, str]:
        """What an operator's commands run with."""
        return self._environment(self.logins.operator)

    @property
    def storefront_environment(self) -> dict[str, str]:
        """What a storefront's commands run with."""
        return self._environment(self.logins.storefront)

    @property
    def worker_environment(self) -> dict[str, str]:
        return self._environment(self.logins.worker)

    def _environment(self, amqp_url: str) -> dict[str, str]:
        return {
            "ORDERS_AMQP_URL": amqp_url,
            "ORDERS_POSTGRES_URL": self._database_url,
            "ORDERS_SECRET_KEYS": SECRET_KEY,
            "ORDERS_TOPOLOGY": "check",
            "ORDERS_TRUSTED_PUBLISHERS": self.user,
        }

    async def start_worker(self, *module: str, **settings: str) -> Worker:
        """Start a worker and wait until it consumes. `module` names a stand-in with its arguments."""
        worker = await self.spawn_worker(*module, **settings)
        await self.until(lambda: worker.process.poll() is not None or _has(worker.log, "worker.consuming"))
        assert worker.process.poll() is None, worker.words
        return worker

    async def spawn_worker(self, *module: str, **settings: str) -> Worker:
        """Start a worker, and wait for nothing."""
        log = self._folder / f"worker-{uuid.uuid4().hex[:8]}.log"
        command = [sys.executable, "-m", *(module or ("worker", "worker"))]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env={**os.environ, **self.worker_environment, **settings}, stderr=output
            )
        worker = Worker(process, log)
        self._workers.append(worker)
        return worker

    async def publish(
        self,
        body: bytes | Mapping[str, Any],
        *,
        message_id: str | None = "",
        content_type: str | None = wire.JSON,
        reply_to: str | None = "",
        trusted: bool = True,
        headers: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        keys: KeyRing = KEYS,
        correlate: bool = True,
    ) -> Asked:
        """Publish a request and wait for the confirm. A mapping is sent as JSON by the trusted publisher.

        An empty `message_id` makes one up, None sends none. Replies come to a queue of ours, directly where
        `reply_to` says so, and not at all where it is None. `notes` are headers sealed with `keys`, as if we had
        written them.
        """
        message_id = str(uuid.uuid4()) if message_id == "" else message_id
        asked = Asked(message_id, str(uuid.uuid4()) if correlate else str(message_id))
        self._asked[asked.correlation_id] = asked
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        ours = sealed(Properties(message_id=message_id, headers=notes), content, keys) if notes else {}
        message = aio_pika.Message(
            content,
            content_type=content_type,
            message_id=message_id,
            correlation_id=asked.correlation_id if correlate else None,
            reply_to=self._reply_queue if reply_to == "" else reply_to,
            user_id=self.user if trusted else None,
            headers={**(headers or {}), **ours},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        if message_id is None:
            message.message_id = Absent()
        await self._orders.publish(message, "order.add")
        return asked

    async def ask(self, body: bytes | Mapping[str, Any], **how: Any) -> dict[str, Any]:
        """Publish a request, wait for its reply and return it."""
        asked = await self.publish(body, **how)
        return json.loads(await self.reply(asked))  # type: ignore[no-any-return]  # an object, by the spec

    async def reply(self, asked: Asked, number: int = 1) -> bytes:
        await self.until(lambda: len(asked.replies) >= number)
        return asked.replies[number - 1]

    async def stop_clock(self, at: str) -> None:
        """Let whoever connects from now on hear this time from now(); defaults of columns go on."""
        await self.database.execute(CLOCK.format(at=at))

    # ---------------------------------------------------------------- seeing

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not is_so():
                await asyncio.sleep(POLL_SECONDS)

    async def until_events(self, message_id: str, *types: str) -> list[Event]:
        """Wait until a request has caused events of these types, and return all that it caused."""
        await self.until(lambda: set(types) <= {event.type for event in self.events_of(message_id)})
        return self.events_of(message_id)

    def events_of(self, message_id: str) -> list[Event]:
        return [event for event in self.events if event.data["request_id"] == message_id]

    async def purge(self, queue: str) -> None:
        """Empty a queue, as a disaster would."""
        await (await self._channel.get_queue(queue, ensure=False)).purge()

    async def waiting(self, queue: str = topology.REQUESTS) -> int:
        """Count the messages that are ready in a queue: not those in a worker's hand."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def dead_letters(self, count: int = 1) -> list[DeadLetter]:
        """Wait for so many dead letters and return them."""
        async with asyncio.timeout(SECONDS_MAX):
            while True:
                async with opened(self._operator) as found:
                    letters = [letter async for letter in found.browse()]
                if len(letters) >= count:
                    return letters
                await asyncio.sleep(POLL_SECONDS)

    def operating(self) -> "contextlib.AbstractAsyncContextManager[DeadLetters]":
        """Be the one operator who has the dead letters open."""
        return opened(self._operator, keys=KEYS)

    async def replay(self, *message_ids: str) -> int:
        actor = Actor("tests", "operator", Role.OPERATOR)
        async with (
            opened(self._operator, keys=KEYS, wait_seconds=SECONDS_MAX) as letters,
            written_if_possible(None, actor) as ledger,
            run(actor, ledger, run_line("replay", Where.DEAD, "", 1), of_many=False) as going,
        ):
            plan = await survey(letters, Filter.of(message_ids))
            return len([step async for step in replayed(letters, plan, going) if step.fate is Fate.DONE])

    async def fetch(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.database.fetch(sql, *arguments)]

    async def count(self, table: str) -> int:
        count: int = await self.database.fetchval(f"SELECT count(*) FROM {table}")
        return count

    async def orders_placed(self) -> int:
        """Count the orders that came from requests, not from the sample catalogue."""
        count: int = await self.database.fetchval("SELECT count(*) FROM orders WHERE request_id IS NOT NULL")
        return count


def form(fields: Mapping[str, str] | Sequence[tuple[str, str]], **credentials: str) -> bytes:
    """Write an External request: form fields with credentials."""
    return urlencode([*(credentials or CREDENTIALS).items(), *dict(fields).items()]).encode()


def _has(log: list[dict[str, Any]], event: str) -> bool:
    return any(line.get("event") == event for line in log)
