"""Orders, all that is born with them, and their answers: one set-based statement for a whole batch."""

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from repository import queries
from repository.database import Connection
from repository.inbox import Answer
from repository.order_numbers import order_number
from repository.sealed import seal_field
from schemas.catalog import Catalog
from schemas.order import (
    PlacedOrder,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedRenewal,
    PricedService,
    RenewalKind,
    Take,
    TakeKind,
)

SQL = queries.load("orders.sql")

ITEM_TABLES = ("services", "service_addons", "domains", "renewals")  # as the statement takes them

# What takes each, in the order of the locks: products, promotions; services and addons are locked already.
_TAKING = {
    TakeKind.STOCK: "take_stock",
    TakeKind.PROMOTION_USE: "count_uses",
    TakeKind.SERVICE_DISCOUNT: "take_service_discounts",
    TakeKind.ADDON_DISCOUNT: "take_addon_discounts",
}

Row = dict[str, Any]  # a row on its way to Postgres, as JSON
Encrypt = Callable[[str], bytes]  # what is kept secret at rest


class UsedUp(Exception):
    """Others took the last of something between the decision and the commit."""


@dataclass(frozen=True, slots=True)
class OrderToPlace:
    request_id: int
    asked_by: str
    order: PricedOrder


async def allocate(connection: Connection, orders: Sequence[OrderToPlace], key: bytes) -> list[PlacedOrder]:
    """Give ids to orders and all born with them, in the same order. Nothing is written yet."""
    if not orders:
        return []
    kinds = Counter(type(item) for one in orders for item in one.order.items)
    invoices = sum(one.order.bill.invoiced for one in orders)
    row = await connection.fetchrow(
        SQL["allocate"], len(orders), kinds[PricedService], kinds[PricedAddon], kinds[PricedDomain], invoices
    )
    assert row is not None, "a SELECT without FROM has one row"
    invoice_ids = iter(row["invoices"])
    ids: dict[type, Iterator[int]] = {
        PricedService: iter(row["services"]),
        PricedAddon: iter(row["service_addons"]),
        PricedDomain: iter(row["domains"]),
    }
    return [
        PlacedOrder(
            order_id=order_id,
            order_number=order_number(order_id, key),
            invoice_id=next(invoice_ids) if one.order.bill.invoiced else 0,
            item_ids=tuple(
                item.target_id if isinstance(item, PricedRenewal) else next(ids[type(item)]) for item in one.order.items
            ),
        )
        for order_id, one in zip(row["orders"], orders, strict=True)
    ]


async def place(  # all that one statement writes
    connection: Connection,
    orders: Sequence[tuple[OrderToPlace, PlacedOrder]],
    answers: Sequence[Answer],
    *,
    catalog: Catalog,
    encrypt: Encrypt,
) -> None:
    """Write orders under the ids that they were given, and remember what requests were answered, placed or not.

    The caller holds the transaction: nobody may ever see half an order, nor one whose answer is not known.
    """
    assert connection.is_in_transaction()
    if not (orders or answers):
        return
    items: dict[str, list[Row]] = {table: [] for table in ITEM_TABLES}
    for one, ids in orders:
        for item, item_id in zip(one.order.items, ids.item_ids, strict=True):
            table, row = _item_row(one.order, ids, item, item_id, encrypt)
            items[table].append(row)
    await connection.execute(
        SQL["place"],
        [_order_row(one, ids, catalog.version) for one, ids in orders],
        *(items[table] for table in ITEM_TABLES),
        [_invoice_row(one.order, ids) for one, ids in orders if ids.invoice_id],
        [row for one, ids in orders if ids.invoice_id for row in _invoice_line_rows(one.order, ids)],
        [row for one, ids in orders for row in _take_rows(one.order.takes, ids.order_id)],
        [answer.request_id for answer in answers],
        [answer.outcome for answer in answers],
        [answer.replays for answer in answers],
        [answer.reply.body.decode() for answer in answers],
        ["\n".join(answer.events) for answer in answers],  # JSON writes a line end inside a text as \\n
    )


async def supersede(connection: Connection, orders: Sequence[tuple[OrderToPlace, PlacedOrder]]) -> None:
    """Cancel the orders that these take the place of; `use_up` gives back what they took (addorder.md 5.7)."""
    pairs = [(one, ids, superseded) for one, ids in orders for superseded in one.order.supersedes]
    if not pairs:
        return
    changes = [
        {
            "id": superseded.id,
            "request_id": one.request_id,
            "from_status": superseded.status,
            "asked_by": one.asked_by,
            "details": {"superseded_by": ids.order_id},
        }
        for one, ids, superseded in pairs
    ]
    takes = [row for *_, superseded in pairs for row in _take_rows(superseded.takes, superseded.id)]
    await connection.execute(SQL["cancel"], changes, takes)


