"""The product line of an item: cycle, quantity, price, setup fee and options (addorder.md 5.1 to 5.3)."""

from schemas import rejections
from schemas.catalog import BillingCycle, Price, Product, QuantityRule
from schemas.domain_names import NAME_CHARS_MAX, existing_domain_name
from schemas.order import Charge, Item, PricedService
from schemas.rejections import Rejected
from worker.domain.faults import Faults
from worker.domain.fields import custom_fields
from worker.domain.money import ZERO
from worker.domain.options import PricedOptions, choose_options, price_options
from worker.domain.periods import FirstPeriod, first_period
from worker.domain.sale import Sale, shortest_first
from worker.domain.wording import service_text


def product_of(item: Item, product_id: int, sale: Sale) -> Product:
    """Find the product of an item.

    Raises:
        Rejected: product_not_found, when it is unknown or retired.
    """
    product = sale.catalog.products.get(product_id)
    if product is None or product.retired:
        raise Rejected(rejections.product_not_found(product_id, item.key))
    return product


def cycle_of(item: Item, product: Product, sale: Sale) -> BillingCycle:
    """Take the cycle asked for, or the product's shortest (addorder.md 3).

    What is free or paid once has its own: callers send one cycle for all items, which is not looked at (addorder.md 4).

    Raises:
        Rejected: cycle_not_offered, also when the product has no price in the client's currency.
    """
    offered = shortest_first(sale.product_prices(product))
    if not offered:
        raise Rejected(rejections.product_not_priced(product.id, sale.currency.code, item.key))
    if item.billing_cycle is None or product.pay_type != "recurring":
        return offered[0]
    cycle = item.billing_cycle
    if cycle not in offered:
        raise Rejected(rejections.cycle_not_offered(cycle, item.key, offered))
    return cycle


def check_quantity(item: Item, product: Product) -> None:
    """Refuse more than one of a product that neither scales nor allows multiple services (addorder.md 5.3).

    Raises:
        Rejected: quantity_not_allowed.
    """
    if product.quantity_rule is QuantityRule.NO and (item.quantity or 1) > 1:
        raise Rejected(rejections.quantity_not_allowed("qty", item.key))


def copies_of(item: Item, product: Product) -> int:
    """Count the services that an item creates: n of a product that allows multiple services, else one."""
    return (item.quantity or 1) if product.quantity_rule is QuantityRule.MULTIPLE else 1


def price_service(item: Item, product: Product, cycle: BillingCycle, sale: Sale) -> PricedService:
    """Price one service: the product with its options, for the first payment and for every further one.

    Raises:
        Rejected: what is wrong with options, custom fields and name; all of it at once.
    """
    units = (item.quantity or 1) if product.quantity_rule is QuantityRule.SCALING else 1
    faults = Faults()
    with faults:
        options = price_options(item, product, cycle, sale)
    with faults:
        fields = custom_fields(item, product)
    with faults:
        domain = _service_name(item)
    faults.raise_if_any()

    period = first_period(cycle, product.prorata, sale.today)
    return PricedService(
        item=item.key,
        product_id=product.id,
        product_name=product.name,
        domain=domain,
        cycle=cycle,
        quantity=units,
        charge=_charge(_own_price(item, product, cycle, units, sale), options, period, product, sale),
        description=service_text(product.name, units, domain, sale.period_text(sale.today, period.last_day)),
        next_due=sale.today,
        period_end=period.last_day,
        prorata=product.prorata,
        custom_fields=fields,
        secret_fields=frozenset(field.id for field in product.custom_fields if field.type == "password"),
        options=options.chosen,
        ns1_prefix=item.ns1_prefix,
        ns2_prefix=item.ns2_prefix,
        root_password=item.root_password,
    )


def check_service(item: Item, product: Product) -> None:
    """Check what is asked of a service as far as that can be told without a cycle.

    Raises:
        Rejected: what is wrong with options, custom fields and name; all of it at once.
    """
    faults = Faults()
    with faults:
        choose_options(item, product)
    with faults:
        custom_fields(item, product)
    with faults:
        _service_name(item)
    faults.raise_if_any()


def _own_price(item: Item, product: Product, cycle: BillingCycle, units: int, sale: Sale) -> Price:
    """Price the product without its options: times the units, the setup fee once (addorder.md 5.1, 5.3).

    A price override replaces the price and waives the setup fee.
    """
    offered = sale.product_prices(product)[cycle]
    if item.price_override is not None:
        offered = Price(item.price_override, ZERO)
    return Price(sale.rounded(offered.price) * units, sale.rounded(offered.setup))


def _charge(own: Price, options: PricedOptions, period: FirstPeriod, product: Product, sale: Sale) -> Charge:
    """Put product and options into one line. A prorata share is of both; setup fees are exempt (addorder.md 5.8)."""
    price = sale.rounded(own.price + options.price)
    return Charge(
        price=sale.rounded(period.charge(price)),
        setup=own.setup + options.setup,
        recurring=None if period.last_day is None else price,
        taxed=product.taxed,
        options=sale.rounded(period.charge(options.price)),
        recurring_options=options.price,
    )


def _service_name(item: Item) -> str | None:
    """Name the service: its hostname, else the item's domain, lower-cased and in Unicode if it is a domain name.

    It need not be one: certificates are ordered for `*.example.com`, servers as `web1`. Spaces are refused.
    """
    written = item.hostname or item.domain
    if written is None:
        return None
    name = existing_domain_name(written)
    if name is not None:
        return name.unicode
    if len(written) > NAME_CHARS_MAX or not written.isprintable() or " " in written:
        raise Rejected(rejections.domain_invalid(item.key, "hostname" if item.hostname else "domain"))
    return written.lower()
