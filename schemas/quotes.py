"""What a request would cost, as JSON: under the names of order.added and of the invoice's mail."""

from schemas.events import Data, item_data, lines_data, promotion_data, rejection_data, taxes_data
from schemas.order import PricedItem, PricedOrder
from schemas.rejections import Rejection


def quote_data(verdict: PricedOrder | Rejection) -> Data:
    """Write a verdict. `amount` is what would be owed now; the items are in the order of the invoice's lines."""
    if isinstance(verdict, Rejection):
        return {"result": "error", **rejection_data(verdict)}
    bill = verdict.bill
    return {
        "result": "success",
        "clientid": verdict.client.id,
        "currency": verdict.currency.code,
        "items": [_item(item) for item in verdict.items],
        "lines": lines_data(verdict),
        "subtotal": bill.subtotal,
        "discount": bill.discount,
        "taxes": taxes_data(verdict),
        "amount": bill.total,
        "invoice": ("Paid" if bill.paid else "Unpaid") if bill.invoiced else None,
        "due": bill.due,
        "promotion": promotion_data(verdict),
        "warnings": verdict.warnings,
    }


def _item(item: PricedItem) -> Data:
    """Open up what the one amount of an item's line is made of; null is a part that it does not have."""
    charge = item.charge
    return {
        "kind": item.kind,
        "description": item.description,
        "price": charge.price - charge.options,
        "options": charge.options or None,
        "setup": charge.setup,
        "promotion_discount": charge.promotion_discount,
        "group_discount": charge.group_discount or None,
        "taxed": charge.taxed,
        **item_data(item),
    }
