"""What a batch must know and lock before it decides: one statement a table, and none for a table nobody asks about."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from repository import queries
from repository.database import Connection
from schemas.catalog import BillingCycle, Extra
from schemas.order import Client, Facts, OwnedAddon, OwnedDomain, OwnedService, Totals, Wanted

SQL = queries.load("facts.sql")


@dataclass(frozen=True, slots=True)
class Moment:
    """When the batch's transaction is: by the database's clock, so that a worker's may be wrong."""

    now: datetime
    today: date  # UTC
    catalogue_version: int


async def moment(connection: Connection) -> Moment:
    row = await connection.fetchrow(SQL["moment"])
    assert row is not None, "the migrations make the one row of the catalogue"
    return Moment(row["now"], row["today"], row["version"])


async def lock_clients(connection: Connection, wanted: Wanted) -> None:
    """Let clients whose history decides have one order at a time."""
    assert connection.is_in_transaction()
    await _fetch(connection, "lock_clients", wanted.history_clients)


async def lock_totals(connection: Connection, wanted: Wanted) -> None:
    """Let nobody else use up what these requests may: products, then promotions, each by id."""
    assert connection.is_in_transaction()
    await _fetch(connection, "lock_stock", wanted.stock_products)
    await _fetch(connection, "lock_promotion_uses", wanted.limited_promotions)


async def totals(connection: Connection, wanted: Wanted) -> Totals:
    """Read how stock, promotions and histories stand. What is not locked may be used up the moment after."""
    stock = await _fetch(connection, "stock", wanted.stock_products)
    uses = await _fetch(connection, "promotion_uses", wanted.limited_promotions)
    history = await _fetch(connection, "history", wanted.history_clients)
    return Totals(
        stock={row["product_id"]: row["quantity"] for row in stock},
        promotion_uses={row["promotion_id"]: row["uses"] for row in uses},
        earlier_orders=frozenset(row["client_id"] for row in history),
        used_promotions=frozenset(
            (row["client_id"], promotion) for row in history for promotion in row["promotions"] or ()
        ),
    )


async def read(connection: Connection, wanted: Wanted, today: date) -> Facts:
    """Read everything that the requests name. What is not there is simply absent."""
    return Facts(
        today=today,
        clients={row["id"]: Client(**row) for row in await _fetch(connection, "clients", wanted.clients)},
        contacts={row["id"]: row["client_id"] for row in await _fetch(connection, "contacts", wanted.contacts)},
        services={row["id"]: _service(row) for row in await _fetch(connection, "services", wanted.services)},
        addons={row["id"]: _addon(row) for row in await _fetch(connection, "service_addons", wanted.addons)},
        domains=await _domains(connection, wanted.domains),
        owned_products={
            row["client_id"]: frozenset(row["products"])
            for row in await _fetch(connection, "owned_products", wanted.owned_products_clients)
        },
    )


async def _fetch(connection: Connection, query: str, ids: Collection[int]) -> list[asyncpg.Record]:
    return await connection.fetch(SQL[query], sorted(ids)) if ids else []


def _service(row: asyncpg.Record) -> OwnedService:
    return OwnedService(**{**row, "cycle": BillingCycle(row["cycle"])})


def _addon(row: asyncpg.Record) -> OwnedAddon:
    return OwnedAddon(**{**row, "cycle": BillingCycle(row["cycle"])})


async def _domains(
    connection: Connection, wanted: Collection[tuple[int, str]]
) -> dict[tuple[int, str], tuple[OwnedDomain, ...]]:
    if not wanted:
        return {}
    clients, names = zip(*sorted(wanted), strict=True)
    found = defaultdict[tuple[int, str], list[OwnedDomain]](list)
    for row in await connection.fetch(SQL["domains"], clients, names):
        extras = frozenset(map(Extra, row["extras"]))
        found[row["client_id"], row["name"]].append(OwnedDomain(**{**row, "extras": extras}))
    return {key: tuple(domains) for key, domains in found.items()}
