"""Quantities, the limit of rows, and stock (addorder.md 5.3 and 1)."""

from decimal import Decimal

import pytest

from schemas.catalog import CustomField, DomainType, QuantityRule
from schemas.order import (
    AddonAsked,
    AddonLine,
    Item,
    OptionAsked,
    PricedAddon,
    PricedDomain,
    PricedService,
    Totals,
)
from schemas.rejections import Rejection
from tests.builders import (
    MONTHLY,
    a_catalog,
    a_choice,
    a_product,
    a_request,
    a_tld,
    an_addon,
    an_option,
    an_owned_service,
    firsts,
    only_item,
    ordered,
    recurrings,
    refused,
    some_facts,
)
from worker.domain.decide import decide

MULTIPLE, SCALING = QuantityRule.MULTIPLE, QuantityRule.SCALING


def test_multiple_services_are_n_services_each_with_options_fields_and_addons() -> None:
    product = a_product(
        quantity_rule=MULTIPLE,
        prices={MONTHLY: ("4.00", "6.00")},
        custom_fields=(CustomField(7, "Site", "text", required=True, options=()),),
        config_options=(an_option(5, "yesno", a_choice(50, "1.00")),),
    )
    item = Item(
        key=0,
        product_id=1,
        quantity=2,
        custom_fields={"7": "Blog"},
        config_options={"5": OptionAsked("1")},
        addons=(AddonAsked(1),),
    )

    order = ordered(a_request(item), a_catalog(products=[product], addons=[an_addon()]))

    assert firsts(order) == ["11.00", "2.00", "11.00", "2.00"]  # 4.00 + setup 6.00 + option 1.00; addon 2.00
    services = [item for item in order.items if isinstance(item, PricedService)]
    assert [(service.quantity, service.custom_fields) for service in services] == [(1, {7: "Blog"}), (1, {7: "Blog"})]
    assert [item.service for item in order.items if isinstance(item, PricedAddon)] == [0, 2]


def test_of_multiple_services_the_first_has_the_domain_which_is_ordered_once() -> None:
    item = Item(key=0, product_id=1, quantity=3, domain="whmcs.com", domain_type=DomainType.REGISTER)
    catalog = a_catalog(products=[a_product(quantity_rule=MULTIPLE)], tlds=[a_tld()])

    order = ordered(a_request(item), catalog)

    services = [item for item in order.items if isinstance(item, PricedService)]
    assert [service.domain for service in services] == ["whmcs.com", None, None]
    assert [item.name.ascii for item in order.items if isinstance(item, PricedDomain)] == ["whmcs.com"]


