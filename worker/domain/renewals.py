"""Renewals on demand of domains, services and addons (addorder.md 5.7)."""

from collections.abc import Sequence
from decimal import Decimal

from schemas import rejections
from schemas.domain_names import NAME_CHARS_MAX, existing_domain_name
from schemas.order import (
    Charge,
    DomainRenewal,
    OwnedAddon,
    OwnedDomain,
    OwnedService,
    PricedRenewal,
    Renewal,
    RenewalKind,
)
from schemas.rejections import Rejected
from worker.domain.dates import MONTHS_A_YEAR, last_day
from worker.domain.domain_names import tld_of
from worker.domain.domains import extras_price
from worker.domain.money import ZERO
from worker.domain.sale import Sale
from worker.domain.wording import addon_renewal_text, domain_renewal_text, service_renewal_text

_RENEWABLE_DOMAINS = frozenset({"Active", "Expired", "Grace", "Redemption"})
_RENEWABLE = frozenset({"Active", "Suspended"})  # services and addons


def price_domain_renewal(renewal: DomainRenewal, sale: Sale) -> PricedRenewal:
    """Price a domain renewal: today's renew price for the years asked, and the domain's extras.

    Raises:
        Rejected: domain_invalid, domain_not_owned, domain_not_renewable, period_not_offered.
    """
    parameter = f"domainrenewals[{renewal.name[:NAME_CHARS_MAX]}]"
    name = existing_domain_name(renewal.name)
    if name is None:
        raise Rejected(rejections.domain_invalid(None, parameter))
    records = sale.facts.domains.get((sale.client.id, name.ascii))
    if not records:
        raise Rejected(rejections.domain_not_owned(renewal.name))
    domain = _record_meant(records)
    if domain.status not in _RENEWABLE_DOMAINS:
        raise Rejected(rejections.domain_not_renewable(renewal.name, domain.status))
    tld = tld_of(name, sale.catalog.tlds)
    offered = sale.renew_prices(tld) if tld else {}
    if tld is None or renewal.years not in offered:
        raise Rejected(rejections.period_not_offered(parameter, None, renewal.years, sorted(offered)))

    extras = extras_price(domain.extras, renewal.years, tld, sale)
    starts = domain.expires or sale.today
    period = sale.period_text(starts, last_day(starts, renewal.years * MONTHS_A_YEAR))
    return PricedRenewal(
        kind=RenewalKind.DOMAIN,
        target_id=domain.id,
        name=name.unicode,
        tld=tld.tld,
        years=renewal.years,
        cycle=None,
        charge=_charge(sale.rounded(offered[renewal.years]) + extras, extras, sale, taxed=tld.taxed),
        description=domain_renewal_text(name.unicode, renewal.years, domain.extras, period),
    )


def price_service_renewal(renewal: Renewal, sale: Sale) -> PricedRenewal:
    """Price the next period of a service: its own recurring amount.

    Raises:
        Rejected: service_not_owned, service_not_renewable.
    """
    service = sale.facts.services.get(renewal.target_id)
    if service is None or service.client_id != sale.client.id:
        raise Rejected(rejections.service_not_owned("servicerenewals", renewal.item))
    if not _is_renewable(service):
        raise Rejected(rejections.service_not_renewable(service.id, renewal.item))
    product = sale.catalog.products[service.product_id]
    return PricedRenewal(
        kind=RenewalKind.SERVICE,
        target_id=service.id,
        name=product.name,
        tld=None,
        years=None,
        cycle=service.cycle,
        charge=_charge(sale.rounded(service.recurring), ZERO, sale, taxed=product.taxed),
        description=service_renewal_text(product.name, service.domain, _next_period(service, sale)),
    )


def price_addon_renewal(renewal: Renewal, sale: Sale) -> PricedRenewal:
    """Price the next period of an addon: its own recurring amount.

    Raises:
        Rejected: addon_not_owned, addon_not_renewable.
    """
    owned = sale.facts.addons.get(renewal.target_id)
    if owned is None or owned.client_id != sale.client.id:
        raise Rejected(rejections.addon_not_owned(renewal.item))
    if not _is_renewable(owned):
        raise Rejected(rejections.addon_not_renewable(owned.id, renewal.item))
    addon = sale.catalog.addons[owned.addon_id]
    return PricedRenewal(
        kind=RenewalKind.ADDON,
        target_id=owned.id,
        name=addon.name,
        tld=None,
        years=None,
        cycle=owned.cycle,
        charge=_charge(sale.rounded(owned.recurring), ZERO, sale, taxed=addon.taxed),
        description=addon_renewal_text(addon.name, _next_period(owned, sale)),
    )


def _record_meant(records: Sequence[OwnedDomain]) -> OwnedDomain:
    """Of several records of one name, oldest first, mean the Active one, else the newest."""
    newest_first = records[::-1]
    return next((record for record in newest_first if record.status == "Active"), newest_first[0])


def _is_renewable(owned: OwnedService | OwnedAddon) -> bool:
    """Tell whether there is a next period: alive, not flagged otherwise, and neither free nor one-time.

    A period that costs 0.00, as after a `priceoverride` of 0, is renewed like any other.
    """
    return owned.renewable and owned.status in _RENEWABLE and owned.cycle.months > 0


def _next_period(owned: OwnedService | OwnedAddon, sale: Sale) -> str:
    return sale.period_text(owned.next_due, last_day(owned.next_due, owned.cycle.months))


def _charge(price: Decimal, extras: Decimal, sale: Sale, *, taxed: bool) -> Charge:
    return Charge(price=price, setup=sale.zero, recurring=None, taxed=taxed, options=extras)
