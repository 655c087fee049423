"""The shapes of the catalogue file, entry by entry. Reading it, and what spans entries: catalog_file.py.

Keys are those of deploy/sample/catalog.json; attributes are named as the columns they are stored in. A key whose value
would be null, [] or {} may be left out. A price of -1.00 means "not offered" (addorder.md 5).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    computed_field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from schemas.catalog import BillingCycle, Extra, FreeDomainKind, PromotionType, QuantityRule
from schemas.domain_names import existing_domain_name
from schemas.invoice_numbers import NUMBER_MAX
from schemas.shop_settings import (
    GRACE_DAYS_MAX,
    NOTE_CHARS_MAX,
    DateFormat,
    Given,
    InvoiceNumber,
    Nameservers,
    Seller,
    Tax,
    TaxExempt,
    TimeZone,
)

SECTION_ENTRIES_MAX = 100_000
CREDENTIALS_MAX = 500  # hashing a secret takes about 30 ms, while the load's transaction waits
LIST_ENTRIES_MAX = 10_000  # of one entry: choices, fields, currencies
TEXT_CHARS_MAX = 255
ID_MAX = 10**15
ORDER_ID_MAX = 9_000_000_000  # what the ten digits of an order number can tell apart
COUNT_MAX = 2**31 - 1  # integer
LATE_DAYS_MAX = 365  # after its expiry no registry keeps a domain for longer

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_MONEY = re.compile(r"[0-9]{1,14}(?:\.[0-9]{1,2})?", re.ASCII)  # what numeric(16,2) holds
_RATE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NOT_OFFERED = re.compile(r"-1(?:\.0{1,2})?", re.ASCII)


# ---------------------------------------------------------------- the types of values


def _fault(sentence: str) -> PydanticCustomError:
    # Braces are its placeholders; none of our sentences has any.
    return PydanticCustomError("catalog", sentence)


def _whole(written: Any) -> int:
    if isinstance(written, bool) or _WHOLE.fullmatch(str(written)) is None:
        raise _fault("must be a whole number such as 7")
    return int(written)


def _amount(written: Any) -> Decimal:
    if isinstance(written, bool | float) or _MONEY.fullmatch(str(written)) is None:
        raise _fault("must be an amount such as 9.95, with at most two decimals")
    return Decimal(written)


def _price(written: Any) -> Decimal | None:
    return None if _NOT_OFFERED.fullmatch(str(written)) else _amount(written)


def _percent(written: Any) -> Decimal:
    if isinstance(written, bool | float) or _RATE.fullmatch(str(written)) is None or Decimal(written) > 100:  # noqa: PLR2004  # percent
        raise _fault("must be a percentage from 0 to 100 such as 8.875")
    return Decimal(written)


def _date(written: Any) -> date:
    # Python alone would take 20260110 and 2026-W02-6 as well, and pydantic a number of seconds.
    if _DATE.fullmatch(str(written)):
        with suppress(ValueError):
            return date.fromisoformat(str(written))
    raise _fault("must be a date such as 2026-11-23")


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise _fault("must not contain the character U+0000")
    return text


def _secret_without_nul(secret: SecretStr) -> SecretStr:
    _without_nul(secret.get_secret_value())
    return secret


def _all_or_list(written: Any) -> Any:
    """None: all of them."""
    if written == "all":
        return None
    if not isinstance(written, list):
        raise _fault('must be "all" or a list')
    return written


def _matching(pattern: str, sentence: str) -> AfterValidator:
    compiled = re.compile(pattern, re.ASCII)

    def check(written: str) -> str:
        if compiled.fullmatch(written) is None:
            raise _fault(sentence)
        return written

    return AfterValidator(check)


def _lower(written: str) -> str:
    return written.lower()


def _unicode_name(written: str) -> str:
    name = existing_domain_name(written)
    if name is None:
        raise _fault("must be a domain name such as example.com")
    return name.unicode


Whole = Annotated[int, BeforeValidator(_whole)]
Id = Annotated[Whole, Field(ge=1, le=ID_MAX)]
OrderId = Annotated[Whole, Field(ge=1, le=ORDER_ID_MAX)]
Count = Annotated[Whole, Field(ge=0, le=COUNT_MAX)]
Years = Annotated[Whole, Field(ge=1, le=10)]
Flag = Annotated[bool, Field(strict=True)]
Amount = Annotated[Decimal, BeforeValidator(_amount)]
Price = Annotated[Decimal | None, BeforeValidator(_price)]  # None: not offered
Percent = Annotated[Decimal, BeforeValidator(_percent)]
Day = Annotated[date, BeforeValidator(_date)]
Text = Annotated[str, Field(max_length=TEXT_CHARS_MAX), AfterValidator(_without_nul)]
Note = Annotated[str, Field(max_length=NOTE_CHARS_MAX), AfterValidator(_without_nul)]
Name = Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX), AfterValidator(_without_nul)]
Secret = Annotated[SecretStr, Field(min_length=1, max_length=TEXT_CHARS_MAX), AfterValidator(_secret_without_nul)]
CurrencyCode = Annotated[Text, _matching("[A-Z]{3}", "must be a three-letter currency code such as USD")]
Country = Annotated[Text, _matching("[A-Z]{2}", "must be a two-letter country code such as US")]
NoCountry = Annotated[Text, _matching("([A-Z]{2})?", "must be a two-letter country code such as US, or empty")]
TldName = Annotated[
    Text, _matching(r"\.[a-z0-9-]+(\.[a-z0-9-]+)*", "must be a TLD with its dot, in lower case, such as .co.uk")
]
MethodName = Annotated[Text, _matching(r"[A-Za-z0-9_-]+", "must be a system name of letters and digits such as paypal")]
ActionName = Annotated[Text, AfterValidator(_lower), _matching("[a-z]+", "must be an API action such as addorder")]
OrderNumber = Annotated[Text, _matching("[0-9]{10}", "must be an order number of ten digits")]

_FEW = Field(max_length=LIST_ENTRIES_MAX)
# Stored in one order, so that the same set in another order is no change.
_SET = PlainSerializer(lambda members: sorted(set(members)), return_type=list, when_used="json")
Ids = Annotated[tuple[Id, ...], _FEW, _SET]
IdsOrAll = Annotated[Ids | None, BeforeValidator(_all_or_list)]
Tlds = Annotated[tuple[TldName, ...], _FEW, _SET]
Cycles = Annotated[tuple[BillingCycle, ...], _FEW, _SET]
Options = Annotated[tuple[Name, ...], _FEW]
_SECTION = Field(default=(), max_length=SECTION_ENTRIES_MAX)

ItemStatus = Literal["Pending", "Active", "Suspended", "Terminated", "Cancelled", "Fraud", "Completed"]


class Entry(BaseModel):
    # hide_input: what is wrong is printed, and a catalogue holds secrets.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)


# ---------------------------------------------------------------- what is sold


class CurrencyEntry(Entry):
    id: Id | None = None  # as WHMCS has it; a currency is known by its code here
    code: CurrencyCode
    prefix: Text
    suffix: Text
    digits: Annotated[Whole, Field(ge=0, le=2)]
    is_default: Flag = Field(alias="default")


class PaymentMethodEntry(Entry):
    name: MethodName
    display_name: Name
    active: Flag
    position: Count = Field(alias="order")


class ClientGroupEntry(Entry):
    id: Id
    name: Name
    discount_percent: Annotated[Amount, Field(le=100)]


class TaxRuleEntry(Entry):
    """None in `country` or `state`: any."""

    id: Id
    level: Annotated[Whole, Field(ge=1, le=2)]
    name: Name
    country: Country | None = None
    state: Name | None = None
    state_aliases: Annotated[tuple[Name, ...], _FEW, _SET] = ()
    rate: Percent
    compound: Flag

    @model_validator(mode="after")
    def _state_has_country(self) -> Self:
        if self.state is not None and self.country is None:
            raise _fault("a rule for a state must name its country as well")
        if self.state is None and self.state_aliases:
            raise _fault("state_aliases are for a rule that names a state")
        return self


class PriceEntry(Entry):
    price: Price
    setup: Amount


Prices = Annotated[Mapping[CurrencyCode, Annotated[Mapping[BillingCycle, PriceEntry], _FEW]], _FEW]


class FieldEntry(Entry):
    """What the client is asked for."""

    name: Name
    type: str
    required: Flag
    options: Options = ()

    @model_validator(mode="after")
    def _dropdown_has_options(self) -> Self:
        if self.type == "dropdown" and not self.options:
            raise _fault("a field of type dropdown needs options")
        return self


class CustomFieldEntry(FieldEntry):
    id: Id
    type: Literal["text", "dropdown", "tickbox", "password", "textarea", "link"]


class ConfigChoiceEntry(Entry):
    id: Id
    name: Name
    prices: Prices = Field(alias="pricing")


class ConfigOptionEntry(Entry):
    id: Id
    name: Name
    type: Literal["dropdown", "radio", "yesno", "quantity"]
    quantity_min: Count | None = Field(default=None, alias="min")
    quantity_max: Count | None = Field(default=None, alias="max")
    choices: Annotated[tuple[ConfigChoiceEntry, ...], _FEW]

    @model_validator(mode="after")
    def _type_fits(self) -> Self:
        if self.type == "quantity":
            if self.quantity_min is None or self.quantity_max is None:
                raise _fault("an option of type quantity needs min and max")
            if self.quantity_min > self.quantity_max:
                raise _fault("min must not be more than max")
        elif self.quantity_min is not None or self.quantity_max is not None:
            raise _fault("min and max are for options of type quantity only")
        if not self.choices:
            raise _fault("an option needs at least one choice")
        if self.type in ("yesno", "quantity") and len(self.choices) > 1:
            raise _fault(f"an option of type {self.type} has one choice")
        return self


class ProrataEntry(Entry):
    day: Annotated[Whole, Field(ge=1, le=28)]
    charge_next_month: Annotated[Whole, Field(ge=1, le=31)] | None = None


class FreeDomainEntry(Entry):
    cycles: Cycles
    tlds: Tlds
    kind: FreeDomainKind = FreeDomainKind.ONCE


class ProductEntry(Entry):
    id: Id
    name: Name
    type: Literal["hosting", "reseller", "server", "other"]
    pay_type: Literal["free", "onetime", "recurring"] = Field(alias="paytype")
    taxed: Flag = Field(alias="tax")
    retired: Flag
    quantity_rule: QuantityRule = Field(alias="allowqty")
    stock_controlled: Flag = Field(alias="stock_control")
    stock_quantity: Count
    prorata: ProrataEntry | None = None
    free_domain: FreeDomainEntry | None = None
    prices: Prices = Field(alias="pricing")
    custom_fields: Annotated[tuple[CustomFieldEntry, ...], _FEW] = ()
    config_options: Annotated[tuple[ConfigOptionEntry, ...], _FEW] = ()


class AddonEntry(Entry):
    """None in `products`: offered with all of them."""

    id: Id
    name: Name
    taxed: Flag = Field(alias="tax")
    products: IdsOrAll
    prices: Prices = Field(alias="pricing")
    retired: Flag = False
    prorata: Flag = False


class TldFieldEntry(FieldEntry):
    type: Literal["text", "dropdown", "tickbox"]


class LatePhaseEntry(Entry):
    """Days after the expiry, or behind the phase before; the fee for a renewal in them, by currency."""

    days: Annotated[Whole, Field(ge=0, le=LATE_DAYS_MAX)]
    fee: Annotated[Mapping[CurrencyCode, Price], _FEW] = {}


TldPrices = Mapping[Literal["register", "transfer", "renew"], Mapping[Years, Price]]


class TldEntry(Entry):
    tld: TldName
    taxed: Flag = Field(alias="tax")
    epp_required: Flag
    prices: Annotated[Mapping[CurrencyCode, TldPrices], _FEW] = Field(alias="pricing")
    extras: Annotated[Mapping[CurrencyCode, Mapping[Extra, Price]], _FEW] = {}
    fields: Annotated[tuple[TldFieldEntry, ...], _FEW] = ()
    grace: LatePhaseEntry | None = None
    redemption: LatePhaseEntry | None = None


class AppliesToEntry(Entry):
    """None: all of them."""

    products: IdsOrAll
    addons: IdsOrAll
    tlds: Annotated[Tlds | None, BeforeValidator(_all_or_list)]


class PromotionEntry(Entry):
    id: Id
    code: Name
    type: PromotionType
    value: Amount  # percent, or an amount in the default currency
    values: Annotated[Mapping[CurrencyCode, Price], _FEW] = {}  # amounts by currency, over `value`
    recurring: Flag
    recur_for: Count
    start_date: Day | None = None
    end_date: Day | None = None
    max_uses: Count
    uses: Count
    once_per_client: Flag
    new_signups_only: Flag
    existing_clients_only: Flag
    requires_products: Ids = ()
    requires_existing: Flag = True
    cycles: Cycles = ()
    applies_to: AppliesToEntry
    apply_once: Flag

    @model_validator(mode="after")
    def _can_apply(self) -> Self:
        if self.type is PromotionType.PERCENTAGE and self.value > 100:  # noqa: PLR2004  # percent
            raise _fault("a percentage must not be more than 100")
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise _fault("start_date must not be after end_date")
        if self.new_signups_only and self.existing_clients_only:
            raise _fault("new_signups_only and existing_clients_only can not both be true")
        return self


class CredentialEntry(Entry):
    """`secret` is left out by the export: the credential must exist already."""

    identifier: Name
    secret: Secret | None = None
    actions: Annotated[tuple[ActionName, ...], _FEW]


# ---------------------------------------------------------------- whom it is sold to, and what they own


class ClientEntry(Entry):
    """None in `address2`, `phonenumber` or `tax_id`: not named here, and what is known stays."""

    id: Id
    first_name: Text = Field(alias="firstname")
    last_name: Text = Field(alias="lastname")
    company_name: Text = Field(alias="companyname")
    email: Text
    language: Text
    address1: Text
    address2: Text | None = None
    city: Text
    postcode: Text
    state: Text
    country: Country
    phonenumber: Text | None = None
    tax_id: Text | None = None
    currency: CurrencyCode
    tax_exempt: Flag
    group_id: Id | None = Field(default=None, alias="group")
    credit: Amount
    status: Literal["Active", "Inactive", "Closed"]


class ContactEntry(Entry):
    id: Id
    client_id: Id = Field(alias="client")
    first_name: Text = Field(alias="firstname")
    last_name: Text = Field(alias="lastname")
    company_name: Text = Field(alias="companyname")
    email: Text


class AffiliateEntry(Entry):
    id: Id
    client_id: Id = Field(alias="client")
    active: Flag


class OrderEntry(Entry):
    """An earlier order, with the code it used. What it was made of is not told."""

    id: OrderId
    order_number: OrderNumber = Field(alias="ordernum")
    client_id: Id = Field(alias="client")
    placed_on: Day = Field(alias="date")
    status: Literal["Pending", "Active", "Cancelled", "Fraud"]
    promotion: Name | None = None


class RecurringEntry(Entry):
    """What is paid again and again; `recurring_full` is what it is without the code that lowers `recurring`."""

    recurring: Amount
    recurring_full: Amount | None = None
    discounts_left: Count | None = None  # for so many renewals more; None beside an amount above: for ever
    period_end: Day | None = None  # the last day that was billed

    @model_validator(mode="after")
    def _full_is_more(self) -> Self:
        if self.recurring_full is None and self.discounts_left is not None:
            raise _fault("discounts_left needs recurring_full beside it")
        if self.recurring_full is not None and self.recurring_full < self.recurring:
            raise _fault("recurring_full must not be less than recurring")
        return self


class ServiceEntry(RecurringEntry):
    id: Id
    client_id: Id = Field(alias="client")
    product_id: Id = Field(alias="product")
    quantity: Annotated[Whole, Field(ge=1, le=COUNT_MAX)] = Field(alias="qty")
    cycle: BillingCycle
    domain: Name | None = None
    status: ItemStatus
    next_due: Day
    renewable: Flag


class ServiceAddonEntry(RecurringEntry):
    id: Id
    service_id: Id = Field(alias="service")
    addon_id: Id = Field(alias="addon")
    cycle: BillingCycle
    status: ItemStatus
    renewable: Flag


class DomainEntry(Entry):
    id: Id
    client_id: Id = Field(alias="client")
    name_unicode: Annotated[Name, AfterValidator(_unicode_name)] = Field(alias="name")
    years: Years
    recurring: Amount | None = None  # None: its TLD is not renewed
    status: Literal[
        "Pending", "Pending Transfer", "Active", "Grace", "Redemption", "Expired", "Cancelled", "Transferred Away",
        "Fraud",
    ]  # fmt: skip
    expires: Day
    period_end: Day | None = None  # the last day that was paid
    free_with: Id | None = None  # the service with which it is renewed for nothing

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own documentation does so
    @property
    def name(self) -> str:
        """Its ASCII form."""
        name = existing_domain_name(self.name_unicode)
        assert name is not None, "one form leads to the other"
        return name.ascii


# ---------------------------------------------------------------- the whole


class SellerEntry(Entry):
    name: Text = ""
    address: Note = ""
    country: NoCountry = ""
    tax_id: Text = ""


class SettingsEntry(Entry):
    """The shop's own settings (shop_settings.py). None: not named here."""

    tax: Tax | None = None
    tax_exempt: TaxExempt | None = None
    tax_note: Note | None = None
    invoice_grace_days: Annotated[Whole, Field(ge=0, le=GRACE_DAYS_MAX)] | None = None
    invoice_number: InvoiceNumber | None = None
    accept_when_paid: Flag | None = None
    date_format: DateFormat | None = None
    nameservers: Nameservers | None = None
    timezone: TimeZone | None = None
    seller: SellerEntry | None = None
    # Where the present series of invoice numbers goes on: no setting that holds, but an act of the load.
    invoice_next: Annotated[Whole, Field(ge=1, le=NUMBER_MAX)] | None = None

    @property
    def given(self) -> Given:
        given = self.model_dump(exclude_none=True, exclude={"invoice_next", "seller"})
        return given if self.seller is None else {**given, "seller": Seller(**self.seller.model_dump())}


