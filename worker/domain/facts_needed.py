"""What the rules will ask the database about a batch of requests, so that it is read and locked in one go."""

from collections.abc import Iterable, Iterator

from schemas.catalog import Catalog, Promotion
from schemas.domain_names import existing_domain_name
from schemas.order import FactsNeeded, OrderRequest, Renewal


def facts_needed(requests: Iterable[OrderRequest], catalog: Catalog) -> FactsNeeded:
    """Name every fact and every running total that `decide` will look up for these requests."""
    asked = tuple(requests)
    promoted = tuple(_promoted(asked, catalog))
    return FactsNeeded(
        clients=frozenset(request.client_id for request in asked),
        contacts=frozenset(request.contact_id for request in asked if request.contact_id is not None),
        services=frozenset(service_id for request in asked for service_id in _services(request)),
        addons=frozenset(addon_id for request in asked for addon_id in _ids(request.addon_renewals)),
        domains=frozenset(domain for request in asked for domain in _domains(request)),
        stock_products=frozenset(product_id for request in asked for product_id in _stock_products(request, catalog)),
        limited_promotions=frozenset(promotion.id for _, promotion in promoted if promotion.max_uses),
        history_clients=frozenset(client_id for client_id, promotion in promoted if promotion.depends_on_history),
        owned_products_clients=frozenset(client_id for client_id, promotion in promoted if promotion.requires_products),
    )


def _promoted(requests: Iterable[OrderRequest], catalog: Catalog) -> Iterator[tuple[int, Promotion]]:
    """Name each client with the promotion whose code it gave."""
    for request in requests:
        promotion = catalog.promotions.get(request.promo_code.lower()) if request.promo_code else None
        if promotion is not None:
            yield request.client_id, promotion


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


def _stock_products(request: OrderRequest, catalog: Catalog) -> Iterator[int]:
    for item in request.items:
        product = catalog.products.get(item.product_id) if item.product_id is not None else None
        if product is not None and product.stock_controlled:
            yield product.id
