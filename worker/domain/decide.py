"""The one decision on an AddOrder request: an order with its prices, or why not (addorder.md 3 to 5)."""

from dataclasses import replace

from schemas import rejections
from schemas.catalog import Catalog, PaymentMethod
from schemas.order import (
    Client,
    Facts,
    OrderRequest,
    PricedAddon,
    PricedDomain,
    PricedItem,
    PricedOrder,
    PricedService,
    Totals,
)
from schemas.rejections import Rejected, Rejection
from worker.domain.cart import fill_cart
from worker.domain.dates import MONTHS_A_YEAR, ONE_DAY, add_months
from worker.domain.discounts import apply_discounts
from worker.domain.invoice import make_bill
from worker.domain.sale import Sale
from worker.domain.superseding import superseded_by, without
from worker.domain.tax import deduct_tax

WARNINGS_MAX = 20  # as many as faults: a request of 1 MiB could cause tens of thousands


def decide(
    request: OrderRequest, facts: Facts, totals: Totals, catalog: Catalog
) -> tuple[PricedOrder | Rejection, Totals]:
    """Check and price a request. The first stage that has faults ends it (addorder.md 4).

    `totals` is what the orders of a batch share and use up; it is returned with what this order takes, or as it was
    if the request is rejected.
    """
    superseded = superseded_by(request, facts)
    facts_then, totals_then = without(superseded, facts, totals) if superseded else (facts, totals)
    try:
        order = _price(request, facts_then, totals_then, catalog)
    except Rejected as rejected:
        return Rejection.of(rejected.faults), totals
    order = replace(order, supersedes=superseded) if superseded else order
    return order, _used_up_by(order, totals_then)


def _price(request: OrderRequest, facts: Facts, totals: Totals, catalog: Catalog) -> PricedOrder:
    client = _client(request, facts)
    payment_method = _payment_method(request, catalog)
    _check_contact(request, facts)
    _check_not_empty(request)

    currency = catalog.currencies[client.currency]
    sale = Sale(request=request, client=client, currency=currency, facts=facts, totals=totals, catalog=catalog)
    cart = fill_cart(sale)
    discounted = apply_discounts(cart.items, sale)
    items = deduct_tax(discounted.items, sale)
    affiliate_id, affiliate_warning = _affiliate(sale)
    warnings = (discounted.warning, affiliate_warning, *cart.warnings)
    bill = make_bill(items, sale)
    return PricedOrder(
        request=request,
        client=client,
        currency=currency,
        payment_method=payment_method,
        items=tuple(map(_paid, items)) if bill.paid else items,
        bill=bill,
        promotion=discounted.promotion,
        affiliate_id=affiliate_id,
        warnings=tuple(warning for warning in warnings if warning)[:WARNINGS_MAX],
        stock_taken=cart.stock_taken,
    )


def _paid(item: PricedItem) -> PricedItem:
    """Let an item be due when the period ends that is paid with the order (addorder.md 5.8, 5.12)."""
    match item:
        case PricedDomain():
            return replace(item, next_due=add_months(item.next_due, item.years * MONTHS_A_YEAR))
        case PricedService() | PricedAddon() if item.period_end is not None:
            return replace(item, next_due=item.period_end + ONE_DAY)
        case _:
            return item


def _client(request: OrderRequest, facts: Facts) -> Client:
    client = facts.clients.get(request.client_id)
    if client is None:
        raise Rejected(rejections.client_not_found())
    if client.status == "Closed":
        raise Rejected(rejections.client_closed())
    return client


def _payment_method(request: OrderRequest, catalog: Catalog) -> PaymentMethod:
    method = catalog.payment_methods.get(request.payment_method or "")
    if method is None or not method.active:
        active = (method.name for method in catalog.payment_methods.values() if method.active)
        raise Rejected(rejections.invalid_payment_method(active))
    return method


def _check_contact(request: OrderRequest, facts: Facts) -> None:
    if request.contact_id is not None and facts.contacts.get(request.contact_id) != request.client_id:
        raise Rejected(rejections.contact_not_found())


def _check_not_empty(request: OrderRequest) -> None:
    if not (request.items or request.addon_lines or request.renews):
        raise Rejected(rejections.empty_order())


def _affiliate(sale: Sale) -> tuple[int | None, str | None]:
    """Take an affiliate that is known, active and not the client; warn of any other (addorder.md 4)."""
    affiliate_id = sale.request.affiliate_id
    if affiliate_id is None:
        return None, None
    affiliate = sale.catalog.affiliates.get(affiliate_id)
    if affiliate is None:
        why = "is not known"
    elif not affiliate.active:
        why = "is not active"
    elif affiliate.client_id == sale.client.id:
        why = "is the client's own"
    else:
        return affiliate_id, None
    return None, f"affid: affiliate {affiliate_id} {why}; the order was placed without it"


def _used_up_by(order: PricedOrder, totals: Totals) -> Totals:
    """Count the order in: its stock, and the use of its promotion."""
    stock = totals.stock
    if order.stock_taken:
        left = {product_id: stock[product_id] - units for product_id, units in order.stock_taken.items()}
        stock = {**stock, **left}
    uses, used = totals.promotion_uses, totals.used_promotions
    if order.promotion is not None:
        key = order.client.id, order.promotion.id
        used = {**used, key: used.get(key, 0) + 1}
        if order.promotion.max_uses:
            uses = {**uses, order.promotion.id: uses[order.promotion.id] + 1}
    return Totals(stock, uses, used)
