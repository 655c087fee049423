"""What a batch must know before it decides, in one statement; and what it must lock for that."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from repository import queries
from repository.database import Connection
from schemas.catalog import BillingCycle, Extra
from schemas.order import Client, Facts, FactsNeeded, OwnedAddon, OwnedDomain, OwnedService, Totals

SQL = queries.load("facts.sql")


@dataclass(frozen=True, slots=True)
class AsOf:
    """When the batch's transaction is: by the database's clock, so that a worker's may be wrong."""

    now: datetime
    today: date  # in the shop's time zone
    catalogue_version: int
    credentials_version: int


@dataclass(frozen=True, slots=True)
class FactsRead:
    """What the database says, at one moment. What is not there is simply absent."""

    as_of: AsOf
    facts: Facts
    totals: Totals


class Holder(NamedTuple):
    """A session of the database that has something locked. `pid` is of the server's process."""

    pid: int
    user: str


@dataclass(frozen=True, slots=True)
class Held:
    """What others hold, and who perhaps does."""

    things: FactsNeeded
    holders: frozenset[Holder]


async def lock_clients(connection: Connection, needed: FactsNeeded) -> None:
    """Let clients whose history decides have one order at a time."""
    assert connection.is_in_transaction()
    await _lock(connection, "lock_clients", needed.history_clients)


async def lock_totals(connection: Connection, needed: FactsNeeded) -> None:
    """Let nobody else use up what these requests may: products, then promotions, each by id."""
    assert connection.is_in_transaction()
    await _lock(connection, "lock_stock", needed.stock_products)
    await _lock(connection, "lock_promotion_uses", needed.limited_promotions)


async def held(connection: Connection, needed: FactsNeeded) -> Held:
    """Look what of all this somebody else holds now; nothing is waited for. What is free is ours until the commit."""
    assert connection.is_in_transaction()
    domains = sorted(needed.domains)
    row = await connection.fetchrow(
        SQL["held"],
        sorted(needed.clients),
        sorted(needed.history_clients),
        sorted(needed.services),
        sorted(needed.addons),
        [client_id for client_id, _ in domains],
        [name for _, name in domains],
        sorted(needed.stock_products),
        sorted(needed.limited_promotions),
    )
    assert row is not None, "a SELECT without FROM has one row"
    kinds = ("clients", "history_clients", "services", "addons", "stock_products", "limited_promotions")
    things = FactsNeeded(
        **{kind: frozenset(row[kind]) for kind in kinds}, domains=frozenset(map(tuple, row["domains"]))
    )
    return Held(things, frozenset(map(Holder._make, row["holders"])))


async def _lock(connection: Connection, query: str, ids: Collection[int]) -> None:
    if ids:
        await connection.fetch(SQL[query], sorted(ids))


async def read(connection: Connection, needed: FactsNeeded) -> FactsRead:
    """Read everything that the requests name. Of totals, what is not locked may be used up the moment after."""
    domains = sorted(needed.domains)
    row = await connection.fetchrow(
        SQL["read"],
        sorted(needed.clients),
        sorted(needed.contacts),
        sorted(needed.services),
        sorted(needed.addons),
        [client_id for client_id, _ in domains],
        [name for _, name in domains],
        sorted(needed.owned_products_clients),
        sorted(needed.stock_products),
        sorted(needed.limited_promotions),
        sorted(needed.history_clients),
    )
    assert row is not None, "the migrations make the one row of the catalogue"
    facts = Facts(
        today=row["today"],
        clients={client[0]: Client(*client) for client in row["clients"]},
        contacts=dict(row["contacts"]),
        services={service.id: service for service in map(_service, row["services"])},
        addons={addon.id: addon for addon in map(_addon, row["addons"])},
        domains=_domains(row["domains"]),
        owned_products={client_id: frozenset(products) for client_id, products in row["owned_products"]},
        active_clients=frozenset(client_id for client_id, _, _, is_active in row["history"] if is_active),
    )
    totals = Totals(
        stock=dict(row["stock"]),
        promotion_uses=dict(row["uses"]),
        used_promotions={
            (client_id, promotion): orders for client_id, promotion, orders, _ in row["history"] if promotion and orders
        },
    )
    return FactsRead(AsOf(row["now"], row["today"], row["version"], row["credentials_version"]), facts, totals)


def _service(columns: tuple[Any, ...]) -> OwnedService:
    service_id, client_id, product_id, cycle, *others = columns
    return OwnedService(service_id, client_id, product_id, BillingCycle(cycle), *others)


def _addon(columns: tuple[Any, ...]) -> OwnedAddon:
    own_id, client_id, service_id, addon_id, cycle, *others = columns
    return OwnedAddon(own_id, client_id, service_id, addon_id, BillingCycle(cycle), *others)


def _domains(found: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], tuple[OwnedDomain, ...]]:
    named = defaultdict[tuple[int, str], list[OwnedDomain]](list)
    for own_id, client_id, name, years, recurring, status, expires, extras in found:
        domain = OwnedDomain(own_id, client_id, name, years, recurring, status, expires, frozenset(map(Extra, extras)))
        named[domain.client_id, domain.name].append(domain)
    return {key: tuple(domains) for key, domains in named.items()}
