"""The tax of an order: which rules apply, and how much of the taxed sum (addorder.md 5.11)."""

from collections.abc import Iterable
from decimal import Decimal

from schemas.catalog import TaxRule
from schemas.order import Client, TaxAmount
from schemas.states import is_state
from worker.domain.money import PERCENT, ZERO
from worker.domain.sale import Sale


def tax_amounts(taxed: Decimal, sale: Sale) -> tuple[TaxAmount, ...]:
    """Work out the tax on the taxed sum after discounts: once a level, each rounded. No tax is no line.

    Exclusive tax comes on top of the sum; inclusive tax is contained in it (`ShopSettings.tax`).
    """
    if sale.client.tax_exempt:
        return ()
    first = rule_of(sale.client, 1, sale.catalog.tax_rules)
    second = rule_of(sale.client, 2, sale.catalog.tax_rules)
    work_out = _contained if sale.settings.tax_inclusive else _added
    amounts = work_out(taxed, first, second, sale)
    return tuple(
        TaxAmount(rule.level, rule.name, rule.rate, amount)
        for rule, amount in zip((first, second), amounts, strict=True)
        if rule is not None and amount
    )


def rule_of(client: Client, level: int, rules: Iterable[TaxRule]) -> TaxRule | None:
    """Choose the rule of the client's country and state, else of the country, else the catch-all."""
    of_level = [rule for rule in rules if rule.level == level]
    of_country = [rule for rule in of_level if rule.country == client.country]
    for rule in of_country:
        if rule.state is not None and is_state(client.state, rule.state, rule.state_aliases):
            return rule
    anywhere = (rule for rule in of_level if rule.country is None)
    return next((rule for rule in (*of_country, *anywhere) if rule.state is None), None)


def _added(net: Decimal, first: TaxRule | None, second: TaxRule | None, sale: Sale) -> tuple[Decimal, Decimal]:
    """Tax on top: level 2 is of the same sum as level 1; of the sum with level 1, if it is compound."""
    tax = sale.rounded(net * _rate(first) / PERCENT)
    base = net + tax if _is_compound(second) else net
    return tax, sale.rounded(base * _rate(second) / PERCENT)


def _contained(gross: Decimal, first: TaxRule | None, second: TaxRule | None, sale: Sale) -> tuple[Decimal, Decimal]:
    """Tax within: the gross sum is 100 % and the rates; with a compound level 2, take that off before level 1."""
    rate, rate2 = _rate(first), _rate(second)
    if _is_compound(second):
        tax2 = sale.rounded(gross * rate2 / (PERCENT + rate2))
        return sale.rounded((gross - tax2) * rate / (PERCENT + rate)), tax2
    whole = PERCENT + rate + rate2
    return sale.rounded(gross * rate / whole), sale.rounded(gross * rate2 / whole)


def _rate(rule: TaxRule | None) -> Decimal:
    return ZERO if rule is None else rule.rate


def _is_compound(rule: TaxRule | None) -> bool:
    return rule is not None and rule.compound
