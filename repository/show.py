"""What lies in the archive, for people to look at."""

from collections.abc import Mapping
from typing import Any

from repository import queries
from repository.database import Connection

SQL = queries.load("show.sql")

TABLES = ("order", "services", "service_addons", "domains", "renewals", "invoices", "invoice_lines")


async def order(connection: Connection, order_id: int) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of an order by table; tables without any are left out."""
    found = {table: await connection.fetch(SQL[table], order_id) for table in TABLES}
    return {table: [dict(row) for row in rows] for table, rows in found.items() if rows}


async def count_orders(connection: Connection) -> int:
    count: int = await connection.fetchval(SQL["count_orders"])
    return count