async def complete_renewals(connection: Connection, orders: Sequence[tuple[OrderToPlace, PlacedOrder]]) -> None:
    """Move the periods of what is renewed by orders that are paid as they are placed (addorder.md 5.12, born Paid)."""
    rows = [
        _renewal_row(one.order, ids, item)
        for one, ids in orders
        if one.order.bill.paid
        for item in one.order.items
        if isinstance(item, PricedRenewal)
    ]
    if rows:
        await connection.execute(SQL["move_periods"], rows)


async def use_up(connection: Connection, orders: Sequence[PricedOrder]) -> None:
    """Take what is counted: stock, uses of limited promotions, discounts of renewals; less what superseded orders had.

    The last thing in a transaction: whoever else wants some of it waits from here to the commit.

    Raises:
        UsedUp: there is not as much left as there was when the orders were priced. Nothing may be committed.
    """
    assert connection.is_in_transaction()
    taken = Counter[tuple[TakeKind, int]]()
    for order in orders:
        for take in order.takes:
            taken[take.kind, take.thing_id] += take.units
        for superseded in order.supersedes:
            for take in superseded.takes:
                taken[take.kind, take.thing_id] -= take.units
    try:
        for kind, query in _TAKING.items():
            units = {thing_id: units for (of, thing_id), units in taken.items() if of is kind and units}
            if units:
                await connection.execute(SQL[query], list(units), list(units.values()))
    except asyncpg.CheckViolationError as error:
        raise UsedUp from error


def _take_rows(takes: Iterable[Take], order_id: int) -> Iterator[Row]:
    for take in takes:
        yield {"order_id": order_id, "kind": take.kind, "thing_id": take.thing_id, "units": take.units}


def _order_row(one: OrderToPlace, ids: PlacedOrder, catalogue_version: int) -> Row:
    order, request, promotion = one.order, one.order.request, one.order.promotion
    return {
        "id": ids.order_id,
        "order_number": ids.order_number,
        "request_id": one.request_id,
        "client_id": order.client.id,
        "contact_id": request.contact_id,
        "currency": order.currency.code,
        "amount": order.bill.total,
        "payment_method": order.payment_method.name,
        "promotion_id": promotion and promotion.id,
        "promotion_code": promotion and promotion.code,
        "promotion_type": promotion and promotion.type,
        "promotion_value": promotion and promotion.value,
        "affiliate_id": order.affiliate_id,
        "client_ip": request.client_ip,
        "notes": request.notes,
        "nameservers": request.nameservers,
        "asked_by": one.asked_by,
        "catalogue_version": catalogue_version,
        "warnings": order.warnings,
        "placed_on": order.bill.date,
        "takes_written": True,
        "bill": None if ids.invoice_id else _bill(order, ids),
    }


def _bill(order: PricedOrder, ids: PlacedOrder) -> Row:
    """Write what is owed without an invoice as an invoice would have it."""
    bill = order.bill
    return {
        "lines": list(_line_rows(order, ids)),
        "subtotal": bill.subtotal,
        "discount": bill.discount,
        "taxes": bill.taxes,
        "tax_inclusive": bill.tax_inclusive,
        "due": bill.due,
        "seller": bill.seller,
        "tax_note": bill.tax_note,
    }


def _item_row(
    order: PricedOrder, ids: PlacedOrder, item: PricedItem, item_id: int, encrypt: Encrypt
) -> tuple[str, Row]:
    match item:
        case PricedService():
            return "services", _service_row(order, ids, item, item_id, encrypt)
        case PricedAddon():
            return "service_addons", _addon_row(order, ids, item, item_id)
        case PricedDomain():
            return "domains", _domain_row(order, ids, item, item_id, encrypt)
        case PricedRenewal():
            return "renewals", _renewal_row(order, ids, item)


def _priced_columns(order: PricedOrder, ids: PlacedOrder, item: PricedService | PricedAddon | PricedDomain) -> Row:
    promoted = order.promotion is not None and item.charge.promotion_discount is not None
    return {
        "order_id": ids.order_id,
        "first_payment": item.charge.first - item.charge.discount,
        # Of a domain null: its TLD is not renewed.
        "recurring": item.charge.recurring if isinstance(item, PricedDomain) else item.charge.recurring or 0,
        "recurring_full": item.charge.recurring_full,
        "discounts_left": item.charge.discounts_left,
        "promotion_id": order.promotion.id if order.promotion and promoted else None,
        "next_due": item.next_due,
        "period_end": item.period_end,
    }


