"""A database that has seen many orders: it agrees with itself, and no statement of the worker reads a table through."""

import json
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncpg.connection import LoggedQuery

from deploy.local.servers import Servers
from repository import audit, find, inbox, prune, queries, scratch, show
from repository.audit import Line
from repository.database import Connection, Database
from repository.find import Criteria
from repository.kept_events import kept_events
from tests.deliveries import context_of, delivery
from tests.filling import million
from tests.integration.test_commands import orders
from tests.integration.test_prune import told
from tests.shop import Shop
from worker.broker.messages import Trail
from worker.pipeline.carry_out import carry_out
from worker.pipeline.outcomes import OutcomeKind

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

    assert (reply["result"], reply["orderid"]) == ("success", order["id"])
    services = await filled.fetch("SELECT id FROM services WHERE order_id = $1 ORDER BY id", order["id"])
    assert reply["serviceids"] == ",".join(str(service["id"]) for service in services)
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
        "SELECT reply FROM answers JOIN inbox ON inbox.id = request_id WHERE message_id = $1", name
    )
    said = await told(filled, "--older-than", "360d")
    await filled.start_worker()

    reply = await filled.ask(million.body_of(1) or {}, message_id=name)

    assert 200 < said["answers"] < 400
    assert reply == json.loads(answer["reply"])


# ---------------------------------------------------------------- no statement reads a table through

# What grows with the orders. The rest is the catalogue: some pages, however many orders there are.
GROWING = {"answers", "audit", "clients", "contacts", "domains", "inbox"} | {
    "invoice_lines", "invoices", "orders", "renewals", "service_addons", "services"
}  # fmt: skip
PAGES_MIN = 30  # a smaller table is rightly read through; at a million orders, each of them is large

# Statements of others than batches, sweeps, shows and prunes (the demo, the doctor), and those of a batch that is
# carried out again because others took the last of something: they lock rows of the catalogue.
ELSEWHERE = {
    *("facts.lock_stock", "facts.lock_promotion_uses"),
    # By the keys of rows that are locked already: tests/integration/test_renewed_again.py.
    *("orders.cancel", "orders.move_periods", "orders.take_service_discounts", "orders.take_addon_discounts"),
    *("show.count_orders", "show.condition", "show.collations", "show.catalogue_has"),
}
FILES = ("inbox", "facts", "orders", "placed_orders", "show", "prune", "audit", "find", "kept_events")


class Watched(Database):
    """A database that notes what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: dict[str, Sequence[object]] = {}

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        async with super().connection() as connection:
            with connection.query_logger(self._note):
                yield connection

    def _note(self, query: LoggedQuery) -> None:
        self.asked.setdefault(query.query, query.args)


async def work(database: Database) -> None:
    """Have everything done that is done per batch, by a sweep, by `orders show` and `orders status`, and by a prune."""
    async with database.connection() as connection:
        service, domain = [await connection.fetchrow(query) for query in (ACTIVE_SERVICE, ACTIVE_DOMAIN)]
        pruned = next(number for number in range(ORDERS, 0, -1) if million.body_of(number))
        await connection.execute(FORGET, million.message_id(pruned))
    assert service is not None
    assert domain is not None
    clients = [1_000 + number for number in range(40)]
    bodies: list[Mapping[str, Any]] = [
        {"pid": [1], "domain": ["plans.com"], "domaintype": ["register"], "addons": ["1,3"], "contactid": 7},
        {"pid": [5], "qty": [1], "rootpw": ["no-secret"]},
        {"clientid": service["client_id"], "addonid": 1, "serviceid": service["id"]},
        {"clientid": service["client_id"], "servicerenewals": [service["id"]]},
        {"clientid": domain["client_id"], "domainrenewals": {domain["name"]: 1}},
        {"addonrenewals": [3]},
        *({"pid": [7], "promocode": code} for code in ("LASTUSE", "LOYAL", "ONCEEACH", "WITHBASE")),
        *({"clientid": client, "pid": [7]} for client in clients),
        {"paymentmethod": "bitcoin", "pid": [7]},
    ]
    context = context_of(database)
    await context.open()
    ended = await carry_out([delivery(tag, f"plans-{tag}", body) for tag, body in enumerate(bodies)], context)
    context.locks.expect()  # as if somebody held something: a look tells what
    ended += await carry_out(
        [
            delivery(0, million.message_id(1), million.body_of(1) or {}),
            delivery(1, million.message_id(pruned), million.body_of(pruned) or {}),
            delivery(2, f"plans-{len(bodies) - 1}", {"pid": [7], "paymentmethod": "nothing"}),
            delivery(3, "plans-edited", {"pid": [7]}, Trail(supersedes=("plans-original",))),
        ],
        context,
    )
    assert {one.kind for one in ended} == {OutcomeKind.PLACED, OutcomeKind.REJECTED, OutcomeKind.REPEATED}
    async with database.transaction() as connection:
        await inbox.mark_published(connection, [one.mark for one in ended if one.mark])
        await inbox.sweep(connection, older_than_seconds=60, most=100)
        await inbox.unpublished(connection)
        await inbox.placed_under(connection, million.message_id(1))
        for reference in (str(ORDERS), million.message_id(ORDERS)):
            assert await show.find(connection, reference)
        await show.activity(connection)
        [begun] = await audit.begin(connection, "alice", "operator", [Line("discard", "plans-0", "a test")])
        await audit.end(connection, [(begun, {})])
        await audit.about(connection, ["plans-0"])
        await audit.acts(connection, most=50)
        await audit.going_on(connection)
    async with database.snapshot() as connection:
        for criteria in (
            Criteria(client_id=service["client_id"]),
            Criteria(email=service["email"]),
            Criteria(domain=(domain["name"],)),
            Criteria(invoice_id=service["invoice_id"]),
            Criteria(product_id=1),
            Criteria(catalogue_version=service["catalogue_version"]),
            Criteria(since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime.now(UTC)),
            Criteria(),
        ):
            assert (await find.find(connection, criteria, 50)).orders, criteria
    span = (datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC))
    assert sum([len(events) async for events in kept_events(database, *span)]) > 0
    where = await prune.range_of(database, 300)
    for dry_run in (True, False):
        assert sum([step.answers async for step in prune.prune(database, where, dry_run=dry_run)]) > 0
    await prune.unpublished(database, where)


ACTIVE_SERVICE = """
    SELECT services.id, services.client_id, email, invoices.id AS invoice_id, catalogue_version
    FROM services
    JOIN clients ON clients.id = services.client_id
    JOIN orders ON orders.id = services.order_id
    JOIN invoices ON invoices.order_id = orders.id
    WHERE services.status = 'Active' AND catalogue_version IS NOT NULL
    ORDER BY id DESC LIMIT 1
