"""Our own frozen values: what was asked, what is known, the priced order, the placed order."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from schemas.catalog import BillingCycle, Currency, DomainType, Extra, PaymentMethod, Promotion, Prorata
from schemas.shop_settings import Seller

# ---------------------------------------------------------------- what was asked


@dataclass(frozen=True, slots=True)
class OptionAsked:
    """The value of a configurable option: `value` alone, or a choice with its quantity."""

    value: str  # a choice id, a quantity, or 1/0 for yes and no
    quantity: int | None = None  # set where the request said {optionid, qty}


@dataclass(frozen=True, slots=True)
class AddonAsked:
    addon_id: int
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Item `key` of the request: a service, a domain, or both on one name (addorder.md 3)."""

    key: int
    product_id: int | None = None
    quantity: int | None = None
    domain: str | None = None
    billing_cycle: BillingCycle | None = None
    domain_type: DomainType | None = None
    years: int | None = None
    epp_code: str | None = None
    idn_language: str | None = None
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    config_options: Mapping[str, OptionAsked] = field(default_factory=dict)
    price_override: Decimal | None = None
    addons: tuple[AddonAsked, ...] = ()
    hostname: str | None = None
    ns1_prefix: str | None = None
    ns2_prefix: str | None = None
    root_password: str | None = None
    extras: frozenset[Extra] = frozenset()
    domain_fields: Mapping[str, str] = field(default_factory=dict)
    domain_price_override: Decimal | None = None
    domain_renew_override: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AddonLine:
    """An addon for a service that exists. `parameter` and `item` name its path in the request."""

    addon_id: int
    service_id: int
    quantity: int
    parameter: str
    item: int | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A service, or an addon of one, that is to be renewed; `item` is its key in the request."""

    target_id: int
    item: int


@dataclass(frozen=True, slots=True)
class DomainRenewal:
    name: str  # as the caller wrote it
    years: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """One AddOrder request after parsing: no credentials, no parallel arrays, every value of its type."""

    client_id: int
    payment_method: str | None = None
    items: tuple[Item, ...] = ()  # in the order of their keys
    addon_lines: tuple[AddonLine, ...] = ()
    domain_renewals: tuple[DomainRenewal, ...] = ()
    service_renewals: tuple[Renewal, ...] = ()
    addon_renewals: tuple[Renewal, ...] = ()
    nameservers: tuple[str, ...] = ()
    contact_id: int | None = None
    promo_code: str | None = None
    promo_override: bool = False
    affiliate_id: int | None = None
    no_invoice: bool = False
    no_invoice_email: bool = False
    no_email: bool = False
    client_ip: str | None = None
    notes: str | None = None

    @property
    def renews(self) -> bool:
        return bool(self.domain_renewals or self.service_renewals or self.addon_renewals)


# ---------------------------------------------------------------- what is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Who buys, as an invoice names them for good."""

    name: str
    company: str
    address1: str
    address2: str
    city: str
    state: str
    postcode: str
    country: str
    tax_id: str
    tax_exempt: bool


@dataclass(frozen=True, slots=True)
class Client:
    id: int
    first_name: str
    last_name: str
    company_name: str
    email: str
    language: str
    address1: str
    address2: str
    city: str
    state: str
    postcode: str
    country: str
    tax_id: str
    currency: str
    tax_exempt: bool
    group_id: int | None
    status: str

    @property
    def as_buyer(self) -> Buyer:
        return Buyer(
            name=f"{self.first_name} {self.last_name}".strip(),
            company=self.company_name,
            address1=self.address1,
            address2=self.address2,
            city=self.city,
            state=self.state,
            postcode=self.postcode,
            country=self.country,
            tax_id=self.tax_id,
            tax_exempt=self.tax_exempt,
        )


@dataclass(frozen=True, slots=True)
class Recurring:
    """What is paid for each further period; `full` and `discounts_left` are of a code that lowers it (addorder.md 5.9).

    Of rows from before `full` is not known: then `is_by_code` alone says that a code lowers it, for ever.
    """

    amount: Decimal
    full: Decimal | None = None  # without the code
    discounts_left: int | None = None  # for so many renewals more it is lowered; None: for all of them
    is_by_code: bool = False

    @property
    def takes_discount(self) -> bool:
        """Whether the next renewal is one of those that are counted."""
        return self.discounts_left is not None and self.discounts_left > 0

    @property
    def is_lowered(self) -> bool:
        return self.is_by_code and self.discounts_left != 0

    @property
    def next_amount(self) -> Decimal:
        return self.full if self.discounts_left == 0 and self.full is not None else self.amount


