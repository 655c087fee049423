"""Orders found by what they have: client, e-mail, domain, invoice, product, time, version of the catalogue."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from repository import queries
from repository.database import Connection

SQL = queries.load("find.sql")

AT_ONCE = 1_000  # orders of one stretch
LOOKED_AT_MAX = 50_000  # orders that one search goes through: a second or two
ID_MAX = 2**63 - 1
BEGINNING = datetime.min.replace(tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """An order is meant if it is so in every respect that is given. `domain`: the names that one may be kept under."""

    client_id: int | None = None
    email: str | None = None
    domain: tuple[str, ...] | None = None
    invoice_id: int | None = None
    product_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    catalogue_version: int | None = None


@dataclass(frozen=True, slots=True)
class FoundOrder:
    """What is told of an order in a line. `message_id` is None where it did not come through the queue."""

    id: int
    order_number: str
    placed_at: datetime
    client_id: int
    status: str
    currency: str
    amount: Decimal
    asked_by: str | None
    catalogue_version: int | None
    invoice_id: int | None
    message_id: str | None
    items: tuple[str, ...]  # the first of them


@dataclass(frozen=True, slots=True)
class Result:
    """`is_whole` is False where more may be so than was looked at."""

    orders: list[FoundOrder]
    is_whole: bool


async def find(connection: Connection, criteria: Criteria, most: int) -> Result:
    """Find orders, the newest first. The caller holds a snapshot."""
    found: list[FoundOrder] = []
    looked_at = 0
    async with aclosing(_candidates(connection, criteria)) as stretches:
        async for ids in stretches:
            looked_at += len(ids)
            found += await _matching(connection, ids, criteria)
            if len(found) > most or looked_at >= LOOKED_AT_MAX:
                return Result(found[:most], is_whole=False)
    return Result(found, is_whole=True)


async def _candidates(connection: Connection, criteria: Criteria) -> AsyncGenerator[list[int]]:
    """Lead to orders by what there is least of."""
    by_one = (
        ("by_invoice", criteria.invoice_id),
        ("by_domain", criteria.domain),
        ("by_email", criteria.email),
        ("by_client", criteria.client_id),
        ("by_product", criteria.product_id),
        ("by_version", criteria.catalogue_version),
    )
    query, value = next(((query, value) for query, value in by_one if value is not None), ("newest", None))
    if value is None and (criteria.since or criteria.until):
        since, until = criteria.since or BEGINNING, criteria.until or END
        for offset in range(0, LOOKED_AT_MAX, AT_ONCE):
            rows = await connection.fetch(SQL["by_time"], since, until, offset, AT_ONCE)
            if rows:
                yield [row["id"] for row in rows]
            if len(rows) < AT_ONCE:
                return
        return
    before = ID_MAX
    while True:
        rows = await connection.fetch(SQL[query], *(() if value is None else (value,)), before, AT_ONCE)
        if rows:
            yield [row["id"] for row in rows]
        if len(rows) < AT_ONCE:
            return
        before = rows[-1]["id"]


async def _matching(connection: Connection, ids: Sequence[int], criteria: Criteria) -> list[FoundOrder]:
    rows = await connection.fetch(
        SQL["matching"],
        ids,
        criteria.client_id,
        criteria.email,
        criteria.domain,
        criteria.invoice_id,
        criteria.product_id,
        criteria.since,
        criteria.until,
        criteria.catalogue_version,
    )
    return [FoundOrder(**{**row, "items": tuple(row["items"])}) for row in rows]
