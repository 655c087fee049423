"""The bill of an order: lines, sums, tax, and whether an invoice is made (addorder.md 5.12)."""

from collections.abc import Iterator
from datetime import timedelta

from schemas.catalog import BillingCycle
from schemas.order import Bill, InvoiceLine, PricedAddon, PricedItem, PricedService
from worker.domain.group_discount import group_percent
from worker.domain.money import check_size
from worker.domain.sale import Sale
from worker.domain.tax import deducts_tax, tax_amounts
from worker.domain.wording import group_discount_text, item_text


def make_bill(items: tuple[PricedItem, ...], sale: Sale) -> Bill:
    """Add up what the client owes; the same with or without an invoice.

    An invoice is made unless the request wants none or all items are free. One over 0.00 is Paid.

    Raises:
        Rejected: total_too_large.
    """
    subtotal = discount = taxed = sale.zero
    for item in items:
        first, off = item.charge.first, item.charge.discount
        subtotal += first
        discount += off
        if item.charge.taxed:
            taxed += first - off
    check_size(subtotal)
    taxes = tax_amounts(taxed, sale)
    total = subtotal - discount
    tax_inclusive = sale.settings.tax_inclusive and not deducts_tax(sale)
    if not tax_inclusive:
        total += sum(tax.amount for tax in taxes)
    check_size(total)
    invoiced = not sale.request.no_invoice and not all(_is_free(item) for item in items)
    return Bill(
        lines=tuple(_lines(items, sale)),
        subtotal=subtotal,
        discount=discount,
        taxes=taxes,
        tax_inclusive=tax_inclusive,
        total=total,
        invoiced=invoiced,
        paid=invoiced and total == 0,
        date=sale.today,
        due=sale.today + timedelta(days=sale.settings.invoice_grace_days),
        buyer=sale.client.as_buyer,
        seller=sale.settings.seller,
        tax_note=sale.settings.tax_note if sale.client.tax_exempt else "",
        numbered=sale.settings.numbers is not None,
    )


def _is_free(item: PricedItem) -> bool:
    """Tell a free item from one whose price happens to be 0.00."""
    return isinstance(item, PricedService | PricedAddon) and item.cycle is BillingCycle.FREE and not item.charge.first


def _lines(items: tuple[PricedItem, ...], sale: Sale) -> Iterator[InvoiceLine]:
    """List the items, each with its promotion right below it, and what the group takes off them last."""
    for position, item in enumerate(items):
        charge = item.charge
        yield InvoiceLine(position, item_text(item), charge.first, charge.taxed)
        if charge.promotion_discount:
            yield InvoiceLine(position, charge.promotion_text, -charge.promotion_discount, charge.taxed)
    for taxed in (True, False):  # apart, so that tax can be worked out from the lines
        off = [item.charge.group_discount for item in items if item.charge.taxed is taxed]
        if any(off):
            yield InvoiceLine(None, group_discount_text(group_percent(sale)), -sum(off, sale.zero), taxed)
