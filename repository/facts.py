"""What a batch must know before it decides, in one statement; and what it must lock for that."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from repository import queries
from repository.database import Connection
from schemas.catalog import BillingCycle, Extra
from schemas.order import (
    Client,
    Facts,
    FactsNeeded,
    OpenInvoice,
    OpenOrder,
    OpenRenewal,
    OwnedAddon,
    OwnedDomain,
    OwnedService,
    Recurring,
    RenewalKind,
    Take,
    TakeKind,
    Totals,
)

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
    """Let clients whose history decides, and who renew something, have one order at a time."""
    assert connection.is_in_transaction()
    await _lock(connection, "lock_clients", needed.locked_clients)


async def lock_renewed(connection: Connection, needed: FactsNeeded) -> None:
    """Let nobody else change what these requests renew or extend, nor the orders that renew it already."""
    assert connection.is_in_transaction()
    if needed.renewing_clients or needed.services:
        await connection.fetch(SQL["lock_renewed"], *_renewed(needed))


def _renewed(needed: FactsNeeded) -> tuple[list[int], list[str], list[int], list[int]]:
    domains = sorted(needed.domains)
    return (
        [client_id for client_id, _ in domains],
        [name for _, name in domains],
        sorted(needed.services),
        sorted(needed.addons),
    )


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
        sorted(needed.locked_clients),
        sorted(needed.services),
        sorted(needed.addons),
        [client_id for client_id, _ in domains],
        [name for _, name in domains],
        sorted(needed.stock_products),
        sorted(needed.limited_promotions),
    )
    assert row is not None, "a SELECT without FROM has one row"
    kinds = ("clients", "services", "addons", "stock_products", "limited_promotions")
    locked_clients = frozenset(row["locked_clients"])
    things = FactsNeeded(
        **{kind: frozenset(row[kind]) for kind in kinds},
        history_clients=locked_clients,
        renewing_clients=locked_clients,
        domains=frozenset(map(tuple, row["domains"])),
    )
    return Held(things, frozenset(map(Holder._make, row["holders"])))


async def _lock(connection: Connection, query: str, ids: Collection[int]) -> None:
    if ids:
        await connection.fetch(SQL[query], sorted(ids))


async def read(connection: Connection, needed: FactsNeeded) -> FactsRead:
    """Read everything that the requests name. Of totals, what is not locked may be used up the moment after."""
    domains = sorted(needed.domains | needed.ordered_names)
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
        open_orders=await _open_orders(connection, needed) if needed.renewing_clients else {},
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
    own, recurring = columns[:-4], Recurring(*columns[-4:])
    service_id, client_id, product_id, cycle, domain, status, renewable, next_due, is_unpaid = own
    return OwnedService(
        service_id,
        client_id,
        product_id,
        BillingCycle(cycle),
        domain,
        status,
        renewable,
        next_due,
        is_unpaid,
        recurring,
    )


def _addon(columns: tuple[Any, ...]) -> OwnedAddon:
    own_id, client_id, service_id, addon_id, cycle = columns[:5]
    status, renewable, next_due, is_unpaid, service_status, service_renewable = columns[5:-4]
    return OwnedAddon(
        id=own_id,
        client_id=client_id,
        service_id=service_id,
        addon_id=addon_id,
        cycle=BillingCycle(cycle),
        status=status,
        renewable=renewable,
        next_due=next_due,
        is_unpaid=is_unpaid,
        service_status=service_status,
        service_renewable=service_renewable,
        recurring=Recurring(*columns[-4:]),
    )


def _domains(found: Iterable[tuple[Any, ...]]) -> dict[tuple[int, str], tuple[OwnedDomain, ...]]:
    named = defaultdict[tuple[int, str], list[OwnedDomain]](list)
    for own_id, client_id, name, status, expires, paid_until, free_with, extras in found:
        domain = OwnedDomain(
            own_id, client_id, name, status, expires, paid_until, free_with, frozenset(map(Extra, extras))
        )
        named[domain.client_id, domain.name].append(domain)
    return {key: tuple(domains) for key, domains in named.items()}


async def _open_orders(connection: Connection, needed: FactsNeeded) -> dict[int, tuple[OpenOrder, ...]]:
    """Read the orders that are not paid and renew something of what is to be renewed, by client, oldest first."""
    found = defaultdict[int, list[OpenOrder]](list)
    for row in await connection.fetch(SQL["open_orders"], *_renewed(needed)):
        found[row["client_id"]].append(
            OpenOrder(
                id=row["id"],
                order_number=row["order_number"],
                client_id=row["client_id"],
                status=row["status"],
                invoice=None if row["invoice"] is None else OpenInvoice(*row["invoice"]),
                has_only_renewals=row["has_only_renewals"],
                promotion_id=row["promotion_id"],
                renewals=tuple(OpenRenewal(RenewalKind(kind), *others) for kind, *others in row["renewals"]),
                takes=tuple(Take(TakeKind(kind), thing_id, units) for kind, thing_id, units in row["takes"]),
            )
        )
    return {client_id: tuple(orders) for client_id, orders in found.items()}
