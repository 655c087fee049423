"""Addons, of this order's services and of services that exist (addorder.md 5.4)."""

from dataclasses import replace

import pytest

from schemas.catalog import Addon, BillingCycle, Product, PromotionType, Prorata
from schemas.order import AddonAsked, AddonLine, Item, PricedAddon
from tests.builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    ONETIME,
    QUARTERLY,
    a_catalog,
    a_client,
    a_product,
    a_promotion,
    a_request,
    an_addon,
    an_owned_addon,
    an_owned_service,
    firsts,
    only_item,
    ordered,
    recurrings,
    refused,
    some_facts,
)

ADDON_LINE = AddonLine(addon_id=1, service_id=19, quantity=1, parameter="addonids", item=2)


def test_an_addon_is_a_line_of_its_own_with_its_own_setup_fee() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={MONTHLY: ("4.00", "5.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert firsts(order) == ["10.00", "9.00"]  # 4.00 + 5.00
    assert recurrings(order) == ["10.00", "4.00"]


def test_an_addon_has_its_parents_cycle_if_it_is_sold_on_it() -> None:
    catalog = a_catalog(
        products=[a_product(prices={ANNUALLY: "99.00"})], addons=[an_addon(prices={MONTHLY: "2.00", ANNUALLY: "20.00"})]
    )

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert recurrings(order) == ["99.00", "20.00"]


@pytest.mark.parametrize("parent", [ONETIME, MONTHLY, FREE])
def test_an_addon_that_is_not_sold_on_its_parents_cycle_has_its_own_shortest(parent: BillingCycle) -> None:
    product = a_product(pay_type="free") if parent is FREE else a_product(prices={parent: "150.00"})
    catalog = a_catalog(products=[product], addons=[an_addon(prices={ANNUALLY: "20.00", QUARTERLY: "6.00"})])

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    addon = order.items[1]
    assert isinstance(addon, PricedAddon)
    assert addon.cycle is QUARTERLY
    assert str(addon.charge.recurring) == "6.00"


def test_a_one_time_addon_recurs_nothing() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={ONETIME: "10.00"})])

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert recurrings(order) == ["10.00", "None"]


def test_a_quantity_multiplies_the_price_but_not_the_setup_fee_on_one_row() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={MONTHLY: ("4.00", "5.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1, 3),))), catalog)

    addon = order.items[1]
    assert isinstance(addon, PricedAddon)
    assert addon.quantity == 3
    assert str(addon.charge.first) == "17.00"  # 3 x 4.00 + 5.00
    assert str(addon.charge.recurring) == "12.00"


def test_an_addon_knows_the_service_of_this_order_that_it_is_for() -> None:
    items = (Item(key=0, product_id=1), Item(key=1, product_id=1, addons=(AddonAsked(1),)))

    order = ordered(a_request(*items), a_catalog(products=[a_product()], addons=[an_addon()]))

    addon = order.items[2]
    assert isinstance(addon, PricedAddon)
    assert (addon.service, addon.service_id) == (1, None)


def test_an_addon_may_be_ordered_for_a_service_that_exists() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={MONTHLY: "2.00", ANNUALLY: "20.00"})])
    facts = some_facts(services=[an_owned_service(cycle=ANNUALLY)])

    order = ordered(a_request(addon_lines=(ADDON_LINE,)), catalog, facts=facts)

    addon = only_item(order)
    assert isinstance(addon, PricedAddon)
    assert (addon.service, addon.service_id) == (None, 19)
    assert str(addon.charge.first) == "20.00"  # on the service's cycle


def test_an_unknown_addon_is_refused_for_new_and_existing_services() -> None:
    request = a_request(Item(key=0, product_id=1, addons=(AddonAsked(9),)), addon_lines=(ADDON_LINE,))
    facts = some_facts(services=[an_owned_service()])

    rejection = refused(request, a_catalog(products=[a_product()]), facts=facts)

    assert [(fault.code, fault.message) for fault in rejection.faults] == [("addon_invalid", "Addon ID invalid")] * 2
    assert [(fault.parameter, fault.item) for fault in rejection.faults] == [("addons", 0), ("addonids", 2)]


def test_an_addon_of_other_products_is_refused() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(products=frozenset({5}))])

    rejection = refused(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert rejection.code == "addon_not_offered"
    assert rejection.message == "addons[0]: addon 1 is not offered with this product"


def test_an_addon_without_a_price_in_the_clients_currency_is_refused() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon(currency="EUR")])

    rejection = refused(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), catalog)

    assert rejection.code == "addon_not_offered"


@pytest.mark.parametrize("owner", [None, 2])
def test_an_addon_for_a_service_that_is_not_the_clients_is_refused(owner: int | None) -> None:
    services = [] if owner is None else [an_owned_service(client_id=owner)]
    facts = some_facts(client=a_client(1), services=services)

    rejection = refused(a_request(addon_lines=(ADDON_LINE,)), a_catalog(addons=[an_addon()]), facts=facts)

    assert rejection.code == "service_not_owned"
    assert rejection.message == "Service ID not owned by Client ID provided"
    assert (rejection.faults[0].parameter, rejection.faults[0].item) == ("serviceids", 2)