def _service_row(order: PricedOrder, ids: PlacedOrder, item: PricedService, item_id: int, encrypt: Encrypt) -> Row:
    return {
        "id": item_id,
        **_priced_columns(order, ids, item),
        "client_id": order.client.id,
        "product_id": item.product_id,
        "domain": item.domain,
        "cycle": item.cycle,
        "quantity": item.quantity,
        "custom_fields": {
            str(field_id): seal_field(value, encrypt) if field_id in item.secret_fields else value
            for field_id, value in item.custom_fields.items()
        },
        "options": [
            {"option": option.option_id, "choice": option.choice_id, "quantity": option.quantity}
            for option in item.options
        ],
        "ns1_prefix": item.ns1_prefix,
        "ns2_prefix": item.ns2_prefix,
        "root_password_encrypted": _encrypted(item.root_password, encrypt),
    }


def _addon_row(order: PricedOrder, ids: PlacedOrder, item: PricedAddon, item_id: int) -> Row:
    return {
        "id": item_id,
        **_priced_columns(order, ids, item),
        "service_id": item.service_id if item.service is None else ids.item_ids[item.service],
        "addon_id": item.addon_id,
        "cycle": item.cycle,
        "quantity": item.quantity,
    }


def _domain_row(order: PricedOrder, ids: PlacedOrder, item: PricedDomain, item_id: int, encrypt: Encrypt) -> Row:
    return {
        "id": item_id,
        **_priced_columns(order, ids, item),
        "client_id": order.client.id,
        "contact_id": order.request.contact_id,
        "name": item.name.ascii,
        "name_unicode": item.name.unicode,
        "type": item.type,
        "years": item.years,
        "extras": sorted(item.extras),
        "nameservers": item.nameservers,
        "fields": item.fields,
        "idn_language": item.idn_language,
        "free_with": None if item.free_with is None else ids.item_ids[item.free_with],
        "epp_code_encrypted": _encrypted(item.epp_code, encrypt),
    }


def _renewal_row(order: PricedOrder, ids: PlacedOrder, item: PricedRenewal) -> Row:
    return {
        "order_id": ids.order_id,
        "domain_id": item.target_id if item.kind is RenewalKind.DOMAIN else None,
        "service_id": item.target_id if item.kind is RenewalKind.SERVICE else None,
        "service_addon_id": item.target_id if item.kind is RenewalKind.ADDON else None,
        "years": item.years,
        "cycle": item.cycle,
        "amount": item.charge.first - item.charge.discount,
        "period_start": item.period_start,
        "period_end": item.period_end,
        "late_fee": item.charge.late_fee,
        "status": "Completed" if order.bill.paid else "Pending",
    }


def _invoice_row(order: PricedOrder, ids: PlacedOrder) -> Row:
    bill = order.bill
    levels = {tax.level: tax for tax in bill.taxes}
    first, second = levels.get(1), levels.get(2)
    return {
        "id": ids.invoice_id,
        "order_id": ids.order_id,
        "client_id": order.client.id,
        "date": bill.date,
        "due": bill.due,
        "currency": order.currency.code,
        "subtotal": bill.subtotal,
        "discount": bill.discount,
        "tax": first.amount if first else 0,
        "tax2": second.amount if second else 0,
        "tax_rate": first.rate if first else 0,
        "tax_rate2": second.rate if second else 0,
        "tax_inclusive": bill.tax_inclusive,
        "total": bill.total,
        "payment_method": order.payment_method.name,
        "status": "Paid" if bill.paid else "Unpaid",
        "taxes": bill.taxes,
        "client": bill.buyer,
        "seller": bill.seller,
        "tax_note": bill.tax_note,
        "proforma": bill.numbered and not bill.paid,
    }


def _invoice_line_rows(order: PricedOrder, ids: PlacedOrder) -> Iterator[Row]:
    for position, row in enumerate(_line_rows(order, ids), start=1):
        yield {"invoice_id": ids.invoice_id, "position": position, **row}


def _line_rows(order: PricedOrder, ids: PlacedOrder) -> Iterator[Row]:
    for line in order.bill.lines:
        yield {
            "kind": order.kind_of(line),
            "item_id": None if line.item is None else ids.item_ids[line.item],
            "description": line.description,
            "amount": line.amount,
            "taxed": line.taxed,
        }


def _encrypted(secret: str | None, encrypt: Encrypt) -> str | None:
    return None if secret is None else base64.b64encode(encrypt(secret)).decode()
