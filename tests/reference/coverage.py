"""Which rules an outcome is of, by name: so that a generator that misses one is found."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

from tests.reference import asked, taxing
from tests.reference.amended import Amended
from tests.reference.amounts import Entry
from tests.reference.asked import is_true
from tests.reference.books import Books
from tests.reference.lines import Line
from tests.reference.naming import MONTHS_A_YEAR
from tests.reference.placing import Outcome, Placed
from tests.reference.selling import Counter

# Every rule by the name that `rules_of` gives it, with the amendment without which it is not met.
RULES: Mapping[str, Amended | None] = {
    **dict.fromkeys(
        (
            "5.1 free", "5.1 one-time", "5.1 setup", "5.1 override", "5.1 override of a free product",
            "5.2 options", "5.2 options with setup", "5.3 several services", "5.3 scaling", "5.3 scaling, override",
            "5.3 stock taken", "5.4 own shortest cycle", "5.4 quantity", "5.4 for a service that exists",
            "5.4 one-time",
            "5.5 registered", "5.5 transferred", "5.5 extras", "5.5 override", "5.5 renew override",
            "5.5 renews for other years", "5.5 longest ending", "5.6 free once", "5.6 free, with extras",
            "5.7 domain", "5.7 domain for years", "5.7 service", "5.7 addon", "5.7 the Active of several records",
            "5.8 prorata", "5.8 next month", "5.8 prorata with options", "5.8 prorata and price override",
            "5.9 percentage", "5.9 fixed_amount", "5.9 price_override", "5.9 free_setup", "5.9 domain renewal",
            "5.9 once per order", "5.9 several lines", "5.9 overrides what qualifies", "5.9 for ever",
            "5.9 value of another currency", "5.9 only what recurs", "5.9 all of a line", "5.9 limited",
            *(f"5.9 warning: {why}" for why in (
                "unknown", "not yet", "expired", "used up", "new clients only", "existing clients only",
                "used by this client", "requires a product", "no value in this currency", "fits no item",
            )),
            "5.10 group", "5.10 taxed and not",
            "5.11 on top", "5.11 contained", "5.11 both levels", "5.11 compound on top",
            "5.11 compound contained", "5.11 exempt", "5.11 state", "5.11 country", "5.11 catch-all",
            "5.12 born paid", "5.12 only free", "5.12 not wanted",
            *(f"refused: {code}" for code in (
                "client_not_found", "client_closed", "invalid_payment_method", "contact_not_found", "empty_order",
                "product_not_found", "cycle_not_offered", "quantity_not_allowed", "out_of_stock",
                "config_option_invalid", "addon_invalid", "addon_not_offered", "service_not_owned", "unknown_tld",
                "period_not_offered", "epp_code_required", "extra_not_offered", "domain_repeated", "domain_not_owned",
                "domain_not_renewable", "service_not_renewable", "addon_not_renewable", "addon_not_owned",
            )),
        )
    ),
    "5.4 retired": Amended.ADDONS_RETIRED,
    "refused: service_not_extendable": Amended.SERVICES_NOT_EXTENDABLE,
    "5.6 free while renewed": Amended.FREE_WHILE_RENEWED,
    "5.6 free with a renew override": Amended.FREE_WITH_RENEW_OVERRIDE,
    "5.6 not renewed at all": Amended.NO_RENEWAL_PRICE,
    "5.7 free with its service": Amended.FREE_WHILE_RENEWED,
    "5.7 free domain alone": Amended.FREE_WHILE_RENEWED,
    "5.7 late": Amended.LATE_DOMAINS,
    "5.7 late, with a discount": Amended.LATE_DOMAINS,
    "5.7 ten years": Amended.TEN_YEARS,
    "5.7 superseded": Amended.RENEWED_AGAIN,
    "5.7 renewed elsewhere": Amended.RENEWED_AGAIN,
    "5.8 addon": Amended.ADDONS_PRORATA,
    "5.8 addon of a service that exists": Amended.ADDONS_PRORATA,
    "5.9 for some payments": Amended.RECUR_FOR,
    "5.9 renewed at the lower amount": Amended.RECUR_FOR,
    "5.9 renewed at the full amount": Amended.RECUR_FOR,
    "5.9 not for what is owned": Amended.REQUIRES_EXISTING,
    "5.9 warning: no more than the group": Amended.BETTER_OF,
    "5.10 the code beats the group": Amended.BETTER_OF,
    "5.10 the group beats the code": Amended.BETTER_OF,
    "5.10 a lowered renewal": Amended.RECUR_FOR,
    "5.11 state as it is written": Amended.STATES,
    "5.11 deducted": Amended.TAX_EXEMPT,
    "5.12 numbered": Amended.INVOICE_NUMBERS,
}  # fmt: skip


def rules_of(shop: Entry, today: date, request: Mapping[str, Any], before: Books, outcome: Outcome) -> set[str]:
    """Name the rules that decided about a request."""
    placed = outcome.placed
    if placed is None:
        return {f"refused: {code}" for code, _ in outcome.faults} | set(_refused(shop, request))
    client = next(one for one in shop["clients"] if one["id"] == request["clientid"])
    at = Counter(shop, client, today)
    items = asked.items(request).values()
    found = {f"5.7 {one}" for one in placed.warnings if not one.startswith("promocode")}
    found |= {f"5.9 warning: {one.removeprefix('promocode: ')}" for one in placed.warnings if "promocode" in one}
    for line in placed.lines:
        found.update(_of_line(line, at))
    for item in items:
        found.update(_of_item(item, at))
    found.update(_of_renewals(placed, before))
    found.update(_of_code(placed, request, at))
    found.update(_of_tax(placed, at))
    found.update(_of_bill(placed, request))
    return found


def _refused(shop: Entry, request: Mapping[str, Any]) -> Iterator[str]:
    retired = {str(one["id"]) for one in shop["addons"] if one.get("retired")}
    if any(str(addon) in retired for item in asked.items(request).values() for addon, _ in asked.addons(item)):
        yield "5.4 retired"
    if any(years > 8 for years in asked.domain_renewals(request).values()):
        yield "5.7 ten years"


def _of_line(line: Line, at: Counter) -> Iterator[str]:
    names = {
        "5.1 free": line.is_free and line.kind == "service",
        "5.1 one-time": line.kind == "service" and line.cycle == "onetime",
        "5.1 setup": line.kind == "service" and line.setup,
        "5.2 options": line.kind == "service" and line.options,
        "5.3 scaling": line.kind == "service" and line.units > 1,
        "5.4 quantity": line.kind == "addon" and line.units > 1,
        "5.4 for a service that exists": line.service_id is not None,
        "5.4 one-time": line.kind == "addon" and line.cycle == "onetime",
        "5.5 extras": line.kind == "domain" and line.extras,
        "5.5 longest ending": line.kind == "domain" and line.tld == ".co.uk",
        "5.6 free while renewed": line.free_with is not None,
        "5.6 not renewed at all": line.kind == "domain" and line.recurring is None,
        "5.7 domain": line.kind == "domain_renewal",
        "5.7 domain for years": line.kind == "domain_renewal" and line.months > MONTHS_A_YEAR,
        "5.7 service": line.kind == "service_renewal",
        "5.7 addon": line.kind == "addon_renewal",
        "5.7 late": line.late_fee,
        "5.7 late, with a discount": line.late_fee and line.off,
        "5.8 prorata": line.kind == "service" and line.share.denominator > 1,
        "5.8 next month": line.kind == "service" and line.share > 1,
        "5.8 prorata with options": line.kind == "service" and line.share.denominator > 1 and line.options,
        "5.8 addon": line.kind == "addon" and line.parent is not None and line.share != 1,
        "5.8 addon of a service that exists": line.service_id is not None and line.share != 1,
        "5.9 renewed at the lower amount": line.takes_discount,
        "5.10 group": line.group_off,
        "5.10 a lowered renewal": at.client.get("group") and line.is_lowered and line.kind.endswith("renewal"),
    }
    return (name for name, holds in names.items() if holds)


def _of_item(item: asked.Item, at: Counter) -> Iterator[str]:
    product = at.find("products", item.get("pid")) or {}
    override, many = item.get("priceoverride"), int(item.get("qty", 1)) > 1
    overridden = is_true(item.get("domaintype")) or "domaintype" in item
    names = {
        "5.1 override": override is not None and product,
        "5.1 override of a free product": override and product.get("paytype") == "free",
        "5.2 options with setup": item.get("configoptions"),
        "5.3 several services": many and product.get("allowqty") == "multiple",
        "5.3 scaling, override": many and product.get("allowqty") == "scaling" and override is not None,
        "5.3 stock taken": product.get("stock_control"),
        "5.4 own shortest cycle": item.get("addons") and item.get("billingcycle"),
        "5.5 registered": item.get("domaintype") == "register",
        "5.5 transferred": item.get("domaintype") == "transfer",
        "5.5 override": overridden and "domainpriceoverride" in item,
        "5.5 renew override": overridden and "domainrenewoverride" in item,
    }
    return (name for name, holds in names.items() if holds)


def _of_renewals(placed: Placed, before: Books) -> Iterator[str]:
    """Tell what was special about what is renewed, or is free with what stands before it."""
    for line in placed.lines:
        again = (before.services if line.kind == "service_renewal" else before.addons).get(line.target)
        is_again = again is not None and line.kind in ("service_renewal", "addon_renewal")
        if again and is_again and again.recurring_full is not None and not line.takes_discount:
            yield "5.9 renewed at the full amount"
        if line.kind == "domain_renewal":
            records = [one for one in before.domains.values() if one.name == line.name]
            own = [one for one in records if one.client == before.domains[line.target].client]
            if len(own) > 1 and line.target != max(one.id for one in own):
                yield "5.7 the Active of several records"
            if before.domains[line.target].free_with is not None and not line.price:
                yield "5.7 free with its service"
    if placed.superseded:
        yield "5.7 superseded"


def _of_code(placed: Placed, request: Mapping[str, Any], at: Counter) -> Iterator[str]:
    for service, domain in pairwise(placed.lines):
        if domain.kind == "domain" and not domain.price and service.kind in ("service", "addon"):
            yield from _of_free(domain, request)
    promotion = placed.promotion
    if promotion is None:
        return
    lines = [line for line in placed.lines if line.code_off]
    default = next(one["code"] for one in at.shop["currencies"] if one["default"])
    lowered = [line for line in placed.lines if line.kind in ("service", "addon", "domain") and line.is_lowered]
    by_amount = promotion["type"] in ("fixed_amount", "price_override")
    has_group = any(line.has_group for line in placed.lines)
    names = {
        f"5.9 {promotion['type']}": lines,
        "5.9 domain renewal": any(line.kind == "domain_renewal" for line in lines),
        "5.9 once per order": promotion["apply_once"] and len(placed.lines) > 1,
        "5.9 several lines": len(lines) > 1,
        "5.9 overrides what qualifies": is_true(request.get("promooverride")),
        "5.9 for ever": lowered,
        "5.9 for some payments": any(line.discounts_left for line in placed.lines),
        "5.9 value of another currency": by_amount and placed.currency != default,
        "5.9 only what recurs": any(not line.code_off for line in lowered),
        "5.9 all of a line": any(not line.owed for line in lines),
        "5.9 limited": promotion["max_uses"],
        "5.9 not for what is owned": promotion["requires_products"] and not promotion.get("requires_existing", True),
        "5.8 prorata and price override": promotion["type"] == "price_override"
        and any(line.share.denominator > 1 for line in lines),
        "5.9 warning: no more than the group": Amended.BETTER_OF,
        "5.10 the code beats the group": has_group and lines,
        "5.10 the group beats the code": any(line.group_off for line in placed.lines) and lines,
    }
    yield from (name for name, holds in names.items() if holds)


def _of_free(domain: Line, request: Mapping[str, Any]) -> Iterator[str]:
    item = next(one for one in asked.items(request).values() if str(one.get("domain", "")).lower() == domain.name)
    if "domainpriceoverride" in item:
        return
    if domain.free_with is None:
        yield "5.6 free once"
    if domain.options:
        yield "5.6 free, with extras"
    if "domainrenewoverride" in item:
        yield "5.6 free with a renew override"


def _of_tax(placed: Placed, at: Counter) -> Iterator[str]:
    taxes, inclusive = placed.bill.taxes, placed.bill.tax_inclusive
    compound = any(rule["compound"] for tax in taxes if (rule := taxing.rule_of(2, at)) and tax.level == 2)
    both = {tax.level for tax in taxes} == {1, 2}
    first = taxing.rule_of(1, at) if taxes else None
    names = {
        "5.11 on top": taxes and not inclusive,
        "5.11 contained": taxes and inclusive,
        "5.11 both levels": both,
        "5.11 compound on top": both and compound and not inclusive,
        "5.11 compound contained": both and compound and inclusive,
        "5.11 exempt": at.client["tax_exempt"],
        "5.11 state": first and first["state"],
        "5.11 country": first and first["country"] and not first["state"],
        "5.11 catch-all": first and not first["country"],
        "5.11 state as it is written": first and first["state"] and first["state"] != at.client["state"],
        "5.11 deducted": any(line.deducted for line in placed.lines),
    }
    return (name for name, holds in names.items() if holds)


def _of_bill(placed: Placed, request: Mapping[str, Any]) -> Iterator[str]:
    bill = placed.bill
    names = {
        "5.10 taxed and not": bill.group_taxed and bill.group_untaxed,
        "5.5 renews for other years": any(_renews_for_other_years(line) for line in placed.lines),
        "5.12 born paid": bill.is_paid,
        "5.12 only free": all(line.is_free for line in placed.lines),
        "5.12 not wanted": is_true(request.get("noinvoice")),
        "5.12 numbered": placed.number,
    }
    return (name for name, holds in names.items() if holds)


def _renews_for_other_years(line: Line) -> bool:
    return line.kind == "domain" and line.options != line.recurring_options
