"""Promotions (addorder.md 5.9): who may use one, on which lines, what it takes off, and what uses it up."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from schemas.catalog import BillingCycle, DomainType, Extra, Promotion, PromotionType, Prorata, QuantityRule
from schemas.order import AddonAsked, AddonLine, Facts, Item, OptionAsked, PricedOrder, Totals
from schemas.rejections import Rejection
from tests.builders import (
    ANNUALLY,
    MONTHLY,
    a_catalog,
    a_choice,
    a_client,
    a_product,
    a_promotion,
    a_request,
    a_tld,
    an_addon,
    an_option,
    an_owned_addon,
    an_owned_domain,
    an_owned_service,
    ordered,
    recurrings,
    some_facts,
)
from worker.domain.decide import decide

PERCENTAGE, FIXED = PromotionType.PERCENTAGE, PromotionType.FIXED_AMOUNT
OVERRIDE, FREE_SETUP = PromotionType.PRICE_OVERRIDE, PromotionType.FREE_SETUP
WITH_SETUP = a_product(prices={MONTHLY: ("10.00", "5.00")})


def order_with(
    promotion: Promotion,
    *items: Item,
    code: str = "WELCOME",
    shop: dict[str, Any] | None = None,
    facts: Any = None,
    totals: Totals | None = None,
    **parameters: Any,
) -> PricedOrder:
    """Order one item of a product at 10.00 and setup 5.00, with the code of this promotion."""
    sold: dict[str, Any] = {"products": [WITH_SETUP], "promotions": [promotion]} | (shop or {})
    catalog = a_catalog(**sold)
    request = a_request(*(items or (Item(key=0, product_id=1),)), promo_code=code, **parameters)
    return ordered(request, catalog, facts=facts, totals=totals)


def discounts(order: PricedOrder) -> list[str | None]:
    found = [item.charge.promotion_discount for item in order.items]
    return [None if discount is None else str(discount) for discount in found]


# ---------------------------------------------------------------- what it takes off


def test_a_percentage_is_of_the_line_with_setup() -> None:
    assert discounts(order_with(a_promotion(PERCENTAGE, "10.00"))) == ["1.50"]  # 10 % of 10.00 + 5.00


def test_a_percentage_is_of_the_line_with_options_and_extras() -> None:
    option = an_option(5, "yesno", a_choice(50, ("2.00", "3.00")))
    product = a_product(config_options=(option,))
    tld = a_tld(extras={Extra.DNS_MANAGEMENT: "5.00"})
    service = Item(key=0, product_id=1, config_options={"5": OptionAsked("1")})
    domain = Item(key=1, domain="whmcs.com", domain_type=DomainType.REGISTER, extras=frozenset({Extra.DNS_MANAGEMENT}))

    order = order_with(a_promotion(), service, domain, shop={"products": [product], "tlds": [tld]})

    assert discounts(order) == ["1.50", "2.00"]  # 10 % of 10.00 + 2.00 + 3.00, and of 15.00 + 5.00


def test_a_percentage_is_rounded_half_up() -> None:
    order = order_with(a_promotion(PERCENTAGE, "10.00"), shop={"products": [a_product(prices={MONTHLY: "1.25"})]})

    assert discounts(order) == ["0.13"]  # 0.125
    assert str(order.bill.total) == "1.12"


def test_a_percentage_is_rounded_to_the_digits_of_the_currency() -> None:
    facts = some_facts(client=a_client(currency="JPY"))
    product = a_product(currency="JPY", prices={MONTHLY: "1985.00"})

    order = order_with(a_promotion(PERCENTAGE, "12.50"), shop={"products": [product]}, facts=facts)

    assert discounts(order) == ["248"]  # 248.125


def test_a_fixed_amount_comes_off_each_line() -> None:
    items = (Item(key=0, product_id=1), Item(key=1, product_id=1))

    assert discounts(order_with(a_promotion(FIXED, "4.00"), *items)) == ["4.00", "4.00"]


def test_a_fixed_amount_never_makes_a_line_negative() -> None:
    order = order_with(a_promotion(FIXED, "50.00"))

    assert discounts(order) == ["15.00"]  # all of 10.00 + 5.00
    assert str(order.bill.total) == "0.00"


def test_a_price_override_replaces_the_price_but_not_the_setup() -> None:
    order = order_with(a_promotion(OVERRIDE, "8.00"))

    assert discounts(order) == ["2.00"]  # 10.00 - 8.00
    assert str(order.bill.total) == "13.00"  # 8.00 + 5.00


def test_a_price_override_never_raises_a_price() -> None:
    order = order_with(a_promotion(OVERRIDE, "12.00", recurring=True))

    assert discounts(order) == [None]
    assert recurrings(order) == ["10.00"]


def test_a_price_override_leaves_options_charged_and_is_for_each_unit() -> None:
    option = an_option(5, "yesno", a_choice(50, "2.00"))
    product = a_product(quantity_rule=QuantityRule.SCALING, config_options=(option,))
    item = Item(key=0, product_id=1, quantity=3, config_options={"5": OptionAsked("1")})

    order = order_with(a_promotion(OVERRIDE, "8.00", recurring=True), item, shop={"products": [product]})

    assert discounts(order) == ["6.00"]  # 3 x 10.00 - 3 x 8.00
    assert recurrings(order) == ["26.00"]  # 3 x 8.00 + 2.00


def test_a_price_override_leaves_domain_extras_charged() -> None:
    tld = a_tld(extras={Extra.DNS_MANAGEMENT: "5.00"})
    domain = Item(key=0, domain="whmcs.com", domain_type=DomainType.REGISTER, extras=frozenset({Extra.DNS_MANAGEMENT}))

    order = order_with(a_promotion(OVERRIDE, "8.00"), domain, shop={"tlds": [tld]})

    assert str(order.bill.total) == "13.00"  # 8.00 + 5.00


def test_free_setup_takes_the_setup_fee_away() -> None:
    order = order_with(a_promotion(FREE_SETUP, "0.00", recurring=True))

    assert discounts(order) == ["5.00"]
    assert recurrings(order) == ["10.00"]


def test_a_promotion_that_does_not_recur_leaves_the_recurring_amount() -> None:
    assert recurrings(order_with(a_promotion(PERCENTAGE, "20.00"))) == ["10.00"]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (PERCENTAGE, "20.00", "8.00"),  # 10.00 - 2.00; the setup fee does not recur
        (FIXED, "4.00", "6.00"),
        (FIXED, "50.00", "0.00"),
        (OVERRIDE, "7.50", "7.50"),
    ],
)
@pytest.mark.parametrize("recur_for", [0, 3])
def test_a_recurring_promotion_lowers_the_recurring_amount_too(
    kind: PromotionType, value: str, expected: str, recur_for: int
) -> None:
    assert recurrings(order_with(a_promotion(kind, value, recurring=True, recur_for=recur_for))) == [expected]


def test_a_recurring_promotion_counts_where_only_the_recurring_amount_can_be_lowered() -> None:
    item = Item(key=0, domain="whmcs.com", domain_type=DomainType.REGISTER, domain_price_override=Decimal("0.00"))

    order = order_with(a_promotion(recurring=True), item, shop={"tlds": [a_tld()]})

    assert order.promotion is not None
    assert recurrings(order) == ["13.50"]  # 15.00 - 1.50
    assert len(order.bill.lines) == 1  # no invoice line over 0.00


# ---------------------------------------------------------------- currencies


@pytest.mark.parametrize("kind", [FIXED, OVERRIDE])
def test_an_amount_has_a_value_per_currency_over_the_plain_one(kind: PromotionType) -> None:
    facts = some_facts(client=a_client(currency="EUR"))
    shop = {"products": [a_product(currency="EUR")]}

    order = order_with(a_promotion(kind, "5.00", values={"EUR": "4.00"}), shop=shop, facts=facts)

    assert discounts(order) == ["4.00" if kind is FIXED else "6.00"]  # 10.00 - 4.00


@pytest.mark.parametrize("kind", [FIXED, OVERRIDE])
def test_an_amount_without_a_value_in_the_clients_currency_does_not_apply(kind: PromotionType) -> None:
    facts = some_facts(client=a_client(currency="EUR"))
    shop = {"products": [a_product(currency="EUR")]}

    order = order_with(a_promotion(kind, "5.00", values={"USD": "5.00"}), shop=shop, facts=facts)

    assert order.promotion is None
    assert order.warnings == ("promocode: WELCOME has no amount in EUR; the full price is charged",)


def test_a_percentage_needs_no_value_per_currency() -> None:
    facts = some_facts(client=a_client(currency="EUR"))

    order = order_with(a_promotion(), shop={"products": [a_product(currency="EUR")]}, facts=facts)

    assert discounts(order) == ["1.00"]


# ---------------------------------------------------------------- which lines


@pytest.mark.parametrize("code", ["WELCOME", "welcome", "WeLcOmE"])
def test_a_code_is_matched_without_case(code: str) -> None:
    assert order_with(a_promotion(code="Welcome"), code=code).promotion is not None


def test_a_promotion_applies_to_its_products_addons_and_tlds() -> None:
    shop = {
        "products": [a_product(1), a_product(2)],
        "addons": [an_addon(1), an_addon(2)],
        "tlds": [a_tld(".com"), a_tld(".eu")],
    }
    items = (
        Item(key=0, product_id=1, addons=(AddonAsked(1), AddonAsked(2))),
        Item(key=1, product_id=2),
        Item(key=2, domain="a.com", domain_type=DomainType.REGISTER),
        Item(key=3, domain="a.eu", domain_type=DomainType.TRANSFER),
    )
    promotion = a_promotion(products=frozenset({2}), addons=frozenset({1}), tlds=frozenset({".eu"}))

    order = order_with(promotion, *items, shop=shop)

    assert discounts(order) == [None, "0.20", None, "1.00", None, "1.50"]


def test_a_promotion_for_certain_cycles_is_for_lines_on_them_and_not_for_domains() -> None:
    shop = {
        "products": [a_product(1), a_product(2, prices={ANNUALLY: "100.00"})],
        "addons": [an_addon(prices={MONTHLY: "2.00", ANNUALLY: "20.00"})],
        "tlds": [a_tld()],
    }
    items = (
        Item(key=0, product_id=1, addons=(AddonAsked(1),)),
        Item(key=1, product_id=2, addons=(AddonAsked(1),)),
        Item(key=2, domain="a.com", domain_type=DomainType.REGISTER),
    )

    order = order_with(a_promotion(cycles=frozenset({ANNUALLY})), *items, shop=shop)

    assert discounts(order) == [None, None, "10.00", "2.00", None]


def test_a_promotion_applies_once_to_the_first_line_that_qualifies() -> None:
    shop = {"products": [a_product(1), a_product(2)]}
    items = tuple(Item(key=key, product_id=product) for key, product in enumerate((1, 2, 2)))

    order = order_with(a_promotion(products=frozenset({2}), apply_once=True), *items, shop=shop)

    assert discounts(order) == [None, "1.00", None]


def test_once_is_not_spent_on_a_line_with_nothing_to_take_off() -> None:
    shop = {"products": [a_product(1, pay_type="free"), a_product(2)]}
    items = (Item(key=0, product_id=1), Item(key=1, product_id=2))

    assert discounts(order_with(a_promotion(apply_once=True), *items, shop=shop)) == [None, "1.00"]


def test_promooverride_relaxes_products_and_cycles() -> None:
    promotion = a_promotion(FIXED, "5.00", products=frozenset(), cycles=frozenset({ANNUALLY}))

    assert discounts(order_with(promotion, promo_override=True)) == ["5.00"]
    assert order_with(promotion).promotion is None


@pytest.mark.parametrize(
    "promotion",
    [
        a_promotion(end_date=date(2026, 11, 22)),
        a_promotion(max_uses=1),
        a_promotion(existing_clients_only=True),
        a_promotion(requires_products=frozenset({24})),
    ],
    ids=["dates", "uses", "who", "required product"],
)
def test_promooverride_relaxes_nothing_else(promotion: Promotion) -> None:
    order = order_with(promotion, promo_override=True, totals=Totals(promotion_uses={1: 1}))

    assert order.promotion is None
    assert len(order.warnings) == 1


def test_domain_renewals_take_a_code_and_service_and_addon_renewals_do_not() -> None:
    facts = some_facts(
        services=[an_owned_service()], owned_addons=[an_owned_addon()], domains=[an_owned_domain("domain1.com")]
    )
    request = a_request(
        domain_renewals={"domain1.com": 1},
        service_renewals=(19,),
        addon_renewals=(3,),
        promo_code="WELCOME",
        promo_override=True,
    )
    catalog = a_catalog(
        products=[a_product()], addons=[an_addon()], tlds=[a_tld(renew={1: "20.00"})], promotions=[a_promotion()]
    )

    assert discounts(ordered(request, catalog, facts=facts)) == ["2.00", None, None]


def test_an_addon_for_a_service_that_exists_takes_a_code() -> None:
    facts = some_facts(services=[an_owned_service()])
    request = a_request(addon_lines=(AddonLine(1, 19, 1, "addonid", None),), promo_code="WELCOME")
    catalog = a_catalog(products=[a_product()], addons=[an_addon()], promotions=[a_promotion()])

    assert discounts(ordered(request, catalog, facts=facts)) == ["0.20"]


# ---------------------------------------------------------------- who may use it, and when


def warning_of(promotion: Promotion, **known: Any) -> str | None:
    """Order with this promotion and return its warning, if the full price was charged."""
    order = order_with(promotion, **known)
    if order.promotion is not None:
        assert order.warnings == ()
        return None
    assert discounts(order) == [None]
    (warning,) = order.warnings
    return warning.removeprefix("promocode: WELCOME ").removesuffix("; the full price is charged")


@pytest.mark.parametrize(
    ("start", "end", "warning"),
    [
        (date(2026, 11, 23), date(2026, 11, 23), None),  # both days are included
        (date(2026, 11, 24), None, "is not valid before 2026-11-24"),
        (None, date(2026, 11, 22), "expired after 2026-11-22"),
    ],
)
def test_a_promotion_is_valid_from_its_start_to_its_end_date(
    start: date | None, end: date | None, warning: str | None
) -> None:
    assert warning_of(a_promotion(start_date=start, end_date=end)) == warning


@pytest.mark.parametrize(("uses", "warning"), [(1, None), (2, "is used up"), (3, "is used up")])
def test_a_promotion_can_be_used_up(uses: int, warning: str | None) -> None:
    assert warning_of(a_promotion(max_uses=2), totals=Totals(promotion_uses={1: uses})) == warning


@pytest.mark.parametrize(
    ("used", "warning"), [((2, 1), None), ((1, 2), None), ((1, 1), "was used by this client before")]
)
def test_a_promotion_may_be_for_once_per_client(used: tuple[int, int], warning: str | None) -> None:
    totals = Totals(used_promotions={used: 1})

    assert warning_of(a_promotion(once_per_client=True), totals=totals) == warning
    assert warning_of(a_promotion(), totals=totals) is None


NEW, EXISTING = some_facts(active_clients=[2]), some_facts(active_clients=[1])  # who has an Active order


@pytest.mark.parametrize(("facts", "warning"), [(NEW, None), (EXISTING, "is for new clients only")])
def test_a_promotion_may_be_for_new_signups_only(facts: Facts, warning: str | None) -> None:
    assert warning_of(a_promotion(new_signups_only=True), facts=facts) == warning


@pytest.mark.parametrize(("facts", "warning"), [(EXISTING, None), (NEW, "is for existing clients only")])
def test_a_promotion_may_be_for_existing_clients_only(facts: Facts, warning: str | None) -> None:
    assert warning_of(a_promotion(existing_clients_only=True), facts=facts) == warning


REQUIRES = a_promotion(requires_products=frozenset({24, 25}))


def test_a_required_product_may_be_owned() -> None:
    owner = some_facts(owned_products={1: frozenset({25, 3})})
    other = some_facts(owned_products={1: frozenset({3})})

    assert warning_of(REQUIRES, facts=owner) is None
    assert warning_of(REQUIRES, facts=other) == "requires a product that is neither in this order nor owned"


def test_a_required_product_may_have_to_be_in_the_order() -> None:
    owner = some_facts(owned_products={1: frozenset({25, 3})})
    promotion = a_promotion(requires_products=frozenset({24, 25}), requires_existing=False)

    assert warning_of(promotion, facts=owner) == "requires a product that is not in this order"


def test_a_required_product_may_be_in_the_order() -> None:
    shop = {"products": [a_product(1), a_product(24)]}

    order = order_with(REQUIRES, Item(key=0, product_id=1), Item(key=1, product_id=24), shop=shop)

    assert discounts(order) == ["1.00", "1.00"]


def test_an_unknown_code_is_a_warning() -> None:
    order = order_with(a_promotion(), code="NOSUCH")

    assert order.warnings == ("promocode: NOSUCH is not known; the full price is charged",)


@pytest.mark.parametrize(
    "promotion",
    [a_promotion(products=frozenset()), a_promotion(cycles=frozenset({BillingCycle.BIENNIALLY}))],
    ids=["product", "cycle"],
)
def test_a_code_that_fits_nothing_is_a_warning(promotion: Promotion) -> None:
    assert warning_of(promotion) == "takes nothing off any item of this order"


def test_without_a_code_there_is_no_promotion_and_no_warning() -> None:
    order = ordered(a_request(Item(key=0, product_id=1)), a_catalog(products=[a_product()], promotions=[a_promotion()]))

    assert (order.promotion, order.warnings) == (None, ())


# ---------------------------------------------------------------- what uses it up


def after(promotion: Promotion, totals: Totals) -> Totals:
    request = a_request(Item(key=0, product_id=1), promo_code="WELCOME")
    catalog = a_catalog(products=[a_product()], promotions=[promotion])
    order, used_up = decide(request, some_facts(), totals, catalog)
    assert not isinstance(order, Rejection)
    return used_up


def test_an_order_uses_its_promotion_once() -> None:
    used_up = after(a_promotion(max_uses=5), Totals(promotion_uses={1: 2, 7: 1}))

    assert used_up.promotion_uses == {1: 3, 7: 1}
    assert used_up.used_promotions == {(1, 1): 1}


def test_a_promotion_without_a_limit_is_not_counted() -> None:
    assert after(a_promotion(), Totals()).promotion_uses == {}


def test_a_promotion_that_did_not_apply_is_not_used() -> None:
    used_up = after(a_promotion(max_uses=5, products=frozenset()), Totals(promotion_uses={1: 2}))

    assert used_up.promotion_uses == {1: 2}
    assert used_up.used_promotions == {}


@pytest.mark.parametrize("promotion", [a_promotion(max_uses=1), a_promotion(once_per_client=True)])
def test_the_orders_of_a_batch_share_what_a_promotion_has_left(promotion: Promotion) -> None:
    request = a_request(Item(key=0, product_id=1), promo_code="WELCOME")
    catalog = a_catalog(products=[a_product()], promotions=[promotion])

    first, used_up = decide(request, some_facts(), Totals(promotion_uses={1: 0}), catalog)
    second, _ = decide(request, some_facts(), used_up, catalog)

    assert not isinstance(first, Rejection)
    assert not isinstance(second, Rejection)
    assert str(first.bill.total) == "9.00"
    assert str(second.bill.total) == "10.00"


# ---------------------------------------------------------------- the invoice line


@pytest.mark.parametrize(
    ("promotion", "text"),
    [
        (a_promotion(PERCENTAGE, "10.00"), "10.00% One Time Discount"),
        (a_promotion(PERCENTAGE, "10.00", recurring=True), "10.00% Recurring Discount"),
        (a_promotion(FIXED, "5.00"), "$5.00 USD One Time Discount"),
        (a_promotion(OVERRIDE, "8.00", recurring=True), "$8.00 USD Recurring Price Override"),
        (a_promotion(FREE_SETUP, "0.00"), "Free Setup"),
    ],
)
def test_a_discounted_line_says_which_code_and_what(promotion: Promotion, text: str) -> None:
    order = order_with(promotion)

    line = order.bill.lines[1]
    assert line.description == f"Promotional Code: WELCOME - {text}"
    assert line.item == 0
    assert line.amount < 0


@pytest.mark.parametrize(("recurring", "after"), [(False, "30.00"), (True, "20.00")])
def test_an_overriding_price_is_prorated_as_the_price_would_be(*, recurring: bool, after: str) -> None:
    product = a_product(prorata=Prorata(1, None), prices={MONTHLY: ("30.00", "5.00")})
    promotion = a_promotion(OVERRIDE, "20.00", recurring=recurring)

    order = order_with(promotion, shop={"products": [product]}, facts=some_facts(today=date(2026, 11, 23)))

    # 8 of 30 days: 8.00 of 30.00, but 5.33 of 20.00; the setup fee stays.
    assert discounts(order) == ["2.67"]
    assert str(order.bill.total) == "10.33"
    assert recurrings(order) == [after]
