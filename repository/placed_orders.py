"""Placed orders, read from their rows: the one reader, for repeats and for people who look. Never what is secret."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import asyncpg

from repository import queries
from repository.database import Connection
from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import Buyer, Client, DomainName, RenewalKind, TaxAmount
from schemas.recorded import (
    RecordedAddon,
    RecordedBill,
    RecordedChange,
    RecordedDomain,
    RecordedInvoice,
    RecordedLine,
    RecordedOption,
    RecordedOrder,
    RecordedPromotion,
    RecordedRenewal,
    RecordedService,
)
from schemas.shop_settings import Seller

SQL = queries.load("placed_orders.sql")

Row = dict[str, Any]
Value = TypeVar("Value")


async def read(connection: Connection, order_ids: Sequence[int]) -> dict[int, RecordedOrder]:
    """Read orders with all that was born with them: one statement a table."""
    if not order_ids:
        return {}
    services = await _fetch(connection, "services", order_ids, _service)
    addons = await _fetch(connection, "addons", order_ids, _addon)
    domains = await _fetch(connection, "domains", order_ids, _domain)
    renewals = await _fetch(connection, "renewals", order_ids, _renewal)
    invoices = await _fetch(connection, "invoices", order_ids, _invoice)
    lines = await _fetch(connection, "invoice_lines", order_ids, lambda row: RecordedLine(**row))
    history = await _fetch(connection, "history", order_ids, lambda row: RecordedChange(**row))
    return {
        row["id"]: RecordedOrder(
            id=row["id"],
            order_number=row["order_number"],
            status=row["status"],
            placed_at=row["placed_at"],
            date=row["placed_on"] or row["placed_at"].date(),
            catalogue_version=row["catalogue_version"],
            asked_by=row["asked_by"],
            contact_id=row["contact_id"],
            client=_client(row),
            currency=row["currency"],
            amount=row["amount"],
            payment_method=row["payment_method"],
            promotion=_promotion(row),
            affiliate_id=row["affiliate_id"],
            warnings=tuple(row["warnings"]),
            services=tuple(services[row["id"]]),
            addons=tuple(addons[row["id"]]),
            domains=tuple(domains[row["id"]]),
            renewals=tuple(renewals[row["id"]]),
            invoice=next(iter(invoices[row["id"]]), None),
            lines=tuple(lines[row["id"]]),
            history=tuple(history[row["id"]]),
            bill=None if row["bill"] is None else _bill(row["bill"]),
        )
        for row in await connection.fetch(SQL["orders"], order_ids)
    }


async def _fetch(
    connection: Connection, query: str, order_ids: Sequence[int], make: Callable[[Row], Value]
) -> Mapping[int, list[Value]]:
    """Read a table, by order."""
    found = defaultdict[int, list[Value]](list)
    for record in await connection.fetch(SQL[query], order_ids):
        row = dict(record)
        found[row.pop("order_id")].append(make(row))
    return found


def _service(row: Row) -> RecordedService:
    options = tuple(RecordedOption(*option) for option in row["options"])
    fields = tuple(row["custom_fields"])
    return RecordedService(**{**row, "cycle": BillingCycle(row["cycle"]), "options": options, "custom_fields": fields})


def _addon(row: Row) -> RecordedAddon:
    return RecordedAddon(**{**row, "cycle": BillingCycle(row["cycle"])})


def _domain(row: Row) -> RecordedDomain:
    name = DomainName(row["name"], row.pop("name_unicode"))
    extras = frozenset(map(Extra, row["extras"]))
    nameservers = tuple(row["nameservers"])
    return RecordedDomain(
        **{**row, "name": name, "type": DomainType(row["type"]), "extras": extras, "nameservers": nameservers}
    )


def _renewal(row: Row) -> RecordedRenewal:
    cycle = None if row["cycle"] is None else BillingCycle(row["cycle"])
    domain = None if row["domain"] is None else DomainName(row["domain"], row["name"])
    return RecordedRenewal(**{**row, "kind": RenewalKind(row["kind"]), "domain": domain, "cycle": cycle})


def _invoice(row: Row) -> RecordedInvoice:
    client, seller = row["client"], row["seller"]
    return RecordedInvoice(
        **{
            **row,
            "taxes": None if row["taxes"] is None else _taxes(row["taxes"]),
            "client": None if client is None else Buyer(**client),
            "seller": None if seller is None else Seller(**seller),
        }
    )


def _bill(written: Row) -> RecordedBill:
    """Read what JSON has as text: amounts and days."""
    lines = (RecordedLine(**{**line, "amount": Decimal(line["amount"])}) for line in written["lines"])
    return RecordedBill(
        **{
            **written,
            "lines": tuple(lines),
            "subtotal": Decimal(written["subtotal"]),
            "discount": Decimal(written["discount"]),
            "taxes": _taxes(written["taxes"]),
            "due": date.fromisoformat(written["due"]),
            "seller": Seller(**written["seller"]),
        }
    )


def _taxes(written: Sequence[Row]) -> tuple[TaxAmount, ...]:
    return tuple(
        TaxAmount(**{**tax, **{name: Decimal(tax[name]) for name in ("rate", "base", "amount")}}) for tax in written
    )


def _client(row: asyncpg.Record) -> Client:
    return Client(
        id=row["client_id"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        company_name=row["company_name"],
        email=row["email"],
        language=row["language"],
        address1=row["address1"],
        address2=row["address2"],
        city=row["city"],
        state=row["state"],
        postcode=row["postcode"],
        country=row["country"],
        tax_id=row["tax_id"],
        currency=row["client_currency"],
        tax_exempt=row["tax_exempt"],
        group_id=row["group_id"],
        status=row["client_status"],
    )


def _promotion(row: asyncpg.Record) -> RecordedPromotion | None:
    if row["promotion_id"] is None:
        return None
    return RecordedPromotion(
        id=row["promotion_id"], code=row["promotion_code"], type=row["promotion_type"], value=row["promotion_value"]
    )
