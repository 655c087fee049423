"""Renewed again (addorder.md 5.7): which older orders a request takes the place of, and what they give back."""

import pytest

from schemas.order import Facts, OpenOrder, OrderRequest, PricedOrder, RenewalKind, Take, TakeKind, Totals
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_product,
    a_promotion,
    a_request,
    a_tld,
    an_addon,
    an_open_order,
    an_owned_addon,
    an_owned_domain,
    an_owned_service,
    ordered,
    some_facts,
)
from worker.domain.decide import decide

SERVICE, ADDON, DOMAIN = (RenewalKind.SERVICE, 19), (RenewalKind.ADDON, 3), (RenewalKind.DOMAIN, 1)
SHOP = a_catalog(
    products=[a_product(prices={MONTHLY: "12.00"})], addons=[an_addon()], tlds=[a_tld(renew={1: "14.95", 2: "29.90"})]
)


def facts_with(*orders: OpenOrder, discounts_left: int | None = None) -> Facts:
    full = None if discounts_left is None else "9.95"
    return some_facts(
        services=[an_owned_service(recurring="7.00", recurring_full=full, discounts_left=discounts_left)],
        owned_addons=[an_owned_addon()],
        domains=[an_owned_domain()],
        open_orders=orders,
    )


def superseded(request: OrderRequest, *orders: OpenOrder) -> list[int]:
    return [order.id for order in ordered(request, SHOP, facts=facts_with(*orders)).supersedes]


@pytest.mark.parametrize(
    "request_",
    [
        a_request(service_renewals=[19]),
        a_request(service_renewals=[19], addon_renewals=[3]),
        a_request(service_renewals=[19], domain_renewals={"domain1.com": 1}),
    ],
    ids=["the same", "and an addon", "and a domain"],
)
def test_an_order_is_superseded_by_one_that_renews_all_that_it_renews(request_: OrderRequest) -> None:
    assert superseded(request_, an_open_order(5, SERVICE)) == [5]


def test_whatever_the_years() -> None:
    assert superseded(a_request(domain_renewals={"DOMAIN1.com": 2}), an_open_order(5, DOMAIN)) == [5]


def test_several_orders_may_be_superseded_by_one() -> None:
    request = a_request(service_renewals=[19], addon_renewals=[3])

    assert superseded(request, an_open_order(5, SERVICE), an_open_order(6, ADDON)) == [5, 6]


@pytest.mark.parametrize(
    "order",
    [
        an_open_order(5, SERVICE, ADDON),
        an_open_order(5, SERVICE, status="Active"),
        an_open_order(5, SERVICE, is_invoiced=False),
        an_open_order(5, SERVICE, has_only_renewals=False),
    ],
    ids=["renews more", "accepted", "has no invoice", "has ordered something"],
)
def test_any_other_order_stays_and_is_told(order: OpenOrder) -> None:
    placed = ordered(a_request(service_renewals=[19]), SHOP, facts=facts_with(order))

    assert placed.supersedes == ()
    [warning] = placed.warnings
    assert warning.startswith("order 5, which is not paid yet, renews service 19 too")


def test_one_that_is_superseded_is_not_told() -> None:
    assert ordered(a_request(service_renewals=[19]), SHOP, facts=facts_with(an_open_order(5, SERVICE))).warnings == ()


def test_a_request_that_renews_nothing_supersedes_nothing() -> None:
    placed = ordered(a_request(promo_code="NONE", service_renewals=[19]), SHOP, facts=facts_with())

    assert placed.supersedes == ()


def test_a_discount_that_is_given_back_counts_for_the_new_order() -> None:
    older = an_open_order(5, SERVICE, takes=(Take(TakeKind.SERVICE_DISCOUNT, 19, 1),))

    placed = ordered(a_request(service_renewals=[19]), SHOP, facts=facts_with(older, discounts_left=0))

    assert str(placed.bill.total) == "7.00"  # the last one, again
    assert placed.takes == (Take(TakeKind.SERVICE_DISCOUNT, 19, 1),)


def place(promotion_uses: int, used: int) -> tuple[PricedOrder, Totals]:
    """Renew a domain with a code that may be used once, and once per client; an older order has it."""
    catalog = a_catalog(
        tlds=[a_tld(renew={1: "14.95"})], promotions=[a_promotion(value="10.00", max_uses=1, once_per_client=True)]
    )
    older = an_open_order(5, DOMAIN, promotion_id=1, takes=(Take(TakeKind.PROMOTION_USE, 1, 1),))
    facts = some_facts(domains=[an_owned_domain()], open_orders=[older])
    totals = Totals(promotion_uses={1: promotion_uses}, used_promotions={(1, 1): used})
    request = a_request(domain_renewals={"domain1.com": 1}, promo_code="WELCOME")

    placed, after = decide(request, facts, totals, catalog)

    assert isinstance(placed, PricedOrder)
    return placed, after


def test_a_use_that_is_given_back_counts_for_the_new_order() -> None:
    placed, after = place(promotion_uses=1, used=1)

    assert str(placed.bill.total) == "13.45"  # 14.95 - 1.495, which is 1.50
    assert after.promotion_uses == {1: 1}
    assert after.used_promotions == {(1, 1): 1}


def test_another_order_of_the_client_with_the_code_is_still_one() -> None:
    placed, after = place(promotion_uses=1, used=2)

    assert placed.warnings == ("promocode: WELCOME was used by this client before; the full price is charged",)
    assert after.promotion_uses == {1: 0}
    assert after.used_promotions == {(1, 1): 1}
