"""The discount of the client's group (addorder.md 5.10)."""

from decimal import Decimal

from schemas.order import PricedItem, PricedRenewal
from worker.domain.money import PERCENT, ZERO
from worker.domain.sale import Sale


def group_percent(sale: Sale) -> Decimal:
    """Find the discount of the client's group in percent; 0 without a group."""
    group_id = sale.client.group_id
    return ZERO if group_id is None else sale.catalog.group_discounts.get(group_id, ZERO)


def group_discount(item: PricedItem, sale: Sale) -> Decimal | None:
    """Work out what the group takes off a line, rounded; None: it has no say on it.

    It is off the first payment only: it is granted at the invoice, and what recurs is invoiced later. A renewal that a
    code lowers has had its discount.
    """
    percent = group_percent(sale)
    if not percent or (isinstance(item, PricedRenewal) and item.is_lowered):
        return None
    return sale.rounded(item.charge.discountable * percent / PERCENT)
