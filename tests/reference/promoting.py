"""Promotion codes (5.9) and the discount of a client's group (5.10): a line gets the better of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from tests.reference.amounts import ZERO, Entry, exact, half_up, offered, percent
from tests.reference.asked import Request, is_true
from tests.reference.books import LIVE, Books
from tests.reference.lines import Line
from tests.reference.selling import Counter


@dataclass(frozen=True)
class Applied:
    lines: list[Line]
    promotion: Entry | None  # that was used
    warning: str | None  # why the code that was given was not


def discounted(lines: Sequence[Line], request: Request, books: Books, at: Counter) -> Applied:
    """Take off each line what takes more off its first payment: the code, or the group where both are the same."""
    group = at.find("client_groups", at.client.get("group"))
    rate = percent(exact(group["discount_percent"])) if group else ZERO
    grouped = [_grouped(line, rate) for line in lines]
    code = str(request.get("promocode") or "")
    if not code:
        return Applied(grouped, None, None)
    promotion = next((one for one in at.shop["promotions"] if one["code"].lower() == code.lower()), None)
    why_not = "unknown" if promotion is None else who_and_when(promotion, lines, books, at)
    if promotion is None or why_not:
        return Applied(grouped, None, why_not)
    value = _value(promotion, at)
    if value is None:
        return Applied(grouped, None, "no value in this currency")
    return _with_code(grouped, promotion, value, overrides=is_true(request.get("promooverride")))


def _with_code(grouped: list[Line], promotion: Entry, value: Fraction, *, overrides: bool) -> Applied:
    """Use the code where it takes more than the group; once per order: on the first such line."""
    lines, times = [], 0
    for line in grouped:
        coded = with_code(line, promotion, value) if overrides or qualifies(line, promotion) else None
        may = coded is not None and not (promotion["apply_once"] and times)
        if coded is not None and may and _is_better(coded, line):
            times += 1
            lines.append(coded)
        else:
            lines.append(line)
    any_group = any(line.has_group for line in grouped)
    fits = any(overrides or qualifies(line, promotion) for line in grouped)
    why_not = None if times else "no more than the group" if fits and any_group else "fits no item"
    return Applied(lines, promotion if times else None, why_not)


def _is_better(coded: Line, line: Line) -> bool:
    """Compare what code and group take off the first payment; equal: the group.

    Where the group has nothing to give, the line has no group's discount to be better than: a code that lowers only
    what recurs (of a domain that is free at first, say) is used then.
    """
    if line.has_group:
        return coded.code_off > line.group_off
    return coded.code_off > 0 or coded.recurring != line.recurring


def _grouped(line: Line, rate: Fraction) -> Line:
    """Take the group's discount off a line. A renewal that a code lowers already gets none (5.10)."""
    if line.is_lowered or not rate:
        return line
    return replace(line, has_group=True, group_off=half_up(line.discountable * rate, line.digits))


# ---------------------------------------------------------------- who and when


def who_and_when(promotion: Entry, lines: Sequence[Line], books: Books, at: Counter) -> str | None:
    """Say why this client may not use the code today; None: they may."""
    start, end = promotion.get("start_date"), promotion.get("end_date")
    orders = list(books.orders_of(at.client["id"]))
    has_active = any(order.status == "Active" for order in orders)
    has_used = any(order.promotion == promotion["id"] and order.status != "Cancelled" for order in orders)
    uses, uses_max = books.uses.get(promotion["id"], 0), promotion["max_uses"]
    reasons = {
        "not yet": start and at.today < date.fromisoformat(start),
        "expired": end and at.today > date.fromisoformat(end),
        "used up": uses_max and uses >= uses_max,
        "new clients only": promotion["new_signups_only"] and has_active,
        "existing clients only": promotion["existing_clients_only"] and not has_active,
        "used by this client": promotion["once_per_client"] and has_used,
        "requires a product": not has_required(promotion, lines, books, at),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def has_required(promotion: Entry, lines: Sequence[Line], books: Books, at: Counter) -> bool:
    """Tell whether a product that the code requires is in the order or, unless it may not be, owned (5.9).

    `promooverride` does not relax this: it relaxes which lines and cycles qualify, and this is no property of a line.
    """
    required = set(promotion.get("requires_products", ()))
    if not required:
        return True
    ordered = {line.target for line in lines if line.kind == "service"}
    live = (one for one in books.services.values() if one.client == at.client["id"] and one.status in LIVE)
    owned = {one.product for one in live} if promotion.get("requires_existing", True) else set()
    return bool(required & (ordered | owned))


# ---------------------------------------------------------------- what


def qualifies(line: Line, promotion: Entry) -> bool:
    """Tell whether the code is for a line. One that is for some cycles is for no domain: those have years."""
    applies, cycles = promotion["applies_to"], promotion.get("cycles", ())
    match line.kind:
        case "service":
            fits = _is_in(applies["products"], line.target)
        case "addon":
            fits = _is_in(applies["addons"], line.target)
        case "domain" | "domain_renewal":
            fits = _is_in(applies["tlds"], line.tld)
        case _:
            return False
    return fits and (not cycles or line.cycle in cycles)


def _is_in(keys: Sequence[object] | str, key: object) -> bool:
    return keys == "all" or key in keys


# ---------------------------------------------------------------- how much


def with_code(line: Line, promotion: Entry, value: Fraction) -> Line | None:
    """Take a code off a line in place of the group's discount; None: renewals of services and addons take none."""
    if line.kind in ("service_renewal", "addon_renewal"):
        return None
    off = code_off(line, promotion, value)
    return _recurring(replace(line, code_off=off, group_off=ZERO), promotion, value)


def _value(promotion: Entry, at: Counter) -> Fraction | None:
    """Find a fixed amount or price in the client's currency: a plain `value` is the default currency's."""
    if promotion["type"] in ("percentage", "free_setup"):
        return exact(promotion["value"])
    values = promotion.get("values", {})
    if at.currency in values:
        return offered(values[at.currency])
    default = next(one["code"] for one in at.shop["currencies"] if one["default"])
    return exact(promotion["value"]) if at.currency == default else None


def code_off(line: Line, promotion: Entry, value: Fraction) -> Fraction:
    """Reckon what the code takes off the first payment of a line.

    A price override is a unit's, and is prorated and rounded as the price in whose place it comes. Options, extras and
    setup stay.
    """
    first = line.discountable
    match promotion["type"]:
        case "percentage":
            return half_up(first * percent(value), line.digits)
        case "fixed_amount":
            return min(value, first)
        case "price_override":
            return max(line.pieces["price"] - half_up(value * line.units * line.share, line.digits), ZERO)
        case "free_setup":
            return line.pieces["setup"]
    raise AssertionError(promotion["type"])


def _recurring(line: Line, promotion: Entry, value: Fraction) -> Line:
    """Lower what recurs, for ever or for `recur_for` further payments.

    Domains are renewed at their day's price: what theirs recurs at is told, and never counted down.
    """
    full = line.recurring
    if not promotion["recurring"] or full is None:
        return line
    match promotion["type"]:
        case "percentage":
            lowered = full - half_up(full * percent(value), line.digits)
        case "fixed_amount":
            lowered = full - min(value, full)
        case "price_override":
            lowered = min(full - line.recurring_options, value * line.units) + line.recurring_options
        case _:
            return line
    if lowered == full:
        return line
    if not promotion["recur_for"]:
        return replace(line, recurring=lowered, is_lowered=True)
    return replace(line, recurring=lowered, recurring_full=full, discounts_left=promotion["recur_for"])
