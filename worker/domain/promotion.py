"""Promotion codes: who may use one, on which lines, and what it takes off (addorder.md 5.9)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal

from schemas.catalog import BillingCycle, Promotion, PromotionType
from schemas.order import Charge, PricedAddon, PricedItem, PricedRenewal, PricedService, RenewalKind
from worker.domain.money import PERCENT, ZERO
from worker.domain.periods import first_period
from worker.domain.sale import Sale
from worker.domain.wording import promotion_text

_CODE_CHARS_SHOWN = 64  # a code is the caller's text, and warnings are published


@dataclass(frozen=True, slots=True)
class Promoted:
    """The items after the promotion: `promotion` if it applied, else `warning` why not; neither without a code."""

    items: tuple[PricedItem, ...]
    promotion: Promotion | None = None
    warning: str | None = None


def apply_promotion(items: tuple[PricedItem, ...], sale: Sale) -> Promoted:
    """Take the request's promotion off every line that qualifies, or off the first if it applies once per order.

    A code that cannot be used changes no price and rejects nothing (addorder.md 4); one that takes nothing off any
    line has not been used.
    """
    code = sale.request.promo_code
    if code is None:
        return Promoted(items)
    promotion = sale.catalog.promotions.get(code.lower())
    if promotion is None:
        return _not_applied(items, code, "is not known")
    reason = _out_of_date(promotion, sale) or _used_up(promotion, sale) or _not_for(promotion, items, sale)
    if reason is not None:
        return _not_applied(items, code, reason)
    value = _value(promotion, sale)
    if value is None:
        return _not_applied(items, code, f"has no amount in {sale.currency.code}")
    lowered = _lower(items, _Offer(promotion, value), sale)
    if lowered == items:
        return _not_applied(items, code, "takes nothing off any item of this order")
    return Promoted(lowered, promotion)


def _not_applied(items: tuple[PricedItem, ...], code: str, reason: str) -> Promoted:
    warning = f"promocode: {code[:_CODE_CHARS_SHOWN]} {reason}; the full price is charged"
    return Promoted(items, warning=warning)


# ---------------------------------------------------------------- who may use it, and when


def _out_of_date(promotion: Promotion, sale: Sale) -> str | None:
    """Both days are included."""
    if promotion.start_date is not None and sale.today < promotion.start_date:
        return f"is not valid before {promotion.start_date}"
    if promotion.end_date is not None and sale.today > promotion.end_date:
        return f"expired after {promotion.end_date}"
    return None


def _used_up(promotion: Promotion, sale: Sale) -> str | None:
    if promotion.max_uses and sale.totals.promotion_uses[promotion.id] >= promotion.max_uses:
        return "is used up"
    if promotion.once_per_client and (sale.client.id, promotion.id) in sale.totals.used_promotions:
        return "was used by this client before"
    return None


def _not_for(promotion: Promotion, items: tuple[PricedItem, ...], sale: Sale) -> str | None:
    """Say why client or order may not use it. `promooverride` relaxes none of this, only the choice of lines."""
    has_ordered = sale.client.id in sale.totals.earlier_orders
    if promotion.new_signups_only and has_ordered:
        return "is for new clients only"
    if promotion.existing_clients_only and not has_ordered:
        return "is for existing clients only"
    if promotion.requires_products:
        owned = sale.facts.owned_products.get(sale.client.id, frozenset())
        ordered = {item.product_id for item in items if isinstance(item, PricedService)}
        if promotion.requires_products.isdisjoint(owned | ordered):
            return "requires a product that is neither in this order nor owned"
    return None


# ---------------------------------------------------------------- which lines


@dataclass(frozen=True, slots=True)
class _Offer:
    """A promotion with its value for this client: percent, or an amount of the client's currency."""

    promotion: Promotion
    value: Decimal


def _lower(items: tuple[PricedItem, ...], offer: _Offer, sale: Sale) -> tuple[PricedItem, ...]:
    """Lower each line that qualifies and has something to take off, or the first such line only."""
    lowered = list(items)
    for position, item in enumerate(items):
        if not _qualifies(item, offer.promotion, sale):
            continue
        charge = _lowered(item, offer, sale)
        if charge is not None:
            lowered[position] = replace(item, charge=charge)
            if offer.promotion.apply_once:
                break
    return tuple(lowered)


