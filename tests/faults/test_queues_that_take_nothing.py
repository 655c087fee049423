"""A queue that takes nothing, somebody's or ours, holds no order back and storms no event (reliability.md 23)."""

import asyncio
import json
import random
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aio_pika.abc import AbstractChannel

from deploy.local.host import free_port
from deploy.local.servers import Servers
from schemas import topology
from tests.conftest import administered
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker, vhost_of
from worker.broker.connection import connect
from worker.broker.dead_letters import opened

HASTY = "tests.faults.hasty_worker"
ORDERS = 300
RATE = 60  # a second
WORKERS = 2
SENT_SECONDS_MAX = 3 * ORDERS / RATE  # without a queue that takes nothing it takes a third
COPIES_MAX = 8  # of one event, that a healthy queue may see while another takes nothing
JUDGE_SECONDS_MAX = 60.0
POLICY = "tests-limit"
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


class Broker:
    """What an administrator does to queues."""

    def __init__(self, servers: Servers, shop: Shop) -> None:
        broker = administered(servers.rabbitmq)
        if broker is None:
            pytest.skip("needs the broker's own tools: rabbitmqctl")
        self._broker = broker
        self._vhost = vhost_of(shop.logins.administrator)

    def limit(self, queues: str) -> None:
        """Let queues take no more messages. (RabbitMQ takes one or two all the same before it sees.)"""
        definition = json.dumps({"max-length": 0, "overflow": "reject-publish"})
        self._broker.control("set_policy", "-p", self._vhost, POLICY, queues, definition, "--apply-to", "queues")

    def unlimit(self) -> None:
        self._broker.control("clear_policy", "-p", self._vhost, POLICY)

    def suspend(self, queue: str) -> None:
        """Let a classic queue's process do nothing: it confirms nothing, and says nothing."""
        self._eval(queue, "sys:suspend(Pid)")

    def resume(self, queue: str) -> None:
        self._eval(queue, "sys:resume(Pid)")

    def _eval(self, queue: str, what: str) -> None:
        resource = f'rabbit_misc:r(<<"{self._vhost}">>, queue, <<"{queue}">>)'
        self._broker.control(
            "eval", f"{{ok, Q}} = rabbit_amqqueue:lookup({resource}), Pid = amqqueue:get_pid(Q), {what}."
        )


@pytest.fixture
def broker(servers: Servers, shop: Shop) -> Broker:
    return Broker(servers, shop)


@asynccontextmanager
async def administrator(shop: Shop) -> AsyncIterator[AbstractChannel]:
    async with (
        connect(shop.logins.administrator, "orders tests, queues") as connection,
        connection.channel() as channel,
    ):
        yield channel


@asynccontextmanager
async def subscriber(shop: Shop, name: str, arguments: Mapping[str, int | str] | None = None) -> AsyncIterator[str]:
    """Somebody's queue that hears every event."""
    async with administrator(shop) as channel:
        queue = await channel.declare_queue(name, durable=True, arguments=dict(arguments or {}))
        await queue.bind(topology.EVENTS, "#")
        yield name
        await queue.delete(if_unused=False, if_empty=False)


async def workers_of(shop: Shop) -> list[Worker]:
    return list(await asyncio.gather(*(shop.start_worker(HASTY) for _ in range(WORKERS))))


async def until_all_is_sent(shop: Shop) -> None:
    """Wait until nothing is kept any more."""
    async with asyncio.timeout(JUDGE_SECONDS_MAX):
        while await shop.count("unsent"):
            await asyncio.sleep(POLL_SECONDS)


def events_logged(workers: list[Worker], *names: str) -> Counter[str]:
    return Counter(line["event"] for worker in workers for line in worker.log if line["event"] in names)


UNWANTED = (
    "worker.paused",
    "order.suspected",
    "order.failed",
    "order.perhaps_placed",
    "order.retried",
    "order.crashed",
)


async def test_a_full_subscriber_holds_no_order_back_and_storms_nobody(shop: Shop) -> None:
    arguments: dict[str, int | str] = {"x-max-length": 3, "x-overflow": "reject-publish"}
    workers = await workers_of(shop)
    async with subscriber(shop, "int.full", arguments) as full:
        await send_and_judge(shop, workers, full)
        copies = Counter(event.id for event in shop.events)

        assert max(copies.values()) <= COPIES_MAX
        assert await shop.count("unsent WHERE kind = 'event'") > ORDERS
    await until_all_is_sent(shop)
    assert events_logged(workers, *UNWANTED) == Counter()


