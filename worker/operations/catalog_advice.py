"""What a catalogue file that can be loaded would hurt with later. What can not be loaded: catalog_check.py.

A rule is a small function over one entry: it yields the path in it, and why, what happens to whom, and the fix. Its
name is the code of what it finds. What is absent may have been forgotten; -1.00 says that it is not offered on purpose,
and is taken at its word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from schemas.catalog import CYCLES, BillingCycle, PromotionType
from schemas.catalog_entries import (
    AddonEntry,
    CatalogFile,
    ClientGroupEntry,
    CurrencyEntry,
    PaymentMethodEntry,
    PriceEntry,
    ProductEntry,
    PromotionEntry,
    TaxRuleEntry,
    TldEntry,
)
from schemas.catalog_file import shown
from schemas.catalog_offers import (
    ORDERED,
    PRICED,
    Shop,
    currencies_of,
    cycles_of,
    gaps,
    offered,
    reaches_of,
    sales_for,
    shop_of,
    spellings_of,
    terms_of,
)

ALL_OFF = 100  # percent

_MEANT = "give one, or -1.00 if that is meant"
_NO_USE = "whoever gives it pays the full price"

Found = Iterator[tuple[str, str]]  # path in the entry, message


@dataclass(frozen=True, slots=True)
class Finding:
    """`path` is as in `products[3].pricing.EUR`; `code` stays as it is, so that scripts may go by it."""

    path: str
    code: str
    message: str


def advise(file: CatalogFile, today: date) -> list[Finding]:
    """List what would hurt later, entry by entry. The file has passed catalog_check.py; `today` is in UTC."""
    shop = shop_of(file, today)
    findings: list[Finding] = []
    for section, rules in _RULES.items():
        for number, entry in enumerate(getattr(file, section)):
            path = f"{section}[{number}]"
            findings += (Finding(path + inside, code, message) for inside, code, message in _judge(entry, rules, shop))
    return findings


def _judge(entry: Any, rules: "tuple[_Rule, ...]", shop: Shop) -> Iterator[tuple[str, str, str]]:
    """Yield path, code and message. Of what nobody can use at all, a section's first rule says so, and that is all."""
    if getattr(entry, "retired", False):
        return
    for rule in rules:
        found = tuple(rule(entry, shop))
        yield from ((inside, rule.__name__, message) for inside, message in found)
        if found and rule is rules[0]:
            return


def _list(members: Iterable[object]) -> str:
    return ", ".join(map(str, members))


# ---------------------------------------------------------------- the shop and its taxes


def nothing_sold(currency: CurrencyEntry, shop: Shop) -> Found:
    sales = [sale for section in shop.sales.values() for of_one in section.values() for sale in of_one]
    if sales and all(code != currency.code or cycle is BillingCycle.FREE for code, cycle in sales):
        why = f"nothing in the file has a price in {currency.code}"
        yield "", f"{why}: clients who pay in it can order nothing but what is free; give prices in it"


def no_payment_method(method: PaymentMethodEntry, shop: Shop) -> Found:
    methods = shop.file.payment_methods
    if method is methods[0] and not any(one.active for one in methods):
        yield (
            ".active",
            "no payment method in the file is active: with these alone, every order is refused; make one active",
        )


def group_pays_nothing(group: ClientGroupEntry, _: Shop) -> Found:
    if group.discount_percent == ALL_OFF:
        yield ".discount_percent", f"{shown(group.name)} has all off: its clients order for nothing; lower it"


def tax_overlap(rule: TaxRuleEntry, shop: Shop) -> Found:
    charged = next((other for reach in reaches_of(rule) if (other := shop.tax_rules[reach]) is not rule), rule)
    if charged is not rule:
        why = f"rule {charged.id} ({shown(charged.name)}, {charged.rate} %) has the same level, country and state"
        what = f"clients there pay that, for its lower id, and never {shown(rule.name)}, {rule.rate} %"
        yield "", f"{why}: {what}; make it one rule, or give this one a place of its own"