class CatalogFile(Entry):
    about: Any = Field(default=None, alias="_about", exclude=True, repr=False)
    settings: SettingsEntry = Field(default_factory=SettingsEntry)
    currencies: tuple[CurrencyEntry, ...] = _SECTION
    payment_methods: tuple[PaymentMethodEntry, ...] = _SECTION
    client_groups: tuple[ClientGroupEntry, ...] = _SECTION
    clients: tuple[ClientEntry, ...] = _SECTION
    contacts: tuple[ContactEntry, ...] = _SECTION
    tax_rules: tuple[TaxRuleEntry, ...] = _SECTION
    products: tuple[ProductEntry, ...] = _SECTION
    addons: tuple[AddonEntry, ...] = _SECTION
    tlds: tuple[TldEntry, ...] = _SECTION
    promotions: tuple[PromotionEntry, ...] = _SECTION
    affiliates: tuple[AffiliateEntry, ...] = _SECTION
    orders: tuple[OrderEntry, ...] = _SECTION
    services: tuple[ServiceEntry, ...] = _SECTION
    service_addons: tuple[ServiceAddonEntry, ...] = _SECTION
    domains: tuple[DomainEntry, ...] = _SECTION
    api_credentials: Annotated[tuple[CredentialEntry, ...], Field(max_length=CREDENTIALS_MAX)] = ()
