"""Invoices that become Paid are numbered without gaps, whoever numbers them (addorder.md 5.12)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest

from repository import catalog, invoice_numbers, queries
from repository.database import Connection, Database
from schemas.catalog_file import parse
from schemas.invoice_numbers import number_format
from tests.deliveries import context_of, delivery
from tests.shop import Shop
from worker.pipeline.carry_out import carry_out
from worker.pipeline.outcomes import OutcomeKind

BY_YEAR = "{year}-{number:05}"
TODAY = date(2026, 11, 23)
FREE_OF_CHARGE = {"clientid": 1, "pid": 5, "paymentmethod": "paypal", "priceoverride": "0"}  # invoiced, and 0.00
PRICED = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
LOCK = queries.load("invoice_numbers.sql")["lock_series"]
TAKE_STOCK = queries.load("orders.sql")["take_stock"]
WAITING = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
SECONDS_MAX = 5.0  # for another transaction to be waited for
# An invoice of an order each, as those before it.
INVOICES = """
    WITH made AS (
        INSERT INTO orders (order_number, client_id, status, currency, amount, payment_method)
        SELECT lpad(n::text, 10, '9'), 1, 'Pending', 'USD', 0, 'paypal'
        FROM generate_series(1, $1::integer) AS n
        RETURNING id
    )
    INSERT INTO invoices (
        order_id, client_id, date, due, currency, subtotal, discount, tax, tax2, tax_rate, tax_rate2, tax_inclusive,
        total, payment_method, status
    )
    SELECT id, 1, '2026-11-23', '2026-11-23', 'USD', 0, 0, 0, 0, 0, 0, false, 0, 'paypal', 'Paid'
    FROM made
    RETURNING id
