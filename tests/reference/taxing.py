"""Tax (5.11): which rules, on what, contained or on top, and prices without the tax they contain."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from tests.reference.amounts import ONE, ZERO, Entry, exact, half_up, percent
from tests.reference.lines import Line
from tests.reference.selling import Counter

LEVELS = (1, 2)


@dataclass(frozen=True)
class Tax:
    level: int
    name: str
    rate: Fraction  # percent
    base: Fraction
    amount: Fraction


def is_inclusive(at: Counter) -> bool:
    return bool(at.shop.get("settings", {}).get("tax") == "inclusive")


def deducts(at: Counter) -> bool:
    """Tell whether the client pays prices without the tax that they contain."""
    keeps = at.shop.get("settings", {}).get("tax_exempt", "keep") == "keep"
    return bool(is_inclusive(at) and at.client["tax_exempt"] and not keeps)


def rule_of(level: int, at: Counter) -> Entry | None:
    """Find the rule of the client's country and state, else of the country, else the catch-all."""
    rules = [one for one in at.shop["tax_rules"] if one["level"] == level]
    state, country = _plain(at.client["state"]), at.client["country"]
    by_state = (one for one in rules if one.get("country") == country and state in _states(one))
    by_country = (one for one in rules if one.get("country") == country and one.get("state") is None)
    catch_all = (one for one in rules if one.get("country") is None)
    return next((one for found in (by_state, by_country, catch_all) for one in found), None)


def _states(rule: Entry) -> set[str]:
    return {_plain(name) for name in (rule.get("state"), *rule.get("state_aliases", ())) if name is not None}


def _plain(state: str) -> str:
    """Compare states without case, accents and outer blanks."""
    letters = unicodedata.normalize("NFKD", state.strip())
    return "".join(one for one in letters if not unicodedata.combining(one)).casefold()


def taxes(lines: Sequence[Line], at: Counter) -> list[Tax]:
    """Reckon each tax of the taxed lines. One that rounds to nothing is left out.

    Contained ones: two beside each other are each told from the whole, exactly, and rounded. Of two on each other the
    upper is contained in the whole, and the lower in what is left without the upper as it was rounded. The base of a
    contained tax is the sum without it, and without what stands beside it or on top of it.
    """
    if at.client["tax_exempt"]:
        return []
    taxed = sum((line.owed for line in lines if line.taxed), ZERO)
    rules = [rule for level in LEVELS if (rule := rule_of(level, at))]
    found = _contained(taxed, rules, at.digits) if is_inclusive(at) else _on_top(taxed, rules, at.digits)
    return [tax for tax in found if tax.amount]


def _on_top(net: Fraction, rules: Sequence[Entry], digits: int) -> list[Tax]:
    found: list[Tax] = []
    for rule in rules:
        below = sum((tax.amount for tax in found), ZERO) if _is_compound(rule) else ZERO
        found.append(_tax(rule, net + below, half_up((net + below) * _rate(rule), digits)))
    return found


def _contained(gross: Fraction, rules: Sequence[Entry], digits: int) -> list[Tax]:
    if any(_is_compound(rule) for rule in rules):
        return _contained_in_each_other(gross, rules, digits)
    factor = _factor(rules)
    parts = [half_up(gross * _rate(rule) / factor, digits) for rule in rules]
    net = gross - sum(parts, ZERO)
    return [_tax(rule, net, part) for rule, part in zip(rules, parts, strict=True)]


def _contained_in_each_other(gross: Fraction, rules: Sequence[Entry], digits: int) -> list[Tax]:
    found: list[Tax] = []
    for rule in reversed(rules):
        part = half_up(gross * _rate(rule) / (1 + _rate(rule)), digits)
        gross -= part
        found.append(_tax(rule, gross, part))
    return found[::-1]


def _factor(rules: Sequence[Entry]) -> Fraction:
    """Tell how many times its net a price is that contains these taxes."""
    factor = ONE
    for rule in rules:
        factor = factor * (1 + _rate(rule)) if _is_compound(rule) else factor + _rate(rule)
    return factor


def _is_compound(rule: Entry) -> bool:
    """Only level 2 stands on another; below level 1 there is nothing."""
    return bool(rule["level"] == LEVELS[-1] and rule["compound"])


def _rate(rule: Entry) -> Fraction:
    return percent(exact(rule["rate"]))


def _tax(rule: Entry, base: Fraction, amount: Fraction) -> Tax:
    return Tax(rule["level"], rule["name"], exact(rule["rate"]), base, amount)


# ---------------------------------------------------------------- deducted


def without_tax(line: Line, at: Counter) -> Line:
    """Divide what a taxed line is made of by what its prices contain, piece by piece, and its discounts.

    A line's options are one piece, and so are its setup fees; a late fee, taxed as its domain, is one too. "No line
    becomes negative" (5.9) holds here as well: a discount of all of a line takes no more than its divided pieces are.
    """
    if not line.taxed:
        return line
    factor = _factor([rule for level in LEVELS if (rule := rule_of(level, at))])
    pieces = {name: half_up(amount / factor, line.digits) for name, amount in line.pieces.items()}
    most = sum(pieces.values(), ZERO) - pieces["late_fee"]
    code, group = (min(half_up(off / factor, line.digits), most) for off in (line.code_off, line.group_off))
    return replace(line, deducted=pieces, code_off=code, group_off=group)
