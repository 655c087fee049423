"""The product: a shop's file loaded into a database of its own, and requests through the worker's own line."""

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from repository import catalog as catalogue
from repository import scratch
from repository.database import Connection, Database
from schemas import catalog_file
from tests.deliveries import context_of, delivery
from tests.shop import CLOCK
from worker.pipeline.carry_out import carry_out
from worker.pipeline.context import Context

ROWS = {
    "orders": "SELECT * FROM orders WHERE id = $1",
    "services": "SELECT * FROM services WHERE order_id = $1 ORDER BY id",
    "addons": "SELECT * FROM service_addons WHERE order_id = $1 ORDER BY id",
    "domains": "SELECT * FROM domains WHERE order_id = $1 ORDER BY id",
    "renewals": "SELECT * FROM renewals WHERE order_id = $1 ORDER BY id",
    "invoices": "SELECT * FROM invoices WHERE order_id = $1",
    "lines": """
        SELECT line.* FROM invoice_lines AS line
        JOIN invoices ON invoices.id = line.invoice_id
        WHERE invoices.order_id = $1
        ORDER BY line.position
    """,
}
STOCK = "SELECT product_id, quantity FROM product_stock ORDER BY product_id"
CANCELLED = "SELECT id FROM orders WHERE status = 'Cancelled' AND request_id IS NOT NULL ORDER BY id"
USES = "SELECT promotion_id, uses FROM promotion_uses ORDER BY promotion_id"


@dataclass(frozen=True)
class Returned:
    """What became of a request: its reply, what was announced, and what is in the tables."""

    reply: Mapping[str, Any]
    events: Mapping[str, Mapping[str, Any]]  # the data of each, by type
    rows: Mapping[str, list[Mapping[str, Any]]]
    stock: Mapping[int, int]
    uses: Mapping[int, int]
    cancelled: tuple[int, ...]  # orders that gave way to this one


class Product:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._number = 0
        self._cancelled: set[int] = set()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, server_url: str, template: str, shop: Mapping[str, Any], now: str
    ) -> "AsyncIterator[Product]":
        """Load a shop into a copy of `template`, an empty database with our tables, where it is `now` from then on."""
        name = f"orders_test_{uuid.uuid4().hex[:12]}"
        url = await scratch.clone(server_url, name, template)
        try:
            async with Database(url) as database, database.transaction() as connection:
                await connection.execute(CLOCK.format(at=now))
            async with Database(url) as database:
                async with database.transaction() as connection:
                    await catalogue.load(connection, catalog_file.parse(json.dumps(shop)), by="tests")
                context = context_of(database)
                await context.open()
                yield cls(context)
        finally:
            await scratch.drop(server_url, name)

    async def today(self) -> date:
        """Return today as the shop has it."""
        asked = "SELECT (now() AT TIME ZONE coalesce(timezone, 'UTC'))::date FROM catalogue"
        async with self._context.database.transaction() as connection:
            found: date = await connection.fetchval(asked)
        return found

    async def ask(self, request: Mapping[str, Any]) -> Returned:
        self._number += 1
        asked = delivery(self._number, f"reference-{self._number}", request)
        [ended] = await carry_out([asked], self._context)
        assert ended.reply is not None, ended
        events = [json.loads(event.body) for event in ended.events]
        async with self._context.database.transaction() as connection:
            before = self._cancelled
            self._cancelled = {row["id"] for row in await connection.fetch(CANCELLED)}
            return Returned(
                reply=ended.reply.members,
                events={event["type"]: event["data"] for event in events},
                rows={kind: await _fetch(connection, sql, ended.reply.members) for kind, sql in ROWS.items()},
                stock={row["product_id"]: row["quantity"] for row in await connection.fetch(STOCK)},
                uses={row["promotion_id"]: row["uses"] for row in await connection.fetch(USES)},
                cancelled=tuple(sorted(self._cancelled - before)),
            )


async def _fetch(connection: Connection, sql: str, reply: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    order_id = reply.get("orderid")
    return [dict(row) for row in await connection.fetch(sql, order_id)] if order_id else []
