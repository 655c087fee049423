"""A placed order as its rows have it: for repeats whose answer is not kept any more, and for people who look.

Amounts are as the database holds them, with two digits whatever the currency; names are today's. What rows of a
version before do not say is None: of services, addons and domains period_end, recurring_full and discounts_left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import Buyer, Client, DomainName, RenewalKind, TaxAmount
from schemas.shop_settings import Seller


@dataclass(frozen=True, slots=True)
class RecordedOption:
    """A configurable option. It was not taken where `quantity` is 0; `choice` is None where there is none to name."""

    name: str
    choice: str | None
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedService:
    id: int
    product_id: int
    product_name: str
    domain: str | None
    cycle: BillingCycle
    quantity: int
    first_payment: Decimal
    recurring: Decimal
    recurring_full: Decimal | None
    discounts_left: int | None
    next_due: date
    period_end: date | None
    status: str
    options: tuple[RecordedOption, ...]
    custom_fields: tuple[str, ...]  # names of those that were filled in; any value may be a password


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAddon:
    id: int
    service_id: int
    addon_id: int
    name: str
    cycle: BillingCycle
    quantity: int
    first_payment: Decimal
    recurring: Decimal
    recurring_full: Decimal | None
    discounts_left: int | None
    next_due: date
    period_end: date | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDomain:
    id: int
    name: DomainName
    type: DomainType
    years: int
    extras: frozenset[Extra]
    first_payment: Decimal
    recurring: Decimal | None  # None, or 0.00 of one from before: its TLD is not renewed
    recurring_full: Decimal | None
    discounts_left: int | None
    next_due: date
    period_end: date | None
    expires: date | None  # None: the registrar has not said it
    nameservers: tuple[str, ...]
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRenewal:
    target_id: int
    kind: RenewalKind
    name: str
    domain: DomainName | None
    years: int | None
    cycle: BillingCycle | None
    amount: Decimal
    late_fee: Decimal | None
    period_start: date | None
    period_end: date | None
    status: str


RecordedItem = RecordedService | RecordedAddon | RecordedDomain | RecordedRenewal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLine:
    kind: str
    item_id: int | None  # of the service, addon, domain or renewed thing; None: a discount on the whole order
    description: str
    amount: Decimal
    taxed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedInvoice:
    """What is None of `taxes`, `client`, `seller`, `tax_note` and `proforma`, the version before did not write down."""

    id: int
    due: date  # before `date`, which would hide the type
    issued: date | None  # the day on which it got its number
    date: date
    status: str
    payment_method: str
    currency: str
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    tax2: Decimal
    tax_rate: Decimal
    tax_rate2: Decimal
    tax_inclusive: bool
    total: Decimal
    taxes: tuple[TaxAmount, ...] | None
    client: Buyer | None
    seller: Seller | None
    tax_note: str | None
    proforma: bool | None  # whether it was told to be one when it was made
    number: str | None  # None: it is not paid, or was when invoices were not numbered


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBill:
    """What is owed for an order without an invoice, as an invoice would have it."""

    lines: tuple[RecordedLine, ...]
    subtotal: Decimal
    discount: Decimal
    taxes: tuple[TaxAmount, ...]
    tax_inclusive: bool
    due: date
    seller: Seller
    tax_note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPromotion:
    id: int
    code: str
    type: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChange:
    """What happened to an order after it was placed. `details`: what came with it, and why."""

    at: datetime  # UTC
    from_status: str
    to_status: str
    asked_by: str | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOrder:
    """Of services, addons, domains and renewals each list is in the order in which the request named them."""

    id: int
    order_number: str
    status: str
    placed_at: datetime  # UTC; the events said the same
    date: date  # the day of the order in the shop's time zone, as it was then
    catalogue_version: int | None  # None: it did not come through the queue
    asked_by: str | None  # the credential's identifier, or who the publisher said; None as above
    contact_id: int | None
    client: Client
    currency: str
    amount: Decimal
    payment_method: str
    promotion: RecordedPromotion | None
    affiliate_id: int | None
    warnings: tuple[str, ...]
    services: tuple[RecordedService, ...]
    addons: tuple[RecordedAddon, ...]
    domains: tuple[RecordedDomain, ...]
    renewals: tuple[RecordedRenewal, ...]
    invoice: RecordedInvoice | None
    lines: tuple[RecordedLine, ...]  # of the invoice
    history: tuple[RecordedChange, ...] = ()  # oldest first
    bill: RecordedBill | None  # of an order without an invoice; None: the version before did not write it down
