"""From what was asked to priced items, in the order of the request (addorder.md 3 and 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from schemas import rejections
from schemas.catalog import BillingCycle, Catalog, Product
from schemas.order import (
    AddonLine,
    DomainName,
    Item,
    OrderRequest,
    PricedItem,
    PricedRenewal,
    PricedService,
    RenewalKind,
)
from schemas.rejections import Fault, Rejected
from worker.domain.addons import AddonOrdered, Parent, addon_of, price_addon
from worker.domain.domains import name_of, price_domain
from worker.domain.faults import Faults
from worker.domain.fields import unknown_custom_fields, unknown_domain_fields
from worker.domain.renewals import (
    price_addon_renewal,
    price_domain_renewal,
    price_service_renewal,
    renewal_warnings,
)
from worker.domain.sale import Sale
from worker.domain.services import check_quantity, check_service, copies_of, cycle_of, price_service, product_of

# Of services that can have no more addons (addorder.md 5.4).
_ENDED = frozenset({"Terminated", "Cancelled", "Fraud", "Completed"})
# Of domains that the client has at this moment (addorder.md 4).
_HELD = frozenset({"Active", "Pending Transfer", "Grace", "Redemption", "Expired"})

ROWS_MAX = 1_000  # services, addons, domains and renewals that one order may create (addorder.md 1)


@dataclass(frozen=True, slots=True)
class Cart:
    """The priced items of one order, warnings, and the stock they take: product id → units."""

    items: tuple[PricedItem, ...]
    warnings: tuple[str, ...]
    stock_taken: Mapping[int, int]


def fill_cart(sale: Sale) -> Cart:
    """Price the items in the order of their keys, then addon-only lines, then renewals.

    Raises:
        Rejected: too_many_items, before anything is priced; else every fault of every item, line and renewal.
    """
    _check_rows(sale)
    basket = _Basket(sale)
    for item in sale.request.items:
        basket.put_item(item)
    for line in sale.request.addon_lines:
        basket.put_addon_line(line)
    basket.put_renewals()
    basket.faults.raise_if_any()
    return Cart(tuple(basket.items), tuple(basket.warnings), basket.stock_taken)


def _check_rows(sale: Sale) -> None:
    rows = rows_of(sale.request, sale.catalog)
    if rows > ROWS_MAX:
        raise Rejected(rejections.too_many_items(rows, ROWS_MAX))


def rows_of(request: OrderRequest, catalog: Catalog) -> int:
    """Count the rows that an order would create: items times quantities times addons (addorder.md 1)."""
    renewals = len(request.domain_renewals) + len(request.service_renewals) + len(request.addon_renewals)
    return len(request.addon_lines) + renewals + sum(_rows_of(item, catalog) for item in request.items)


def _rows_of(item: Item, catalog: Catalog) -> int:
    product = catalog.products.get(item.product_id) if item.product_id is not None else None
    services = copies_of(item, product) * (1 + len(item.addons)) if product is not None else 0
    return max(services + (item.domain_type is not None), 1)


class _Basket:
    """A cart while it is being filled: rows so far, and what is wrong with those that did not get in."""

    def __init__(self, sale: Sale) -> None:
        self.sale = sale
        self.items: list[PricedItem] = []
        self.warnings: list[str] = []
        self.faults = Faults()
        self.stock_taken: dict[int, int] = {}
        self._domains: set[str] = set()
        self._renewed: set[tuple[RenewalKind, int]] = set()

    def put_item(self, item: Item) -> None:
        """Put in what one item orders: services with their addons, then the domain."""
        if item.product_id is None and item.domain_type is None:
            self.faults.add(rejections.item_empty(item.key))
            return
        service: int | None = None
        with self.faults:
            service = self._put_services(item)
        with self.faults:
            self._put_domain(item, service)

    def put_addon_line(self, line: AddonLine) -> None:
        """Put in an addon for a service that the client has."""
        ordered = AddonOrdered(line.addon_id, line.quantity, line.parameter, line.item)
        service = self.sale.facts.services.get(line.service_id)
        parameter = line.parameter.replace("addon", "service")  # it stands beside it: serviceids[2], addonids[2]
        if service is None or service.client_id != self.sale.client.id:
            with self.faults:
                addon_of(ordered, None, self.sale)
            self.faults.add(rejections.service_not_owned(parameter, line.item))
            return
        if service.status in _ENDED:
            self.faults.add(rejections.service_not_extendable(service.id, service.status, parameter, line.item))
            return
        prorata = self.sale.catalog.products[service.product_id].prorata
        with self.faults:
            parent = Parent(service.product_id, service.cycle, prorata, service.domain, service_id=service.id)
            self.items.append(price_addon(ordered, parent, self.sale))

    def put_renewals(self) -> None:
        """Put in what the request renews on demand; nothing may be renewed twice."""
        request, sale = self.sale.request, self.sale
        for domain in request.domain_renewals:
            with self.faults:
                priced = price_domain_renewal(domain, sale)
                parameter = f"domainrenewals[{domain.name}]"
                self._put_renewal(priced, rejections.domain_repeated(parameter, None, priced.name))
        for renewal in request.service_renewals:
            with self.faults:
                priced = price_service_renewal(renewal, sale)
                self._put_renewal(priced, rejections.renewal_repeated("servicerenewals", renewal.item))
        for renewal in request.addon_renewals:
            with self.faults:
                priced = price_addon_renewal(renewal, sale)
                self._put_renewal(priced, rejections.renewal_repeated("addonrenewals", renewal.item))

    def _put_renewal(self, priced: PricedRenewal, repeated: Fault) -> None:
        renewed = (priced.kind, priced.target_id)
        if renewed in self._renewed:
            raise Rejected(repeated)
        self._renewed.add(renewed)
        self.items.append(priced)
        self.warnings.extend(renewal_warnings(priced, self.sale))

    def _put_services(self, item: Item) -> int | None:
        """Put in the services of an item, and tell the position of the first, which has the item's domain (5.3)."""
        if item.product_id is None:
            if item.addons:
                raise Rejected(rejections.parameter_missing("pid", item.key))
            return None
        product = product_of(item, item.product_id, self.sale)
        self.warnings.extend(unknown_custom_fields(item, product))
        with self.faults:
            check_quantity(item, product)
            self._take_stock(item, product)
        cycle: BillingCycle | None = None
        with self.faults:
            cycle = cycle_of(item, product, self.sale)
        if cycle is None:
            self._check_without_cycle(item, product)
            return None
        first = self._put_service(item, product, cycle)
        if first is not None and copies_of(item, product) > 1:
            nameless = replace(item, domain=None, hostname=None)
            for _ in range(copies_of(item, product) - 1):
                self._put_service(nameless, product, cycle)
        return first

    def _check_without_cycle(self, item: Item, product: Product) -> None:
        """Find what else is wrong with a service whose cycle is wrong: a caller learns of all faults at once."""
        with self.faults:
            check_service(item, product)
        for addon in item.addons:
            with self.faults:
                addon_of(AddonOrdered(addon.addon_id, addon.quantity, "addons", item.key), product.id, self.sale)

    def _put_service(self, item: Item, product: Product, cycle: BillingCycle) -> int | None:
        """Put in one service and its addons, and tell its position; None if the service did not get in."""
        service = None
        position = len(self.items)
        with self.faults:
            service = price_service(item, product, cycle, self.sale)
            self.items.append(service)
        domain = service.domain if service else None
        parent = Parent(product.id, cycle, product.prorata, domain, service=position)
        for addon in item.addons:
            with self.faults:
                ordered = AddonOrdered(addon.addon_id, addon.quantity, "addons", item.key)
                self.items.append(price_addon(ordered, parent, self.sale))
        return position if service else None

    def _take_stock(self, item: Item, product: Product) -> None:
        """Take the item's quantity from what other orders and earlier items have left (addorder.md 5.3)."""
        if not product.stock_controlled:
            return
        taken, quantity = self.stock_taken.get(product.id, 0), item.quantity or 1
        left = self.sale.totals.stock[product.id] - taken
        if quantity > left:
            raise Rejected(rejections.out_of_stock(product.id, left, item.key))
        self.stock_taken[product.id] = taken + quantity

    def _put_domain(self, item: Item, position: int | None) -> None:
        """Put in the domain of an item, whose service is at `position`; a name may be ordered once in a request."""
        if item.domain_type is None:
            return
        name = name_of(item)
        if name is not None:
            if name.ascii in self._domains:
                self.faults.add(rejections.domain_repeated("domain", item.key, name.unicode))
            self._domains.add(name.ascii)
        service = None if position is None else self.items[position]
        assert service is None or isinstance(service, PricedService)
        domain = price_domain(item, item.domain_type, service, position, self.sale)
        self.warnings.extend(unknown_domain_fields(item, self.sale.catalog.tlds[domain.tld]))
        self._warn_if_held(item, domain.name)
        self.items.append(domain)

    def _warn_if_held(self, item: Item, name: DomainName) -> None:
        """Warn of a name that the client has already: it may be ordered again (addorder.md 4)."""
        records = self.sale.facts.domains.get((self.sale.client.id, name.ascii), ())
        held = next((record for record in records[::-1] if record.status in _HELD), None)
        if held is not None:
            where = rejections.place("domain", item.key)
            self.warnings.append(f"{where}: the client has {name.unicode} already (domain {held.id}, {held.status})")
