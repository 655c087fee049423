"""The decision as a whole: the order of the checks, collecting of faults, what an order carries (addorder.md 4)."""

from dataclasses import replace

import pytest

from schemas.catalog import CustomField, DomainType
from schemas.order import AddonAsked, AddonLine, Client, Item, OptionAsked, Renewal, Totals
from schemas.rejections import FAULTS_MAX, Rejection
from tests.builders import (
    ANNUALLY,
    a_catalog,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tld,
    an_addon,
    an_affiliate,
    ordered,
    refused,
    some_facts,
)
from worker.domain.decide import decide

VALID_METHODS = "Invalid Payment Method. Valid options include paypal, mailin"


def test_an_unknown_client_is_refused_before_all_else() -> None:
    rejection = refused(a_request(payment_method="bitcoin"), facts=some_facts(client=a_client(2)))

    assert rejection.code == "client_not_found"
    assert rejection.message == "Client ID not found"


def test_a_closed_client_is_refused_before_the_payment_method_is_looked_at() -> None:
    rejection = refused(a_request(payment_method="bitcoin"), facts=some_facts(client=a_client(status="Closed")))

    assert rejection.code == "client_closed"
    assert rejection.message == "Unable to add order when client status is Closed"


@pytest.mark.parametrize("client", [a_client(status="Active"), a_client(status="Inactive")])
def test_other_clients_may_order(client: Client) -> None:
    order = ordered(
        a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product()]), facts=some_facts(client=client)
    )

    assert order.client is client


@pytest.mark.parametrize("method", [None, "", "bitcoin", "oldgateway"], ids=["absent", "empty", "unknown", "inactive"])
def test_the_payment_method_is_checked_before_the_contact_and_names_the_active_ones(method: str | None) -> None:
    rejection = refused(a_request(payment_method=method, contact_id=8))

    assert rejection.code == "invalid_payment_method"
    assert rejection.message == VALID_METHODS


@pytest.mark.parametrize("contacts", [{}, {8: 2}], ids=["unknown", "another client's"])
def test_the_contact_is_checked_before_the_cart(contacts: dict[int, int]) -> None:
    rejection = refused(a_request(contact_id=8), facts=some_facts(contacts=contacts))

    assert rejection.code == "contact_not_found"
    assert rejection.message == "contactid: no contact of this client"


def test_a_contact_of_the_client_is_accepted() -> None:
    request = a_request(Item(key=0, product_id=1), contact_id=8)

    order = ordered(request, a_catalog(products=[a_product()]), facts=some_facts(contacts={8: 1}))

    assert order.request.contact_id == 8


def test_an_order_of_nothing_is_refused() -> None:
    rejection = refused(a_request())

    assert rejection.code == "empty_order"
    assert rejection.message == "No items added to cart so order cannot proceed"


@pytest.mark.parametrize(
    "item", [Item(key=1), Item(key=1, domain="whmcs.com"), Item(key=1, addons=(AddonAsked(1),))], ids=str
)
def test_an_item_that_is_nothing_is_refused(item: Item) -> None:
    rejection = refused(a_request(item))

    assert rejection.code == "item_empty"
    assert rejection.message == "item [1]: neither a product (pid) nor a domain (domaintype and domain)"


def test_the_faults_of_all_items_lines_and_renewals_are_collected_in_order() -> None:
    request = a_request(
        Item(key=1, product_id=4242, domain="x y.com", domain_type=DomainType.REGISTER),
        Item(key=3, product_id=1, quantity=2, custom_fields={}, addons=(AddonAsked(8), AddonAsked(9))),
        Item(key=5),
        addon_lines=(AddonLine(1, 19, 1, "addonids", 0),),
        domain_renewals={"domain1.com": 1},
        service_renewals=(19,),
        addon_renewals=(3,),
    )

    rejection = refused(request, a_catalog(products=[a_product()], addons=[an_addon()], tlds=[a_tld()]))

    assert [(fault.code, fault.item) for fault in rejection.faults] == [
        ("product_not_found", 1),
        ("domain_invalid", 1),
        ("quantity_not_allowed", 3),
        ("addon_invalid", 3),
        ("item_empty", 5),
        ("service_not_owned", 0),
        ("domain_not_owned", None),
        ("service_not_owned", 0),
        ("addon_not_owned", 0),
    ]
    assert rejection.code == "product_not_found"


