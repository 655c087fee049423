"""Renewals on demand of domains, services and addons (addorder.md 5.7)."""

from collections.abc import Iterator, Sequence
from datetime import date

from schemas import rejections
from schemas.catalog import FreeDomainKind
from schemas.domain_names import NAME_CHARS_MAX, existing_domain_name
from schemas.order import (
    Charge,
    DomainRenewal,
    OpenRenewal,
    OwnedAddon,
    OwnedDomain,
    OwnedService,
    PricedRenewal,
    Recurring,
    Renewal,
    RenewalKind,
)
from schemas.rejections import Rejected
from worker.domain.dates import MONTHS_A_YEAR, ONE_DAY, add_months, last_day
from worker.domain.domain_names import tld_of
from worker.domain.domains import extras_price
from worker.domain.late_fees import late_fee
from worker.domain.sale import Sale
from worker.domain.wording import addon_renewal_text, domain_renewal_text, service_renewal_text

_RENEWABLE_DOMAINS = frozenset({"Active", "Expired", "Grace", "Redemption"})
_RENEWABLE = frozenset({"Active", "Suspended"})  # services and addons

_YEARS_AHEAD_MAX = 10  # what registries take


def price_domain_renewal(renewal: DomainRenewal, sale: Sale) -> PricedRenewal:
    """Price a domain renewal: today's renew price for the years asked, its extras, and the fee of one that is late.

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
    domain = record_meant(records)
    if domain.status not in _RENEWABLE_DOMAINS:
        raise Rejected(rejections.domain_not_renewable(renewal.name, domain.status))
    tld = tld_of(name, sale.catalog.tlds)
    offered = sale.renew_prices(tld) if tld else {}
    if tld is None or renewal.years not in offered:
        raise Rejected(rejections.period_not_offered(parameter, None, renewal.years, sorted(offered)))

    late = late_fee(domain, tld, renewal.name, sale)
    months = renewal.years * MONTHS_A_YEAR
    starts = _first_day_unpaid(domain, sale.today)
    if add_months(starts, months) > add_months(sale.today, _YEARS_AHEAD_MAX * MONTHS_A_YEAR):
        raise Rejected(rejections.renewed_too_far(parameter, renewal.years, add_months(starts, months)))
    extras = extras_price(domain.extras, renewal.years, tld, sale)
    price = sale.zero if is_free(domain, renewal.years, sale) else sale.rounded(offered[renewal.years])
    ends = last_day(starts, months)
    period = sale.period_text(starts, ends)
    return PricedRenewal(
        kind=RenewalKind.DOMAIN,
        target_id=domain.id,
        name=name.unicode,
        tld=tld.tld,
        years=renewal.years,
        cycle=None,
        charge=Charge(
            price=price + extras, setup=sale.zero, recurring=None, taxed=tld.taxed, options=extras, late_fee=late.fee
        ),
        description=domain_renewal_text(name.unicode, renewal.years, domain.extras, period),
        late_phase=late.phase,
        period_start=starts,
        period_end=ends,
    )


def record_meant(records: Sequence[OwnedDomain]) -> OwnedDomain:
    """Of several records of one name, oldest first, mean the Active one, else the newest."""
    newest_first = records[::-1]
    return next((record for record in newest_first if record.status == "Active"), newest_first[0])


def is_free(domain: OwnedDomain, years: int, sale: Sale) -> bool:
    """Tell whether the domain is renewed for nothing, but for its extras: with its service, for one year."""
    service = sale.facts.services.get(domain.free_with) if domain.free_with is not None else None
    if service is None or years != 1 or all(one.target_id != service.id for one in sale.request.service_renewals):
        return False
    offer = sale.catalog.products[service.product_id].free_domain
    return offer is not None and offer.kind is FreeDomainKind.WHILE_RENEWED and service.cycle in offer.cycles


def _first_day_unpaid(domain: OwnedDomain, today: date) -> date:
    """Begin behind what is paid: at the expiry or behind the last day that was paid, the later of them; else today."""
    paid_until = domain.paid_until + ONE_DAY if domain.paid_until else None
    return max((day for day in (domain.expires, paid_until) if day is not None), default=today)


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
    ends = last_day(service.next_due, service.cycle.months)
    return PricedRenewal(
        kind=RenewalKind.SERVICE,
        target_id=service.id,
        name=product.name,
        tld=None,
        years=None,
        cycle=service.cycle,
        charge=_charge(service.recurring, sale, taxed=product.taxed),
        description=service_renewal_text(product.name, service.domain, sale.period_text(service.next_due, ends)),
        period_start=service.next_due,
        period_end=ends,
        is_lowered=service.recurring.is_lowered,
        takes_discount=service.recurring.takes_discount,
    )


def price_addon_renewal(renewal: Renewal, sale: Sale) -> PricedRenewal:
    """Price the next period of an addon: its own recurring amount.

    Raises:
        Rejected: addon_not_owned, addon_not_renewable.
    """
    owned = sale.facts.addons.get(renewal.target_id)
    if owned is None or owned.client_id != sale.client.id:
        raise Rejected(rejections.addon_not_owned(renewal.item))
    lives = owned.service_renewable and owned.service_status in _RENEWABLE
    if not (lives and _is_renewable(owned)):
        raise Rejected(rejections.addon_not_renewable(owned.id, renewal.item))
    addon = sale.catalog.addons[owned.addon_id]
    ends = last_day(owned.next_due, owned.cycle.months)
    return PricedRenewal(
        kind=RenewalKind.ADDON,
        target_id=owned.id,
        name=addon.name,
        tld=None,
        years=None,
        cycle=owned.cycle,
        charge=_charge(owned.recurring, sale, taxed=addon.taxed),
        description=addon_renewal_text(addon.name, sale.period_text(owned.next_due, ends)),
        period_start=owned.next_due,
        period_end=ends,
        is_lowered=owned.recurring.is_lowered,
        takes_discount=owned.recurring.takes_discount,
    )


def _is_renewable(owned: OwnedService | OwnedAddon) -> bool:
    """Tell whether there is a next period: alive, paid so far, not flagged otherwise, neither free nor one-time.

    A period that costs 0.00, as after a `priceoverride` of 0, is renewed like any other.
    """
    return owned.renewable and owned.status in _RENEWABLE and not owned.is_unpaid and owned.cycle.months > 0


def _charge(recurring: Recurring, sale: Sale, *, taxed: bool) -> Charge:
    return Charge(price=sale.rounded(recurring.next_amount), setup=sale.zero, recurring=None, taxed=taxed)


# ---------------------------------------------------------------- warnings


def renewal_warnings(priced: PricedRenewal, sale: Sale) -> Iterator[str]:
    """Say what the client should know of a renewal that is placed all the same."""
    for order in sale.facts.open_orders.get(sale.client.id, ()):
        for one in order.renewals:
            if (one.kind, one.target_id) == (priced.kind, priced.target_id):
                yield (
                    f"order {order.id}, which is not paid yet, renews {_thing(priced)} too"
                    f"{_days(one, sale)}: paid twice, it is renewed twice"
                )
    if priced.kind is RenewalKind.DOMAIN and priced.charge.price > priced.charge.options:
        domain = next(one for records in sale.facts.domains.values() for one in records if one.id == priced.target_id)
        if domain.free_with is not None:
            yield (
                f"domain {priced.name} is free for a year when service {domain.free_with} is renewed in the same "
                "order: today's price is charged"
            )


def _thing(priced: PricedRenewal) -> str:
    match priced.kind:
        case RenewalKind.DOMAIN:
            return f"domain {priced.name}"
        case RenewalKind.SERVICE:
            return f"service {priced.target_id}"
        case RenewalKind.ADDON:
            return f"addon {priced.target_id}"


def _days(renewal: OpenRenewal, sale: Sale) -> str:
    return "" if renewal.period_start is None else sale.period_text(renewal.period_start, renewal.period_end)
