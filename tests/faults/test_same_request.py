"""One request, however often it is sent, is one order, and says one thing (reliability.md 5 and 6)."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.faults.load import Ledger
from tests.faults.oracle import Oracle
from tests.shop import Asked, Shop, Worker

WORKERS = 3
COPIES = 50  # of each request, at once
CONTENTS = 12  # of one id, at once

ORDER = {"clientid": 1, "pid": [5], "billingcycle": ["monthly"], "paymentmethod": "paypal"}
EVENTS = ("order.added", "email.invoice-created", "email.order-confirmation")
SEEN_SECONDS_MAX = 60.0

# All that an order is made of, and what was said of it. How often it was delivered is counted, so that is left out.
ROWS = """
    SELECT to_jsonb(orders) AS row FROM orders
    UNION ALL SELECT to_jsonb(services) FROM services
    UNION ALL SELECT to_jsonb(invoices) FROM invoices
    UNION ALL SELECT to_jsonb(invoice_lines) FROM invoice_lines
    UNION ALL SELECT to_jsonb(product_stock) FROM product_stock
    UNION ALL SELECT to_jsonb(answers) - '{published_at,swept_at}'::text[] FROM answers
    UNION ALL SELECT to_jsonb(inbox) - 'deliveries' FROM inbox
    ORDER BY 1
"""


async def start_workers(shop: Shop, **settings: str) -> list[Worker]:
    return list(await asyncio.gather(*(shop.start_worker(**settings) for _ in range(WORKERS))))


async def test_the_same_request_fifty_times_at_once_is_one_order_and_one_answer(shop: Shop) -> None:
    await send_copies(shop, random.Random(5), requests=1)


async def send_copies(shop: Shop, chance: random.Random, requests: int) -> None:
    """Send requests fifty times each, all of them at once, to three workers."""
    bodies = {f"copies-{number}": {**ORDER, "qty": [chance.randint(1, 9)]} for number in range(requests)}
    workers = await start_workers(shop)

    async with Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle:
        sent = [message_id for message_id in bodies for _ in range(COPIES)]
        chance.shuffle(sent)
        asked = await asyncio.gather(*(shop.publish(bodies[one], message_id=one) for one in sent))
        await until(lambda: len(shop.events) >= requests * len(EVENTS) and all(one.replies for one in asked))
        lines = [line["event"] for worker in workers for line in worker.log]
        each_worked = [any(line["event"].startswith("order.") for line in worker.log) for worker in workers]
        await oracle.judge(Ledger(attempted=bodies, confirmed=set(bodies)), workers, seconds_max=SEEN_SECONDS_MAX)

    for message_id in bodies:
        check_one_answer(shop, message_id, [one for one in asked if one.message_id == message_id])
    assert (lines.count("order.placed"), lines.count("order.repeated")) == (requests, len(sent) - requests)
    assert all(each_worked)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SEEN_SECONDS_MAX):
        while not is_so():
            await asyncio.sleep(0.02)


def check_one_answer(shop: Shop, message_id: str, asked: list[Asked]) -> None:
    """See that one request was answered once for each copy, in the very same words, and so are its events."""
    [(reply, times)] = Counter(reply for one in asked for reply in one.replies).items()
    assert json.loads(reply)["result"] == "success"
    assert times == COPIES
    said = Counter((event.type, event.id, event.raw) for event in shop.events_of(message_id))
    assert sorted(kind for kind, _, _ in said) == sorted(EVENTS)
    assert max(said.values()) < COPIES  # whoever comes when they are known to be there says no more


async def test_another_content_under_a_used_id_is_refused_and_the_order_stays_as_it_is(shop: Shop) -> None:
    workers = await start_workers(shop)
    first = await shop.publish(ORDER, message_id="used")
    reply = await shop.reply(first)
    await shop.until_events("used", *EVENTS)
    before = await shop.fetch(ROWS)
    said_before = {event.id: event.raw for event in shop.events_of("used")}

    others: list[dict[str, Any]] = [
        {**ORDER, "qty": [2]},
        {**ORDER, "clientid": 10},
        {**ORDER, "pid": [7], "billingcycle": [""]},
        {**ORDER, "promocode": "LASTUSE"},
        {**ORDER, "notes": "please"},
    ]
    asked = [await shop.publish(other, message_id="used") for other in others for _ in range(WORKERS)]
    for one in asked:
        assert json.loads(await shop.reply(one))["code"] == "message_id_reused"
    again = await shop.publish(ORDER, message_id="used")

    assert await shop.reply(again) == reply
    assert await shop.fetch(ROWS) == before
    letters = await shop.dead_letters(len(others))
    assert {(letter.message_id, letter.reason, letter.code) for letter in letters} == {
        ("used", "rejected", "message_id_reused")
    }
    # Each content has an id of its own for its refusal, and what was said of the order stands.
    refusals = {event.id for event in shop.events_of("used") if event.type == "order.rejected"}
    assert len(refusals) == len(others)
    assert {event.id: event.raw for event in shop.events_of("used") if event.type != "order.rejected"} == said_before
    assert not [line for worker in workers for line in worker.log if line["event"] == "order.crashed"]


async def test_of_many_contents_under_one_id_at_once_one_is_placed(shop: Shop) -> None:
    workers = await start_workers(shop)

    contents = [{**ORDER, "qty": [quantity]} for quantity in range(1, CONTENTS + 1)]
    asked = await asyncio.gather(*(shop.publish(content, message_id="fought-for") for content in contents))
    replies = [json.loads(await shop.reply(one)) for one in asked]

    assert Counter(reply.get("code", reply["result"]) for reply in replies) == {
        "success": 1,
        "message_id_reused": CONTENTS - 1,
    }
    [won] = [number for number, reply in enumerate(replies) if reply["result"] == "success"]
    assert await shop.orders_placed() == 1
    assert await shop.count("services WHERE order_id IS NOT NULL") == won + 1
    letters = await shop.dead_letters(CONTENTS - 1)
    assert {letter.delivery.body for letter in letters} == {
        json.dumps(content).encode() for number, content in enumerate(contents) if number != won
    }
    assert not [line for worker in workers for line in worker.log if line["event"] == "order.crashed"]
