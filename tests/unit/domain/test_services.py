"""Product lines (addorder.md 5.1): cycle, price, setup fee, override, what may be ordered at all; quantities (5.3)."""

from decimal import Decimal

import pytest

from schemas.catalog import BillingCycle, CustomField, DomainType, QuantityRule
from schemas.order import (
    AddonAsked,
    Item,
    OptionAsked,
    PricedAddon,
    PricedDomain,
    PricedService,
)
from tests.builders import (
    ANNUALLY,
    FREE,
    MONTHLY,
    ONETIME,
    QUARTERLY,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_request,
    a_tld,
    an_addon,
    an_option,
    firsts,
    only_item,
    ordered,
    recurrings,
    refused,
    some_facts,
)


def test_the_first_payment_is_price_plus_setup_and_the_price_recurs() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: ("19.95", "10.00")})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog)

    assert firsts(order) == ["29.95"]  # 19.95 + 10.00
    assert recurrings(order) == ["19.95"]


def test_without_a_cycle_the_product_takes_its_shortest() -> None:
    catalog = a_catalog(products=[a_product(prices={ANNUALLY: "99.00", QUARTERLY: "28.00"})])

    service = only_item(ordered(a_request(Item(key=0, product_id=1)), catalog))

    assert isinstance(service, PricedService)
    assert service.cycle is QUARTERLY


@pytest.mark.parametrize("cycle", [None, ONETIME, MONTHLY, FREE])
def test_a_one_time_product_recurs_nothing_whatever_cycle_is_given(cycle: BillingCycle | None) -> None:
    catalog = a_catalog(products=[a_product(pay_type="onetime", prices={ONETIME: ("150.00", "25.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, billing_cycle=cycle)), catalog)

    assert firsts(order) == ["175.00"]  # 150.00 + 25.00
    assert recurrings(order) == ["None"]


@pytest.mark.parametrize("cycle", [None, FREE, MONTHLY, ONETIME])
def test_a_free_product_costs_nothing_whatever_cycle_is_given(cycle: BillingCycle | None) -> None:
    catalog = a_catalog(products=[a_product(pay_type="free")])

    order = ordered(a_request(Item(key=0, product_id=1, billing_cycle=cycle)), catalog)

    assert firsts(order) == ["0.00"]
    assert recurrings(order) == ["None"]


def test_a_price_override_replaces_first_and_recurring_price_and_waives_the_setup_fee() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: ("99.00", "50.00")})])

    order = ordered(a_request(Item(key=0, product_id=1, price_override=Decimal("80.00"))), catalog)

    assert firsts(order) == ["80.00"]
    assert recurrings(order) == ["80.00"]


def test_a_price_override_of_zero_is_a_price() -> None:
    catalog = a_catalog(products=[a_product()])

    order = ordered(a_request(Item(key=0, product_id=1, price_override=Decimal("0.00"))), catalog)

    assert firsts(order) == ["0.00"]
    assert recurrings(order) == ["0.00"]


def test_a_price_override_leaves_options_and_addons_charged() -> None:
    option = an_option(5, "dropdown", a_choice(51, ("2.00", "1.00")))
    catalog = a_catalog(
        products=[a_product(prices={MONTHLY: ("10.00", "7.00")}, config_options=(option,))], addons=[an_addon()]
    )
    item = Item(key=0, product_id=1, price_override=Decimal("5.00"), addons=(AddonAsked(1),))

    order = ordered(a_request(item), catalog)

    assert firsts(order) == ["8.00", "2.00"]  # 5.00 + option 2.00 + its setup 1.00; addon 2.00
    assert recurrings(order) == ["7.00", "2.00"]  # 5.00 + 2.00


def test_prices_are_those_of_the_clients_currency() -> None:
    catalog = a_catalog(products=[a_product(currency="EUR", prices={MONTHLY: "8.95"})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=some_facts(client=a_client(currency="EUR")))

    assert order.currency.code == "EUR"
    assert str(order.bill.total) == "8.95"


def test_amounts_have_the_digits_of_the_currency() -> None:
    # The catalogue keeps two decimals for every currency; the yen has none.
    catalog = a_catalog(products=[a_product(currency="JPY", prices={MONTHLY: ("1985.00", "500.00")})])

    order = ordered(a_request(Item(key=0, product_id=1)), catalog, facts=some_facts(client=a_client(currency="JPY")))

    assert firsts(order) == ["2485"]  # 1985 + 500
    assert recurrings(order) == ["1985"]
    assert str(order.bill.total) == "2485"


def test_an_override_is_rounded_half_up_to_the_digits_of_the_currency() -> None:
    catalog = a_catalog(products=[a_product(currency="JPY")])
    item = Item(key=0, product_id=1, price_override=Decimal("5.50"))

    order = ordered(a_request(item), catalog, facts=some_facts(client=a_client(currency="JPY")))

    assert firsts(order) == ["6"]  # 5.50 yen, half up


def test_an_unknown_product_is_refused() -> None:
    rejection = refused(a_request(Item(key=1, product_id=4242)))

    assert rejection.code == "product_not_found"
    assert rejection.message == "pid[1]: there is no product 4242 on sale"


def test_a_retired_product_is_refused() -> None:
    rejection = refused(a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product(retired=True)]))

    assert rejection.code == "product_not_found"


