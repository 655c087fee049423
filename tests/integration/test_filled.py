"""A database that has seen many orders: it agrees with itself, and no statement of the worker reads a table through."""

import json
import uuid
from collections.abc import AsyncIterator

import pytest

from deploy.local.servers import Servers
from repository import scratch
from tests.benchmarks import million
from tests.integration.test_commands import orders
from tests.integration.test_prune import told
from tests.shop import Shop

ORDERS = 20_001  # a round of the pattern is begun and not ended

FOREIGN_KEYS = """
    SELECT
        conrelid::regclass::text AS table,
        confrelid::regclass::text AS other,
        (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) AS column,
        (SELECT attname FROM pg_attribute WHERE attrelid = confrelid AND attnum = confkey[1]) AS key
    FROM pg_constraint
    WHERE contype = 'f' AND cardinality(conkey) = 1
"""

HALF_ORDERS = """
    SELECT orders.id
    FROM orders
    LEFT JOIN inbox ON inbox.id = orders.request_id AND orders.placed_at = inbox.first_seen
    LEFT JOIN answers ON answers.request_id = inbox.id AND (answers.reply ->> 'orderid')::bigint = orders.id
    LEFT JOIN invoices ON invoices.order_id = orders.id AND invoices.client_id = orders.client_id
    LEFT JOIN LATERAL (SELECT sum(amount) FROM invoice_lines WHERE invoice_id = invoices.id) AS lines (total) ON true
    WHERE
        orders.request_id IS NOT NULL
        AND (
            answers.request_id IS NULL
            OR invoices.total IS DISTINCT FROM orders.amount
            OR lines.total + invoices.tax + invoices.tax2 IS DISTINCT FROM invoices.total
            OR NOT EXISTS (
                SELECT FROM services WHERE order_id = orders.id
                UNION ALL SELECT FROM service_addons WHERE order_id = orders.id
                UNION ALL SELECT FROM domains WHERE order_id = orders.id
                UNION ALL SELECT FROM renewals WHERE order_id = orders.id
            )
        )
"""


@pytest.fixture(scope="module")
async def filled_url(servers: Servers, template: str) -> AsyncIterator[str]:
    """A database with many orders, for all tests of this module."""
    name = f"orders_test_filled_{uuid.uuid4().hex[:12]}"
    url = await scratch.clone(servers.postgres_url, name, template)
    await million.fill(url, ORDERS)
    yield url
    await scratch.drop(servers.postgres_url, name)


@pytest.fixture
async def filled(filled_url: str, amqp_url: str) -> AsyncIterator[Shop]:
    async with Shop.open(filled_url, amqp_url) as shop:
        yield shop


# ---------------------------------------------------------------- it is as if a worker had made it


async def test_every_foreign_key_holds(filled: Shop) -> None:
    keys = await filled.fetch(FOREIGN_KEYS)
    dangling = [
        key
        for key in keys
        if await filled.count(
            '{table} AS one LEFT JOIN {other} AS other ON other."{key}" = one."{column}" '
            'WHERE one."{column}" IS NOT NULL AND other."{key}" IS NULL'.format(**key)
        )
    ]

    assert len(keys) > 40
    assert dangling == []


async def test_no_order_is_half_there(filled: Shop) -> None:
    assert await filled.orders_placed() >= ORDERS
    assert await filled.fetch(HALF_ORDERS) == []


async def test_a_request_that_comes_again_gets_the_answer_that_its_rows_tell(filled: Shop) -> None:
    number = next(number for number in range(777, 900) if million.body_of(number) is not None)
    name = million.message_id(number)
    [order] = await filled.fetch(
        "SELECT orders.* FROM orders JOIN inbox ON inbox.id = request_id WHERE message_id = $1", name
    )
    before = await filled.orders_placed()
    await filled.start_worker()

    reply = await filled.ask(million.body_of(number) or {}, message_id=name)
    events = await filled.until_events(name, "order.added", "email.invoice-created", "email.order-confirmation")

    added = next(event.data for event in events if event.type == "order.added")
    assert (reply["result"], reply["orderid"], added["ordernum"]) == ("success", order["id"], order["order_number"])
    assert (added["clientid"], added["amount"]) == (order["client_id"], str(order["amount"]))
    services = await filled.fetch("SELECT id, domain FROM services WHERE order_id = $1 ORDER BY id", order["id"])
    assert added["serviceids"] == [service["id"] for service in services]
    assert await filled.orders_placed() == before


async def test_a_new_order_goes_on_where_the_others_end(filled: Shop) -> None:
    [before] = await filled.fetch("SELECT max(id) AS id FROM orders")
    await filled.start_worker()

    reply = await filled.ask({"clientid": 1, "pid": 7, "paymentmethod": "paypal"})

    assert reply["orderid"] == before["id"] + 1


async def test_an_order_of_them_is_shown(filled: Shop) -> None:
    shown = await orders(filled, "show", million.message_id(1))

    assert shown.returncode == 0, shown.stderr
    assert "placed" in shown.stdout
    assert "shop1-" in shown.stdout


async def test_an_answer_that_is_pruned_is_made_again_from_the_rows(filled: Shop) -> None:
    name = million.message_id(1)
    [answer] = await filled.fetch(
        "SELECT reply, events FROM answers JOIN inbox ON inbox.id = request_id WHERE message_id = $1", name
    )
    said = await told(filled, "--older-than", "360d")
    await filled.start_worker()

    reply = await filled.ask(million.body_of(1) or {}, message_id=name)
    events = await filled.until_events(name, "order.added", "email.invoice-created", "email.order-confirmation")

    assert 200 < said["answers"] < 400
    assert reply == json.loads(answer["reply"])
    before = {event["type"]: event for event in map(json.loads, answer["events"])}
    assert {event.type: event.id for event in events} == {name: event["id"] for name, event in before.items()}
    assert {event.type: event.data["request_id"] for event in events} == dict.fromkeys(before, name)
    # Of the client's name and address of today, nothing differs either; of the periods' words, the pattern's day.
    added = next(event for event in events if event.type == "order.added")
    assert added.data == before["order.added"]["data"]