"""
NUMBERED = "SELECT number, series, position, issued FROM invoice_numbers ORDER BY series, position"


@pytest.fixture
async def database(shop_url: str) -> AsyncIterator[Database]:
    async with Database(shop_url, connections_max=6) as opened:
        yield opened


async def invoices(database: Database, count: int) -> list[int]:
    async with database.transaction() as connection:
        return [row["id"] for row in await connection.fetch(INVOICES, count)]


async def give(
    connection: Connection, *invoice_ids: int, numbers: str = BY_YEAR, today: date = TODAY
) -> dict[int, str]:
    return await invoice_numbers.give(connection, invoice_ids, number_format(numbers), today)


async def given(database: Database, *invoice_ids: int, numbers: str = BY_YEAR, today: date = TODAY) -> list[str]:
    async with database.transaction() as connection:
        found = await give(connection, *invoice_ids, numbers=numbers, today=today)
    return [found[invoice_id] for invoice_id in invoice_ids]


async def numbered(database: Database) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch(NUMBERED)]


# ---------------------------------------------------------------- giving


async def test_invoices_get_the_next_numbers_in_their_order_and_keep_them(database: Database) -> None:
    one, two, three = await invoices(database, 3)

    first = await given(database, two, one)
    again = await given(database, one, three, one)

    assert first == ["2026-00001", "2026-00002"]
    assert again == ["2026-00002", "2026-00003", "2026-00002"]
    assert await numbered(database) == [
        (f"2026-0000{n}", "2026-{number}", n, TODAY) for n in (1, 2, 3)
    ]  # fmt: skip


async def test_where_invoices_are_not_numbered_nothing_is_written(database: Database) -> None:
    [invoice] = await invoices(database, 1)

    async with database.transaction() as connection:
        assert await invoice_numbers.give(connection, [invoice], None, TODAY) == {}
        assert await connection.fetchval("SELECT count(*) FROM invoice_series") == 0


async def test_a_year_begins_at_one(database: Database) -> None:
    one, two, three = await invoices(database, 3)

    found = [
        *await given(database, one, two, today=date(2026, 12, 31)),
        *await given(database, three, today=date(2027, 1, 1)),
    ]

    assert found == ["2026-00001", "2026-00002", "2027-00001"]


async def test_what_is_rolled_back_gives_no_number_away(database: Database) -> None:
    one, two = await invoices(database, 2)

    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        lost = await give(connection, one)
        await transaction.rollback()

    assert lost == {one: "2026-00001"}
    assert await given(database, two) == ["2026-00001"]


@asynccontextmanager
async def waiting(database: Database, *invoice_ids: int) -> AsyncIterator["asyncio.Task[list[str]]"]:
    """Ask for numbers beside somebody who has the series; goes on when they are waited for."""
    asking = asyncio.create_task(given(database, *invoice_ids))
    async with database.connection() as looking, asyncio.timeout(SECONDS_MAX):
        while not (found := await looking.fetch(WAITING)):
            await asyncio.sleep(0.01)
    assert found[0]["query"] == LOCK
    yield asking


@pytest.mark.parametrize(("commits", "next_number"), [(True, "2026-00002"), (False, "2026-00001")])
async def test_who_comes_second_waits_and_gets_what_the_first_leaves(
    database: Database, *, commits: bool, next_number: str
) -> None:
    """In a series that nobody has begun, too: there is no row yet that could be locked."""
    one, two = await invoices(database, 2)
    async with database.connection() as connection:
        first = connection.transaction()
        await first.start()
        await give(connection, one)
        async with waiting(database, two) as asking:
            assert not asking.done()
            await (first.commit() if commits else first.rollback())

    assert await asking == [next_number]


async def test_a_number_that_another_format_has_written_is_passed_over(database: Database) -> None:
    ids = await invoices(database, 14)

    before = await given(database, *ids[:12], numbers="A{number}")  # A1 to A12
    after = await given(database, *ids[12:], numbers="A1{number}")  # A11 and A12 are taken: A10 is no position

    assert before[-1] == "A12"
    assert after == ["A13", "A14"]


async def test_other_digits_go_on_with_the_series(database: Database) -> None:
    one, two = await invoices(database, 2)

    assert await given(database, one, numbers="{year}-{number:03}") == ["2026-001"]
    assert await given(database, two, numbers="{year}-{number:06}") == ["2026-000002"]


# ---------------------------------------------------------------- where a file says that they go on


async def load(database: Database, **settings: Any) -> catalog.LoadReport:
    async with database.transaction() as connection:
        return await catalog.load(connection, parse(json.dumps({"settings": settings})), by="tests")


async def exported(database: Database) -> dict[str, Any]:
    async with database.connection() as connection:
        settings: dict[str, Any] = (await catalog.export(connection))["settings"]
    return settings


async def today(database: Database) -> date:
    async with database.connection() as connection:
        return await invoice_numbers.today(connection)


async def test_a_shop_that_comes_from_elsewhere_goes_on_where_it_was(database: Database) -> None:
    one, two = await invoices(database, 2)
    day = await today(database)

    report = await load(database, invoice_number=BY_YEAR, invoice_next=4711)
    numbers = await given(database, one, two, today=day)

    assert report.notes == ()
    assert numbers == [f"{day.year}-04711", f"{day.year}-04712"]
    assert (await exported(database))["invoice_next"] == 4713
    assert not report.sections["settings"].updated


async def test_it_never_goes_back_and_says_so(database: Database) -> None:
    one, two, three = await invoices(database, 3)
    day = await today(database)
    await load(database, invoice_number=BY_YEAR)
    await given(database, one, two, today=day)

    below, there = await load(database, invoice_next=2), await load(database, invoice_next=3)

    assert below.notes == ("settings.invoice_next: 2 was given already, or passed over: invoices go on with 3",)
    assert there.notes == ()
    assert await given(database, three, today=day) == [f"{day.year}-00003"]
    assert (below.moved, there.moved) == (False, False)


async def test_a_file_that_is_loaded_again_lets_the_next_year_begin_at_one(database: Database) -> None:
    one, two = await invoices(database, 2)
    day = await today(database)
    await load(database, invoice_number=BY_YEAR, invoice_next=500)

    async with database.transaction() as connection:  # as a year later
        await connection.execute("UPDATE invoice_series SET series = '1999-{number}'")
    again = await load(database, invoice_number=BY_YEAR, invoice_next=500)
    first = await given(database, one, today=day)
    other = await load(database, invoice_number="R{number}", invoice_next=500)  # another series is meant

    assert (again.notes, other.notes) == ((), ())
    assert first == [f"{day.year}-00001"]
    assert await given(database, two, numbers="R{number}") == ["R500"]


async def test_where_nothing_is_numbered_it_does_nothing_and_says_so(database: Database) -> None:
    report = await load(database, invoice_next=7)

    assert report.notes == ("settings.invoice_next does nothing: there is no invoice_number, and invoices get none",)
    assert "invoice_next" not in await exported(database)
    first = await load(database, invoice_number="{number}", invoice_next=7)
    assert (first.notes, (await exported(database))["invoice_next"]) == ((), 7)


async def test_what_is_exported_is_taken_by_another_shop(database: Database) -> None:
    one, two = await invoices(database, 2)
    day = await today(database)
    await load(database, invoice_number=BY_YEAR)
    await given(database, one, today=day)
    settings = await exported(database)

    again = await load(database, **settings)

    assert (settings["invoice_next"], again.moved, again.notes) == (2, False, ())
    assert await given(database, two, today=day) == [f"{day.year}-00002"]


async def test_a_dry_run_begins_no_series(database: Database) -> None:
    async with database.transaction() as connection:
        file = parse(json.dumps({"settings": {"invoice_number": "{number}", "invoice_next": 9}}))
        await catalog.load(connection, file, by="tests", dry_run=True)

    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM invoice_series") == 0


# ---------------------------------------------------------------- orders that are paid as they are placed


async def let_be_numbered(shop: Shop, numbers: str = BY_YEAR) -> None:
    await shop.database.execute("UPDATE catalogue SET version = version + 1, invoice_number = $1", numbers)


async def test_an_order_on_which_nothing_is_owed_tells_its_number_at_once(shop: Shop) -> None:
    await let_be_numbered(shop)
    await shop.stop_clock("2026-11-23T20:00Z")
    await shop.start_worker()

    asked = await shop.publish(FREE_OF_CHARGE, message_id="mine")
    reply = json.loads(await shop.reply(asked))
    told = {one.type: one.data for one in await shop.until_events("mine", "email.order-confirmation")}
    again = await shop.publish(FREE_OF_CHARGE, message_id="mine")

    assert json.loads(await shop.reply(again)) == reply
    number = ("2026-00001", False)
    invoice = told["order.added"]["invoice"]
    assert (invoice["number"], invoice["proforma"], invoice["issued"], invoice["status"]) == (
        *number, "2026-11-23", "Paid",
    )  # fmt: skip
    mail = told["email.invoice-created"]["invoice"]
    assert (mail["number"], mail["proforma"], mail["issued"], mail["status"]) == (*number, "2026-11-23", "Paid")
    confirmed = told["email.order-confirmation"]
    assert (confirmed["number"], confirmed["proforma"], confirmed["status"]) == (*number, "Paid")
    assert await shop.fetch("SELECT invoice_id, number, issued::text FROM invoice_numbers") == [
        {"invoice_id": reply["invoiceid"], "number": "2026-00001", "issued": "2026-11-23"}
    ]


async def test_an_invoice_that_is_owed_is_a_pro_forma_without_a_number(shop: Shop) -> None:
    await let_be_numbered(shop)
    await shop.start_worker()

    await shop.publish(PRICED, message_id="mine")
    told = {one.type: one.data for one in await shop.until_events("mine", "email.order-confirmation")}
    await shop.publish({**PRICED, "noinvoice": True}, message_id="none")
    without = {one.type: one.data for one in await shop.until_events("none", "email.order-confirmation")}

    for invoice in (told["order.added"]["invoice"], told["email.invoice-created"]["invoice"]):
        assert (invoice["number"], invoice["proforma"], invoice["issued"]) == (None, True, None)
    assert without["order.added"]["invoice"] is None
    confirmed = without["email.order-confirmation"]
    assert (confirmed["invoiceid"], confirmed["number"], confirmed["proforma"], confirmed["status"]) == (
        0, None, False, None,
    )  # fmt: skip
    assert await shop.count("invoice_numbers") == 0


async def test_without_the_setting_nothing_is_numbered_and_nothing_is_a_pro_forma(shop: Shop) -> None:
    await shop.start_worker()

    await shop.publish(FREE_OF_CHARGE, message_id="paid")
    await shop.publish(PRICED, message_id="owed")
    told = [
        one.data["invoice"]
        for name in ("paid", "owed")
        for one in await shop.until_events(name, "order.added")
        if one.type == "order.added"
    ]

    assert [(one["number"], one["proforma"], one["issued"]) for one in told] == [(None, False, None)] * 2
    assert await shop.count("invoice_numbers") == 0


async def test_many_workers_number_without_gaps_beside_those_who_buy_what_is_limited(shop: Shop) -> None:
    """Some buy the last of something, and some are refused for it: batches are decided again, and nobody deadlocks."""
    await let_be_numbered(shop, "{number}")
    await shop.database.execute("UPDATE product_stock SET quantity = 40")
    for _ in range(3):
        await shop.spawn_worker(ORDERS_BATCH_SIZE="7")
    limited = {"clientid": 1, "pid": 11, "paymentmethod": "paypal"}
    bodies = [
        FREE_OF_CHARGE,
        {**limited, "priceoverride": "0"},  # both of stock and with a number
        limited,
        {**FREE_OF_CHARGE, "noinvoice": True},
        {**FREE_OF_CHARGE, "paymentmethod": "bitcoin"},  # refused
    ] * 40

    asked = [await shop.publish(body) for body in bodies]
    replies = [json.loads(await shop.reply(one)) for one in asked]

    paid = await shop.fetch("SELECT id FROM invoices WHERE total = 0 AND order_id IN (SELECT id FROM orders)")
    found = await shop.fetch("SELECT invoice_id, number, position FROM invoice_numbers ORDER BY position")
    assert {reply["result"] for reply in replies} == {"success", "error"}
    assert [row["position"] for row in found] == list(range(1, len(paid) + 1))
    assert [row["number"] for row in found] == [str(row["position"]) for row in found]
    assert {row["invoice_id"] for row in found} == {row["id"] for row in paid}
    assert len(paid) >= 40
    for worker in shop._workers:  # noqa: SLF001  # what they say of it
        assert not {"order.crashed", "order.retried"} & {line["event"] for line in worker.log}, worker.words


async def test_who_waits_for_stock_keeps_nobody_from_a_number(database: Database) -> None:
    """The series is the last lock of all: in another order, two who have one each would wait for each other."""
    [invoice] = await invoices(database, 1)
    await load(database, invoice_number="{number}")
    await given(database, invoice, numbers="{number}")
    context = context_of(database)
    await context.open()
    bodies: list[dict[str, Any]] = [{"pid": 5, "priceoverride": "0"}, {"pid": 11}]
    async with database.transaction() as rivals:
        await rivals.execute("UPDATE product_stock SET quantity = quantity WHERE product_id = 11")
        deciding = asyncio.create_task(
            carry_out([delivery(tag, f"numbered-{tag}", body) for tag, body in enumerate(bodies)], context)
        )
        async with database.connection() as looking, asyncio.timeout(SECONDS_MAX):
            while not (found := await looking.fetch(WAITING)):
                await asyncio.sleep(0.01)
        assert found[0]["query"] == TAKE_STOCK

        async with database.transaction() as another:
            free = await another.fetch("SELECT series FROM invoice_series FOR UPDATE SKIP LOCKED")

    assert [row["series"] for row in free] == ["{number}"]
    assert [one.kind for one in await deciding] == [OutcomeKind.PLACED] * 2
    assert [row[0] for row in await numbered(database)] == ["1", "2"]
