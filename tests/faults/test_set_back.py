"""What fails and is nobody's fault: tried again at once, then alone, then after delays, then set aside."""

import asyncio
import json

from aio_pika import Message

from schemas import topology, wire
from tests.shop import SECONDS_MAX, Shop, form
from worker.broker.connection import connect

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
FAULTY = "tests.faults.faulty_worker"


async def test_a_passing_fault_is_tried_again_at_once(shop: Shop) -> None:
    worker = await shop.start_worker(FAULTY)

    reply = await shop.ask({**ORDER, "notes": "deadlock 2"})

    assert reply["result"] == "success"
    assert not [line for line in worker.log if line["event"] in ("order.crashed", "order.retried")]


async def test_a_bug_counts_an_attempt_and_waits_in_the_first_delay_queue(shop: Shop) -> None:
    worker = await shop.start_worker(FAULTY)

    asked = await shop.publish({**ORDER, "notes": "bug"}, headers={"mine": 7})
    await shop.until(lambda: any(line["event"] == "order.retried" for line in worker.log))

    [line] = [line for line in worker.log if line["event"] == "order.retried"]
    assert (line["message_id"], line["attempts"], line["delay"]) == (asked.message_id, 1, "orders.retry.5s")
    assert await shop.waiting("orders.retry.5s") == 1
    assert await shop.orders_placed() == 0
    assert shop.events_of(asked.message_id or "") == []


async def test_a_message_comes_back_from_its_delay_and_can_then_be_placed(shop: Shop) -> None:
    faulty = await shop.start_worker(FAULTY)
    asked = await shop.publish({**ORDER, "notes": "bug"})
    await shop.until(lambda: any(line["event"] == "order.retried" for line in faulty.log))
    await asyncio.to_thread(faulty.stop)

    await shop.start_worker()

    assert json.loads(await shop.reply(asked))["result"] == "success"
    assert await shop.waiting("orders.dead") == 0


async def test_each_attempt_waits_longer_than_the_one_before(shop: Shop) -> None:
    worker = await shop.start_worker(FAULTY)

    for attempts in (0, 1, 2):
        await shop.publish({**ORDER, "notes": "bug"}, notes={"x-orders-attempts": attempts})
    await shop.until(lambda: sum(line["event"] == "order.retried" for line in worker.log) == 3)

    assert [await shop.waiting(queue) for queue in topology.RETRY_DELAYS] == [1, 1, 1]


async def test_after_the_last_attempt_it_is_set_aside_with_its_reason_and_no_secret(shop: Shop) -> None:
    worker = await shop.start_worker(FAULTY)

    asked = await shop.publish({**ORDER, "notes": "bug"}, notes={"x-orders-attempts": 3})
    [event] = await shop.until_events(asked.message_id or "", "order.failed")
    [letter] = await shop.dead_letters()

    assert event.data == {"request_id": asked.message_id, "reason": "RuntimeError", "attempts": 4}
    assert (letter.reason, letter.code, letter.message) == ("failed", "internal_error", "RuntimeError")
    assert json.loads(letter.delivery.body) == {**ORDER, "notes": "bug"}
    assert letter.delivery.properties.user_id == shop.user
    headers = {name: value for name, value in letter.delivery.properties.headers.items() if name.startswith("x-orders")}
    assert headers["x-orders-attempts"] == 4
    assert "hunter2" not in str(headers)
    assert any(line["event"] == "order.crashed" and "exception" in line for line in worker.log)


async def test_an_attempt_that_a_publisher_made_up_is_clamped(shop: Shop) -> None:
    await shop.start_worker(FAULTY)

    asked = await shop.publish({**ORDER, "notes": "bug"}, notes={"x-orders-attempts": 10**12})
    [event] = await shop.until_events(asked.message_id or "", "order.failed")

    assert event.data["attempts"] == 4


async def test_a_replay_of_a_failed_request_begins_at_no_attempts(shop: Shop) -> None:
    faulty = await shop.start_worker(FAULTY)
    asked = await shop.publish({**ORDER, "notes": "bug"}, notes={"x-orders-attempts": 3})
    await shop.dead_letters()
    await asyncio.to_thread(faulty.stop)
    await shop.start_worker()

    await shop.replay(asked.message_id or "")

    assert json.loads(await shop.reply(asked))["result"] == "success"


async def test_a_bug_hurts_none_of_its_neighbours(shop: Shop) -> None:
    good = [await shop.publish({**ORDER, "notes": "bug"} if number == 25 else ORDER) for number in range(50)]

    await shop.start_worker(FAULTY)
    for number, asked in enumerate(good):
        if number != 25:
            assert json.loads(await shop.reply(asked))["result"] == "success"

    assert await shop.orders_placed() == 49
    assert await shop.waiting("orders.retry.5s") == 1


async def test_events_whose_request_is_gone_are_swept(shop: Shop) -> None:
    """The worker died between commit and publish, and the request was lost with its queue."""
    dying = await shop.start_worker("tests.faults.killing_worker", "after commit")
    asked = await shop.publish(ORDER)
    await asyncio.to_thread(dying.process.wait, SECONDS_MAX)
    await shop.purge(topology.REQUESTS)
    await shop.database.execute("UPDATE answers SET answered_at = answered_at - interval '1 hour'")

    worker = await shop.start_worker()
    events = await shop.until_events(
        asked.message_id or "", "order.added", "email.invoice-created", "email.order-confirmation"
    )
    await shop.until(lambda: any(line["event"] == "answers.swept" for line in worker.log))
    assert await asyncio.to_thread(worker.stop) == 0

    assert len(events) == 3
    assert await shop.database.fetchval("SELECT count(*) FROM answers WHERE published_at IS NULL") == 0


async def test_what_was_published_is_marked_soon_though_nothing_else_comes(shop: Shop) -> None:
    await shop.start_worker()
    await shop.ask(ORDER)

    async with asyncio.timeout(SECONDS_MAX):
        while await shop.database.fetchval("SELECT count(*) FROM answers WHERE published_at IS NULL"):
            await asyncio.sleep(0.05)


async def test_what_came_by_another_way_comes_back_from_its_delay_and_from_its_replay(hasty_shop: Shop) -> None:
    """Sent to the queue itself, or by an exchange of somebody's, a request has a routing key that nobody binds."""
    shop = hasty_shop
    worker = await shop.start_worker("tests.faults.faulty_worker")
    fields = {"clientid": "1", "pid": "7", "paymentmethod": "paypal", "action": "addorder", "notes": "bug"}
    async with connect(shop.logins.administrator, "orders tests") as connection, connection.channel() as channel:
        await channel.default_exchange.publish(
            Message(form(fields), message_id="by-credential", content_type=wire.FORM), topology.REQUESTS
        )
    await shop.until_events("by-credential", "order.failed")
    [letter] = await shop.dead_letters()
    assert (letter.reason, letter.attempts, letter.routing_key) == ("failed", 4, topology.REQUESTS)
    worker.stop()

    await shop.start_worker()
    assert await shop.replay("by-credential") == 1
    assert await shop.until_events("by-credential", "order.added")
    assert await shop.waiting(topology.UNROUTED) == 0
