"""Stock and limited promotions are never oversold, whoever fights for the last of them (reliability.md 22)."""

import asyncio
from collections import Counter

from tests.shop import Event, Shop

WORKERS = 8
BUYERS = 24  # of each kind of order
CLIENTS = (10, 11, 12, 13)  # who buy what is not for new clients only

ONE_LEFT = {"pid": 11}
TWO_LEFT = {"pid": 27, "qty": 2}
LAST_USE = {"pid": 7, "promocode": "LASTUSE"}  # half of 4.00, for one order
ONCE_EACH = {"clientid": 19, "pid": 7, "promocode": "ONCEEACH"}  # half, once for each client
RENEWAL = {"clientid": 1, "servicerenewals": [19]}  # of which one order is left to be paid


async def test_eight_workers_sell_the_last_unit_and_the_last_use_once(shop: Shop) -> None:
    # One delivery a batch: as many transactions side by side as there can be.
    settings = {"ORDERS_BATCH_SIZE": "1", "ORDERS_PREFETCH": "4"}
    workers = await asyncio.gather(*(shop.start_worker(**settings) for _ in range(WORKERS)))

    wanted = [
        {"clientid": CLIENTS[number % len(CLIENTS)], "paymentmethod": "paypal", **order}
        for number in range(BUYERS)
        for order in (ONE_LEFT, TWO_LEFT, LAST_USE, ONCE_EACH, RENEWAL)
    ]
    asked = await asyncio.gather(*map(shop.publish, wanted))
    await shop.until(lambda: len(results(shop)) == len(asked))

    ended = {event.data["request_id"]: event for event in results(shop)}
    outcomes = Counter(
        (order.get("promocode", order.get("pid")), outcome_of(ended[str(one.message_id)]))
        for order, one in zip(wanted, asked, strict=True)
    )
    assert outcomes == {
        (11, "5.00"): 1,
        (11, "out_of_stock"): BUYERS - 1,
        (27, "10.00"): 1,
        (27, "out_of_stock"): BUYERS - 1,
        ("LASTUSE", "2.00"): 1,
        ("LASTUSE", "4.00"): BUYERS - 1,
        ("ONCEEACH", "2.00"): 1,
        ("ONCEEACH", "4.00"): BUYERS - 1,
        (None, "9.95"): BUYERS,
    }
    assert await shop.fetch(
        "SELECT product_id, quantity FROM product_stock WHERE product_id IN (11, 27) ORDER BY 1"
    ) == [
        {"product_id": 11, "quantity": 0},
        {"product_id": 27, "quantity": 0},
    ]
    assert await shop.fetch(
        "SELECT uses FROM promotion_uses JOIN promotions ON id = promotion_id WHERE code = 'LASTUSE'"
    ) == [{"uses": 1}]
    assert await shop.fetch("SELECT status, count(*) FROM renewals GROUP BY status ORDER BY status") == [
        {"status": "Cancelled", "count": BUYERS - 1},
        {"status": "Pending", "count": 1},
    ]
    assert await shop.orders_placed() == 2 + 3 * BUYERS
    assert [line for worker in workers for line in worker.log if line["event"] == "order.crashed"] == []
    assert sum(any(line["event"].startswith("order.") for line in worker.log) for worker in workers) == WORKERS


def results(shop: Shop) -> list[Event]:
    return [event for event in shop.events if event.type in ("order.added", "order.rejected")]


def outcome_of(event: Event) -> str:
    """What was paid, or why it was refused."""
    return str(event.data["amount"] if event.type == "order.added" else event.data["code"])