def _qualifies(item: PricedItem, promotion: Promotion, sale: Sale) -> bool:
    """Tell whether the promotion is for this line: its product, addon or TLD, and its cycle.

    Service and addon renewals take no code. A domain has no billing cycle, so a code for certain cycles is not for
    domains. `promooverride` relaxes products, addons, TLDs and cycles.
    """
    if isinstance(item, PricedRenewal) and item.kind is not RenewalKind.DOMAIN:
        return False
    if sale.request.promo_override:
        return True
    match item:
        case PricedService():
            return _among(item.product_id, promotion.products) and _on(item.cycle, promotion)
        case PricedAddon():
            return _among(item.addon_id, promotion.addons) and _on(item.cycle, promotion)
        case _:
            return _among(item.tld, promotion.tlds) and not promotion.cycles


def _among(key: int | str | None, chosen: Collection[int | str] | None) -> bool:
    return chosen is None or key in chosen


def _on(cycle: BillingCycle, promotion: Promotion) -> bool:
    return not promotion.cycles or cycle in promotion.cycles


# ---------------------------------------------------------------- what it takes off


def _value(promotion: Promotion, sale: Sale) -> Decimal | None:
    """Find the percentage or the amount. A plain amount is in the default currency; for others there may be none."""
    if promotion.type in (PromotionType.PERCENTAGE, PromotionType.FREE_SETUP):
        return promotion.value
    plain = promotion.value if sale.currency.is_default else None
    amount = promotion.values.get(sale.currency.code, plain)
    return None if amount is None else sale.rounded(amount)


def _lowered(item: PricedItem, offer: _Offer, sale: Sale) -> Charge | None:
    """Take the discount off the first payment and, if the promotion recurs, off the recurring amount too.

    None if there is nothing to take off either.
    """
    charge = item.charge
    units = item.quantity if isinstance(item, PricedService | PricedAddon) else 1
    override = offer.value * units
    first = _Line(charge.price, charge.options, charge.setup, _first_share(item, override, sale))
    off = _discount(first, offer, sale)
    recurring = charge.recurring
    if offer.promotion.recurring and recurring is not None:
        recurring -= _discount(_Line(recurring, charge.recurring_options, ZERO, override), offer, sale)
    if not off and recurring == charge.recurring:
        return None
    text = promotion_text(offer.promotion, offer.value, sale.currency)
    return replace(charge, promotion_discount=off, promotion_text=text, recurring=recurring)


def _first_share(item: PricedItem, price: Decimal, sale: Sale) -> Decimal:
    """Take the share of a price that the first payment of a prorata product has (addorder.md 5.8)."""
    if not isinstance(item, PricedService):
        return price
    period = first_period(item.cycle, sale.catalog.products[item.product_id].prorata, sale.today)
    return sale.rounded(period.charge(price))


@dataclass(frozen=True, slots=True)
class _Line:
    """A first payment, or a recurring one (which has no setup fee). `price` contains `options`."""

    price: Decimal
    options: Decimal
    setup: Decimal
    override: Decimal  # the price, without options, that a price override puts in its place


def _discount(line: _Line, offer: _Offer, sale: Sale) -> Decimal:
    """Work out a discount: never negative, never more than the line (addorder.md 5.9).

    A percentage is of the line with setup fee, options and extras. A price override replaces the price of each unit;
    options, extras and setup fee stay charged, as they do under `priceoverride`.
    """
    whole = line.price + line.setup
    match offer.promotion.type:
        case PromotionType.PERCENTAGE:
            discount = sale.rounded(whole * offer.value / PERCENT)
        case PromotionType.FIXED_AMOUNT:
            discount = offer.value
        case PromotionType.PRICE_OVERRIDE:
            discount = line.price - line.options - line.override
        case PromotionType.FREE_SETUP:
            discount = line.setup
    return min(max(discount, sale.zero), whole)
