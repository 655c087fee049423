"""A database as it is after a million orders: `python -m tests.filling.million --orders N [URL]`.

Fifty orders are placed by the worker's own line (carry_out.py): they are the pattern. Their rows are then multiplied,
with new keys, set by set. So every table has the shape that the worker gives it, and the tables agree: a request that
is repeated gets its answer, byte for byte. Of fifty-one requests one is rejected, and one of fifty was sent twice.

The database is migrated, has the sample catalogue, and no orders but that catalogue's. The user of the URL is a
superuser: foreign keys are right by construction, and not looked up row by row. Stock and uses of promotions stay as
the pattern left them. Words for periods, in lines of invoices, are those of the pattern's day.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

import asyncpg

from repository.database import Connection, Database
from repository.order_numbers import order_number
from tests.deliveries import PUBLISHER
from tests.filling import pattern
from tests.filling.pattern import FIRST, PLACED, WORD
from tests.filling.said import Ranks, Said

CALLER = f"publisher:{PUBLISHER}"
SPREAD = timedelta(days=365)  # the orders were placed over a year, evenly, up to now
ROUNDS_A_CLIENT = 10  # a client has the orders that it has in the pattern so often; then another client goes on
PROCESSES = 2  # that write answers: what is said of an order is made in Python
ROUNDS_AT_ONCE = 100  # of answers in memory
TABLES = ("clients", "inbox", "orders", "services", "service_addons", "domains", "renewals", "invoices")


def message_id(number: int) -> str:
    """Return the message_id of an order, the first of which is 1: as random as those of storefronts are."""
    return _uuid(f"order {number}")


def _uuid(text: str) -> str:
    return str(uuid.UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()))


def body_of(number: int) -> Mapping[str, Any] | None:
    """Return the request that an order was placed by; None for one that names ids, which are the database's."""
    place = (number - 1) % PLACED
    if place >= len(FIRST):
        return None
    return {"paymentmethod": "paypal", **FIRST[place]}


async def fill(url: str, orders: int) -> None:
    """Fill a migrated database that has the sample catalogue with so many orders, and with all that comes with them."""
    async with Database(url) as database:
        await pattern.place(database)
    plan = await _plan(url, orders)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:

        def run(what: str, share: range) -> asyncio.Future[None]:
            return loop.run_in_executor(processes, _in_process, url, plan, what, share)

        rest = asyncio.create_task(_multiply(url, plan, *TABLES[3:]))
        shares = plan.shares(PROCESSES)
        await asyncio.gather(*(run("numbers", share) for share in shares))
        await asyncio.gather(
            rest,
            _multiply(url, plan, *TABLES[:3], "invoice_lines"),
            *(run("answers", share) for share in shares),
        )
    await _finish(url)


# ---------------------------------------------------------------- the plan


