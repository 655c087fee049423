"""A placed order as its rows have it: what is still there to say of it when its reply and events are not kept any more.

Amounts are as the database holds them, with two digits whatever the currency; names are today's.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from schemas.catalog import BillingCycle, DomainType, Extra
from schemas.order import Client, DomainName, RenewalKind


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
    next_due: date


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
    next_due: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedDomain:
    id: int
    name: DomainName
    type: DomainType
    years: int
    extras: frozenset[Extra]
    first_payment: Decimal
    recurring: Decimal
    next_due: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRenewal:
    target_id: int
    kind: RenewalKind
    name: str
    domain: DomainName | None
    years: int | None
    cycle: BillingCycle | None
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLine:
    kind: str
    description: str
    amount: Decimal
    taxed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedInvoice:
    id: int
    due: date  # before `date`, which would hide the type
    date: date
    subtotal: Decimal
    discount: Decimal
    tax: Decimal
    tax2: Decimal
    tax_rate: Decimal
    tax_rate2: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPromotion:
    id: int
    code: str
    type: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedOrder:
    """Of services, addons, domains and renewals each list is in the order in which the request named them."""

    id: int
    order_number: str
    placed_at: datetime  # UTC; the events said the same
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

    @property
    def date(self) -> date:
        return self.placed_at.date()
