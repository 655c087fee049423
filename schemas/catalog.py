"""What the shop sells, and to whom it may be sold: one immutable snapshot. Loaded by repository/catalog.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from schemas.shop_settings import ShopSettings


class BillingCycle(StrEnum):
    """How often a service or an addon is billed, shortest first (addorder.md 3)."""

    FREE = "free"
    ONETIME = "onetime"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    SEMIANNUALLY = "semiannually"
    ANNUALLY = "annually"
    BIENNIALLY = "biennially"
    TRIENNIALLY = "triennially"

    @property
    def months(self) -> int:
        """Length in calendar months; 0 for what is billed once or never."""
        return _MONTHS[self]


_MONTHS = {
    BillingCycle.FREE: 0,
    BillingCycle.ONETIME: 0,
    BillingCycle.MONTHLY: 1,
    BillingCycle.QUARTERLY: 3,
    BillingCycle.SEMIANNUALLY: 6,
    BillingCycle.ANNUALLY: 12,
    BillingCycle.BIENNIALLY: 24,
    BillingCycle.TRIENNIALLY: 36,
}

# Every cycle in the order of its length, so that "the shortest" is the first that is offered.
CYCLES = tuple(BillingCycle)


class DomainType(StrEnum):
    REGISTER = "register"
    TRANSFER = "transfer"


class Extra(StrEnum):
    """Domain extras, named as their request parameters are."""

    DNS_MANAGEMENT = "dnsmanagement"
    EMAIL_FORWARDING = "emailforwarding"
    ID_PROTECTION = "idprotection"


class QuantityRule(StrEnum):
    """What `qty` means for a product (addorder.md 5.3)."""

    NO = "no"
    MULTIPLE = "multiple"  # n services
    SCALING = "scaling"  # one service, price times n


class PromotionType(StrEnum):
    PERCENTAGE = "percentage"
    FIXED_AMOUNT = "fixed_amount"
    PRICE_OVERRIDE = "price_override"
    FREE_SETUP = "free_setup"


@dataclass(frozen=True, slots=True)
class Currency:
    code: str
    prefix: str
    suffix: str
    digits: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    name: str
    display_name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Price:
    """Price and setup fee, in the currency's major unit. A cycle that is not offered has no Price."""

    price: Decimal
    setup: Decimal


# currency code → cycle → price
Prices = Mapping[str, Mapping[BillingCycle, Price]]


@dataclass(frozen=True, slots=True)
class CustomField:
    id: int
    name: str
    type: str  # text, dropdown, tickbox, password, textarea, link
    required: bool
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigChoice:
    id: int
    name: str
    prices: Prices


@dataclass(frozen=True, slots=True)
class ConfigOption:
    """A configurable option. `quantity_min` and `quantity_max` are set for type quantity only."""

    id: int
    name: str
    type: str  # dropdown, radio, yesno, quantity
    quantity_min: int | None
    quantity_max: int | None
    choices: tuple[ConfigChoice, ...]


@dataclass(frozen=True, slots=True)
class Prorata:
    day: int  # of the month, 1 to 28
    charge_next_month: int | None  # from this day on the whole next month is added; None: never


class FreeDomainKind(StrEnum):
    """For how long a product's free domain is free (addorder.md 5.6)."""

    ONCE = "once"
    WHILE_RENEWED = "while_renewed"


@dataclass(frozen=True, slots=True)
class FreeDomain:
    cycles: frozenset[BillingCycle]
    tlds: frozenset[str]
    kind: FreeDomainKind = FreeDomainKind.ONCE


@dataclass(frozen=True, slots=True)
class Product:
    id: int
    name: str
    type: str
    pay_type: str  # free, onetime, recurring
    taxed: bool
    retired: bool
    quantity_rule: QuantityRule
    stock_controlled: bool
    prorata: Prorata | None
    free_domain: FreeDomain | None
    prices: Prices
    custom_fields: tuple[CustomField, ...]
    config_options: tuple[ConfigOption, ...]


