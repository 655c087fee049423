"""Addons, for services of this order and for services that exist: lines of their own (addorder.md 5.4)."""

from dataclasses import dataclass

from schemas import rejections
from schemas.catalog import Addon, BillingCycle, Prorata
from schemas.order import Charge, PricedAddon
from schemas.rejections import Rejected
from worker.domain.periods import first_period
from worker.domain.sale import Sale, shortest_first
from worker.domain.wording import addon_text


@dataclass(frozen=True, slots=True)
class Parent:
    """The service that an addon is for: the one at position `service` of this order, or `service_id`, which exists."""

    product_id: int
    cycle: BillingCycle
    prorata: Prorata | None
    domain: str | None
    service: int | None = None
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class AddonOrdered:
    """An addon, how many of it, and where the request says so."""

    addon_id: int
    quantity: int
    parameter: str
    item: int | None


def price_addon(ordered: AddonOrdered, parent: Parent, sale: Sale) -> PricedAddon:
    """Price an addon: price times quantity, setup fee once.

    It is billed on the parent's cycle if it is sold on it, else on its own shortest; to the parent's prorata day where
    it is flagged so itself, and both are monthly (addorder.md 5.8).

    Raises:
        Rejected: addon_invalid, addon_not_offered.
    """
    addon = addon_of(ordered, parent.product_id, sale)
    prices = sale.addon_prices(addon)
    cycle = parent.cycle if parent.cycle in prices else shortest_first(prices)[0]
    price = sale.rounded(sale.rounded(prices[cycle].price) * ordered.quantity)
    prorata = parent.prorata if addon.prorata and cycle is parent.cycle else None
    period = first_period(cycle, prorata, sale.today)
    return PricedAddon(
        addon_id=addon.id,
        name=addon.name,
        service=parent.service,
        service_id=parent.service_id,
        cycle=cycle,
        quantity=ordered.quantity,
        charge=Charge(
            price=sale.rounded(period.charge(price)),
            setup=sale.rounded(prices[cycle].setup),
            recurring=None if period.last_day is None else price,
            taxed=addon.taxed,
        ),
        description=addon_text(
            addon.name, ordered.quantity, parent.domain, sale.period_text(sale.today, period.last_day)
        ),
        next_due=sale.today,
        period_end=period.last_day,
        prorata=prorata,
    )


def addon_of(ordered: AddonOrdered, product_id: int | None, sale: Sale) -> Addon:
    """Find the addon and check that it is sold with this product, if that is known, and in the client's currency.

    Raises:
        Rejected: addon_invalid, addon_not_offered.
    """
    addon = sale.catalog.addons.get(ordered.addon_id)
    if addon is None or addon.retired:
        raise Rejected(rejections.addon_invalid(ordered.parameter, ordered.item))
    with_product = addon.products is None or product_id is None or product_id in addon.products
    if not with_product or not sale.addon_prices(addon):
        raise Rejected(rejections.addon_not_offered(ordered.parameter, ordered.item, addon.id))
    return addon
