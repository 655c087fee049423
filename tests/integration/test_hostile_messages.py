"""Whatever is sent, every message has its ending within moments, and one worker goes through them all unharmed."""

import asyncio
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from xml.etree import ElementTree as ET

import pamqp.decode
import pamqp.encode
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from deploy.local.servers import Servers
from repository import scratch
from schemas import topology
from tests.integration import hostile
from tests.integration.hostile import ALONE, BAD, CASES, FORGED, GOOD, HUSH, READABLE, Case, short, table
from tests.shop import Shop, Worker
from worker.broker.connection import connect

ENDING_SECONDS_MAX = 2.0
BURST_SECONDS_MAX = 30.0
IDLE_SECONDS_MAX = 60.0  # for a worker that is busy with what it should have refused
POLL_SECONDS = 0.005

SAID_BYTES_MAX = 64 * 1024  # of a reply or an event, whatever was asked
LOG_LINE_CHARS_MAX = 16 * 1024
HEADERS_BYTES_MAX = 8 * 1024  # of a dead letter (messages.md)
RSS_GROWTH_BYTES_MAX = 60 * 2**20
FAULTS_MAX = 20

# All that a worker has to say: of hostile messages and good ones, and of itself.
OF_MESSAGES = {"order.placed", "order.rejected", "order.repeated", "order.suspected", "reply.lost", "reply.refused"}
OF_ITSELF = {"worker.started", "shop.settings", "worker.consuming", "outlet.lost"}
# What nobody may see again: secrets, and what stands in their place.
UNSPEAKABLE = (HUSH, "SECRET")


@dataclass
class Seen:
    """Messages that came out of the broker."""

    replies: list[AbstractIncomingMessage] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    letters: list[AbstractIncomingMessage] = field(default_factory=list)


@dataclass
class Scene:
    """A shop with one worker, and eyes on every reply, event and dead letter. Good orders answer elsewhere."""

    shop: Shop
    worker: Worker
    reply_queue: str
    full_queue: str  # takes nothing
    seen: Seen = field(default_factory=Seen)
    good: list[str] = field(default_factory=list)  # message_ids of the good orders
    bytes_before: int = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str, amqp_url: str) -> AsyncIterator[Self]:
        async with (
            Shop.open(database_url, amqp_url) as shop,
            connect(amqp_url, "orders tests, witness") as broker,
            broker.channel() as channel,
        ):
            replies = await channel.declare_queue(exclusive=True)
            refusing = await channel.declare_queue(
                exclusive=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}
            )
            scene = cls(shop, await shop.start_worker(), replies.name, refusing.name)
            await replies.consume(scene._hear_reply, no_ack=True)
            await _follow(channel, topology.EVENTS, scene._hear_event)
            await _follow(channel, topology.DEAD, scene._hear_letter)
            await scene.order()
            # The first secret to be verified takes 20 MiB for good.
            scene.good.append("a-secret")
            await shop.ask(GOOD, trusted=False, message_id="a-secret")
            scene.bytes_before = scene.memory()
            yield scene

    async def _hear_reply(self, message: AbstractIncomingMessage) -> None:
        self.seen.replies.append(message)

    async def _hear_event(self, message: AbstractIncomingMessage) -> None:
        self.seen.events.append(json.loads(message.body))

    async def _hear_letter(self, message: AbstractIncomingMessage) -> None:
        self.seen.letters.append(message)

    async def order(self) -> None:
        """Send a good order and wait until it is placed."""
        message_id = str(uuid.uuid4())
        self.good.append(message_id)
        asked = await self.shop.publish(hostile.ORDER, message_id=message_id)
        await _until(lambda: bool(asked.replies), IDLE_SECONDS_MAX)
        assert json.loads(asked.replies[0])["result"] == "success"

    async def send(self, case: Case) -> None:
        """Publish the message of a case.

        Raises:
            Refused: by the broker.
        """
        message_id = str(uuid.uuid4())
        if case.by_storefront:
            await self.shop.publish(
                case.content, content_type=case.content_type, message_id=message_id, reply_to=self.reply_queue
            )
            return
        properties = {
            "content_type": b"" if case.content_type is None else short(case.content_type),
            "headers": case.headers,
            "delivery_mode": b"\x02",
            "correlation_id": short(message_id),
            "reply_to": short(self.reply_queue),
            "message_id": short(message_id),
            **case.properties,
        }
        await hostile.publish(self.shop.logins.administrator, case.content, properties, case.routing_key)

    def since(self, before: "Marks") -> Seen:
        """What came since then and is not of a good order."""
        events = [one for one in self.seen.events[before.events :] if one["data"]["request_id"] not in self.good]
        return Seen(self.seen.replies[before.replies :], events, self.seen.letters[before.letters :])

    def marks(self) -> "Marks":
        return Marks(len(self.seen.replies), len(self.seen.events), len(self.seen.letters), len(self.worker.words))

    def memory(self) -> int:
        """Bytes of the worker that are in memory."""
        status = Path(f"/proc/{self.worker.process.pid}/status").read_text(encoding="utf-8")
        match = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert match
        return int(match[1]) * 1024


