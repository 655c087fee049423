"""What the rules will ask the database about a request, so that a batch's is read and locked in one go."""

from collections.abc import Iterable, Iterator

from schemas.catalog import Catalog
from schemas.domain_names import existing_domain_name
from schemas.order import FactsNeeded, OrderRequest, Renewal
from worker.domain.domains import name_of

_NOTHING = frozenset[int]()


def facts_needed(request: OrderRequest, catalog: Catalog) -> FactsNeeded:
    """Name every fact and every running total that `decide` will look up for this request."""
    client = frozenset({request.client_id})
    promotion = catalog.promotions.get(request.promo_code.lower()) if request.promo_code else None
    return FactsNeeded(
        clients=client,
        contacts=_NOTHING if request.contact_id is None else frozenset({request.contact_id}),
        services=frozenset(_services(request)),
        addons=frozenset(_ids(request.addon_renewals)),
        domains=frozenset(_domains(request)),
        ordered_names=frozenset(_ordered_names(request)),
        stock_products=frozenset(_stock_products(request, catalog)),
        limited_promotions=frozenset({promotion.id}) if promotion and promotion.max_uses else _NOTHING,
        history_clients=client if promotion and promotion.depends_on_history else _NOTHING,
        renewing_clients=client if request.renews else _NOTHING,
        owned_products_clients=client if promotion and promotion.asks_what_is_owned else _NOTHING,
    )


def _services(request: OrderRequest) -> Iterator[int]:
    yield from _ids(request.service_renewals)
    for line in request.addon_lines:
        yield line.service_id


def _ids(renewals: Iterable[Renewal]) -> Iterator[int]:
    return (renewal.target_id for renewal in renewals)


def _domains(request: OrderRequest) -> Iterator[tuple[int, str]]:
    """Name the client's domains to renew. What is no domain name is nobody's, and refused without a look."""
    for renewal in request.domain_renewals:
        name = existing_domain_name(renewal.name)
        if name is not None:
            yield request.client_id, name.ascii


def _ordered_names(request: OrderRequest) -> Iterator[tuple[int, str]]:
    for item in request.items:
        name = name_of(item) if item.domain_type is not None else None
        if name is not None:
            yield request.client_id, name.ascii


def _stock_products(request: OrderRequest, catalog: Catalog) -> Iterator[int]:
    for item in request.items:
        product = catalog.products.get(item.product_id) if item.product_id is not None else None
        if product is not None and product.stock_controlled:
            yield product.id