@dataclass(frozen=True, slots=True)
class OwnedService:
    id: int
    client_id: int
    product_id: int
    cycle: BillingCycle
    domain: str | None
    status: str
    renewable: bool
    next_due: date
    is_unpaid: bool  # the order that made it has an Unpaid invoice
    recurring: Recurring


@dataclass(frozen=True, slots=True)
class OwnedAddon:
    id: int
    client_id: int
    service_id: int
    addon_id: int
    cycle: BillingCycle
    status: str
    renewable: bool
    next_due: date
    is_unpaid: bool
    service_status: str
    service_renewable: bool
    recurring: Recurring


@dataclass(frozen=True, slots=True)
class OwnedDomain:
    id: int
    client_id: int
    name: str  # the ASCII form
    status: str
    expires: date | None
    paid_until: date | None  # the last day that was paid, as far as it is known here
    free_with: int | None  # the service with which it is renewed for nothing
    extras: frozenset[Extra]


class RenewalKind(StrEnum):
    DOMAIN = "domain_renewal"
    SERVICE = "service_renewal"
    ADDON = "addon_renewal"


Renewed = tuple[RenewalKind, int]  # what is renewed: the id of a domain, a service, or an addon of one


class TakeKind(StrEnum):
    """What an order takes that is counted, and given back when it is cancelled (life.md 2)."""

    STOCK = "stock"
    PROMOTION_USE = "promotion_use"
    SERVICE_DISCOUNT = "service_discount"
    ADDON_DISCOUNT = "addon_discount"


@dataclass(frozen=True, slots=True)
class Take:
    kind: TakeKind
    thing_id: int  # of a product, a promotion, a service, or an addon of one
    units: int