"""
ACTIVE_DOMAIN = "SELECT name, client_id FROM domains WHERE status = 'Active' ORDER BY id DESC LIMIT 1"
FORGET = "DELETE FROM answers WHERE request_id = (SELECT id FROM inbox WHERE message_id = $1)"


def sequential(plan: Mapping[str, Any]) -> Iterator[str]:
    """Name the tables that a plan reads through."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from sequential(part)


async def plans(connection: Connection, sql: str, arguments: Sequence[object]) -> list[Mapping[str, Any]]:
    """Plan a statement for these arguments, and for any: Postgres changes to that after some times."""
    statement = await connection.prepare(sql)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    any_ = f"({', '.join(['NULL'] * len(arguments))})" if arguments else ""
    return [
        json.loads(found)[0]["Plan"] if isinstance(found, str) else found[0]["Plan"]
        for found in (
            await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments),
            await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {statement.get_name()}{any_}"),
        )
    ]


async def test_no_statement_reads_a_table_through_that_grows(filled_url: str) -> None:
    names = {sql: f"{file}.{name}" for file in FILES for name, sql in queries.load(f"{file}.sql").items()}
    async with Watched(filled_url) as watched:
        await work(watched)
    asked = {names[sql]: (sql, arguments) for sql, arguments in watched.asked.items() if sql in names}
    async with Database(filled_url) as database, database.connection() as connection:
        await connection.execute("SET enable_seqscan = on")  # by what it costs, not because it must not
        await connection.execute("ANALYZE")
        large = {row["relname"] for row in await connection.fetch(LARGE, PAGES_MIN)} & GROWING
        read_through = {
            name: {table for plan in await plans(connection, sql, arguments) for table in sequential(plan)} & large
            for name, (sql, arguments) in asked.items()
        }

    assert set(names.values()) - asked.keys() == ELSEWHERE
    assert large >= {"answers", "inbox", "orders", "services", "service_addons", "domains", "invoices", "invoice_lines"}
    assert {name: tables for name, tables in read_through.items() if tables} == {}


LARGE = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpages >= $1"


async def test_a_session_that_began_on_empty_tables_reads_none_of_them_through(shop_url: str) -> None:
    async with Database(shop_url, connections_max=1) as database:
        async with database.connection() as connection:
            await connection.execute(
                "VACUUM (ANALYZE)"
            )  # of a table without rows Postgres else guesses that it has some
        context = context_of(database)
        await context.open()
        deliveries = [delivery(tag, f"first-{tag}", {"pid": [1], "addons": ["1"]}) for tag in range(20)]
        ended = await carry_out(deliveries, context)
        async with database.connection() as connection:
            await connection.execute("SELECT pg_stat_force_next_flush()")
            read_through = await connection.fetch(READ_THROUGH, list(GROWING))

    assert {one.kind for one in ended} == {OutcomeKind.PLACED}
    assert read_through == []


# Checks of foreign keys are counted as well.
READ_THROUGH = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY ($1) AND seq_scan > 0"