@dataclass(frozen=True)
class Marks:
    replies: int
    events: int
    letters: int
    log: int


async def _follow(
    channel: AbstractChannel, exchange: str, hear: Callable[[AbstractIncomingMessage], Awaitable[None]]
) -> None:
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(exchange, "#")
    await queue.consume(hear, no_ack=True)


async def _until(is_so: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(POLL_SECONDS)


def _parameters(cases: Iterable[Case]) -> list[Any]:
    return [pytest.param(case, id=case.id) for case in cases]


# ---------------------------------------------------------------- each with a worker of its own


@pytest.mark.parametrize("case", _parameters(ALONE))
async def test_a_message_that_has_been_the_end_of_a_worker_ends(shop_url: str, amqp_url: str, case: Case) -> None:
    async with Scene.open(shop_url, amqp_url) as scene:
        before = scene.marks()

        await scene.send(case)
        await _check_ending(scene, case, before)
        async with asyncio.timeout(ENDING_SECONDS_MAX):
            await scene.order()

        _check_worker(scene)


@pytest.mark.parametrize("nest", [hostile.tables, hostile.arrays])
async def test_headers_end_however_deep_they_are(shop_url: str, amqp_url: str, nest: Callable[[int], bytes]) -> None:
    """Somewhere between these depths a library can read what it, or we, cannot look through or write again."""
    depths = range(100, 600, 10)
    async with Scene.open(shop_url, amqp_url) as scene:
        before = scene.marks()

        for depth in depths:
            await scene.send(Case(id=f"{depth}", body=BAD, codes=READABLE, headers=table({"a": nest(depth)})))
        await _until(lambda: len(scene.since(before).letters) == len(depths), BURST_SECONDS_MAX)

        _check_worker(scene)


async def test_forged_direct_replies_hold_no_good_order_up(shop_url: str, amqp_url: str) -> None:
    async with Scene.open(shop_url, amqp_url) as scene:
        for number in range(100):
            await scene.send(replace(FORGED, id=f"{number}"))
        async with asyncio.timeout(BURST_SECONDS_MAX):
            await scene.order()

        _check_worker(scene)


# ---------------------------------------------------------------- all with one worker


@pytest.fixture(scope="module")
async def scene(servers: Servers, template: str, amqp_url: str) -> AsyncIterator[Scene]:
    url = await scratch.clone(servers.postgres_url, "orders_test_hostile", template)
    async with Scene.open(url, amqp_url) as opened:
        yield opened
    await scratch.drop(servers.postgres_url, "orders_test_hostile")


@pytest.mark.parametrize("case", _parameters(CASES))
async def test_a_hostile_message_ends_within_moments(scene: Scene, case: Case) -> None:
    before = scene.marks()

    try:
        await scene.send(case)
    except hostile.Refused:
        assert case.may_be_refused
        return
    good = asyncio.ensure_future(scene.order())
    try:
        await _check_ending(scene, case, before)
    finally:
        await good


async def test_a_reply_queue_that_takes_nothing_holds_nothing_up(scene: Scene) -> None:
    before = scene.marks()
    properties = {"reply_to": short(scene.full_queue)}

    await scene.send(Case(id="a full reply queue", body=GOOD, codes=(), properties=properties))
    await scene.order()

    await _until(lambda: bool(scene.since(before).events), ENDING_SECONDS_MAX)
    assert scene.since(before).events[0]["type"] == "order.added"


async def test_its_memory_stays_within_bounds(scene: Scene) -> None:
    assert scene.memory() - scene.bytes_before < RSS_GROWTH_BYTES_MAX


async def test_all_of_them_at_once_hold_no_good_order_up(scene: Scene) -> None:
    small = [case for case in CASES if len(case.content) < 2**16 and not case.may_be_refused]
    before = scene.marks()
    gate = asyncio.Semaphore(8)

    async def send(case: Case) -> None:
        async with gate:
            await scene.send(case)

    async with asyncio.timeout(BURST_SECONDS_MAX), asyncio.TaskGroup() as sending:
        for number, case in enumerate(small):
            sending.create_task(send(case))
            if number % 20 == 0:
                sending.create_task(scene.order())

    # Those that set a message_id of their own were placed before: of a repeat the events are known to be there.
    new = [case for case in small if "message_id" not in case.properties or case.codes]
    expected = {"order.added", "order.rejected"}
    await _until(lambda: _count(scene.since(before).events, expected) >= len(new), BURST_SECONDS_MAX)


def _count(events: Iterable[dict[str, Any]], types: set[str]) -> int:
    return sum(event["type"] in types for event in events)


async def test_an_operator_lists_them_all_and_no_terminal_obeys(scene: Scene) -> None:
    listed = await _orders(scene.shop, "dead", "list", "--limit", "1000")

    assert len(listed.splitlines()) > len([case for case in CASES if "placed" not in case.codes and case.codes])
    _check_shown(listed)


async def test_one_worker_went_through_all_of_it(scene: Scene) -> None:
    await scene.order()

    _check_worker(scene)


async def test_every_good_order_between_them_was_placed(scene: Scene) -> None:
    placed = await scene.shop.fetch(
        "SELECT message_id FROM inbox JOIN orders ON orders.request_id = inbox.id WHERE message_id = ANY ($1)",
        scene.good,
    )

    assert {row["message_id"] for row in placed} == set(scene.good)
    assert len(placed) == len(scene.good)


async def test_an_operator_follows_events_and_no_terminal_obeys(shop: Shop) -> None:
    await shop.start_worker()
    driving = "\x1b]0;owned\x07\x1b[2J.com"
    following = asyncio.create_task(_orders(shop, "events", "--count", "1"))
    async with asyncio.timeout(BURST_SECONDS_MAX):
        while not following.done():
            await shop.ask({**hostile.ORDER, "domainrenewals": {driving: 1}}, message_id="\x1b[2J")

    _check_shown(await following)


async def _orders(shop: Shop, *arguments: str) -> str:
    """Run a command as the operator, and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "worker", *arguments),
        env={**os.environ, **shop.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), BURST_SECONDS_MAX)
    assert process.returncode == 0, errors.decode()
    return output.decode()


def _check_shown(output: str) -> None:
    """See that nothing is printed that drives a terminal instead of being shown."""
    assert [line for line in output.splitlines() if not line.isprintable()] == []
    _check_hushed(output)


# ---------------------------------------------------------------- what is looked at


async def _check_ending(scene: Scene, case: Case, before: Marks) -> None:
    """See that a case has one ending, in time, that is the one it is to have, and says no more than it may."""
    await _until(lambda: _is_over(scene.since(before), case), ENDING_SECONDS_MAX)
    seen = scene.since(before)
    [result] = [event for event in seen.events if event["type"].startswith("order.")]
    code = str(result["data"].get("code", result["type"]))
    if result["type"] == "order.added":
        assert not case.codes or "placed" in case.codes
        assert not seen.letters
    else:
        assert code in case.codes, result["data"]
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code)
        assert 1 <= len(result["data"]["faults"]) <= FAULTS_MAX
        [letter] = seen.letters
        _check_letter(case, letter, code)
    for reply in seen.replies:
        _check_reply(reply.body, "success" if result["type"] == "order.added" else code)
    assert len(seen.replies) <= 1
    for said in (*(json.dumps(event) for event in seen.events), *(reply.body.decode() for reply in seen.replies)):
        assert len(said.encode()) <= SAID_BYTES_MAX
        _check_hushed(said)
    await _until(lambda: any(_tells_an_end(line, scene.good) for line in _lines(scene, before)), ENDING_SECONDS_MAX)
    for line in _lines(scene, before):
        assert len(line) <= LOG_LINE_CHARS_MAX
        _check_hushed(line)


def _lines(scene: Scene, before: Marks) -> list[str]:
    return scene.worker.words[before.log :].splitlines()


def _tells_an_end(line: str, good: list[str]) -> bool:
    return '"event": "order.' in line and json.loads(line)["message_id"] not in good


def _is_over(seen: Seen, case: Case) -> bool:
    types = {event["type"] for event in seen.events}
    is_told = "order.added" in types or bool({"order.rejected", "order.failed"} & types and seen.letters)
    return is_told and (bool(seen.replies) or not _is_answered(case))


def _is_answered(case: Case) -> bool:
    return "reply_to" not in case.properties and not case.is_garbled


def _check_hushed(said: str) -> None:
    assert not (shown := [line for line in said.splitlines() if any(word in line for word in UNSPEAKABLE)]), shown


def _check_reply(body: bytes, expected: str) -> None:
    """See that a reply says what the event says, and can be read in its encoding."""
    text = body.decode()
    if text.startswith("<"):
        found = {child.tag: child.text or "" for child in ET.fromstring(text)}
    elif text.startswith("{"):
        found = json.loads(text)
    else:
        assert text.isprintable()
        found = dict(pair.split("=", 1) for pair in text.removesuffix(";").split(";"))
    assert found.get("code", found["result"]) == expected


def _check_letter(case: Case, letter: AbstractIncomingMessage, code: str) -> None:
    """See that a dead letter is the original, with our headers around it and no more than fits."""
    assert letter.body == case.content
    assert letter.content_type == case.content_type or case.is_garbled
    ours = {name: value for name, value in letter.headers.items() if name.startswith("x-orders-")}
    texts = {"reason", "code", "message", "first-seen", "died-at", "routing-key"}
    assert {name for name in texts if isinstance(ours[f"x-orders-{name}"], str)} == texts
    assert (ours["x-orders-code"], ours["x-orders-routing-key"]) == (code, case.routing_key)
    for name in ("attempts", "replays"):
        count = ours[f"x-orders-{name}"]
        assert isinstance(count, int)
        assert count >= 0
    assert len(pamqp.encode.field_table(letter.headers)) <= HEADERS_BYTES_MAX
    _check_hushed(str(ours))
    theirs = _readable_headers(case)
    kept = {name: value for name, value in letter.headers.items() if name not in ours}
    assert all(name in theirs and theirs[name] == value for name, value in kept.items())
    assert not {"CC", "BCC"} & kept.keys()


def _readable_headers(case: Case) -> dict[str, Any]:
    try:
        return dict(pamqp.decode.field_table(case.headers)[1]) if case.headers else {}
    except (ValueError, RecursionError):
        return {}


def _check_worker(scene: Scene) -> None:
    """See that the worker lives, has been in one session all the time, and has not crashed over anything.

    What ends a session is a `worker.paused` with the server and the kind of fault: a probe that nothing confirmed in
    time, a connection that the broker cut or that is opened anew just then, Postgres that said nothing in time.
    """
    assert scene.worker.process.poll() is None
    log = scene.worker.log
    told = [line["event"] for line in log]
    others = "\n".join(json.dumps(line) for line in log if line["event"] not in OF_MESSAGES)
    assert set(told) <= OF_MESSAGES | OF_ITSELF, others
    assert told.count("worker.consuming") == 1, others
