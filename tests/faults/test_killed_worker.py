"""kill -9 of a worker anywhere on the line loses nothing and repeats nothing visible (reliability.md, promise 1)."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.faults.killing_worker import POINTS
from tests.shop import SECONDS_MAX, Shop

ORDER = {"clientid": 1, "pid": [1, 5], "billingcycle": ["monthly", "annually"], "paymentmethod": "paypal"}
FOLLOW_UPS = ("email.invoice-created", "email.order-confirmation")


@pytest.mark.parametrize("point", POINTS)
async def test_an_order_survives_the_worker_that_is_killed(shop: Shop, point: str) -> None:
    dying = await shop.start_worker("tests.faults.killing_worker", point)
    asked = await shop.publish(ORDER)
    status = await asyncio.to_thread(dying.process.wait, SECONDS_MAX)
    assert status == -signal.SIGKILL

    heir = await shop.start_worker()
    await shop.reply(asked)
    events = await shop.until_events(asked.message_id or "", "order.added", *FOLLOW_UPS)
    assert heir.stop() == 0

    assert await shop.orders_placed() == 1
    assert await shop.count("services WHERE order_id IS NOT NULL") == 2
    assert await shop.count("invoices") == 1
    assert len(set(asked.replies)) == 1
    # What was said twice was said under the same id, in the same words.
    assert Counter(event.type for event in {event.id: event for event in events}.values()) == Counter(
        ("order.added", *FOLLOW_UPS)
    )
    assert len({event.raw for event in events}) == 3
    assert await shop.waiting() == 0
    assert await shop.database.fetchval("SELECT quantity FROM product_stock WHERE product_id = 5") == 99_999
