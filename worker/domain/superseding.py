"""Renewed again: which older orders a request takes the place of, and which are paid beside it (addorder.md 5.7)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from schemas.domain_names import existing_domain_name
from schemas.order import (
    Facts,
    OpenOrder,
    OrderRequest,
    OwnedAddon,
    OwnedService,
    RenewalKind,
    Renewed,
    TakeKind,
    Totals,
)
from worker.domain.renewals import record_meant

Owned = TypeVar("Owned", OwnedService, OwnedAddon)


def superseded_by(request: OrderRequest, facts: Facts) -> tuple[OpenOrder, ...]:
    """Find the orders of nothing but renewals, not paid, that renew nothing which this request does not renew."""
    renewed = frozenset(_renewed_by(request, facts))
    return tuple(order for order in open_orders(request, facts) if order.may_be_superseded and order.renewed <= renewed)


def open_orders(request: OrderRequest, facts: Facts) -> tuple[OpenOrder, ...]:
    return facts.open_orders.get(request.client_id, ())


def _renewed_by(request: OrderRequest, facts: Facts) -> Iterator[Renewed]:
    for renewal in request.domain_renewals:
        name = existing_domain_name(renewal.name)
        records = facts.domains.get((request.client_id, name.ascii)) if name else None
        if records:
            yield RenewalKind.DOMAIN, record_meant(records).id
    for one in request.service_renewals:
        yield RenewalKind.SERVICE, one.target_id
    for one in request.addon_renewals:
        yield RenewalKind.ADDON, one.target_id


def without(superseded: Iterable[OpenOrder], facts: Facts, totals: Totals) -> tuple[Facts, Totals]:
    """Say how things are once these orders are cancelled: what they give back counts for whoever supersedes them."""
    released = Counter[tuple[TakeKind, int]]()
    uses = dict(totals.promotion_uses)
    used = dict(totals.used_promotions)
    open_orders = dict(facts.open_orders)
    for order in superseded:
        open_orders[order.client_id] = tuple(one for one in open_orders[order.client_id] if one is not order)
        for take in order.takes:
            released[take.kind, take.thing_id] += take.units
        if order.promotion_id is not None and (order.client_id, order.promotion_id) in used:
            used[order.client_id, order.promotion_id] -= 1
    for promotion_id in uses:
        uses[promotion_id] -= released[TakeKind.PROMOTION_USE, promotion_id]
    services = {one.id: _with_back(one, released[TakeKind.SERVICE_DISCOUNT, one.id]) for one in facts.services.values()}
    addons = {one.id: _with_back(one, released[TakeKind.ADDON_DISCOUNT, one.id]) for one in facts.addons.values()}
    return (
        replace(facts, services=services, addons=addons, open_orders=open_orders),
        Totals(totals.stock, uses, used),
    )


def _with_back(owned: Owned, discounts: int) -> Owned:
    left = owned.recurring.discounts_left
    if not discounts or left is None:
        return owned
    return replace(owned, recurring=replace(owned.recurring, discounts_left=left + discounts))