@dataclass(frozen=True, slots=True)
class OpenRenewal:
    kind: RenewalKind
    target_id: int
    period_start: date | None  # None: written by a version that did not keep it
    period_end: date | None


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    id: int
    currency: str
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    tax2: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order that renews something and is not paid. `invoice` None: it has none."""

    id: int
    order_number: str
    client_id: int
    status: str
    invoice: OpenInvoice | None
    has_only_renewals: bool
    promotion_id: int | None
    renewals: tuple[OpenRenewal, ...]
    takes: tuple[Take, ...]

    @property
    def renewed(self) -> frozenset[Renewed]:
        return frozenset((renewal.kind, renewal.target_id) for renewal in self.renewals)

    @property
    def may_be_superseded(self) -> bool:
        return self.status == "Pending" and self.has_only_renewals and self.invoice is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the database says about everything that the requests of one batch name."""

    today: date  # in the shop's time zone, by the database's clock
    clients: Mapping[int, Client] = field(default_factory=dict)
    contacts: Mapping[int, int] = field(default_factory=dict)  # contact id → its client
    services: Mapping[int, OwnedService] = field(default_factory=dict)
    addons: Mapping[int, OwnedAddon] = field(default_factory=dict)
    # (client id, ASCII name) → the client's records of that name, oldest first
    domains: Mapping[tuple[int, str], tuple[OwnedDomain, ...]] = field(default_factory=dict)
    # client id → ids of the products of the client's live services; for clients whose code requires a product
    owned_products: Mapping[int, frozenset[int]] = field(default_factory=dict)
    active_clients: frozenset[int] = frozenset()  # with an Active order; of those whose code asks for that
    # client id → orders that are not paid and renew something of what is to be renewed
    open_orders: Mapping[int, tuple[OpenOrder, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsNeeded:
    """What a request, or a batch of them, must know and lock: ids of what is named there."""

    clients: frozenset[int] = frozenset()
    contacts: frozenset[int] = frozenset()
    services: frozenset[int] = frozenset()
    addons: frozenset[int] = frozenset()
    domains: frozenset[tuple[int, str]] = frozenset()  # to renew: (client id, ASCII name)
    ordered_names: frozenset[tuple[int, str]] = frozenset()  # that the client may have already: likewise
    stock_products: frozenset[int] = frozenset()
    limited_promotions: frozenset[int] = frozenset()
    history_clients: frozenset[int] = frozenset()  # whose earlier orders decide about their promotion code
    renewing_clients: frozenset[int] = frozenset()  # who have one such request carried out at a time
    owned_products_clients: frozenset[int] = frozenset()  # whose products decide about it

    @classmethod
    def joined(cls, needed: Collection["FactsNeeded"]) -> "FactsNeeded":
        """Say what all of these need."""
        return cls(**{kind: frozenset().union(*(getattr(one, kind) for one in needed)) for kind in cls.__slots__})

    @property
    def locked_clients(self) -> frozenset[int]:
        return self.history_clients | self.renewing_clients

    def common(self, other: "FactsNeeded") -> "FactsNeeded":
        """Say what both need."""
        return FactsNeeded(**{kind: getattr(self, kind) & getattr(other, kind) for kind in self.__slots__})

    def __bool__(self) -> bool:
        return any(getattr(self, kind) for kind in self.__slots__)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the orders of one batch share and use up: passed in to a decision and returned by it."""

    stock: Mapping[int, int] = field(default_factory=dict)  # product id → units left
    promotion_uses: Mapping[int, int] = field(default_factory=dict)  # promotion id → uses so far
    # (client id, promotion id) → orders of that client with it, Cancelled ones aside
    used_promotions: Mapping[tuple[int, int], int] = field(default_factory=dict)


# ---------------------------------------------------------------- the priced order


@dataclass(frozen=True, slots=True)
class DomainName:
    """A domain name in both of its forms, lower-cased (addorder.md 5.5)."""

    ascii: str
    unicode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one item costs, in the client's currency, before any discount.

    `price`, `setup` and `late_fee` together are the first payment; `recurring` is None for what is billed once.
    The discounts are positive amounts that come off the first payment.
    """

    price: Decimal
    setup: Decimal
    recurring: Decimal | None
    taxed: bool
    recurring_full: Decimal | None = None  # without the promotion that lowers `recurring`; None: none does
    discounts_left: int | None = None  # so many further payments it lowers; None beside recurring_full: all
    # The part of `price` and of `recurring` for configurable options or domain extras, which a promotion's price
    # override leaves charged.
    options: Decimal = Decimal(0)
    recurring_options: Decimal = Decimal(0)
    promotion_discount: Decimal | None = None  # None: no promotion applied to this line
    promotion_text: str = ""
    group_discount: Decimal = Decimal(0)

    late_fee: Decimal = Decimal(0)  # of a domain's renewal: no discount lowers or weighs it

    @property
    def first(self) -> Decimal:
        return self.price + self.setup + self.late_fee

    @property
    def discountable(self) -> Decimal:
        return self.price + self.setup

    @property
    def discount(self) -> Decimal:
        return self.group_discount + self.promotion_discount if self.promotion_discount else self.group_discount


@dataclass(frozen=True, slots=True)
class ChosenOption:
    option_id: int
    choice_id: int | None
    name: str
    choice_name: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedService:
    kind: ClassVar = "service"

    item: int  # key of the request's item
    product_id: int
    product_name: str
    domain: str | None
    cycle: BillingCycle
    quantity: int
    charge: Charge
    description: str
    next_due: date
    period_end: date | None
    prorata: Prorata | None = None  # of the product: a first month ends on its day
    custom_fields: Mapping[int, str] = field(default_factory=dict)
    secret_fields: frozenset[int] = frozenset()  # those of them that hold passwords
    options: tuple[ChosenOption, ...] = ()
    ns1_prefix: str | None = None
    ns2_prefix: str | None = None
    root_password: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedAddon:
    """An addon of a service of this order (`service` is its position in PricedOrder.items), or of one that exists."""

    kind: ClassVar = "addon"

    addon_id: int
    name: str
    service: int | None
    service_id: int | None
    cycle: BillingCycle
    quantity: int
    charge: Charge
    description: str
    next_due: date
    period_end: date | None
    prorata: Prorata | None = None  # of the service's product, where the addon is billed to its day as well


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedDomain:
    kind: ClassVar = "domain"

    item: int
    name: DomainName
    tld: str
    type: DomainType
    years: int
    extras: frozenset[Extra]
    free: bool  # free with the product of the same item (addorder.md 5.6)
    charge: Charge
    description: str
    next_due: date
    period_end: date | None  # None: a transfer, whose dates the registry tells
    free_with: int | None = None  # position of the service with which it is renewed for nothing
    nameservers: tuple[str, ...] = ()
    epp_code: str | None = None
    idn_language: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedRenewal:
    kind: RenewalKind
    target_id: int
    name: str  # of the domain, product or addon
    tld: str | None  # domains only
    years: int | None  # domains only
    cycle: BillingCycle | None  # services and addons only
    charge: Charge
    description: str
    period_start: date | None  # None: of an order whose row does not say it
    period_end: date | None
    late_phase: str = ""  # of a domain that is late: Grace, Redemption
    is_lowered: bool = False  # by the code with which the service or addon was ordered
    takes_discount: bool = False  # one of those that are counted


PricedItem = PricedService | PricedAddon | PricedDomain | PricedRenewal


class LineKind(StrEnum):
    """What a line of a bill is about: a kind of item, or a discount on one item or on all."""

    SERVICE = "service"
    ADDON = "addon"
    DOMAIN = "domain"
    DOMAIN_RENEWAL = RenewalKind.DOMAIN
    SERVICE_RENEWAL = RenewalKind.SERVICE
    ADDON_RENEWAL = RenewalKind.ADDON
    PROMOTION = "promotion"
    GROUP_DISCOUNT = "group_discount"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of an invoice. `item` is the position in PricedOrder.items of what it bills; None: the whole order."""

    item: int | None
    description: str
    amount: Decimal  # negative for a discount
    taxed: bool


@dataclass(frozen=True, slots=True)
class TaxAmount:
    level: int
    name: str
    rate: Decimal  # percent
    base: Decimal | None  # what it is of, without the tax itself; None: the version before did not write it down
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What the client owes for the order, whether or not an invoice is issued (addorder.md 5.11 and 5.12).

    subtotal - discount + exclusive taxes = total; an inclusive tax is contained in the total.
    """

    lines: tuple[InvoiceLine, ...]
    subtotal: Decimal
    discount: Decimal
    taxes: tuple[TaxAmount, ...]
    tax_inclusive: bool
    total: Decimal
    invoiced: bool
    paid: bool  # issued as Paid, because nothing is owed
    due: date  # before `date`, which would hide the type
    date: date
    buyer: Buyer
    seller: Seller
    tax_note: str  # why there is no tax; empty: nothing to say
    numbered: bool  # becoming Paid, an invoice gets a number: until then it is a pro forma


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedOrder:
    request: OrderRequest
    client: Client
    currency: Currency
    payment_method: PaymentMethod
    items: tuple[PricedItem, ...]
    bill: Bill
    promotion: Promotion | None  # the one that applied
    affiliate_id: int | None
    warnings: tuple[str, ...]
    stock_taken: Mapping[int, int]  # product id → units
    supersedes: tuple[OpenOrder, ...] = ()  # orders that are cancelled with it

    @property
    def takes(self) -> tuple[Take, ...]:
        """List what it takes that is counted."""
        taken = [Take(TakeKind.STOCK, product_id, units) for product_id, units in self.stock_taken.items()]
        if self.promotion is not None and self.promotion.max_uses:
            taken.append(Take(TakeKind.PROMOTION_USE, self.promotion.id, 1))
        for item in self.items:
            if isinstance(item, PricedRenewal) and item.takes_discount:
                kind = TakeKind.SERVICE_DISCOUNT if item.kind is RenewalKind.SERVICE else TakeKind.ADDON_DISCOUNT
                taken.append(Take(kind, item.target_id, 1))
        return tuple(taken)

    @property
    def takes_number(self) -> bool:
        """Whether its invoice gets a number as it is made: nothing is owed on it, and it is Paid."""
        return self.bill.paid and self.bill.numbered

    def kind_of(self, line: InvoiceLine) -> LineKind:
        """Tell what a line of its bill is about."""
        if line.item is None:
            return LineKind.GROUP_DISCOUNT
        return LineKind.PROMOTION if line.amount < 0 else LineKind(self.items[line.item].kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder:
    """The ids that a priced order was given. `item_ids` runs beside PricedOrder.items."""

    order_id: int
    order_number: str
    invoice_id: int  # 0: none
    item_ids: tuple[int, ...]
    invoice_number: str | None = None  # of one that is Paid, where invoices are numbered