def tax_second_alone(rule: TaxRuleEntry, shop: Shop) -> Found:
    if rule.level != 1 and not any(_meet(rule, first) for first in shop.file.tax_rules if first.level == 1):
        why = f"no tax of level 1 is where {shown(rule.name)} is for"
        yield ".level", f"{why}: clients there pay this one alone, compound or not; make it level 1, or add the other"


def _meet(one: TaxRuleEntry, other: TaxRuleEntry) -> bool:
    """Tell whether a client can live where both are for."""
    if None not in (one.country, other.country) and one.country != other.country:
        return False
    states, others = spellings_of(one), spellings_of(other)
    return not (states and others) or not set(states).isdisjoint(others)


# ---------------------------------------------------------------- products


def product_not_sold(product: ProductEntry, shop: Shop) -> Found:
    if product.pay_type != "free" and not shop.sales["products"][product.id]:
        yield ".pricing", f"{shown(product.name)} has no price: every order of it is refused; give it one, or retire it"


def product_price_missing(product: ProductEntry, _: Shop) -> Found:
    for currency, cycles, others in gaps(product.prices, offered(product.prices)):
        if product.pay_type != "free":
            why = f"{shown(product.name)} has no price for {_list(cycles)} here, but in {_list(others)}"
            yield f".pricing.{currency}", f"{why}: clients who pay in {currency} and order it so are refused; {_MEANT}"


def product_price_ignored(product: ProductEntry, _: Shop) -> Found:
    entries = (entry for table in product.prices.values() for entry in table.values())
    if product.pay_type == "free" and any(entry.price or entry.setup for entry in entries):
        yield ".paytype", f"{shown(product.name)} is free: nobody is charged its prices; make it recurring or onetime"


def product_cycle_unfit(product: ProductEntry, _: Shop) -> Found:
    """Billing goes by the cycle alone; an order that names none gets the shortest, and onetime is shorter than any."""
    billed = {"onetime": "again and again", "recurring": "once and never again"}.get(product.pay_type)
    for currency, cycles in offered(product.prices).items() if billed else ():
        unfit = [cycle for cycle in cycles if (cycle.months > 0) is (product.pay_type == "onetime")]
        if unfit:
            why = f"{shown(product.name)} is {product.pay_type}, and has a price for {_list(unfit)}"
            yield f".pricing.{currency}", f"{why}: whoever orders it so is billed {billed}; give -1.00 for that"


def product_sold_out(product: ProductEntry, _: Shop) -> Found:
    if product.stock_controlled and not product.stock_quantity:
        why = f"{shown(product.name)} begins with none in stock, and a later load does not add to it"
        yield ".stock_quantity", f"{why}: every order of it is refused; give what there is, or turn stock_control off"


def prorata_ignored(product: ProductEntry, shop: Shop) -> Found:
    if product.prorata and BillingCycle.MONTHLY not in _cycles_sold(product, shop):
        why = f"{shown(product.name)} is not sold monthly, and prorata is for that only"
        yield (
            ".prorata",
            f"{why}: its clients pay whole periods from the day of the order; price it monthly, or take it out",
        )


def prorata_in_part(product: ProductEntry, shop: Shop) -> Found:
    others = _cycles_sold(product, shop) - {BillingCycle.MONTHLY}
    if product.prorata and BillingCycle.MONTHLY in _cycles_sold(product, shop) and others:
        cycles = _list(cycle for cycle in CYCLES if cycle in others)
        why = f"{shown(product.name)} is sold {cycles} as well, and prorata is for monthly only"
        yield ".prorata", f"{why}: those clients pay whole periods from the day of the order; sell it monthly only"


def free_domain_cycle(product: ProductEntry, shop: Shop) -> Found:
    for number, cycle in enumerate(product.free_domain.cycles if product.free_domain else ()):
        if cycle not in _cycles_sold(product, shop):
            why = f"{shown(product.name)} is not sold {cycle}"
            yield (
                f".free_domain.cycles[{number}]",
                f"{why}: nobody gets a domain free with that; price it, or take it out",
            )


