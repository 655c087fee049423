"""What a catalogue file offers: in which currencies, on which cycles, for how many years."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from schemas.catalog import BillingCycle
from schemas.catalog_entries import CatalogFile, PriceEntry, ProductEntry, PromotionEntry, TaxRuleEntry, TldEntry
from schemas.states import folded

Key = TypeVar("Key")
Tables = Mapping[str, Mapping[Key, Any]]  # currency → cycle, years or extra → price
Sale = tuple[str, BillingCycle | None]  # a currency, and a cycle that is sold in it; a domain has no cycle

PRICED = ("register", "transfer", "renew")
ORDERED = ("register", "transfer")


@dataclass(frozen=True, slots=True)
class Shop:
    """A catalogue file, and what is looked up in it again and again."""

    file: CatalogFile
    today: date
    default_currency: str
    tlds: Mapping[str, TldEntry]
    described: Mapping[str, frozenset[int | str]]  # section → ids or TLDs that are in the file
    sales: Mapping[str, Mapping[int | str, tuple[Sale, ...]]]  # section → id or TLD → how it can be ordered
    tax_rules: Mapping[tuple[object, ...], TaxRuleEntry]  # level, country, state → the rule that is charged


def shop_of(file: CatalogFile, today: date) -> Shop:
    return Shop(
        file=file,
        today=today,
        default_currency=next((currency.code for currency in file.currencies if currency.is_default), ""),
        tlds={tld.tld: tld for tld in file.tlds},
        described={
            "products": frozenset(one.id for one in file.products),
            "addons": frozenset(one.id for one in file.addons),
            "tlds": frozenset(one.tld for one in file.tlds),
        },
        sales={
            "products": {one.id: _pairs(cycles_of(one, file)) for one in file.products if not one.retired},
            "addons": {one.id: _pairs(offered(one.prices)) for one in file.addons if one.products != ()},
            "tlds": {one.tld: tuple((currency, None) for currency in currencies_of(one, PRICED)) for one in file.tlds},
        },
        # Of several for one place, that of the lowest id is charged: the catalogue is read by id.
        tax_rules={
            reach: rule
            for rule in sorted(file.tax_rules, key=lambda rule: rule.id, reverse=True)
            for reach in reaches_of(rule)
        },
    )


def offered(tables: Tables[Key]) -> dict[str, list[Key]]:
    """Name what has a price, by currency. A currency without any is left out."""
    keys = {currency: [key for key, entry in table.items() if _has_price(entry)] for currency, table in tables.items()}
    return {currency: kept for currency, kept in keys.items() if kept}


def _has_price(entry: Any) -> bool:
    return (entry.price if isinstance(entry, PriceEntry) else entry) is not None


def gaps(tables: Tables[Key], currencies: Iterable[str]) -> Iterator[tuple[str, list[Key], list[str]]]:
    """Name each currency that says nothing of what another one offers: it, what that is, and which others."""
    for currency in currencies:
        said = tables.get(currency, {})
        others = {other: [key for key in keys if key not in said] for other, keys in offered(tables).items()}
        missing = list(dict.fromkeys(key for keys in others.values() for key in keys))
        if missing:
            yield currency, missing, [other for other, keys in others.items() if keys]


def cycles_of(product: ProductEntry, file: CatalogFile) -> dict[str, list[BillingCycle]]:
    """Name the cycles by currency. What is free is so in every currency, whatever prices it has (addorder.md 5.1)."""
    if product.pay_type == "free":
        return {currency.code: [BillingCycle.FREE] for currency in file.currencies}
    return offered(product.prices)


def _pairs(cycles: Mapping[str, Iterable[BillingCycle]]) -> tuple[Sale, ...]:
    return tuple((currency, cycle) for currency, of_currency in cycles.items() for cycle in of_currency)


def terms_of(tld: TldEntry, kind: str) -> dict[str, Mapping[int, Any]]:
    return {currency: terms for currency, kinds in tld.prices.items() for name, terms in kinds.items() if name == kind}


def currencies_of(tld: TldEntry, kinds: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(currency for kind in kinds for currency in offered(terms_of(tld, kind))))


def sales_for(promotion: PromotionEntry, shop: Shop) -> Iterator[Sale]:
    """List how that can be ordered which the promotion applies to, on any cycle."""
    for section, sales in shop.sales.items():
        chosen = getattr(promotion.applies_to, section)
        for key in sales if chosen is None else chosen:
            yield from sales.get(key, ())


def reaches_of(rule: TaxRuleEntry) -> list[tuple[object, ...]]:
    """Name each place that a tax rule is for: its state by all of its spellings."""
    return [(rule.level, rule.country, state) for state in spellings_of(rule) or (None,)]


def spellings_of(rule: TaxRuleEntry) -> tuple[str, ...]:
    """Write the state of a rule as states are compared; none: it is for any."""
    return () if rule.state is None else tuple(dict.fromkeys(map(folded, (rule.state, *rule.state_aliases))))


@dataclass(frozen=True, slots=True)
class StrangeStates:
    """States of clients that no tax rule of their country names, though it has rules for states: how many clients."""

    country: str
    states: Mapping[str, int]


def strange_states(file: CatalogFile) -> list[StrangeStates]:
    """Find them. A state may be misspelt, or be one that has no tax of its own: only the shop can tell."""
    known: dict[str | None, set[str]] = {}
    for rule in file.tax_rules:
        if rule.state is not None:
            known.setdefault(rule.country, set()).update(spellings_of(rule))
    strange: dict[str, Counter[str]] = {}
    for client in file.clients:
        state = client.state.strip()
        if state and client.country in known and folded(state) not in known[client.country]:
            strange.setdefault(client.country, Counter())[state] += 1
    return [StrangeStates(country, dict(sorted(states.items()))) for country, states in sorted(strange.items())]
