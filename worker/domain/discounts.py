"""Each line's discount: the code's or the client group's, whichever takes more off; never both (addorder.md 5.10)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from schemas.catalog import Promotion
from schemas.order import Charge, PricedItem
from worker.domain.group_discount import group_discount
from worker.domain.promotion import find_offer, lowered_charge
from worker.domain.sale import Sale

_CODE_CHARS_SHOWN = 64  # a code is the caller's text, and warnings are published


@dataclass(frozen=True, slots=True)
class Discounted:
    """The items with their discounts: `promotion` if the code was used, else `warning` why not; neither without one."""

    items: tuple[PricedItem, ...]
    promotion: Promotion | None = None
    warning: str | None = None


def apply_discounts(items: tuple[PricedItem, ...], sale: Sale) -> Discounted:
    """Take the code off each line where it beats the group, or off the first such line; the group off the others.

    What counts is what is taken off the first payment, rounded; equal: the group. A code that can not be used changes
    no price and rejects nothing (addorder.md 4); one that is on no line has not been used.
    """
    by_group = [group_discount(item, sale) for item in items]
    code = sale.request.promo_code
    if code is None:
        return Discounted(_discounted(items, by_group, {}))
    offer = find_offer(code, items, sale)
    if isinstance(offer, str):
        return _not_used(items, by_group, f"{offer}; the full price is charged", code)
    by_code = {n: charge for n, item in enumerate(items) if (charge := lowered_charge(item, offer, sale)) is not None}
    if not by_code:
        return _not_used(items, by_group, "takes nothing off any item of this order; the full price is charged", code)
    better = {n: charge for n, charge in by_code.items() if _beats(charge, by_group[n])}
    if not better:
        return _not_used(items, by_group, "takes no more off than the client's group, whose discount is given", code)
    if offer.promotion.apply_once:
        first = min(better)
        better = {first: better[first]}
    return Discounted(_discounted(items, by_group, better), offer.promotion)


def _beats(by_code: Charge, by_group: Decimal | None) -> bool:
    return by_group is None or (by_code.promotion_discount or 0) > by_group


def _discounted(
    items: tuple[PricedItem, ...], by_group: list[Decimal | None], by_code: Mapping[int, Charge]
) -> tuple[PricedItem, ...]:
    return tuple(_with_discount(item, by_code.get(n), by_group[n]) for n, item in enumerate(items))


def _with_discount(item: PricedItem, by_code: Charge | None, by_group: Decimal | None) -> PricedItem:
    if by_code is not None:
        return replace(item, charge=by_code)
    return replace(item, charge=replace(item.charge, group_discount=by_group)) if by_group else item


def _not_used(items: tuple[PricedItem, ...], by_group: list[Decimal | None], why: str, code: str) -> Discounted:
    warning = f"promocode: {code[:_CODE_CHARS_SHOWN]} {why}"
    return Discounted(_discounted(items, by_group, {}), warning=warning)