def free_domain_tld(product: ProductEntry, shop: Shop) -> Found:
    """A free domain is for one year only (addorder.md 5.6)."""
    if product.free_domain is None:
        return
    sales = shop.sales["products"][product.id]
    sold_in = dict.fromkeys(currency for currency, cycle in sales if cycle in product.free_domain.cycles)
    for number, name in enumerate(product.free_domain.tlds):
        if name not in shop.tlds:  # the database's
            continue
        tables = [offered(terms_of(shop.tlds[name], kind)) for kind in ORDERED]
        without = _list(code for code in sold_in if not any(1 in table.get(code, ()) for table in tables))
        if without:
            why = f"a free domain is for 1 year, and {name} has no price for that in {without}"
            what = f"clients who pay in it never get one with {shown(product.name)}"
            yield f".free_domain.tlds[{number}]", f"{why}: {what}; give one, or take it out"


def _cycles_sold(product: ProductEntry, shop: Shop) -> set[BillingCycle | None]:
    return {cycle for _, cycle in shop.sales["products"][product.id]}


# ---------------------------------------------------------------- configurable options


class _Choice(NamedTuple):
    """A choice, in one of the currencies that its product is sold in."""

    path: str
    name: str
    prices: Mapping[BillingCycle, PriceEntry]
    cycles: list[BillingCycle]  # of the product
    is_default: bool  # orders get it that do not ask (addorder.md 5.2)


def _choices(product: ProductEntry, shop: Shop) -> Iterator[_Choice]:
    for number, option in enumerate(product.config_options):
        for nth, choice in enumerate(option.choices):
            path = f".config_options[{number}].choices[{nth}].pricing"
            name = f"{shown(option.name)}: {shown(choice.name)}"
            is_default = bool(option.quantity_min) or (option.type in ("dropdown", "radio") and nth == 0)
            for currency, cycles in cycles_of(product, shop.file).items():
                yield _Choice(f"{path}.{currency}", name, choice.prices.get(currency, {}), cycles, is_default)


def default_choice_unpriced(product: ProductEntry, shop: Shop) -> Found:
    for path, name, prices, cycles, is_default in _choices(product, shop):
        missing = [cycle for cycle in cycles if cycle not in prices or prices[cycle].price is None]
        if missing and is_default:
            why = f"{name} has no price for {_list(missing)}"
            what = "orders that do not ask get it for 0.00, and those that ask are refused"
            yield path, f"{why}: {what}; give one, 0.00 if it is free"


def choice_unpriced(product: ProductEntry, shop: Shop) -> Found:
    for path, name, prices, cycles, is_default in _choices(product, shop):
        missing = [cycle for cycle in cycles if cycle not in prices]
        if missing and not is_default:
            why = f"{name} has no price for {_list(missing)}, and {shown(product.name)} is sold so"
            yield path, f"{why}: orders that ask for it are refused; {_MEANT}"


def quantity_none(product: ProductEntry, _: Shop) -> Found:
    for number, option in enumerate(product.config_options):
        if option.quantity_max == 0:
            yield (
                f".config_options[{number}].max",
                f"orders that ask for any {shown(option.name)} are refused; raise it",
            )


def choice_named_twice(product: ProductEntry, _: Shop) -> Found:
    names: set[tuple[int, str]] = set()
    for number, option in enumerate(product.config_options):
        for nth, choice in enumerate(option.choices):
            name = (option.id, choice.name.strip().casefold())
            if name in names:
                why = f"{shown(option.name)} has another choice {shown(choice.name)}"
                at = f".config_options[{number}].choices[{nth}].name"
                yield at, f"{why}: nobody can tell from an order which was meant; name it otherwise"
            names.add(name)


# ---------------------------------------------------------------- addons and TLDs


def addon_not_sold(addon: AddonEntry, _: Shop) -> Found:
    if not offered(addon.prices):
        yield ".pricing", f"{shown(addon.name)} has no price: every order of it is refused; give it one"
    if addon.products == ():
        yield ".products", f"{shown(addon.name)} goes with no product: every order of it is refused; name one"


