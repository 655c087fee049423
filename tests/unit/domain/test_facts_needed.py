"""What must be read and locked for a request, and for a batch."""

from schemas.catalog import DomainType
from schemas.order import AddonLine, FactsNeeded, Item
from tests.builders import a_catalog, a_product, a_promotion, a_request
from worker.domain.facts_needed import facts_needed

NOTHING = frozenset[int]()


def test_every_fact_that_the_requests_name_is_needed() -> None:
    first = a_request(
        Item(key=0, product_id=1),
        contact_id=7,
        addon_lines=(AddonLine(1, 19, 1, "addonid", None),),
        domain_renewals={"BÜCHER.com": 1, "two words": 1, "xn--n3h.com": 1},
        service_renewals=(3, 10),
    )
    second = a_request(addon_renewals=(4,))

    catalog = a_catalog(products=[a_product()])
    found = FactsNeeded.joined([facts_needed(one, catalog) for one in (first, second)])

    assert found == FactsNeeded(
        clients=frozenset({1}),
        contacts=frozenset({7}),
        services=frozenset({3, 10, 19}),
        addons=frozenset({4}),
        domains=frozenset({(1, "xn--bcher-kva.com"), (1, "xn--n3h.com")}),
        stock_products=NOTHING,
        limited_promotions=NOTHING,
        history_clients=NOTHING,
        renewing_clients=frozenset({1}),
        owned_products_clients=NOTHING,
    )


def test_the_stock_of_controlled_products_is_needed() -> None:
    catalog = a_catalog(products=[a_product(1, stock_controlled=True), a_product(2)])
    request = a_request(Item(key=0, product_id=1), Item(key=1, product_id=2), Item(key=2, product_id=4242), Item(key=3))

    assert facts_needed(request, catalog).stock_products == {1}


def ids(found: FactsNeeded) -> tuple[list[int], list[int], list[int]]:
    return list(found.limited_promotions), list(found.history_clients), list(found.owned_products_clients)


def test_a_promotions_limit_history_and_required_products_are_needed() -> None:
    request = a_request(promo_code="WeLcOmE")

    limited = facts_needed(request, a_catalog(promotions=[a_promotion(max_uses=5)]))
    new_only = facts_needed(request, a_catalog(promotions=[a_promotion(new_signups_only=True)]))
    requires = facts_needed(request, a_catalog(promotions=[a_promotion(requires_products=frozenset({24}))]))

    assert ids(limited) == ([1], [], [])
    assert ids(new_only) == ([], [1], [])
    assert ids(requires) == ([], [], [1])


def test_an_unknown_or_absent_code_wants_nothing() -> None:
    catalog = a_catalog(promotions=[a_promotion(max_uses=5)])

    assert ids(facts_needed(a_request(promo_code="NOSUCH"), catalog)) == ([], [], [])
    assert ids(facts_needed(a_request(), catalog)) == ([], [], [])


def test_what_two_need_in_common_is_told_and_nothing_is_nothing() -> None:
    one = FactsNeeded(clients=frozenset({1, 2}), stock_products=frozenset({5}))
    other = FactsNeeded(clients=frozenset({2}), services=frozenset({5}))

    assert one.common(other) == FactsNeeded(clients=frozenset({2}))
    assert one.common(other)
    assert not one.common(FactsNeeded(addons=frozenset({1})))


def test_a_name_that_is_ordered_is_looked_for_and_not_locked() -> None:
    request = a_request(
        Item(key=0, domain="BÜCHER.com", domain_type=DomainType.REGISTER),
        Item(key=1, product_id=1, domain="web1.example.com"),
    )

    needed = facts_needed(request, a_catalog(products=[a_product()]))

    assert needed.ordered_names == {(1, "xn--bcher-kva.com")}
    assert not needed.domains
    assert not needed.renewing_clients
