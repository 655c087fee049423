"""What a request would cost, as types: under the names of order.added and of the invoice's mail."""

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from schemas import placed_order
from schemas.bodies import Money, value
from schemas.events import AppliedPromotion, Line, Tax
from schemas.members import members
from schemas.order import PricedItem, PricedOrder
from schemas.rejections import Code, Fault, Rejection


@value
class Quote:
    """What would be owed. The items are in the order of the invoice's lines; `invoice` null: none would be issued."""

    result: Literal["success"]
    clientid: int
    currency: str
    items: tuple[Mapping[str, object], ...]  # an item of order.added without its id, and what its amount is made of
    lines: tuple[Line, ...]
    subtotal: Money
    discount: Money
    taxes: tuple[Tax, ...]
    tax_inclusive: bool
    amount: Money
    invoice: Literal["Paid", "Unpaid"] | None
    due: dt.date
    promotion: AppliedPromotion | None
    warnings: tuple[str, ...]


@value
class NoQuote:
    """Why a request would be refused."""

    result: Literal["error"]
    code: Code
    message: str
    faults: tuple[Fault, ...]


def quote(verdict: PricedOrder | Rejection) -> Quote | NoQuote:
    if isinstance(verdict, Rejection):
        return NoQuote(result="error", code=verdict.code, message=verdict.message, faults=verdict.faults)
    bill = verdict.bill
    return Quote(
        result="success",
        clientid=verdict.client.id,
        currency=verdict.currency.code,
        items=tuple(map(_item, verdict.items)),
        lines=placed_order.lines(verdict),
        subtotal=bill.subtotal,
        discount=bill.discount,
        taxes=placed_order.taxes(bill),
        tax_inclusive=bill.tax_inclusive,
        amount=bill.total,
        invoice=("Paid" if bill.paid else "Unpaid") if bill.invoiced else None,
        due=bill.due,
        promotion=placed_order.promotion(verdict),
        warnings=verdict.warnings,
    )


def _item(priced: PricedItem) -> Mapping[str, object]:
    """Open up what the one amount of an item's line is made of; null is a part that it does not have."""
    charge = priced.charge
    ordered = members(placed_order.item(priced, item_id=0))
    del ordered["id"]  # it has none yet
    return {
        "kind": priced.kind,
        "description": priced.description,
        "price": charge.price - charge.options,
        "options": charge.options or None,
        "setup": charge.setup,
        "promotion_discount": charge.promotion_discount,
        "group_discount": charge.group_discount or None,
        "taxed": charge.taxed,
        **ordered,
    }