def addon_price_missing(addon: AddonEntry, shop: Shop) -> Found:
    """Only where a product is sold so: on other cycles an addon takes its shortest in every currency."""
    sales = shop.sales["products"]
    sold = {sale for parent in (sales if addon.products is None else addon.products) for sale in sales.get(parent, ())}
    for currency, cycles, others in gaps(addon.prices, offered(addon.prices)):
        missing = _list(cycle for cycle in cycles if (currency, cycle) in sold)
        if missing:
            why = f"{shown(addon.name)} has no price for {missing} here, but in {_list(others)}"
            what = f"with a product on that cycle, clients who pay in {currency} get it on its shortest instead"
            yield f".pricing.{currency}", f"{why}: {what}; {_MEANT}"


def tld_not_sold(tld: TldEntry, _: Shop) -> Found:
    if not currencies_of(tld, PRICED):
        yield ".pricing", f"{tld.tld} has no price: orders and renewals of its domains are refused; give it one"


def tld_price_missing(tld: TldEntry, _: Shop) -> Found:
    for kind in PRICED:
        terms = terms_of(tld, kind)
        for currency, years, others in gaps(terms, offered(terms)):
            why = f"{tld.tld} has no price for {_list(years)} years here, but in {_list(others)}"
            what = f"clients who pay in {currency} and ask for that are refused"
            yield f".pricing.{currency}.{kind}", f"{why}: {what}; {_MEANT}"


def tld_not_renewed(tld: TldEntry, _: Shop) -> Found:
    for currency in currencies_of(tld, ORDERED):
        if currency not in currencies_of(tld, ["renew"]):
            why = f"{tld.tld} is sold in {currency}, and has no renew price there"
            what = "its domains get no recurring amount, and renewals are refused"
            yield f".pricing.{currency}.renew", f"{why}: {what}; give one"


def tld_redemption_without_fee(tld: TldEntry, _: Shop) -> Found:
    if tld.redemption is None:
        return
    for currency in currencies_of(tld, ["renew"]):
        if tld.redemption.fee.get(currency) is None:
            why = f"{tld.tld} has a redemption and no fee for it in {currency}"
            yield ".redemption.fee", f"{why}: who pays in it and renews a domain then is refused; give one"


def tld_grace_fee_missing(tld: TldEntry, _: Shop) -> Found:
    """Without any fee a grace is free of charge; with some, nobody gives it away in another currency."""
    fees = [code for code, fee in (tld.grace.fee if tld.grace else {}).items() if fee is not None]
    for currency in currencies_of(tld, ["renew"]) if fees else ():
        if currency not in fees:
            why = f"{tld.tld} has a grace with a fee in {_list(fees)}, and none in {currency}"
            yield (
                ".grace.fee",
                f"{why}: who pays in it and renews a domain then is refused; give one, 0.00 if it is free",
            )


def tld_extra_missing(tld: TldEntry, _: Shop) -> Found:
    for currency, extras, others in gaps(tld.extras, currencies_of(tld, ORDERED)):
        why = f"{tld.tld} has no price for {_list(extras)} here, but in {_list(others)}"
        yield f".extras.{currency}", f"{why}: clients who pay in {currency} and ask for that are refused; {_MEANT}"


# ---------------------------------------------------------------- promotions


def promotion_over(promotion: PromotionEntry, shop: Shop) -> Found:
    if promotion.end_date is not None and promotion.end_date < shop.today:
        yield ".end_date", f"{shown(promotion.code)} is over: {_NO_USE}; move the day, or take the promotion out"
    if 0 < promotion.max_uses <= promotion.uses:
        yield ".uses", f"{shown(promotion.code)} is used up: {_NO_USE}; raise max_uses, or take the promotion out"


def promotion_zero(promotion: PromotionEntry, _: Shop) -> Found:
    is_discount = promotion.type in (PromotionType.PERCENTAGE, PromotionType.FIXED_AMOUNT)
    if is_discount and not promotion.value and not any(promotion.values.values()):
        yield ".value", f"{shown(promotion.code)} takes 0 off: {_NO_USE}; raise it, or take the promotion out"


