"""The words of an invoice: what each line says (addorder.md 5.12)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from schemas.catalog import Currency, DomainType, Extra, Promotion, PromotionType
from schemas.order import ChosenOption, PricedItem, PricedRenewal, PricedService
from worker.domain.dates import PERIODS_REMEMBERED_MAX

_ORDERED = {DomainType.REGISTER: "Domain Registration", DomainType.TRANSFER: "Domain Transfer"}
_EXTRAS = {
    Extra.DNS_MANAGEMENT: "DNS Management",
    Extra.EMAIL_FORWARDING: "Email Forwarding",
    Extra.ID_PROTECTION: "ID Protection",
}


def service_text(product: str, quantity: int, domain: str | None, period: str) -> str:
    """`Starter - whmcs.com (23/11/2026 - 22/12/2026)`; without a domain `Starter (…)`; one-time: no period."""
    return _joined(_counted(product, quantity), domain) + period


def addon_text(addon: str, quantity: int, domain: str | None, period: str) -> str:
    return _joined("Addon", _counted(addon, quantity), domain) + period


def domain_text(domain_type: DomainType, name: str, years: int, extras: Iterable[Extra], period: str) -> str:
    """`Domain Registration - whmcs.com - 1 Year (23/11/2026 - 22/11/2027) + ID Protection`."""
    return _joined(_ORDERED[domain_type], name, _years(years)) + period + _extras(extras)


def domain_renewal_text(name: str, years: int, extras: Iterable[Extra], period: str) -> str:
    return _joined("Domain Renewal", name, _years(years)) + period + _extras(extras)


def service_renewal_text(product: str, domain: str | None, period: str) -> str:
    return _joined("Renewal", product, domain) + period


def addon_renewal_text(addon: str, period: str) -> str:
    return _joined("Addon Renewal", addon) + period


def item_text(item: PricedItem) -> str:
    """An item's description; below it, a row each, a service's options and setup fee, and the fee of a late domain."""
    rows = list[str]()
    if isinstance(item, PricedService):
        rows += [_chosen(option) for option in item.options if option.quantity]  # else it was not taken
        rows += [f"Setup: {item.charge.setup}"] if item.charge.setup else []
    if isinstance(item, PricedRenewal) and item.charge.late_fee:
        rows.append(f"{item.late_phase} Fee: {item.charge.late_fee}")
    return "\n".join((item.description, *rows))


@lru_cache(PERIODS_REMEMBERED_MAX)
def period_text(start: date, end: date | None, date_format: str) -> str:
    """`(23/11/2026 - 22/12/2026)` behind a space; nothing for what has no period."""
    return "" if end is None else f" ({start:{date_format}} - {end:{date_format}})"


def promotion_text(promotion: Promotion, value: Decimal, currency: Currency) -> str:
    """`Promotional Code: WELCOME - 10.00% One Time Discount`. `value`: percent, or an amount of the currency."""
    how_often = "Recurring" if promotion.recurring else "One Time"
    amount = f"{currency.prefix}{value}{currency.suffix}"
    match promotion.type:
        case PromotionType.PERCENTAGE:
            what = f"{value}% {how_often} Discount"
        case PromotionType.FIXED_AMOUNT:
            what = f"{amount} {how_often} Discount"
        case PromotionType.PRICE_OVERRIDE:
            what = f"{amount} {how_often} Price Override"
        case PromotionType.FREE_SETUP:
            what = "Free Setup"
    return f"Promotional Code: {promotion.code} - {what}"


def group_discount_text(percent: Decimal) -> str:
    return f"Client Group Discount - {percent}%"


def _chosen(option: ChosenOption) -> str:
    """`Disk space: 5 GB`; of several `Mailboxes: 3 x Mailbox`."""
    return f"{option.name}: {_counted(option.choice_name, option.quantity)}"


def _joined(*parts: str | None) -> str:
    return " - ".join(part for part in parts if part)


def _counted(name: str, quantity: int) -> str:
    return name if quantity == 1 else f"{quantity} x {name}"


def _years(years: int) -> str:
    return "1 Year" if years == 1 else f"{years} Years"


def _extras(extras: Iterable[Extra]) -> str:
    chosen = frozenset(extras)
    return "".join(f" + {name}" for extra, name in _EXTRAS.items() if extra in chosen)
