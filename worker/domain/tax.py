"""The tax of an order: which rules apply, and how much of the taxed sum (addorder.md 5.11)."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from schemas.catalog import TaxRule
from schemas.order import Charge, Client, PricedItem, TaxAmount
from schemas.shop_settings import TaxExempt
from schemas.states import is_state
from worker.domain.money import PERCENT, ZERO
from worker.domain.sale import Sale


def tax_amounts(taxed: Decimal, sale: Sale) -> tuple[TaxAmount, ...]:
    """Work out the tax on the taxed sum after discounts: once a level, each rounded. No tax is no line.

    Exclusive tax comes on top of the sum; inclusive tax is contained in it (`ShopSettings.tax`).
    """
    if sale.client.tax_exempt:
        return ()
    rules = _rules(sale)
    work_out = _contained if sale.settings.tax_inclusive else _added
    return tuple(
        TaxAmount(rule.level, rule.name, rule.rate, base, amount)
        for rule, (base, amount) in zip(rules, work_out(taxed, *rules, sale), strict=True)
        if rule is not None and amount
    )


def deducts_tax(sale: Sale) -> bool:
    """Whether prices contain a tax that the client need not pay, and pays not (`ShopSettings.tax_exempt`)."""
    settings = sale.settings
    return settings.tax_inclusive and sale.client.tax_exempt and settings.tax_exempt is TaxExempt.DEDUCT


def deduct_tax(items: tuple[PricedItem, ...], sale: Sale) -> tuple[PricedItem, ...]:
    """Take the contained tax out of what an exempt client pays: of each part of each taxed line, rounded one by one.

    Discounts were worked out before, and are divided as well. What recurs stays: each renewal deducts for itself.
    """
    if not deducts_tax(sale):
        return items
    first, second = _rules(sale)
    rate, rate2 = _rate(first), _rate(second)
    whole = (PERCENT + rate) * (PERCENT + rate2) / PERCENT if _is_compound(second) else PERCENT + rate + rate2
    return tuple(
        replace(item, charge=_without(item.charge, whole, sale)) if item.charge.taxed else item for item in items
    )


def _without(charge: Charge, whole: Decimal, sale: Sale) -> Charge:
    """Divide the parts of a charge by `whole` percent.

    A discount that took the whole line takes the whole of it still, whatever each part was rounded to; none takes more.
    """

    def net(amount: Decimal) -> Decimal:
        return sale.rounded(amount * PERCENT / whole)

    options = net(charge.options)
    price, setup = net(charge.price - charge.options) + options, net(charge.setup)

    def net_discount(off: Decimal) -> Decimal:
        return price + setup if off == charge.discountable else min(net(off), price + setup)

    promotion_discount = charge.promotion_discount
    return replace(
        charge,
        price=price,
        setup=setup,
        options=options,
        late_fee=net(charge.late_fee),
        promotion_discount=None if promotion_discount is None else net_discount(promotion_discount),
        group_discount=net_discount(charge.group_discount),
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


def _rules(sale: Sale) -> tuple[TaxRule | None, TaxRule | None]:
    """Find the rules of both levels."""
    return rule_of(sale.client, 1, sale.catalog.tax_rules), rule_of(sale.client, 2, sale.catalog.tax_rules)


Tax = tuple[Decimal, Decimal]  # what it is of, and how much


def _added(net: Decimal, first: TaxRule | None, second: TaxRule | None, sale: Sale) -> tuple[Tax, Tax]:
    """Tax on top: level 2 is of the same sum as level 1; of the sum with level 1, if it is compound."""
    tax = sale.rounded(net * _rate(first) / PERCENT)
    base2 = net + tax if _is_compound(second) else net
    return (net, tax), (base2, sale.rounded(base2 * _rate(second) / PERCENT))


def _contained(gross: Decimal, first: TaxRule | None, second: TaxRule | None, sale: Sale) -> tuple[Tax, Tax]:
    """Tax within: the gross sum is 100 % and the rates; with a compound level 2, take that off before level 1."""
    rate, rate2 = _rate(first), _rate(second)
    if _is_compound(second):
        tax2 = sale.rounded(gross * rate2 / (PERCENT + rate2))
        base2 = gross - tax2
        tax = sale.rounded(base2 * rate / (PERCENT + rate))
        return (base2 - tax, tax), (base2, tax2)
    whole = PERCENT + rate + rate2
    tax, tax2 = sale.rounded(gross * rate / whole), sale.rounded(gross * rate2 / whole)
    net = gross - tax - tax2
    return (net, tax), (net, tax2)


def _rate(rule: TaxRule | None) -> Decimal:
    return ZERO if rule is None else rule.rate


def _is_compound(rule: TaxRule | None) -> bool:
    return rule is not None and rule.compound