async def send_and_judge(shop: Shop, workers: list[Worker], wanted: str = "") -> None:
    """Send orders under a clock, and judge what came of them while the queue still takes nothing."""
    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=random.Random(wanted).randrange(10**6)) as storefront,
    ):
        async with asyncio.timeout(SENT_SECONDS_MAX):
            await storefront.send(ORDERS, rate=RATE)
            while await shop.waiting() or await oracle.unheard(storefront.ledger):
                await asyncio.sleep(POLL_SECONDS)
        await oracle.judge(storefront.ledger, [], seconds_max=JUDGE_SECONDS_MAX)
    assert all(worker.process.poll() is None for worker in workers)


async def test_a_subscriber_that_never_confirms_holds_no_order_back(shop: Shop, broker: Broker) -> None:
    workers = await workers_of(shop)
    async with subscriber(shop, "int.stuck") as stuck:
        broker.suspend(stuck)
        asked = [await shop.publish(ORDER) for _ in range(100)]
        async with asyncio.timeout(SECONDS_MAX):
            for one in asked:
                assert json.loads(await shop.reply(one))["result"] == "success"
        broker.resume(stuck)
        await until_all_is_sent(shop)
        await shop.until(lambda: len({event.id for event in shop.events}) == 3 * len(asked))

    assert events_logged(workers, *UNWANTED) == Counter()


@pytest.mark.parametrize("queues", [r"^orders\.dead$", r"^orders\.email\..*$"])
async def test_own_queues_under_a_limit_hold_no_order_back(shop: Shop, broker: Broker, queues: str) -> None:
    workers = await workers_of(shop)
    broker.limit(queues)
    try:
        asked = [await shop.publish({**ORDER, "clientid": 1 + number % 2 * 99_999}) for number in range(100)]
        async with asyncio.timeout(SECONDS_MAX):
            for one in asked:
                await shop.reply(one)
        await shop.until(lambda: len({event.data["request_id"] for event in shop.events}) == len(asked))
        assert await shop.count("unsent") > 0
    finally:
        broker.unlimit()
    await until_all_is_sent(shop)

    assert await shop.orders_placed() == 50
    letters = await shop.dead_letters(50)
    assert len({letter.message_id for letter in letters}) == len(letters) == 50
    assert {letter.code for letter in letters} == {"client_not_found"}
    for queue in ("orders.email.invoice-created", "orders.email.order-confirmation"):
        assert await ids_in(shop, queue) == {event.id for event in shop.events if f"orders.{event.type}" == queue}
    assert events_logged(workers, *UNWANTED) == Counter()


async def ids_in(shop: Shop, queue: str) -> set[str | None]:
    found: set[str | None] = set()
    async with administrator(shop) as channel:
        waiting = await channel.get_queue(queue, ensure=False)
        while message := await waiting.get(fail=False):
            found.add(message.message_id)
    return found


async def test_a_kept_dead_letter_is_the_message_that_it_was_and_can_be_replayed(shop: Shop, broker: Broker) -> None:
    await shop.start_worker(HASTY)
    broker.limit(r"^orders\.dead$")
    try:
        for _ in range(2):
            await shop.ask({**ORDER, "clientid": 100_000})
        body = {**ORDER, "paymentmethod": "oldgateway", "rootpw": "hunter2-is-secret"}
        asked = await shop.publish(body, headers={"mine": 7})
        await shop.reply(asked)
        async with asyncio.timeout(SECONDS_MAX):
            while not await shop.count("unsent WHERE kind = 'letter'"):
                await asyncio.sleep(POLL_SECONDS)
        kept = await shop.fetch("SELECT body FROM unsent")
        assert not [row for row in kept if b"hunter2" in row["body"]]
    finally:
        broker.unlimit()
    [letter] = [one for one in await shop.dead_letters(3) if one.message_id == asked.message_id]

    assert json.loads(letter.delivery.body) == body
    assert (letter.message_id, letter.code, letter.routing_key) == (
        asked.message_id,
        "invalid_payment_method",
        "order.add",
    )
    assert letter.delivery.properties.headers["mine"] == 7
    await shop.database.execute("UPDATE payment_methods SET active = true WHERE name = 'oldgateway'")
    await shop.database.execute("UPDATE catalogue SET version = version + 1")
    assert await shop.replay(asked.message_id or "") == 1
    assert json.loads(await shop.reply(asked, 2))["result"] == "success"


