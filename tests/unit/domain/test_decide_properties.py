"""What holds for every order, whatever is in it."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import (
    Addon,
    BillingCycle,
    DomainType,
    Extra,
    Product,
    Promotion,
    PromotionType,
    Prorata,
    QuantityRule,
    TaxRule,
    Tld,
)
from schemas.order import AddonAsked, InvoiceLine, Item, OptionAsked, PricedOrder
from schemas.shop_settings import ShopSettings, Tax
from tests.builders import (
    ANNUALLY,
    MONTHLY,
    ONETIME,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tax_rule,
    a_tld,
    an_addon,
    an_option,
    ordered,
    some_facts,
)
from worker.domain.money import PERCENT, to_minor_unit

CENT = Decimal("0.01")
DNS = Extra.DNS_MANAGEMENT

amounts = st.decimals(min_value=0, max_value=99_999, places=2).map(str)
percents = st.decimals(min_value=0, max_value=100, places=3).map(str)
cycles = st.sampled_from([MONTHLY, ANNUALLY, ONETIME])


@dataclass(frozen=True)
class Shop:
    """A shop with three of everything, and a cart that is valid in it."""

    products: tuple[Product, ...]
    addons: tuple[Addon, ...]
    tlds: tuple[Tld, ...]
    items: tuple[Item, ...]
    group_percent: str

    def order(
        self,
        *,
        promotion: Promotion | None = None,
        group: bool = True,
        tax_rules: tuple[TaxRule, ...] = (),
        settings: ShopSettings | None = None,
    ) -> PricedOrder:
        catalog = a_catalog(
            products=self.products,
            addons=self.addons,
            tlds=self.tlds,
            promotions=() if promotion is None else (promotion,),
            tax_rules=tax_rules,
            group_discounts={1: self.group_percent} if group else {},
        )
        request = a_request(*self.items, promo_code=None if promotion is None else promotion.code)
        return ordered(request, catalog, facts=some_facts(client=a_client(group_id=1)), settings=settings)


@st.composite
def products(draw: st.DrawFn, product_id: int) -> Product:
    cycle = draw(cycles)
    option = an_option(product_id * 10, "yesno", a_choice(1, (draw(amounts), draw(amounts)), cycle=cycle))
    return a_product(
        product_id,
        taxed=draw(st.booleans()),
        quantity_rule=draw(st.sampled_from([QuantityRule.MULTIPLE, QuantityRule.SCALING])),
        prorata=draw(st.sampled_from([None, Prorata(1, None), Prorata(15, 20)])),
        prices={cycle: (draw(amounts), draw(amounts))},
        config_options=(option,),
    )


@st.composite
def carts(draw: st.DrawFn, key: int) -> Item:
    product_id = draw(st.sampled_from([1, 2, None]))
    domain_type = draw(st.sampled_from([DomainType.REGISTER, None])) if product_id else DomainType.REGISTER
    return Item(
        key=key,
        product_id=product_id,
        quantity=draw(st.integers(1, 3)),
        domain=f"name{key}.com",
        domain_type=domain_type,
        extras=draw(st.sampled_from([frozenset(), frozenset({DNS})])),
        config_options={f"{product_id}0": OptionAsked(draw(st.sampled_from("01")))} if product_id else {},
        price_override=draw(st.none() | amounts.map(Decimal)),
        addons=draw(st.sampled_from([(), (AddonAsked(1, 2),)])) if product_id else (),
    )


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    addon = an_addon(taxed=draw(st.booleans()), prices={draw(cycles): (draw(amounts), draw(amounts))})
    tld = a_tld(
        taxed=draw(st.booleans()), register={1: draw(amounts)}, renew={1: draw(amounts)}, extras={DNS: draw(amounts)}
    )
    items = [draw(carts(key)) for key in range(draw(st.integers(1, 4)))]
    group_percent = draw(st.decimals(min_value=0, max_value=100, places=2).map(str))
    return Shop((draw(products(1)), draw(products(2))), (addon,), (tld,), tuple(items), group_percent)


@st.composite
def promotions(draw: st.DrawFn) -> Promotion:
    kind = draw(st.sampled_from(PromotionType))
    value = (
        draw(st.decimals(min_value=0, max_value=100, places=2)) if kind is PromotionType.PERCENTAGE else draw(amounts)
    )
    return a_promotion(
        kind,
        str(value),
        recurring=draw(st.booleans()),
        apply_once=draw(st.booleans()),
        products=draw(st.sampled_from([None, frozenset({1})])),
        cycles=draw(st.sampled_from([frozenset(), frozenset({BillingCycle.MONTHLY})])),
    )


@st.composite
def tax_rules(draw: st.DrawFn) -> tuple[TaxRule, ...]:
    second = a_tax_rule(draw(percents), level=2, compound=draw(st.booleans()))
    return (a_tax_rule(draw(percents)), second)


@given(shops(), promotions(), tax_rules())
def test_the_lines_add_up_to_the_total_without_its_exclusive_taxes(
    shop: Shop, promotion: Promotion, rules: tuple[TaxRule, ...]
) -> None:
    bill = shop.order(promotion=promotion, tax_rules=rules).bill

    assert sum(line.amount for line in bill.lines) == bill.subtotal - bill.discount
    assert bill.subtotal - bill.discount == bill.total - sum(tax.amount for tax in bill.taxes)


@given(shops(), promotions(), tax_rules())
def test_the_lines_add_up_to_the_total_that_contains_its_taxes(
    shop: Shop, promotion: Promotion, rules: tuple[TaxRule, ...]
) -> None:
    bill = shop.order(promotion=promotion, tax_rules=rules, settings=ShopSettings(tax=Tax.INCLUSIVE)).bill

    assert sum(line.amount for line in bill.lines) == bill.total
    assert sum(tax.amount for tax in bill.taxes) <= bill.total


@given(shops(), promotions())
def test_no_line_is_below_zero_after_its_discounts(shop: Shop, promotion: Promotion) -> None:
    order = shop.order(promotion=promotion)

    for item in order.items:
        assert 0 <= item.charge.discount <= item.charge.first
        assert item.charge.recurring is None or item.charge.recurring >= 0


@given(shops(), promotions())
def test_a_promotion_never_raises_a_price(shop: Shop, promotion: Promotion) -> None:
    without = shop.order(group=False)
    promoted = shop.order(group=False, promotion=promotion)

    assert promoted.bill.total <= without.bill.total
    for item, before in zip(promoted.items, without.items, strict=True):
        assert item.charge.first - item.charge.discount <= before.charge.first
        if before.charge.recurring is not None:
            assert item.charge.recurring is not None
            assert item.charge.recurring <= before.charge.recurring


@given(shops(), promotions())
def test_a_promotion_applied_or_said_why_not(shop: Shop, promotion: Promotion) -> None:
    order = shop.order(promotion=promotion)

    assert (order.promotion is None) == bool(order.warnings)


@given(shops(), promotions(), tax_rules())
def test_every_amount_has_the_digits_of_the_currency(
    shop: Shop, promotion: Promotion, rules: tuple[TaxRule, ...]
) -> None:
    order = shop.order(promotion=promotion, tax_rules=rules)

    bill = order.bill
    charged = [bill.subtotal, bill.discount, bill.total, *(tax.amount for tax in bill.taxes)]
    charged += [line.amount for line in bill.lines]
    charged += [item.charge.recurring for item in order.items if item.charge.recurring is not None]
    assert {amount.as_tuple().exponent for amount in charged} == {-2}


@given(shops(), promotions(), st.permutations(range(4)))
def test_other_keys_of_the_items_change_nothing_but_their_order(
    shop: Shop, promotion: Promotion, keys: list[int]
) -> None:
    # A code for one line only is for the first that qualifies, so there it matters who comes first.
    promotion = replace(promotion, apply_once=False)
    moved = sorted((replace(item, key=10 * key) for item, key in zip(shop.items, keys, strict=False)), key=item_key)

    order = shop.order(promotion=promotion)
    other = replace(shop, items=tuple(moved)).order(promotion=promotion)

    assert replace(other.bill, lines=()) == replace(order.bill, lines=())
    assert sorted(map(said, other.bill.lines)) == sorted(map(said, order.bill.lines))
    assert sorted(str(item.charge) for item in other.items) == sorted(str(item.charge) for item in order.items)


def item_key(item: Item) -> int:
    return item.key


def said(line: InvoiceLine) -> tuple[str, Decimal]:
    return line.description, line.amount


@given(st.decimals(min_value=0, max_value=1_000_000, places=2), tax_rules())
def test_inclusive_and_exclusive_tax_agree_within_a_cent(net: Decimal, rules: tuple[TaxRule, ...]) -> None:
    def bill(price: Decimal, settings: ShopSettings) -> tuple[list[Decimal], Decimal]:
        catalog = a_catalog(products=[a_product(taxed=True, prices={MONTHLY: str(price)})], tax_rules=rules)
        found = ordered(a_request(Item(key=0, product_id=1)), catalog, settings=settings).bill
        by_level = {tax.level: tax.amount for tax in found.taxes}
        return [by_level.get(level, Decimal(0)) for level in (1, 2)], found.total

    added, gross = bill(net, ShopSettings())
    contained, total = bill(gross, ShopSettings(tax=Tax.INCLUSIVE))

    assert total == gross
    assert all(abs(one - other) <= CENT for one, other in zip(added, contained, strict=True))


@given(st.decimals(min_value=0, max_value=1_000_000, places=6), st.sampled_from([0, 2]))
def test_rounding_moves_an_amount_by_half_a_unit_at_most(amount: Decimal, digits: int) -> None:
    rounded = to_minor_unit(amount, digits)

    assert abs(rounded - amount) <= Decimal(5).scaleb(-digits - 1)
    assert rounded.as_tuple().exponent == -digits


@pytest.mark.parametrize(
    ("amount", "digits", "expected"), [("0.005", 2, "0.01"), ("2.5", 0, "3"), ("0.0049", 2, "0.00")]
)
def test_half_a_unit_is_rounded_up(amount: str, digits: int, expected: str) -> None:
    assert str(to_minor_unit(Decimal(amount), digits)) == expected


@given(shops(), promotions())
def test_a_code_never_makes_the_order_of_a_groups_client_dearer(shop: Shop, promotion: Promotion) -> None:
    assert shop.order(promotion=promotion).bill.total <= shop.order().bill.total


@given(shops(), promotions())
def test_a_line_has_the_codes_discount_or_the_groups(shop: Shop, promotion: Promotion) -> None:
    for item in shop.order(promotion=promotion).items:
        assert item.charge.promotion_discount is None or not item.charge.group_discount


@given(shops(), promotions(), tax_rules(), st.sampled_from(Tax))
def test_the_taxed_lines_reproduce_the_taxes(
    shop: Shop, promotion: Promotion, rules: tuple[TaxRule, ...], tax: Tax
) -> None:
    bill = shop.order(promotion=promotion, tax_rules=rules, settings=ShopSettings(tax=tax)).bill
    taxed = sum((line.amount for line in bill.lines if line.taxed), Decimal(0))

    for one in bill.taxes:
        assert one.base is not None
        assert abs(one.amount - one.base * one.rate / PERCENT) <= CENT
    if not bill.tax_inclusive:
        assert {one.base for one in bill.taxes if one.level == 1} <= {taxed}
