"""Builders: everything has a default, so that a test passes only what it is about. No rule is repeated here."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from schemas.catalog import (
    Addon,
    Affiliate,
    BillingCycle,
    Catalog,
    ConfigChoice,
    ConfigOption,
    Currency,
    CustomField,
    DomainField,
    Extra,
    FreeDomain,
    PaymentMethod,
    Price,
    Product,
    Promotion,
    PromotionType,
    Prorata,
    QuantityRule,
    TaxRule,
    Tld,
)
from schemas.order import (
    Client,
    DomainRenewal,
    Facts,
    Item,
    OpenInvoice,
    OpenOrder,
    OpenRenewal,
    OrderRequest,
    OwnedAddon,
    OwnedDomain,
    OwnedService,
    PricedItem,
    PricedOrder,
    Recurring,
    Renewal,
    RenewalKind,
    Take,
    Totals,
)
from schemas.rejections import Rejection
from schemas.shop_settings import ShopSettings
from worker.domain.decide import decide

MONTHLY = BillingCycle.MONTHLY
QUARTERLY = BillingCycle.QUARTERLY
ANNUALLY = BillingCycle.ANNUALLY
ONETIME = BillingCycle.ONETIME
FREE = BillingCycle.FREE
TODAY = date(2026, 11, 23)

USD = Currency("USD", "$", " USD", 2, is_default=True)
EUR = Currency("EUR", "€", " EUR", 2, is_default=False)
JPY = Currency("JPY", "¥", "", 0, is_default=False)

CyclePrices = Mapping[BillingCycle, str | tuple[str, str]]


def cycle_prices(prices: CyclePrices) -> dict[BillingCycle, Price]:
    """`{MONTHLY: "10.00"}`, or with a setup fee `{MONTHLY: ("10.00", "5.00")}`."""
    pairs = {cycle: price if isinstance(price, tuple) else (price, "0.00") for cycle, price in prices.items()}
    return {cycle: Price(Decimal(price), Decimal(setup)) for cycle, (price, setup) in pairs.items()}


def year_prices(prices: Mapping[int, str]) -> dict[int, Decimal]:
    return {years: Decimal(price) for years, price in prices.items()}


# ---------------------------------------------------------------- the catalogue


def a_product(
    product_id: int = 1,
    *,
    name: str = "Starter",
    pay_type: str = "recurring",
    taxed: bool = False,
    retired: bool = False,
    quantity_rule: QuantityRule = QuantityRule.NO,
    stock_controlled: bool = False,
    prorata: Prorata | None = None,
    free_domain: FreeDomain | None = None,
    prices: CyclePrices | None = None,
    currency: str = "USD",
    custom_fields: tuple[CustomField, ...] = (),
    config_options: tuple[ConfigOption, ...] = (),
) -> Product:
    """A product at 10.00 a month without a setup fee."""
    return Product(
        id=product_id,
        name=name,
        type="hosting",
        pay_type=pay_type,
        taxed=taxed,
        retired=retired,
        quantity_rule=quantity_rule,
        stock_controlled=stock_controlled,
        prorata=prorata,
        free_domain=free_domain,
        prices={} if pay_type == "free" else {currency: cycle_prices(prices or {MONTHLY: "10.00"})},
        custom_fields=custom_fields,
        config_options=config_options,
    )


def an_option(
    option_id: int,
    kind: str,
    *choices: ConfigChoice,
    quantity_min: int | None = None,
    quantity_max: int | None = None,
) -> ConfigOption:
    return ConfigOption(option_id, f"Option {option_id}", kind, quantity_min, quantity_max, choices)


def a_choice(choice_id: int, price: str | tuple[str, str] | None, *, cycle: BillingCycle = MONTHLY) -> ConfigChoice:
    """A choice at this price (and setup fee) on one cycle; None: sold on no cycle at all."""
    prices = {} if price is None else {"USD": cycle_prices({cycle: price})}
    return ConfigChoice(choice_id, f"Choice {choice_id}", prices)


def an_addon(
    addon_id: int = 1,
    *,
    name: str = "SSL",
    taxed: bool = False,
    products: frozenset[int] | None = None,
    prices: CyclePrices | None = None,
    currency: str = "USD",
) -> Addon:
    """An addon at 2.00 a month, offered with every product."""
    return Addon(addon_id, name, taxed, products, {currency: cycle_prices(prices or {MONTHLY: "2.00"})})


def a_tld(
    tld: str = ".com",
    *,
    taxed: bool = False,
    epp_required: bool = False,
    register: Mapping[int, str] | None = None,
    transfer: Mapping[int, str] | None = None,
    renew: Mapping[int, str] | None = None,
    extras: Mapping[Extra, str] | None = None,
    fields: tuple[DomainField, ...] = (),
    currency: str = "USD",
) -> Tld:
    """A TLD at 15.00 for one year, however it is ordered; no extras."""
    one_year = {1: "15.00"}
    return Tld(
        tld=tld,
        taxed=taxed,
        epp_required=epp_required,
        register={currency: year_prices(one_year if register is None else register)},
        transfer={currency: year_prices(one_year if transfer is None else transfer)},
        renew={currency: year_prices(one_year if renew is None else renew)},
        extras={currency: {extra: Decimal(price) for extra, price in (extras or {}).items()}},
        fields=fields,
    )


def a_promotion(
    kind: PromotionType = PromotionType.PERCENTAGE,
    value: str = "10.00",
    *,
    code: str = "WELCOME",
    values: Mapping[str, str] | None = None,
    recurring: bool = False,
    recur_for: int = 0,
    start_date: date | None = None,
    end_date: date | None = None,
    max_uses: int = 0,
    once_per_client: bool = False,
    new_signups_only: bool = False,
    existing_clients_only: bool = False,
    requires_products: frozenset[int] = frozenset(),
    cycles: frozenset[BillingCycle] = frozenset(),
    products: frozenset[int] | None = None,
    addons: frozenset[int] | None = None,
    tlds: frozenset[str] | None = None,
    apply_once: bool = False,
    requires_existing: bool = True,
) -> Promotion:
    """Promotion 1: 10 % off everything, for everyone, at any time."""
    return Promotion(
        id=1,
        code=code,
        type=kind,
        value=Decimal(value),
        values={currency: Decimal(amount) for currency, amount in (values or {}).items()},
        recurring=recurring,
        recur_for=recur_for,
        start_date=start_date,
        end_date=end_date,
        max_uses=max_uses,
        once_per_client=once_per_client,
        new_signups_only=new_signups_only,
        existing_clients_only=existing_clients_only,
        requires_products=requires_products,
        cycles=cycles,
        products=products,
        addons=addons,
        tlds=tlds,
        apply_once=apply_once,
        requires_existing=requires_existing,
    )


def a_tax_rule(
    rate: str,
    *,
    level: int = 1,
    country: str | None = "US",
    state: str | None = None,
    state_aliases: tuple[str, ...] = (),
    compound: bool = False,
    name: str = "Tax",
) -> TaxRule:
    return TaxRule(level, level, name, country, state, Decimal(rate), compound, state_aliases)


def an_affiliate(affiliate_id: int, *, client_id: int = 2, active: bool = True) -> Affiliate:
    return Affiliate(affiliate_id, client_id, active)


def a_catalog(
    *,
    products: Iterable[Product] = (),
    addons: Iterable[Addon] = (),
    tlds: Iterable[Tld] = (),
    promotions: Iterable[Promotion] = (),
    tax_rules: tuple[TaxRule, ...] = (),
    group_discounts: Mapping[int, str] | None = None,
    affiliates: Iterable[Affiliate] = (),
) -> Catalog:
    methods = (
        PaymentMethod("paypal", "PayPal", active=True),
        PaymentMethod("oldgateway", "Old Gateway", active=False),
        PaymentMethod("mailin", "Mail In Payment", active=True),
    )
    return Catalog(
        version=1,
        credentials_version=1,
        order_number_key=b"",
        settings=ShopSettings(),
        currencies={currency.code: currency for currency in (USD, EUR, JPY)},
        payment_methods={method.name: method for method in methods},
        group_discounts={group: Decimal(percent) for group, percent in (group_discounts or {}).items()},
        tax_rules=tax_rules,
        products={product.id: product for product in products},
        addons={addon.id: addon for addon in addons},
        tlds={tld.tld: tld for tld in tlds},
        promotions={promotion.code.lower(): promotion for promotion in promotions},
        affiliates={affiliate.id: affiliate for affiliate in affiliates},
        credentials={},
    )


# ---------------------------------------------------------------- who asks, and what is known


def a_client(
    client_id: int = 1,
    *,
    currency: str = "USD",
    country: str = "US",
    state: str = "Texas",
    tax_id: str = "",
    tax_exempt: bool = False,
    group_id: int | None = None,
    status: str = "Active",
) -> Client:
    return Client(
        id=client_id,
        first_name="John",
        last_name="Doe",
        company_name="",
        email="john.doe@example.com",
        language="english",
        address1="1 Main Street",
        address2="",
        city="Austin",
        state=state,
        postcode="73301",
        country=country,
        tax_id=tax_id,
        currency=currency,
        tax_exempt=tax_exempt,
        group_id=group_id,
        status=status,
    )


def a_recurring(amount: str, full: str | None, discounts_left: int | None) -> Recurring:
    return Recurring(
        Decimal(amount), None if full is None else Decimal(full), discounts_left, is_by_code=full is not None
    )


def an_owned_service(
    service_id: int = 19,
    *,
    client_id: int = 1,
    product_id: int = 1,
    cycle: BillingCycle = MONTHLY,
    recurring: str = "9.95",
    recurring_full: str | None = None,
    discounts_left: int | None = None,
    status: str = "Active",
    renewable: bool = True,
    domain: str | None = "three.example.com",
    is_unpaid: bool = False,
) -> OwnedService:
    return OwnedService(
        id=service_id,
        client_id=client_id,
        product_id=product_id,
        cycle=cycle,
        domain=domain,
        status=status,
        renewable=renewable,
        next_due=date(2026, 12, 10),
        is_unpaid=is_unpaid,
        recurring=a_recurring(recurring, recurring_full, discounts_left),
    )


def an_owned_addon(
    owned_addon_id: int = 3,
    *,
    client_id: int = 1,
    addon_id: int = 1,
    cycle: BillingCycle = MONTHLY,
    recurring: str = "2.00",
    recurring_full: str | None = None,
    discounts_left: int | None = None,
    status: str = "Active",
    renewable: bool = True,
    is_unpaid: bool = False,
    service_status: str = "Active",
    service_renewable: bool = True,
) -> OwnedAddon:
    return OwnedAddon(
        id=owned_addon_id,
        client_id=client_id,
        service_id=19,
        addon_id=addon_id,
        cycle=cycle,
        status=status,
        renewable=renewable,
        next_due=date(2026, 12, 10),
        is_unpaid=is_unpaid,
        service_status=service_status,
        service_renewable=service_renewable,
        recurring=a_recurring(recurring, recurring_full, discounts_left),
    )


def an_owned_domain(
    name: str = "domain1.com",
    *,
    domain_id: int = 1,
    client_id: int = 1,
    status: str = "Active",
    expires: date | None = date(2027, 1, 15),
    paid_until: date | None = None,
    free_with: int | None = None,
    extras: frozenset[Extra] = frozenset(),
) -> OwnedDomain:
    return OwnedDomain(domain_id, client_id, name, status, expires, paid_until, free_with, extras)


def an_open_order(
    order_id: int = 5,
    *renewed: tuple[RenewalKind, int],
    client_id: int = 1,
    status: str = "Pending",
    is_invoiced: bool = True,
    has_only_renewals: bool = True,
    promotion_id: int | None = None,
    takes: tuple[Take, ...] = (),
) -> OpenOrder:
    """An order of a month, from 10 December on, at 9.95."""
    amounts = [Decimal(amount) for amount in ("9.95", "0.00", "0.00", "0.00", "9.95")]
    period = date(2026, 12, 10), date(2027, 1, 9)
    return OpenOrder(
        id=order_id,
        order_number=f"{order_id:010}",
        client_id=client_id,
        status=status,
        invoice=OpenInvoice(order_id, "USD", *amounts) if is_invoiced else None,
        has_only_renewals=has_only_renewals,
        promotion_id=promotion_id,
        renewals=tuple(OpenRenewal(kind, target_id, *period) for kind, target_id in renewed),
        takes=takes,
    )


def some_facts(
    *,
    client: Client | None = None,
    today: date = TODAY,
    contacts: Mapping[int, int] | None = None,
    services: Iterable[OwnedService] = (),
    owned_addons: Iterable[OwnedAddon] = (),
    domains: Iterable[OwnedDomain] = (),
    owned_products: Mapping[int, frozenset[int]] | None = None,
    active_clients: Iterable[int] = (),
    open_orders: Iterable[OpenOrder] = (),
) -> Facts:
    """What is known about one client. Domains come oldest first."""
    client = client or a_client()
    records: dict[tuple[int, str], tuple[OwnedDomain, ...]] = {}
    for domain in domains:
        key = (domain.client_id, domain.name)
        records[key] = (*records.get(key, ()), domain)
    return Facts(
        today=today,
        clients={client.id: client},
        contacts=contacts or {},
        services={service.id: service for service in services},
        addons={addon.id: addon for addon in owned_addons},
        domains=records,
        owned_products=owned_products or {},
        active_clients=frozenset(active_clients),
        open_orders={client.id: tuple(open_orders)},
    )


# ---------------------------------------------------------------- what is asked


def a_request(
    *items: Item,
    payment_method: str | None = "paypal",
    domain_renewals: Mapping[str, int] | None = None,
    service_renewals: Iterable[int] = (),
    addon_renewals: Iterable[int] = (),
    **parameters: object,
) -> OrderRequest:
    renewals = tuple(DomainRenewal(name, years) for name, years in (domain_renewals or {}).items())
    return OrderRequest(
        client_id=1,
        payment_method=payment_method,
        items=items,
        domain_renewals=renewals,
        service_renewals=tuple(Renewal(target, key) for key, target in enumerate(service_renewals)),
        addon_renewals=tuple(Renewal(target, key) for key, target in enumerate(addon_renewals)),
        **parameters,  # type: ignore[arg-type] # the names and types are those of OrderRequest
    )


# ---------------------------------------------------------------- deciding


def ordered(
    request: OrderRequest,
    catalog: Catalog | None = None,
    *,
    facts: Facts | None = None,
    totals: Totals | None = None,
    settings: ShopSettings | None = None,
) -> PricedOrder:
    """Decide on a request that must be accepted."""
    outcome, _ = decide(request, facts or some_facts(), totals or Totals(), _in_force(catalog, settings))
    assert isinstance(outcome, PricedOrder), outcome
    return outcome


def refused(
    request: OrderRequest,
    catalog: Catalog | None = None,
    *,
    facts: Facts | None = None,
    totals: Totals | None = None,
    settings: ShopSettings | None = None,
) -> Rejection:
    """Decide on a request that must be rejected, and must use nothing up."""
    totals = totals or Totals()
    outcome, after = decide(request, facts or some_facts(), totals, _in_force(catalog, settings))
    assert isinstance(outcome, Rejection), outcome
    assert after is totals
    return outcome


def _in_force(catalog: Catalog | None, settings: ShopSettings | None) -> Catalog:
    """The catalogue, in a shop with these settings."""
    catalog = catalog or a_catalog()
    return catalog if settings is None else replace(catalog, settings=settings)


def only_item(order: PricedOrder) -> PricedItem:
    (item,) = order.items
    return item


def firsts(order: PricedOrder) -> list[str]:
    """The first payments of the items, before discounts."""
    return [str(item.charge.first) for item in order.items]


def recurrings(order: PricedOrder) -> list[str]:
    return [str(item.charge.recurring) for item in order.items]


def bill_lines(order: PricedOrder) -> list[tuple[str, str]]:
    return [(line.description, str(line.amount)) for line in order.bill.lines]
