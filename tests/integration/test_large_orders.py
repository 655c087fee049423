"""Orders of very many items: no transaction, and no batch of messages, grows with them."""

import asyncio
import json
from typing import Any

from repository.database import Database
from tests.deliveries import context_of, delivery
from tests.shop import Shop
from worker.pipeline.carry_out import carry_out
from worker.pipeline.outcomes import OutcomeKind

ITEMS = 900
ORDERS = 12

MANY_ITEMS: dict[str, Any] = {"pid": [7] * ITEMS}  # services of 4.00 each
MANY_ADDONS: dict[str, Any] = {"pid": 1, "addons": ",".join(["1"] * (ITEMS - 1))}
MANY_COPIES: dict[str, Any] = {"pid": 13, "qty": ITEMS}


async def test_a_batch_takes_as_many_large_orders_as_a_transaction_should_hold(shop_url: str) -> None:
    batch = [delivery(tag, f"large-{tag}", MANY_ITEMS) for tag in range(4)]

    async with Database(shop_url) as database:
        context = context_of(database)
        await context.open()
        ended = await carry_out(batch, context)
        others = await carry_out(batch[len(ended) :], context)

    assert [(one.kind, one.reading.delivery.tag) for one in ended] == [(OutcomeKind.PLACED, 0), (OutcomeKind.PLACED, 1)]
    assert [(one.kind, one.reading.delivery.tag) for one in others] == [
        (OutcomeKind.PLACED, 2),
        (OutcomeKind.PLACED, 3),
    ]


async def test_what_is_large_is_counted_by_the_rows_that_it_makes(shop_url: str) -> None:
    async with Database(shop_url) as database:
        context = context_of(database)
        await context.open()
        ended = await carry_out(
            [delivery(tag, f"large-{tag}", body) for tag, body in enumerate((MANY_COPIES, MANY_ADDONS, MANY_COPIES))],
            context,
        )

    assert [one.reading.delivery.tag for one in ended] == [0, 1]


async def test_large_orders_that_wait_are_all_placed_and_answered_once(shop: Shop) -> None:
    asked = [await shop.publish({"clientid": 1, "paymentmethod": "paypal", **MANY_ITEMS}) for _ in range(ORDERS)]
    await shop.start_worker()

    replies: list[dict[str, Any]] = [
        json.loads(reply) for reply in await asyncio.gather(*(shop.reply(one) for one in asked))
    ]

    assert [reply["result"] for reply in replies] == ["success"] * ORDERS
    assert {len(reply["serviceids"].split(",")) for reply in replies} == {ITEMS}
    assert await shop.orders_placed() == ORDERS
    added = [event for event in shop.events if event.type == "order.added"]
    assert sorted(event.data["request_id"] for event in added) == sorted(str(one.message_id) for one in asked)
