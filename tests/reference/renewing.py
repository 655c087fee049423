"""Renewals to lines (5.7), and the orders that a renewal supersedes."""

from collections.abc import Iterator
from datetime import date
from fractions import Fraction

from tests.reference import asked
from tests.reference.amounts import ZERO, Entry, exact
from tests.reference.asked import Request
from tests.reference.books import LIVE, Addon, Books, Domain, Order, Service
from tests.reference.days import DAY, MONTHS, months_on, years_on
from tests.reference.lines import Line
from tests.reference.naming import MONTHS_A_YEAR, extras_a_year, tld_of, year_prices
from tests.reference.selling import Counter, Refused

RENEWABLE = ("Active", "Expired", "Grace", "Redemption")
GRACE_DAYS = 30  # where none are configured
YEARS_MAX = 10

Thing = tuple[str, int]


# ---------------------------------------------------------------- domains


def record_of(name: str, books: Books, at: Counter) -> Domain | None:
    """Find the client's record of a name: the Active one, else the newest."""
    records = [one for one in books.domains.values() if one.client == at.client["id"] and one.name == name]
    return max(records, key=lambda one: (one.status == "Active", one.id), default=None)


def domain_renewal(name: str, years: int, request: Request, books: Books, at: Counter) -> tuple[Line, list[str]]:
    """Price the renewal of a domain today, with its extras and the fee for being late.

    The fee is charged of a domain that is free while renewed, too: it is for the restore, not for the year.
    """
    record = record_of(name, books, at)
    if record is None:
        raise Refused("domain_not_owned")
    if record.status not in RENEWABLE:
        raise Refused("domain_not_renewable")
    tld = tld_of(name, at)
    price = year_prices(tld, "renew", at).get(years) if tld else None
    if tld is None or price is None:
        raise Refused("period_not_offered")
    fee = late_fee(record, tld, at)
    starts = _paid_until(record, at.today)
    ends = years_on(starts, years)
    if ends > years_on(at.today, YEARS_MAX):
        raise Refused("period_not_offered")
    warnings = []
    if record.free_with is not None:
        if years == 1 and _is_renewed_beside(record.free_with, request, books, at):
            price = ZERO
        else:
            warnings = ["free domain alone"]
    line = Line(
        kind="domain_renewal",
        target=record.id,
        price=price,
        options=extras_a_year(tld, record.extras, at) * years,
        late_fee=fee,
        taxed=tld["tax"],
        tld=tld["tld"],
        months=years * MONTHS_A_YEAR,
        period=(starts, ends - DAY),
        name=name,
        digits=at.digits,
    )
    return line, warnings


def late_fee(record: Domain, tld: Entry, at: Counter) -> Fraction:
    """Tell what being late costs (5.7): nothing, the fee of grace or that of redemption."""
    match _lateness(record, tld, at.today):
        case "on time":
            return ZERO
        case "Grace":
            fees = (tld.get("grace") or {}).get("fee") or {}
            if not fees:
                return ZERO
        case "Redemption":
            fees = (tld.get("redemption") or {}).get("fee") or {}
        case _:
            raise Refused("domain_not_renewable")
    if at.currency not in fees:
        raise Refused("domain_not_renewable")
    return exact(fees[at.currency])


def _lateness(record: Domain, tld: Entry, today: date) -> str:
    """Tell the state by the calendar where the status does not tell it. On the day of expiry nothing is late."""
    if record.status in ("Grace", "Redemption"):
        return record.status
    if record.expires is None or today <= record.expires:
        return "on time"
    grace, redemption = tld.get("grace") or {}, tld.get("redemption") or {}
    grace_ends = record.expires + grace.get("days", GRACE_DAYS) * DAY
    if today <= grace_ends:
        return "Grace"
    return "Redemption" if today <= grace_ends + redemption.get("days", 0) * DAY else "gone"


def _paid_until(record: Domain, today: date) -> date:
    """Return the first day behind what is paid: of `expires` and the day after `period_end` the later one."""
    known = [record.expires, record.period_end and record.period_end + DAY]
    return max((day for day in known if day), default=today)


def _is_renewed_beside(service_id: int, request: Request, books: Books, at: Counter) -> bool:
    """Tell whether the request renews the service with which a domain is free, on a cycle of the offer."""
    service = books.services[service_id]
    product = at.find("products", service.product)
    offer = (product or {}).get("free_domain") or {}
    return service_id in asked.renewals(request, "servicerenewals") and service.cycle in offer.get("cycles", ())


# ---------------------------------------------------------------- services and their addons


def service_renewal(service_id: int, books: Books, at: Counter) -> Line:
    service = books.services.get(service_id)
    if service is None or service.client != at.client["id"]:
        raise Refused("service_not_owned")
    if not _is_renewable(service, books):
        raise Refused("service_not_renewable")
    product = at.find("products", service.product)
    assert product is not None
    return _renewal("service_renewal", service, taxed=product["tax"], at=at)


def addon_renewal(addon_id: int, books: Books, at: Counter) -> Line:
    """Renew an addon of a service.

    The page says `service_not_renewable` of services and addons alike; `addon_not_renewable` is the code that addons
    have had since, and a code that is published keeps its meaning.
    """
    addon = books.addons.get(addon_id)
    if addon is None or addon.client != at.client["id"]:
        raise Refused("addon_not_owned")
    service = books.services[addon.service]
    if not _is_renewable(addon, books) or service.status not in LIVE or not service.renewable:
        raise Refused("addon_not_renewable")
    sold = at.find("addons", addon.product)
    assert sold is not None
    return _renewal("addon_renewal", addon, taxed=sold["tax"], at=at)


def _is_renewable(one: Service, books: Books) -> bool:
    """What is free or was billed once has no period to renew."""
    is_paid = books.unpaid_invoice(one.order) is None
    return one.status in LIVE and one.renewable and is_paid and MONTHS[one.cycle] > 0


def _renewal(kind: str, one: Service | Addon, *, taxed: bool, at: Counter) -> Line:
    months = MONTHS[one.cycle]
    return Line(
        kind=kind,
        target=one.id,
        price=one.amount,
        taxed=taxed,
        cycle=one.cycle,
        months=months,
        period=(one.next_due, months_on(one.next_due, months) - DAY),
        is_lowered=one.is_lowered_now,
        takes_discount=one.recurring_full is not None and one.discounts_left > 0,
        digits=at.digits,
    )


# ---------------------------------------------------------------- renewed again


def things_renewed(request: Request, books: Books, at: Counter) -> set[Thing]:
    """Name what a request renews, whatever the years."""
    records = (record_of(name, books, at) for name in asked.domain_renewals(request))
    return {
        *(("domain_renewal", record.id) for record in records if record),
        *(("service_renewal", one) for one in asked.renewals(request, "servicerenewals")),
        *(("addon_renewal", one) for one in asked.renewals(request, "addonrenewals")),
    }


def superseded(things: set[Thing], books: Books, client: int) -> Iterator[Order]:
    """Find the older orders in whose place this request comes (5.7)."""
    for order in books.orders_of(client):
        invoice = books.unpaid_invoice(order.id)
        if order.status != "Pending" or order.has_others or not order.renewals:
            continue
        if invoice and invoice.paid == 0 and {one.thing for one in order.renewals} <= things:
            yield order


def renewed_elsewhere(things: set[Thing], books: Books, client: int) -> Iterator[Order]:
    """Find the orders, not paid yet, that renew some of it too: those are told in a warning."""
    for order in books.orders_of(client):
        if any(one.thing in things and one.status == "Pending" for one in order.renewals):
            yield order
