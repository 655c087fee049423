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


@dataclass(frozen=True, slots=True)
class Offer:
    """A promotion with its value for this client: percent, or an amount of the client's currency."""

    promotion: Promotion
    value: Decimal


def find_offer(code: str, items: tuple[PricedItem, ...], sale: Sale) -> Offer | str:
    """Find what the code offers this client today; else say why nothing, as what follows the code's name."""
    promotion = sale.catalog.promotions.get(code.lower())
    if promotion is None:
        return "is not known"
    reason = _out_of_date(promotion, sale) or _used_up(promotion, sale) or _not_for(promotion, items, sale)
    if reason is not None:
        return reason
    value = _value(promotion, sale)
    if value is None:
        return f"has no amount in {sale.currency.code}"
    return Offer(promotion, value)


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
    if promotion.once_per_client and sale.totals.used_promotions.get((sale.client.id, promotion.id)):
        return "was used by this client before"
    return None


def _not_for(promotion: Promotion, items: tuple[PricedItem, ...], sale: Sale) -> str | None:
    """Say why client or order may not use it. `promooverride` relaxes none of this, only the choice of lines."""
    is_existing = sale.client.id in sale.facts.active_clients
    if promotion.new_signups_only and is_existing:
        return "is for new clients only"
    if promotion.existing_clients_only and not is_existing:
        return "is for existing clients only"
    if promotion.requires_products and promotion.requires_products.isdisjoint(_products(promotion, items, sale)):
        where = "neither in this order nor owned" if promotion.requires_existing else "not in this order"
        return f"requires a product that is {where}"
    return None


def _products(promotion: Promotion, items: tuple[PricedItem, ...], sale: Sale) -> frozenset[int]:
    """Name the products that may fulfil what the promotion requires: the order's, and those that the client has."""
    ordered = frozenset(item.product_id for item in items if isinstance(item, PricedService))
    if not promotion.requires_existing:
        return ordered
    return ordered | sale.facts.owned_products.get(sale.client.id, frozenset())


# ---------------------------------------------------------------- which lines


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


def lowered_charge(item: PricedItem, offer: Offer, sale: Sale) -> Charge | None:
    """Take the discount off the first payment and, if the promotion recurs, off the recurring amount too.

    None if the line does not qualify, or there is nothing to take off either.
    """
    if not _qualifies(item, offer.promotion, sale):
        return None
    charge = item.charge
    units = item.quantity if isinstance(item, PricedService | PricedAddon) else 1
    override = offer.value * units
    off = _discount(_Line(charge.price, charge.options, charge.setup, _first_share(item, override, sale)), offer, sale)
    lowered = replace(
        _with_lower_recurring(charge, override, offer, sale),
        promotion_discount=off,
        promotion_text=promotion_text(offer.promotion, offer.value, sale.currency),
    )
    return lowered if off or lowered.recurring != charge.recurring else None


def _with_lower_recurring(charge: Charge, override: Decimal, offer: Offer, sale: Sale) -> Charge:
    """Lower what recurs, for ever or for so many further payments, and keep what it would be without."""
    if not offer.promotion.recurring or charge.recurring is None:
        return charge
    off = _discount(_Line(charge.recurring, charge.recurring_options, ZERO, override), offer, sale)
    if not off:
        return charge
    return replace(
        charge,
        recurring=charge.recurring - off,
        recurring_full=charge.recurring,
        discounts_left=offer.promotion.recur_for or None,
    )


def _first_share(item: PricedItem, price: Decimal, sale: Sale) -> Decimal:
    """Take the share of a price that a first payment to a prorata day has (addorder.md 5.8)."""
    if not isinstance(item, PricedService | PricedAddon):
        return price
    period = first_period(item.cycle, item.prorata, sale.today)
    return sale.rounded(period.charge(price))


@dataclass(frozen=True, slots=True)
class _Line:
    """A first payment, or a recurring one (which has no setup fee). `price` contains `options`."""

    price: Decimal
    options: Decimal
    setup: Decimal
    override: Decimal  # the price, without options, that a price override puts in its place


def _discount(line: _Line, offer: Offer, sale: Sale) -> Decimal:
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
