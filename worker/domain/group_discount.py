"""The discount of the client's group (addorder.md 5.10)."""

from dataclasses import replace
from decimal import Decimal

from schemas.order import PricedItem
from worker.domain.money import PERCENT, ZERO
from worker.domain.sale import Sale


def group_percent(sale: Sale) -> Decimal:
    """Find the discount of the client's group in percent; 0 without a group."""
    group_id = sale.client.group_id
    return ZERO if group_id is None else sale.catalog.group_discounts.get(group_id, ZERO)


def apply_group_discount(items: tuple[PricedItem, ...], sale: Sale) -> tuple[PricedItem, ...]:
    """Take the group's percentage off each line that has no promotion, rounded per line.

    It is off the first payment only: it is granted at the invoice, and what recurs is invoiced later.
    """
    percent = group_percent(sale)
    if not percent:
        return items
    return tuple(
        item if item.charge.promotion_discount is not None else _discounted(item, percent, sale) for item in items
    )


def _discounted(item: PricedItem, percent: Decimal, sale: Sale) -> PricedItem:
    discount = sale.rounded(item.charge.first * percent / PERCENT)
    return replace(item, charge=replace(item.charge, group_discount=discount))
