"""The limit of rows, and stock (addorder.md 1 and 5.3)."""

import pytest

from schemas.catalog import DomainType, QuantityRule
from schemas.order import (
    AddonAsked,
    AddonLine,
    Item,
    Totals,
)
from schemas.rejections import Rejection
from tests.builders import (
    a_catalog,
    a_product,
    a_request,
    a_tld,
    an_addon,
    an_owned_service,
    ordered,
    refused,
    some_facts,
)
from worker.domain.decide import decide

MULTIPLE, SCALING = QuantityRule.MULTIPLE, QuantityRule.SCALING

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