@dataclass(frozen=True, slots=True)
class Addon:
    id: int
    name: str
    taxed: bool
    products: frozenset[int] | None  # None: offered with every product
    prices: Prices
    retired: bool = False
    prorata: bool = False  # billed to the day of its prorata product, where both are monthly


@dataclass(frozen=True, slots=True)
class DomainField:
    name: str
    type: str
    required: bool
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LatePhase:
    """How long an expired domain may still be renewed, and what that costs beside the renewal: currency → fee."""

    days: int
    fee: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Tld:
    """A top-level domain. Price tables are currency → years → price for the whole period."""

    tld: str  # with its leading dot
    taxed: bool
    epp_required: bool
    register: Mapping[str, Mapping[int, Decimal]]
    transfer: Mapping[str, Mapping[int, Decimal]]
    renew: Mapping[str, Mapping[int, Decimal]]
    extras: Mapping[str, Mapping[Extra, Decimal]]  # currency → extra → price a year
    fields: tuple[DomainField, ...]
    grace: LatePhase | None = None
    redemption: LatePhase | None = None


@dataclass(frozen=True, slots=True)
class Promotion:
    """A promotion code and its conditions (addorder.md 5.9). None in `products`, `addons`, `tlds`: all of them."""

    id: int
    code: str
    type: PromotionType
    value: Decimal  # percent, or an amount in the default currency
    values: Mapping[str, Decimal]  # amounts by currency, over `value`
    recurring: bool
    recur_for: int  # 0: for ever
    start_date: date | None
    end_date: date | None
    max_uses: int  # 0: without limit
    once_per_client: bool
    new_signups_only: bool
    existing_clients_only: bool
    requires_products: frozenset[int]
    cycles: frozenset[BillingCycle]  # empty: any
    products: frozenset[int] | None
    addons: frozenset[int] | None
    tlds: frozenset[str] | None
    apply_once: bool
    requires_existing: bool = True  # whether a required product may be one that the client has already

    @property
    def depends_on_history(self) -> bool:
        """Whether what the client ordered before decides, so that the client must be locked."""
        return self.once_per_client or self.new_signups_only or self.existing_clients_only

    @property
    def asks_what_is_owned(self) -> bool:
        return bool(self.requires_products) and self.requires_existing


@dataclass(frozen=True, slots=True)
class TaxRule:
    """None in `country` or `state`: any. `rate` is in percent. Aliases are other spellings of the state."""

    id: int
    level: int
    name: str
    country: str | None
    state: str | None
    rate: Decimal
    compound: bool
    state_aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Affiliate:
    id: int
    client_id: int
    active: bool


@dataclass(frozen=True, slots=True)
class Credential:
    """`caller` is whose keys its requests have. The old secret is taken as well, until then by the database's clock."""

    id: int
    identifier: str
    secret_hash: str
    actions: frozenset[str]
    caller: str
    old_secret_hash: str | None = None  # None: it was never replaced, or the old one is refused
    old_secret_until: datetime | None = None

    def secret_hashes(self, now: datetime) -> tuple[str, ...]:
        """Return the hashes of the secrets that are taken now, the newest first."""
        if self.old_secret_hash is None or self.old_secret_until is None or self.old_secret_until <= now:
            return (self.secret_hash,)
        return self.secret_hash, self.old_secret_hash


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that a rule may ask of the shop, as it stood at `version`; and who may ask it, at a version of its own."""

    version: int
    credentials_version: int
    order_number_key: bytes
    settings: ShopSettings
    currencies: Mapping[str, Currency]
    payment_methods: Mapping[str, PaymentMethod]  # in the order in which they are shown
    group_discounts: Mapping[int, Decimal]  # client group → percent
    tax_rules: tuple[TaxRule, ...]
    products: Mapping[int, Product]
    addons: Mapping[int, Addon]
    tlds: Mapping[str, Tld]
    promotions: Mapping[str, Promotion]  # by code in lower case
    affiliates: Mapping[int, Affiliate]
    credentials: Mapping[str, Credential]  # by identifier