@dataclass(frozen=True, slots=True)
class Plan:
    """How many orders, and where each table's new ids begin. Order n is of round (n - 1) // PLACED."""

    orders: int
    until: datetime  # when the last one is placed
    step: timedelta  # from one to the next
    bases: Mapping[str, int]  # table → highest id that there was
    counts: Mapping[str, int]  # table → rows of the pattern
    order_number_key: bytes

    @property
    def rounds(self) -> int:
        return -(-self.orders // PLACED)

    def shares(self, parts: int) -> list[range]:
        """Share the rounds out, so that each part has a stretch of them."""
        size = -(-self.rounds // parts)
        return [range(begin, min(begin + size, self.rounds)) for begin in range(0, self.rounds, size)]

    def numbers(self, rounds: range) -> range:
        return range(rounds.start * PLACED + 1, min(rounds.stop * PLACED, self.orders) + 1)

    def moment(self, number: int) -> datetime:
        return self.until - (self.orders - number) * self.step

    def id_of(self, table: str, round_: int, rank: int) -> int:
        return self.bases[table] + round_ * self.counts[table] + rank


async def _plan(url: str, orders: int) -> Plan:
    async with _connected(url) as connection:
        await connection.execute(pattern.NUMBERED)
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM pattern.{table}") for table in TABLES}
        assert counts["orders"] == PLACED, "the database had orders before"
        return Plan(
            orders=orders,
            until=await connection.fetchval("SELECT date_trunc('second', now())"),
            step=SPREAD // orders,
            bases={table: await connection.fetchval(f"SELECT max(id) FROM {table}") for table in TABLES},
            counts=counts,
            order_number_key=(await connection.fetchval("SELECT order_number_key FROM catalogue")).bytes,
        )


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    """Connect without any bound on a statement, and without looking up foreign keys row by row."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute("SET timezone = 'UTC'")
        yield connection
    finally:
        await connection.close()


# ---------------------------------------------------------------- set by set


def _columns_of(plan: Plan) -> Mapping[str, Mapping[str, str]]:
    """Say in SQL what differs from the pattern's row, by table and column; n is the order's number, k its round."""

    def id_(table: str, rank: str = "rank", round_: str = "k") -> str:
        return f"{plan.bases[table]} + {round_} * {plan.counts[table]} + {rank}"

    def item_id() -> str:
        tables = {"service": "services", "addon": "service_addons", "domain": "domains"}
        cases = (f"WHEN item_kind LIKE '{kind}%' THEN {id_(table, 'item_rank')}" for kind, table in tables.items())
        return f"CASE {' '.join(cases)} END"

    def own(column: str) -> str:
        return f"replace({column}, '{WORD}', 'shop' || n || '-')"

    step = plan.step // timedelta(microseconds=1)
    moment = f"timestamptz '{plan.until.isoformat()}' - ({plan.orders} - n) * interval '{step} microseconds'"
    day = f"({moment})::date"
    client = id_("clients", "client_rank", f"(k / {ROUNDS_A_CLIENT})")
    order = id_("orders", "place")
    return {
        "inbox": {
            "id": id_("inbox"),
            "message_id": f"md5(CASE WHEN message_id LIKE '{WORD}%' THEN 'order ' ELSE 'rejected ' END || n)::uuid",
            "first_seen": moment,
        },
        "orders": {
            "id": order,
            "order_number": "(SELECT order_number FROM pattern.numbers WHERE number = n)",
            "request_id": id_("inbox", "request_rank"),
            "client_id": client,
            "placed_at": moment,
        },
        "services": {
            "id": id_("services"),
            "order_id": order,
            "client_id": client,
            "domain": own("domain"),
            "next_due": day,
        },
        "service_addons": {
            "id": id_("service_addons"),
            "order_id": order,
            "service_id": id_("services", "service_rank"),
            "next_due": day,
        },
        "domains": {
            "id": id_("domains"),
            "order_id": order,
            "client_id": client,
            "name": own("name"),
            "name_unicode": own("name_unicode"),
            "next_due": day,
            "expires": f"{day} + (expires - next_due)",
        },
        "renewals": {
            "id": id_("renewals"),
            "order_id": order,
            "service_id": id_("services", "service_rank"),
            "domain_id": id_("domains", "domain_rank"),
        },
        "invoices": {"id": id_("invoices"), "order_id": order, "client_id": client, "date": day, "due": day},
        "invoice_lines": {
            "invoice_id": id_("invoices", "invoice_rank"),
            "item_id": item_id(),
            "description": own("description"),
        },
    }


CLONE_CLIENTS = """
    INSERT INTO clients (
        id, first_name, last_name, company_name, email, language, address1, city, postcode, state, country, currency,
        tax_exempt, group_id, credit, status
    )
    SELECT
        $1::bigint + clone * $2::bigint + rank, first_name, last_name, company_name,
        'client' || $1::bigint + clone * $2::bigint + rank || '@example.com', language, address1, city, postcode, state,
        country, currency, tax_exempt, group_id, credit, status
    FROM generate_series(0, $3::bigint) AS clone
    CROSS JOIN pattern.clients
"""


async def _multiply(url: str, plan: Plan, *tables: str) -> None:
    """Write the rows of every order, table by table, in the order of the orders."""
    async with _connected(url) as connection:
        for table in tables:
            if table == "clients":
                last = (plan.rounds - 1) // ROUNDS_A_CLIENT
                await connection.execute(CLONE_CLIENTS, plan.bases["clients"], plan.counts["clients"], last)
                continue
            different = _columns_of(plan)[table]
            rows = await connection.fetch(COLUMNS, table)
            written = {row["column_name"]: different.get(row["column_name"], f"t.{row['column_name']}") for row in rows}
            # A request that was rejected comes with the last order of its round.
            await connection.execute(
                f"""
                INSERT INTO {table} ({", ".join(written)}) OVERRIDING SYSTEM VALUE
                SELECT {", ".join(written.values())}
                FROM generate_series(0::bigint, $1::bigint) AS k
                CROSS JOIN LATERAL (
                    SELECT *, k * {PLACED} + coalesce(place, {PLACED}) AS n
                    FROM (SELECT * FROM pattern.{table} ORDER BY {"place" if table == "orders" else "rank"}) AS numbered
                ) AS t
                WHERE n <= {plan.orders}
                """,
                plan.rounds - 1,
            )


COLUMNS = """
    SELECT column_name
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = $1
    ORDER BY ordinal_position
"""


# ---------------------------------------------------------------- what was said


def _in_process(url: str, plan: Plan, what: str, rounds: range) -> None:
    asyncio.run({"numbers": _write_numbers, "answers": _write_answers}[what](url, plan, rounds))


async def _write_numbers(url: str, plan: Plan, rounds: range) -> None:
    """Make the ten-digit numbers that the worker would give these orders, so that it can go on behind them."""
    base, key = plan.bases["orders"], plan.order_number_key
    rows = ((number, order_number(base + number, key)) for number in plan.numbers(rounds))
    async with _connected(url) as connection:
        await connection.copy_records_to_table("numbers", schema_name="pattern", records=rows)


async def _write_answers(url: str, plan: Plan, rounds: range) -> None:
    async with _connected(url) as connection:
        ranks = await _ranks(connection)
        said = [
            Said.of(row, ranks) for row in await connection.fetch("SELECT * FROM pattern.answers ORDER BY request_rank")
        ]
        for begin in range(rounds.start, rounds.stop, ROUNDS_AT_ONCE):
            some = range(begin, min(begin + ROUNDS_AT_ONCE, rounds.stop))
            named = await connection.fetch(NAMED, plan.numbers(some)[0], plan.numbers(some)[-1])
            names = {row["number"]: row["order_number"] for row in named}
            rows = [row for round_ in some for one in said if (row := _answer(one, plan, round_, names)) is not None]
            await connection.copy_records_to_table("answers", records=rows, columns=ANSWER_COLUMNS)


NAMED = "SELECT number, order_number FROM pattern.numbers WHERE number BETWEEN $1 AND $2"
ANSWER_COLUMNS = ("request_id", "outcome", "replays", "reply", "events", "answered_at", "published_at")


async def _ranks(connection: Connection) -> Ranks:
    return {
        table: {row["id"]: row["rank"] for row in await connection.fetch(f"SELECT id, rank FROM pattern.{table}")}
        for table in ("services", "service_addons", "domains")
    }


def _answer(said: Said, plan: Plan, round_: int, order_numbers: Mapping[int, str]) -> tuple[Any, ...] | None:
    """Make an answer of another round; None where that round has no such order any more."""
    number = round_ * PLACED + (said.place or PLACED)
    if number > plan.orders:
        return None
    moment = plan.moment(number)
    reply, events = said.of_order(
        CALLER,
        message_id(number) if said.place else _uuid(f"rejected {number}"),
        lambda table, rank: plan.id_of(table, round_, rank),
        {
            "time": moment.isoformat().replace("+00:00", "Z"),
            "day": moment.date(),
            "shop": f"shop{number}-",
            "order": plan.bases["orders"] + number,
            "ordernum": order_numbers[number],
            "client": plan.id_of("clients", round_ // ROUNDS_A_CLIENT, said.client_rank or 0),
            "invoice": plan.id_of("invoices", round_, said.invoice_rank or 0),
        },
    )
    request_id = plan.id_of("inbox", round_, said.request_rank)
    return request_id, said.outcome, 0, reply, events, moment, moment


# ---------------------------------------------------------------- the end


async def _finish(url: str) -> None:
    """Move the sequences on, and leave nothing for later that would disturb a measurement."""
    async with _connected(url) as connection:
        await connection.execute("DROP SCHEMA pattern CASCADE")
        for table in TABLES[1:]:
            await connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
            )
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("url", nargs="?", default=os.environ.get("ORDERS_POSTGRES_URL"))
    arguments = parser.parse_args()
    if not arguments.url:
        parser.error("which database? Name its URL, or set ORDERS_POSTGRES_URL")
    began = time.monotonic()
    asyncio.run(fill(arguments.url, arguments.orders))
    sys.stdout.write(f"{arguments.orders:,} orders in {time.monotonic() - began:.1f} s\n")


if __name__ == "__main__":
    main()