@pytest.mark.parametrize("status", ["Terminated", "Cancelled", "Fraud", "Completed"])
def test_a_service_that_has_ended_can_have_no_more_addons(status: str) -> None:
    facts = some_facts(services=[an_owned_service(status=status)])

    rejection = refused(
        a_request(addon_lines=(ADDON_LINE,)), a_catalog(products=[a_product()], addons=[an_addon()]), facts=facts
    )

    assert rejection.code == "service_not_extendable"
    assert rejection.message == f"serviceids[2]: service 19 is {status}: it can have no more addons"


@pytest.mark.parametrize("status", ["Pending", "Active", "Suspended"])
def test_a_service_that_lives_can(status: str) -> None:
    facts = some_facts(services=[an_owned_service(status=status)])
    catalog = a_catalog(products=[a_product()], addons=[an_addon(prices={MONTHLY: "4.00"})])

    assert firsts(ordered(a_request(addon_lines=(ADDON_LINE,)), catalog, facts=facts)) == ["4.00"]


def test_a_retired_addon_is_sold_no_more_and_renewed_as_before() -> None:
    catalog = a_catalog(products=[a_product()], addons=[replace(an_addon(), retired=True)])
    facts = some_facts(services=[an_owned_service()], owned_addons=[an_owned_addon(recurring="2.00")])

    rejection = refused(a_request(addon_lines=(ADDON_LINE,)), catalog, facts=facts)

    assert rejection.code == "addon_invalid"
    assert firsts(ordered(a_request(addon_renewals=[3]), catalog, facts=facts)) == ["2.00"]


# ---------------------------------------------------------------- prorata: the day of the month is the product's

TO_THE_FIRST = a_product(prices={MONTHLY: "30.00", ANNUALLY: "300.00"}, prorata=Prorata(1, None))
FLAGGED = replace(an_addon(prices={MONTHLY: ("3.00", "5.00"), ANNUALLY: "30.00"}), prorata=True)


def test_a_flagged_addon_is_billed_to_its_products_day_price_times_quantity_first() -> None:
    item = Item(key=0, product_id=1, addons=(AddonAsked(1, 7),))

    order = ordered(a_request(item), a_catalog(products=[TO_THE_FIRST], addons=[FLAGGED]))

    # From 23 to 30 November: 8 of 30 days. 30.00 is 8.00; 7 x 3.00 = 21.00 is 5.60, and the setup fee is whole.
    assert firsts(order) == ["8.00", "10.60"]
    assert recurrings(order) == ["30.00", "21.00"]
    assert order.items[1].description == "Addon - 7 x SSL (23/11/2026 - 30/11/2026)"


def test_the_whole_next_month_is_added_as_for_the_product() -> None:
    product = replace(TO_THE_FIRST, prorata=Prorata(1, 20))

    order = ordered(
        a_request(Item(key=0, product_id=1, addons=(AddonAsked(1),))), a_catalog(products=[product], addons=[FLAGGED])
    )

    assert firsts(order) == ["38.00", "8.80"]  # 8 of 30 days of 3.00 are 0.80, and 3.00, and setup 5.00


def test_a_flagged_addon_for_a_service_that_exists_is_billed_to_the_day_too() -> None:
    facts = some_facts(services=[an_owned_service()])

    order = ordered(
        a_request(addon_lines=(ADDON_LINE,)), a_catalog(products=[TO_THE_FIRST], addons=[FLAGGED]), facts=facts
    )

    assert firsts(order) == ["5.80"]


@pytest.mark.parametrize(
    ("product", "addon", "cycle", "first"),
    [
        (TO_THE_FIRST, replace(FLAGGED, prorata=False), MONTHLY, "8.00"),
        (a_product(prices={MONTHLY: "30.00"}), FLAGGED, MONTHLY, "8.00"),
        (TO_THE_FIRST, FLAGGED, ANNUALLY, "30.00"),
        (TO_THE_FIRST, replace(an_addon(prices={MONTHLY: ("3.00", "5.00")}), prorata=True), ANNUALLY, "8.00"),
    ],
    ids=["not flagged", "the product has no day", "both a year", "only the addon is monthly"],
)
def test_any_other_addon_is_billed_in_full(product: Product, addon: Addon, cycle: BillingCycle, first: str) -> None:
    item = Item(key=0, product_id=1, billing_cycle=cycle, addons=(AddonAsked(1),))

    assert firsts(ordered(a_request(item), a_catalog(products=[product], addons=[addon])))[1] == first


def test_a_price_override_of_a_code_is_shared_out_over_the_days_as_the_price_is() -> None:
    promotion = a_promotion(PromotionType.PRICE_OVERRIDE, "1.50", addons=frozenset({1}), products=frozenset())
    catalog = a_catalog(products=[TO_THE_FIRST], addons=[FLAGGED], promotions=[promotion])

    order = ordered(a_request(Item(key=0, product_id=1, addons=(AddonAsked(1, 2),)), promo_code="WELCOME"), catalog)

    # 2 x 3.00 for 8 of 30 days are 1.60; 2 x 1.50 are 0.80: it takes 0.80 off
    assert str(order.items[1].charge.promotion_discount) == "0.80"