def test_a_cycle_the_product_is_not_sold_on_is_refused_with_those_it_is_sold_on() -> None:
    catalog = a_catalog(products=[a_product(prices={ANNUALLY: "99.00", MONTHLY: "9.95"})])

    rejection = refused(a_request(Item(key=0, product_id=1, billing_cycle=QUARTERLY)), catalog)

    assert rejection.code == "cycle_not_offered"
    assert rejection.message == "billingcycle[0]: quarterly is not offered, the product is sold monthly, annually"


def test_the_cycle_of_a_one_time_product_in_another_currency_is_not_looked_at_but_its_price_is() -> None:
    catalog = a_catalog(products=[a_product(pay_type="onetime", prices={ONETIME: "150.00"}, currency="EUR")])

    rejection = refused(a_request(Item(key=0, product_id=1, billing_cycle=MONTHLY)), catalog)

    assert rejection.message == "pid[0]: product 1 is not sold in USD"


def test_a_product_without_a_price_in_the_clients_currency_is_refused() -> None:
    facts = some_facts(client=a_client(currency="EUR"))

    rejection = refused(a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product()]), facts=facts)

    assert rejection.code == "cycle_not_offered"
    assert rejection.message == "pid[0]: product 1 is not sold in EUR"


def test_a_line_too_large_to_store_is_refused() -> None:
    catalog = a_catalog(products=[a_product(prices={MONTHLY: ("99999999999999.00", "1.00")})])

    rejection = refused(a_request(Item(key=0, product_id=1)), catalog)  # 10^14 is one too many

    assert rejection.code == "total_too_large"


def test_what_belongs_to_the_service_is_kept() -> None:
    item = Item(key=4, product_id=1, ns1_prefix="ns1", ns2_prefix="ns2", root_password="s3cret")

    service = only_item(ordered(a_request(item), a_catalog(products=[a_product()])))

    assert isinstance(service, PricedService)
    assert (service.item, service.ns1_prefix, service.ns2_prefix) == (4, "ns1", "ns2")
    assert service.root_password == "s3cret"


@pytest.mark.parametrize(
    ("domain", "hostname", "expected"),
    [
        ("Own-Domain.com", None, "own-domain.com"),
        ("BÜCHER.com", None, "bücher.com"),
        ("whmcs.com", "server1.example.com", "server1.example.com"),
        (None, "web1", "web1"),  # a server's name need not be a domain
        ("*.Example.com", None, "*.example.com"),  # nor a certificate's
        (None, None, None),
    ],
)
def test_the_hostname_else_the_domain_names_the_service(
    domain: str | None, hostname: str | None, expected: str | None
) -> None:
    item = Item(key=0, product_id=1, domain=domain, hostname=hostname)

    service = only_item(ordered(a_request(item), a_catalog(products=[a_product()])))

    assert isinstance(service, PricedService)
    assert service.domain == expected


@pytest.mark.parametrize(("parameter", "name"), [("domain", "two words.com"), ("hostname", "tab\t.com")])
def test_a_service_name_with_spaces_is_refused(parameter: str, name: str) -> None:
    item = Item(key=2, product_id=1, **{parameter: name})  # type: ignore[arg-type]

    rejection = refused(a_request(item), a_catalog(products=[a_product()]))

    assert rejection.code == "domain_invalid"
    assert rejection.message == f"{parameter}[2]: not a valid domain name"


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
