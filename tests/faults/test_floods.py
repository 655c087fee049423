"""What one caller sends in masses leaves the others their share of what a worker holds (reliability.md 26)."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.shop import CREDENTIALS, DIRECT_REPLY, Asked, Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
FLOOD = 1_000
SHORT = 60
AT_ONCE = 100
# A good order behind a flood: of verifying a thousand secrets alone it would be fifteen.
BEHIND_SECONDS_MAX = 2.0


def guesses(kind: str, count: int) -> Iterator[dict[str, Any]]:
    """Make up requests with ever new pairs, of which none is right."""
    for number in range(count):
        if kind == "wrong secrets":
            yield {**ORDER, **CREDENTIALS, "secret": f"guess-{number}"}
        else:
            yield {**ORDER, "identifier": f"guess-{number}", "secret": "hunter2"}


async def publish_all(shop: Shop, bodies: Iterator[dict[str, Any]], **how: Any) -> list[Asked]:
    asked: list[Asked] = []
    waiting = list(bodies)
    while waiting:
        asked += await asyncio.gather(*(shop.publish(body, trusted=False, **how) for body in waiting[:AT_ONCE]))
        del waiting[:AT_ONCE]
    return asked


@pytest.mark.parametrize("kind", ["wrong secrets", "unknown identifiers"])
@pytest.mark.parametrize("message_id", ["", "one-id"])
async def test_a_thousand_wrong_secrets_hold_no_good_order_back(shop: Shop, kind: str, message_id: str) -> None:
    """On a worker that has verified nobody yet: neither a publisher's order, nor one with a right secret."""
    worker = await shop.start_worker(ORDERS_DRAIN_SECONDS="0.5")
    flood = await publish_all(shop, guesses(kind, FLOOD), message_id=message_id, reply_to=DIRECT_REPLY)

    began = time.monotonic()
    good = [await shop.publish(ORDER), await shop.publish({**ORDER, **CREDENTIALS}, trusted=False)]
    replies = [json.loads(await shop.reply(one)) for one in good]
    seconds = time.monotonic() - began
    answered = sum(bool(one.replies) for one in flood)

    assert [reply["result"] for reply in replies] == ["success", "success"]
    assert seconds < BEHIND_SECONDS_MAX
    assert answered < FLOOD / 2  # it was a flood, and is not over
    assert await asyncio.to_thread(worker.stop) == 0


@pytest.mark.parametrize("kind", ["wrong secrets", "unknown identifiers"])
async def test_whose_secret_is_wrong_is_told_so_in_the_end(shop: Shop, kind: str) -> None:
    worker = await shop.start_worker()

    flood = await publish_all(shop, guesses(kind, SHORT))
    assert (
        json.loads(await shop.reply(await shop.publish({**ORDER, **CREDENTIALS}, trusted=False)))["result"] == "success"
    )
    codes = {json.loads(await shop.reply(one))["code"] for one in flood}

    assert codes == {"authentication_failed"}
    assert await asyncio.to_thread(worker.stop) == 0
    assert (await shop.waiting(), len(await shop.dead_letters(SHORT))) == (0, SHORT)


# ---------------------------------------------------------------- a steady storefront meanwhile

STEADY_SECONDS = 5.0
STEADY_RATE = 10  # a second
# What is sent of each a second: less than what fills the queue, which is first in, first out.
FLOODS = {"wrong secrets": 100, "huge bodies": 4, "one id": 60, "reply queues that are gone": 30}
TRUSTED = {"one id", "reply queues that are gone"}
ANSWER_SECONDS_MAX = 3.0  # for whoever is no part of the flood, on a busy machine


async def flood_with(shop: Shop, kind: str, number: int) -> None:
    """Send one message of a flood."""
    message_id, reply_to = f"flood-{number}", None
    body: dict[str, Any] | bytes = ORDER
    match kind:
        case "wrong secrets":
            body = {**ORDER, **CREDENTIALS, "secret": f"guess-{number}"}
        case "huge bodies":
            body = b'{"clientid":1,"pid":[' + b"1," * (2**19 - 20) + b"1]}"
        case "one id":
            message_id = "one-id"
        case "reply queues that are gone":
            reply_to = f"amq.rabbitmq.reply-to.g1h2AA5yZXBseUA{number:06}AAAAAAA.AAAAAAAAAAA=="
    await shop.publish(body, message_id=message_id, reply_to=reply_to, trusted=kind in TRUSTED)


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_leaves_a_steady_storefront_its_share(shop: Shop, kind: str) -> None:
    worker = await shop.start_worker(ORDERS_DRAIN_SECONDS="0.5")
    seconds: list[float] = []

    async def flood(tasks: asyncio.TaskGroup) -> None:
        for number in range(int(STEADY_SECONDS * FLOODS[kind])):
            tasks.create_task(flood_with(shop, kind, number))
            await asyncio.sleep(1 / FLOODS[kind])

    async def order(number: int) -> None:
        began = time.monotonic()
        reply = await shop.ask(ORDER, message_id=f"steady-{number}")
        assert reply["result"] == "success"
        seconds.append(time.monotonic() - began)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(flood(tasks))
        for number in range(int(STEADY_SECONDS * STEADY_RATE)):
            tasks.create_task(order(number))
            await asyncio.sleep(1 / STEADY_RATE)

    assert max(seconds) < ANSWER_SECONDS_MAX
    assert not [line for line in worker.log if line["event"] in {"worker.paused", "order.failed", "order.crashed"}]
    assert await asyncio.to_thread(worker.stop) == 0