def test_scaling_is_one_service_with_price_times_n_and_setup_once() -> None:
    catalog = a_catalog(products=[a_product(quantity_rule=SCALING, prices={MONTHLY: ("5.00", "20.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, quantity=3)), catalog)

    service = only_item(order)
    assert isinstance(service, PricedService)
    assert service.quantity == 3
    assert firsts(order) == ["35.00"]  # 3 x 5.00 + 20.00
    assert recurrings(order) == ["15.00"]


def test_scaling_multiplies_an_override_too() -> None:
    catalog = a_catalog(products=[a_product(quantity_rule=SCALING, prices={MONTHLY: ("5.00", "20.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, quantity=3, price_override=Decimal("4.00"))), catalog)

    assert firsts(order) == ["12.00"]  # 3 x 4.00, setup waived


def test_scaling_has_its_options_once() -> None:
    option = an_option(5, "yesno", a_choice(50, "1.00"))
    catalog = a_catalog(products=[a_product(quantity_rule=SCALING, config_options=(option,))])
    item = Item(key=0, product_id=1, quantity=3, config_options={"5": OptionAsked("1")})

    assert recurrings(ordered(a_request(item), catalog)) == ["31.00"]  # 3 x 10.00 + 1.00


def test_a_quantity_of_one_is_always_allowed() -> None:
    order = ordered(a_request(Item(key=0, product_id=1, quantity=1)), a_catalog(products=[a_product()]))

    assert firsts(order) == ["10.00"]


def test_a_quantity_of_a_product_that_allows_only_one_is_refused() -> None:
    rejection = refused(a_request(Item(key=0, product_id=1, quantity=2)), a_catalog(products=[a_product()]))

    assert rejection.code == "quantity_not_allowed"
    assert rejection.message == "qty[0]: this product can be ordered once only"


# ---------------------------------------------------------------- rows


def test_a_thousand_rows_are_an_order() -> None:
    # 250 x (1 service + 3 addons) = 1,000 rows
    item = Item(key=0, product_id=1, quantity=250, addons=(AddonAsked(1), AddonAsked(1), AddonAsked(1)))
    catalog = a_catalog(products=[a_product(quantity_rule=MULTIPLE)], addons=[an_addon()])

    assert len(ordered(a_request(item), catalog).items) == 1000


def test_more_than_a_thousand_rows_are_refused_before_anything_is_expanded() -> None:
    # 1,000,000 services, one renewal and one addon
    item = Item(key=0, product_id=1, quantity=1_000_000)
    request = a_request(item, service_renewals=(19,), addon_lines=(AddonLine(1, 19, 1, "addonid", None),))

    rejection = refused(request, a_catalog(products=[a_product(quantity_rule=MULTIPLE)]))

    assert rejection.code == "too_many_items"
    assert rejection.message == "The order would create 1000002 rows, the limit is 1000: split it"


def test_every_addon_of_every_service_is_a_row() -> None:
    # 251 x (1 service + 3 addons) = 1,004 rows
    item = Item(key=0, product_id=1, quantity=251, addons=(AddonAsked(1), AddonAsked(1), AddonAsked(1)))
    catalog = a_catalog(products=[a_product(quantity_rule=MULTIPLE)], addons=[an_addon()])

    assert refused(a_request(item), catalog).code == "too_many_items"


def test_the_domain_of_an_item_is_a_row_too() -> None:
    item = Item(key=0, product_id=1, quantity=1000, domain="whmcs.com", domain_type=DomainType.REGISTER)

    rejection = refused(a_request(item), a_catalog(products=[a_product(quantity_rule=MULTIPLE)], tlds=[a_tld()]))

    assert rejection.code == "too_many_items"


def test_a_scaling_quantity_is_one_row() -> None:
    item = Item(key=0, product_id=1, quantity=5000)

    assert len(ordered(a_request(item), a_catalog(products=[a_product(quantity_rule=SCALING)])).items) == 1


# ---------------------------------------------------------------- stock


@pytest.mark.parametrize(("rule", "taken"), [(MULTIPLE, 3), (SCALING, 3)])
def test_a_product_with_stock_control_gives_its_quantity(rule: QuantityRule, taken: int) -> None:
    catalog = a_catalog(products=[a_product(quantity_rule=rule, stock_controlled=True)])
    totals = Totals(stock={1: 5, 2: 9})

    order, after = decide(a_request(Item(key=0, product_id=1, quantity=3)), some_facts(), totals, catalog)

    assert not isinstance(order, Rejection)
    assert order.stock_taken == {1: taken}
    assert after.stock == {1: 2, 2: 9}
    assert totals.stock == {1: 5, 2: 9}


def test_more_than_is_in_stock_is_refused() -> None:
    catalog = a_catalog(products=[a_product(quantity_rule=MULTIPLE, stock_controlled=True)])

    rejection = refused(a_request(Item(key=0, product_id=1, quantity=3)), catalog, totals=Totals(stock={1: 2}))

    assert rejection.code == "out_of_stock"
    assert rejection.message == "pid[0]: product 1 is out of stock (2 left)"


def test_a_quantity_that_is_not_allowed_is_not_a_question_of_stock() -> None:
    catalog = a_catalog(products=[a_product(stock_controlled=True)])

    rejection = refused(a_request(Item(key=0, product_id=1, quantity=3)), catalog, totals=Totals(stock={1: 2}))

    assert [fault.code for fault in rejection.faults] == ["quantity_not_allowed"]


def test_the_items_of_one_order_share_the_stock() -> None:
    catalog = a_catalog(products=[a_product(stock_controlled=True)])
    request = a_request(Item(key=0, product_id=1), Item(key=1, product_id=1), Item(key=2, product_id=1))

    rejection = refused(request, catalog, totals=Totals(stock={1: 2}))

    assert rejection.message == "pid[2]: product 1 is out of stock (0 left)"


def test_the_orders_of_a_batch_share_the_stock() -> None:
    catalog = a_catalog(products=[a_product(stock_controlled=True)])
    request = a_request(Item(key=0, product_id=1))

    first, after_first = decide(request, some_facts(), Totals(stock={1: 1}), catalog)
    second, after_second = decide(request, some_facts(), after_first, catalog)

    assert not isinstance(first, Rejection)
    assert isinstance(second, Rejection)
    assert second.code == "out_of_stock"
    assert after_second is after_first


def test_a_product_without_stock_control_takes_no_stock() -> None:
    assert ordered(a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product()])).stock_taken == {}


def test_an_addon_for_a_service_that_exists_takes_no_stock() -> None:
    request = a_request(addon_lines=(AddonLine(1, 19, 1, "addonid", None),))
    catalog = a_catalog(products=[a_product(stock_controlled=True)], addons=[an_addon()])

    order = ordered(request, catalog, facts=some_facts(services=[an_owned_service()]))

    assert order.stock_taken == {}