async def in_hand(port: int) -> float:
    """Ask a worker how many deliveries it has not acknowledged yet."""
    text = (await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/metrics")).read().decode()
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("orders_in_flight "))


async def test_a_retry_whose_queue_takes_nothing_stays_in_hand_and_the_others_go_on(shop: Shop, broker: Broker) -> None:
    port = free_port(1)
    worker = await shop.start_worker("tests.faults.faulty_worker", ORDERS_HTTP_PORT=str(port))
    broker.limit(r"^orders\.retry\..*$")
    try:
        # Before their last delay: none comes back while this test goes on, so nothing else makes the worker count anew.
        twice = {"x-orders-attempts": 2}
        held = [await shop.publish({**ORDER, "notes": "bug"}, notes=twice) for _ in range(4)]
        await shop.until(lambda: any(line["event"] == "delivery.held" for line in worker.log))
        for _ in range(50):
            assert (await shop.ask(ORDER))["result"] == "success"
        assert await in_hand(port)
    finally:
        broker.unlimit()

    async with asyncio.timeout(SECONDS_MAX):
        while await in_hand(port):
            await asyncio.sleep(POLL_SECONDS)
    assert [one.replies for one in held] == [[]] * 4
    assert worker.stop() == 0
    assert await shop.waiting() == 0


async def test_with_half_its_prefetch_held_a_worker_takes_nothing_new_until_the_queue_takes_it(
    shop: Shop, broker: Broker
) -> None:
    worker = await shop.start_worker("tests.faults.faulty_worker", ORDERS_PREFETCH="10")
    broker.limit(r"^orders\.retry\..*$")
    try:
        for _ in range(7):
            await shop.publish({**ORDER, "notes": "bug"})
        await shop.until(lambda: any(line["event"] == "worker.paused" for line in worker.log))
        [paused] = [line for line in worker.log if line["event"] == "worker.paused"]
        assert paused["queues"] == ["orders.retry.5s"]
        assert paused["held"] >= 5
        waits = await shop.publish(ORDER)
    finally:
        broker.unlimit()

    assert json.loads(await shop.reply(waits))["result"] == "success"


async def test_a_reply_queue_that_never_confirms_holds_up_nobody_else(shop: Shop, broker: Broker) -> None:
    worker = await shop.start_worker()
    async with administrator(shop) as channel:
        stuck = await channel.declare_queue("reply.stuck", durable=True)
        broker.suspend("reply.stuck")
        for number in range(20):
            await shop.publish(ORDER, message_id=f"stuck-{number}", reply_to="reply.stuck")
        async with asyncio.timeout(SECONDS_MAX / 4):
            for _ in range(20):
                assert (await shop.ask(ORDER, reply_to="amq.rabbitmq.reply-to"))["result"] == "success"
        await shop.until(lambda: sum(event.type == "order.added" for event in shop.events) == 40)
        broker.resume("reply.stuck")
        await stuck.delete(if_unused=False, if_empty=False)

    assert events_logged([worker], *UNWANTED) == Counter()
    assert worker.stop() == 0


async def test_a_reply_goes_only_where_its_publisher_may_have_it(shop: Shop) -> None:
    worker = await shop.start_worker(ORDERS_REPLY_QUEUES=f"{shop.user}=mine\\..*,*=all")
    async with administrator(shop) as channel:
        queues = [await channel.declare_queue(name, durable=True) for name in ("mine.a", "all", "reply.x", "yours.a")]
        for queue in queues:
            await shop.ask(ORDER)
            await shop.publish(ORDER, message_id=queue.name, reply_to=queue.name)
            await shop.until_events(queue.name, "order.added")
        await shop.publish(ORDER, message_id="ours", reply_to="orders.dead")
        await shop.until_events("ours", "order.added")
        worker.stop()
        got = [queue.name for queue in queues if await queue.get(fail=False)]
        for queue in queues:
            await queue.delete(if_unused=False, if_empty=False)

    assert got == ["mine.a", "all"]
    refused = [line["reply_to"] for line in worker.log if line["event"] == "reply.refused"]
    assert refused == ["reply.x", "yours.a", "orders.dead"]
    async with connect(shop.logins.administrator, "orders tests") as connection, opened(connection) as letters:
        assert await letters.count() == 0
