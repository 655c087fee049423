"""Domains to lines: registered, transferred (5.5), free with a product (5.6)."""

from fractions import Fraction

from tests.reference.amounts import ZERO, Entry, exact, offered
from tests.reference.asked import Item, is_true
from tests.reference.days import DAY, years_on
from tests.reference.lines import Line
from tests.reference.selling import Counter, Refused

EXTRAS = ("dnsmanagement", "emailforwarding", "idprotection")
MONTHS_A_YEAR = 12


def tld_of(name: str, at: Counter) -> Entry | None:
    """Find the longest ending of the catalogue that the name has."""
    endings = (one for one in at.shop["tlds"] if name.endswith(one["tld"]) and name != one["tld"][1:])
    return max(endings, key=lambda one: len(one["tld"]), default=None)


def year_prices(tld: Entry, kind: str, at: Counter) -> dict[int, Fraction]:
    """List what a TLD costs by years, shortest first, in the client's currency."""
    rows = tld["pricing"].get(at.currency, {}).get(kind, {})
    prices = {int(years): offered(price) for years, price in rows.items()}
    return {years: price for years in sorted(prices) if (price := prices[years]) is not None}


def extras_a_year(tld: Entry, extras: tuple[str, ...], at: Counter) -> Fraction:
    """Add up what extras cost a year. One that is not sold any more costs nothing (at a renewal)."""
    rows = tld.get("extras", {}).get(at.currency, {})
    return sum((offered(rows.get(extra)) or ZERO for extra in extras), ZERO)


def domain(item: Item, product: Entry | None, cycle: str | None, parent: int | None, at: Counter) -> Line:
    """Price the domain of an item. A TLD without a price for this in the client's currency is an unknown one.

    Where the renewal falls back to the shortest period, the recurring extras are for the years of that one; a
    `domainrenewoverride` is for the years that are ordered. What is free while renewed recurs at 0.00 and its extras;
    the override names another amount, which then counts.
    """
    name, kind = str(item["domain"]).lower(), str(item["domaintype"]).lower()
    tld = tld_of(name, at)
    prices = year_prices(tld, kind, at) if tld else {}
    if tld is None or not prices:
        raise Refused("unknown_tld")
    years = int(item.get("regperiod") or 0) or next(iter(prices))
    if years not in prices:
        raise Refused("period_not_offered")
    if kind == "transfer" and tld["epp_required"] and not item.get("eppcode"):
        raise Refused("epp_code_required")
    extras = tuple(extra for extra in EXTRAS if is_true(item.get(extra)))
    rows = tld.get("extras", {}).get(at.currency, {})
    if any(offered(rows.get(extra)) is None for extra in extras):
        raise Refused("extra_not_offered")

    override, renew_override = item.get("domainpriceoverride"), item.get("domainrenewoverride")
    free = _offer(product, cycle, tld, years) if override is None else None
    price = prices[years] if override is None else exact(override)
    renews = year_prices(tld, "renew", at)
    renew_years = years if years in renews or renew_override is not None else next(iter(renews), years)
    renew = exact(renew_override) if renew_override is not None else renews.get(renew_years)
    if renew is not None and renew_override is None and free == "while_renewed":
        renew = ZERO
    a_year = extras_a_year(tld, extras, at)
    return Line(
        kind="domain",
        target=0,
        price=ZERO if free else price,
        options=a_year * years,
        recurring=None if renew is None else renew + a_year * renew_years,
        recurring_options=a_year * renew_years,
        taxed=tld["tax"],
        tld=tld["tld"],
        months=years * MONTHS_A_YEAR,
        period=(at.today, years_on(at.today, years) - DAY) if kind == "register" else None,
        extras=extras,
        name=name,
        free_with=parent if free == "while_renewed" else None,
        digits=at.digits,
    )


def _offer(product: Entry | None, cycle: str | None, tld: Entry, years: int) -> str | None:
    """Tell how a domain is free with the product of its item: `once`, `while_renewed`, or not at all."""
    offer = (product or {}).get("free_domain")
    if not offer or cycle not in offer["cycles"] or tld["tld"] not in offer["tlds"] or years != 1:
        return None
    return str(offer.get("kind", "once"))