def promotion_for_nothing(promotion: PromotionEntry, shop: Shop) -> Found:
    # What "all" comes to of a section that is not in the file, only the database can tell; so of what it names there.
    is_told = all(_is_told(getattr(promotion.applies_to, section), section, shop) for section in shop.sales)
    if is_told and not _currencies_for(promotion, shop):
        why = f"nothing that {shown(promotion.code)} is for is sold"
        path = ".cycles" if any(sales_for(promotion, shop)) else ".applies_to"
        yield path, f"{why}: {_NO_USE}, save with promooverride; name what is sold"


def _is_told(keys: Iterable[int | str] | None, section: str, shop: Shop) -> bool:
    return bool(shop.sales[section]) if keys is None else shop.described[section].issuperset(keys)


def promotion_amount_missing(promotion: PromotionEntry, shop: Shop) -> Found:
    is_amount = promotion.type in (PromotionType.FIXED_AMOUNT, PromotionType.PRICE_OVERRIDE)
    # A plain amount is one in the default currency: without that one in the file, nobody knows whose it lacks.
    is_amount = is_amount and bool(shop.default_currency)
    for currency in _currencies_for(promotion, shop) if is_amount else ():
        if currency not in promotion.values and currency != shop.default_currency:
            why = f"{shown(promotion.code)} has no amount in {currency}, in which some of what it is for is sold"
            yield f".values.{currency}", f"{why}: clients who pay in it get nothing off; {_MEANT}"


def promotion_recurs_once(promotion: PromotionEntry, _: Shop) -> Found:
    if promotion.recur_for and not promotion.recurring:
        why = f"{shown(promotion.code)} does not recur"
        yield ".recur_for", f"{why}: clients get it off the first payment only; make recurring true, or this 0"


def promotion_below_group(promotion: PromotionEntry, shop: Shop) -> Found:
    """A line gets the better of both (addorder.md 5.10)."""
    if promotion.type is not PromotionType.PERCENTAGE or not promotion.value:
        return
    groups = [group for group in shop.file.client_groups if group.discount_percent >= promotion.value]
    if groups:
        names = _list(f"{shown(group.name)} ({group.discount_percent} %)" for group in groups)
        why = f"{shown(promotion.code)} takes {promotion.value} % off, no more than the clients of {names} get anyway"
        yield ".value", f"{why}: they never get the code; raise it, or lower the group's discount"


def _currencies_for(promotion: PromotionEntry, shop: Shop) -> list[str]:
    """Name those in which something qualifies. A code for certain cycles is not for domains, which have none."""
    sales = sales_for(promotion, shop)
    return list(dict.fromkeys(code for code, cycle in sales if not promotion.cycles or cycle in promotion.cycles))


# ---------------------------------------------------------------- the table

_Rule = Callable[[Any, Shop], Found]

_RULES: Mapping[str, tuple[_Rule, ...]] = {
    "currencies": (nothing_sold,),
    "payment_methods": (no_payment_method,),
    "client_groups": (group_pays_nothing,),
    "tax_rules": (tax_overlap, tax_second_alone),
    "products": (
        product_not_sold, product_price_missing, product_price_ignored, product_cycle_unfit, product_sold_out,
        prorata_ignored, prorata_in_part, free_domain_cycle, free_domain_tld, default_choice_unpriced, choice_unpriced,
        quantity_none, choice_named_twice,
    ),
    "addons": (addon_not_sold, addon_price_missing),
    "tlds": (
        tld_not_sold, tld_price_missing, tld_not_renewed, tld_redemption_without_fee, tld_grace_fee_missing,
        tld_extra_missing,
    ),
    "promotions": (
        promotion_over, promotion_zero, promotion_for_nothing, promotion_amount_missing, promotion_recurs_once,
        promotion_below_group,
    ),
}  # fmt: skip