def test_a_wrong_cycle_hides_nothing_else_that_is_wrong_with_the_item() -> None:
    product = a_product(custom_fields=(CustomField(7, "Site", "text", required=True, options=()),))
    item = Item(
        key=2,
        product_id=1,
        billing_cycle=ANNUALLY,
        config_options={"77": OptionAsked("1")},
        addons=(AddonAsked(8),),
        domain="a.zzz",
        domain_type=DomainType.REGISTER,
    )

    rejection = refused(a_request(item), a_catalog(products=[product], addons=[an_addon()]))

    assert [fault.code for fault in rejection.faults] == [
        "cycle_not_offered",
        "config_option_invalid",
        "custom_field_required",
        "addon_invalid",
        "unknown_tld",
    ]


def test_both_halves_of_an_addon_line_are_looked_at() -> None:
    rejection = refused(a_request(addon_lines=(AddonLine(999, 9999, 1, "addonids", 4),)), a_catalog())

    assert [(fault.code, fault.parameter, fault.item) for fault in rejection.faults] == [
        ("addon_invalid", "addonids", 4),
        ("service_not_owned", "serviceids", 4),
    ]


def test_a_name_twice_is_told_beside_an_ending_that_is_not_sold() -> None:
    items = (Item(key=key, domain="x.zzz", domain_type=DomainType.REGISTER) for key in (0, 1))

    rejection = refused(a_request(*items), a_catalog(tlds=[a_tld()]))

    assert [(fault.code, fault.item) for fault in rejection.faults] == [
        ("unknown_tld", 0),
        ("domain_repeated", 1),
        ("unknown_tld", 1),
    ]


def test_a_renewal_is_named_by_its_key_in_the_request() -> None:
    request = replace(a_request(), service_renewals=(Renewal(3, 1), Renewal(21, 7)), addon_renewals=(Renewal(11, 4),))

    rejection = refused(request, a_catalog())

    assert [(fault.parameter, fault.item) for fault in rejection.faults] == [
        ("servicerenewals", 1),
        ("servicerenewals", 7),
        ("addonrenewals", 4),
    ]


def test_at_most_twenty_faults_are_listed() -> None:
    rejection = refused(a_request(*(Item(key=key) for key in range(100))))

    assert len(rejection.faults) == FAULTS_MAX


def test_a_request_with_one_bad_item_places_nothing() -> None:
    catalog = a_catalog(products=[a_product(stock_controlled=True)], promotions=[a_promotion(max_uses=3)])
    totals = Totals(stock={1: 5}, promotion_uses={1: 0})
    request = a_request(Item(key=0, product_id=1), Item(key=1, product_id=2), promo_code="WELCOME")

    outcome, after = decide(request, some_facts(), totals, catalog)

    assert isinstance(outcome, Rejection)
    assert after is totals


def test_items_come_as_services_with_addons_then_domain_each_under_its_key() -> None:
    catalog = a_catalog(products=[a_product()], addons=[an_addon()], tlds=[a_tld()])
    items = (
        Item(key=2, product_id=1, addons=(AddonAsked(1),), domain="a.com", domain_type=DomainType.REGISTER),
        Item(key=7, product_id=1),
    )

    order = ordered(a_request(*items), catalog)

    kinds = [type(item).__name__ for item in order.items]
    assert kinds == ["PricedService", "PricedAddon", "PricedDomain", "PricedService"]
    assert [getattr(item, "item", None) for item in order.items] == [2, None, 2, 7]


def test_an_order_names_the_payment_method_as_people_read_it() -> None:
    order = ordered(a_request(Item(key=0, product_id=1), payment_method="mailin"), a_catalog(products=[a_product()]))

    assert order.payment_method.display_name == "Mail In Payment"


@pytest.mark.parametrize(
    ("affiliate_id", "kept", "warnings"),
    [
        (None, None, ()),
        (3, 3, ()),
        (4, None, ("affid: affiliate 4 is not active; the order was placed without it",)),
        (5, None, ("affid: affiliate 5 is the client's own; the order was placed without it",)),
        (99, None, ("affid: affiliate 99 is not known; the order was placed without it",)),
    ],
)
def test_an_affiliate_that_is_unknown_or_inactive_or_the_client_is_a_warning(
    affiliate_id: int | None, kept: int | None, warnings: tuple[str, ...]
) -> None:
    catalog = a_catalog(
        products=[a_product()],
        affiliates=[an_affiliate(3), an_affiliate(4, active=False), an_affiliate(5, client_id=1)],
    )

    order = ordered(a_request(Item(key=0, product_id=1), affiliate_id=affiliate_id), catalog)

    assert order.affiliate_id == kept
    assert order.warnings == warnings
