"""Domains to register or transfer: price, extras, overrides and free domains (addorder.md 5.5 and 5.6)."""

from dataclasses import replace
from decimal import Decimal

from schemas import rejections
from schemas.catalog import DomainType, Extra, FreeDomain, FreeDomainKind, Tld
from schemas.domain_names import domain_name, existing_domain_name
from schemas.order import Charge, DomainName, Item, PricedDomain, PricedService
from schemas.rejections import Rejected
from worker.domain.dates import MONTHS_A_YEAR, last_day
from worker.domain.domain_names import tld_of
from worker.domain.faults import Faults
from worker.domain.fields import domain_fields
from worker.domain.money import ZERO
from worker.domain.sale import Sale
from worker.domain.wording import domain_text


def price_domain(
    item: Item, domain_type: DomainType, service: PricedService | None, position: int | None, sale: Sale
) -> PricedDomain:
    """Price the domain that an item orders. `service`, at `position`, is the one of the same item: it may make it free.

    Raises:
        Rejected: the name or its ending; else what is wrong with period, transfer code, extras and fields, all at once.
    """
    name = _name(item, sale)
    tld = _tld(item, name, domain_type, sale)
    years, fields = _years_and_fields(item, tld, domain_type, sale)
    offer = _free_offer(item, years, tld, service, sale)
    is_free_for_long = _is_free_for_long(item, offer)
    charge = _charge(item, sale.domain_prices(tld, domain_type)[years], years, tld, sale)
    if offer is not None:
        charge = _freed(charge, for_long=is_free_for_long)
    # When a transfer is done, and until when the name is paid then, the registry tells (addorder.md 5.8).
    period_end = last_day(sale.today, years * MONTHS_A_YEAR) if domain_type is DomainType.REGISTER else None
    return PricedDomain(
        item=item.key,
        name=name,
        tld=tld.tld,
        type=domain_type,
        years=years,
        extras=item.extras,
        free=offer is not None,
        free_with=position if is_free_for_long else None,
        charge=charge,
        description=domain_text(
            domain_type, name.unicode, years, item.extras, sale.period_text(sale.today, period_end)
        ),
        next_due=sale.today,
        period_end=period_end,
        nameservers=sale.request.nameservers or sale.settings.nameservers,
        # Without a transfer the code has nothing to act on, and a secret that nobody needs is not kept.
        epp_code=item.epp_code if domain_type is DomainType.TRANSFER else None,
        idn_language=item.idn_language,
        fields=fields,
    )


def name_of(item: Item) -> DomainName | None:
    """Read the name that an item orders, if it has one: to be registered, it must be one that may be.

    What is transferred exists already, whatever the standard says of its name.
    """
    if item.domain is None:
        return None
    return domain_name(item.domain) if item.domain_type is DomainType.REGISTER else existing_domain_name(item.domain)


def _name(item: Item, sale: Sale) -> DomainName:
    if item.domain is None:
        raise Rejected(rejections.parameter_missing("domain", item.key))
    name = name_of(item)
    if name is None or f".{name.ascii}" in sale.catalog.tlds:
        raise Rejected(rejections.domain_invalid(item.key))
    return name


def _tld(item: Item, name: DomainName, domain_type: DomainType, sale: Sale) -> Tld:
    tld = tld_of(name, sale.catalog.tlds)
    if tld is None or not sale.domain_prices(tld, domain_type):
        raise Rejected(rejections.unknown_tld(item.key))
    return tld


def _years_and_fields(item: Item, tld: Tld, domain_type: DomainType, sale: Sale) -> tuple[int, dict[str, str]]:
    """Check what is asked of the TLD, all at once."""
    faults = Faults()
    with faults:
        years = _years(item, tld, domain_type, sale)
    with faults:
        _check_transfer_code(item, tld, domain_type)
    with faults:
        _check_extras(item, tld, sale)
    with faults:
        fields = domain_fields(item, tld)
    faults.raise_if_any()
    return years, fields


def _years(item: Item, tld: Tld, domain_type: DomainType, sale: Sale) -> int:
    """Take the period asked for, or the TLD's shortest (addorder.md 3)."""
    offered = sale.domain_prices(tld, domain_type)
    years = min(offered) if item.years is None else item.years
    if years not in offered:
        raise Rejected(rejections.period_not_offered("regperiod", item.key, years, sorted(offered)))
    return years


def _check_transfer_code(item: Item, tld: Tld, domain_type: DomainType) -> None:
    if domain_type is DomainType.TRANSFER and tld.epp_required and not item.epp_code:
        raise Rejected(rejections.epp_code_required(item.key))


def _check_extras(item: Item, tld: Tld, sale: Sale) -> None:
    missing = sorted(item.extras - sale.extra_prices(tld).keys())
    if missing:
        raise Rejected(*(rejections.extra_not_offered(extra, item.key) for extra in missing))


def _free_offer(item: Item, years: int, tld: Tld, service: PricedService | None, sale: Sale) -> FreeDomain | None:
    """Find the offer by which the service of the same item makes the domain free: one year, at no price asked for."""
    if service is None or years != 1 or item.domain_price_override is not None:
        return None
    offer = sale.catalog.products[service.product_id].free_domain
    return offer if offer and service.cycle in offer.cycles and tld.tld in offer.tlds else None


def _is_free_for_long(item: Item, offer: FreeDomain | None) -> bool:
    """Tell whether it is renewed for nothing with its service; a renew price that was asked for is charged instead."""
    is_offered = offer is not None and offer.kind is FreeDomainKind.WHILE_RENEWED
    return is_offered and item.domain_renew_override is None


def _freed(charge: Charge, *, for_long: bool) -> Charge:
    """Leave the extras alone to be paid; what recurs stays null where the TLD is not renewed."""
    is_renewed = charge.recurring is not None
    return replace(
        charge,
        price=charge.options,
        recurring=charge.recurring_options if for_long and is_renewed else charge.recurring,
    )


def _charge(item: Item, price: Decimal, years: int, tld: Tld, sale: Sale) -> Charge:
    """Add the extras to the bare price; an override replaces the bare price only (addorder.md 5.5)."""
    if item.domain_price_override is not None:
        price = item.domain_price_override
    extras = extras_price(item.extras, years, tld, sale)
    renew_price, renew_years = _renew_price(item, years, tld, sale)
    renew_extras = extras_price(item.extras, renew_years, tld, sale)
    return Charge(
        price=sale.rounded(price) + extras,
        setup=sale.zero,
        recurring=None if renew_price is None else sale.rounded(renew_price) + renew_extras,
        taxed=tld.taxed,
        options=extras,
        recurring_options=renew_extras,
    )


def _renew_price(item: Item, years: int, tld: Tld, sale: Sale) -> tuple[Decimal | None, int]:
    """Price a renewal of the same years; if it is not sold, of the shortest; None where the TLD is not renewed."""
    if item.domain_renew_override is not None:
        return item.domain_renew_override, years
    offered = sale.renew_prices(tld)
    if years not in offered:
        years = min(offered, default=years)
    return offered.get(years), years


def extras_price(extras: frozenset[Extra], years: int, tld: Tld, sale: Sale) -> Decimal:
    """Price extras for so many years; what the TLD no longer offers costs nothing."""
    prices = sale.extra_prices(tld)
    return sale.rounded(sum((prices.get(extra, ZERO) for extra in extras), ZERO) * years)
