"""Configurable options (addorder.md 5.2)."""

from collections.abc import Mapping

import pytest

from schemas.catalog import ConfigOption
from schemas.order import ChosenOption, Item, OptionAsked, PricedOrder, PricedService
from schemas.rejections import Rejection
from tests.builders import (
    ANNUALLY,
    MONTHLY,
    a_catalog,
    a_choice,
    a_product,
    a_request,
    an_option,
    firsts,
    only_item,
    ordered,
    recurrings,
    refused,
)

DROPDOWN = an_option(51, "dropdown", a_choice(511, "1.00"), a_choice(512, ("3.00", "7.00")))
RADIO = an_option(54, "radio", a_choice(541, "0.00"), a_choice(542, ("4.00", "2.00")))
YES_NO = an_option(52, "yesno", a_choice(521, ("2.00", "1.00")))
QUANTITY = an_option(53, "quantity", a_choice(531, ("1.50", "5.00")), quantity_min=2, quantity_max=5)


def order_with(option: ConfigOption, asked: Mapping[str, OptionAsked] | None = None) -> PricedOrder:
    """Order a product at 20.00 a month with this option."""
    product = a_product(prices={MONTHLY: "20.00"}, config_options=(option,))
    return ordered(a_request(Item(key=0, product_id=1, config_options=asked or {})), a_catalog(products=[product]))


def refuse_with(option: ConfigOption, asked: Mapping[str, OptionAsked]) -> Rejection:
    product = a_product(prices={MONTHLY: "20.00"}, config_options=(option,))
    return refused(a_request(Item(key=3, product_id=1, config_options=asked)), a_catalog(products=[product]))


def chosen(order: PricedOrder) -> ChosenOption:
    service = only_item(order)
    assert isinstance(service, PricedService)
    (option,) = service.options
    return option


@pytest.mark.parametrize(("option", "price"), [(DROPDOWN, "21.00"), (RADIO, "20.00")])
def test_a_dropdown_and_a_radio_default_to_their_first_choice(option: ConfigOption, price: str) -> None:
    order = order_with(option)

    assert firsts(order) == [price]  # 20.00 + 1.00, and 20.00 + 0.00
    assert chosen(order).choice_id == option.choices[0].id


@pytest.mark.parametrize("asked", [OptionAsked("512"), OptionAsked("512.00"), OptionAsked("512", 1)])
def test_a_choice_adds_its_price_and_its_setup_fee(asked: OptionAsked) -> None:
    order = order_with(DROPDOWN, {"51": asked})

    assert firsts(order) == ["30.00"]  # 20.00 + 3.00 + setup 7.00
    assert recurrings(order) == ["23.00"]
    assert chosen(order) == ChosenOption(51, 512, "Option 51", "Choice 512", 1)


def test_a_radio_choice_is_priced_like_a_dropdowns() -> None:
    order = order_with(RADIO, {"54": OptionAsked("542")})

    assert firsts(order) == ["26.00"]  # 20.00 + 4.00 + setup 2.00


@pytest.mark.parametrize("asked", [OptionAsked("1"), OptionAsked("true"), OptionAsked("521", 1)])
def test_yes_adds_the_one_choice(asked: OptionAsked) -> None:
    order = order_with(YES_NO, {"52": asked})

    assert firsts(order) == ["23.00"]  # 20.00 + 2.00 + setup 1.00
    assert recurrings(order) == ["22.00"]
    assert chosen(order) == ChosenOption(52, 521, "Option 52", "Choice 521", 1)


@pytest.mark.parametrize("asked", [{}, {"52": OptionAsked("0")}, {"52": OptionAsked("521", 0)}])
def test_no_adds_nothing_and_is_the_default(asked: Mapping[str, OptionAsked]) -> None:
    order = order_with(YES_NO, asked)

    assert firsts(order) == ["20.00"]
    assert chosen(order) == ChosenOption(52, None, "Option 52", "No", 0)


@pytest.mark.parametrize("asked", [OptionAsked("4"), OptionAsked("531", 4)])
def test_a_quantity_multiplies_the_price_and_charges_the_setup_fee_once(asked: OptionAsked) -> None:
    order = order_with(QUANTITY, {"53": asked})

    assert firsts(order) == ["31.00"]  # 20.00 + 4 x 1.50 + setup 5.00
    assert recurrings(order) == ["26.00"]
    assert chosen(order).quantity == 4


def test_a_quantity_defaults_to_its_minimum() -> None:
    order = order_with(QUANTITY)

    assert recurrings(order) == ["23.00"]  # 20.00 + 2 x 1.50


def test_a_quantity_of_none_has_no_setup_fee() -> None:
    mailboxes = an_option(3, "quantity", a_choice(30, ("1.50", "5.00")), quantity_min=0, quantity_max=10)

    assert firsts(order_with(mailboxes)) == ["20.00"]


def test_an_empty_value_is_the_default() -> None:
    assert recurrings(order_with(QUANTITY, {"53": OptionAsked("")})) == ["23.00"]  # 20.00 + 2 x 1.50


@pytest.mark.parametrize(
    ("option", "asked", "words"),
    [
        (DROPDOWN, OptionAsked("531"), "has no such choice"),
        (DROPDOWN, OptionAsked("5 GB"), "has no such choice"),
        (DROPDOWN, OptionAsked("512", 2), "takes one choice, once"),
        (RADIO, OptionAsked("512"), "has no such choice"),
        (YES_NO, OptionAsked("2"), "takes 1 for yes or 0 for no"),
        (YES_NO, OptionAsked("521", 2), "takes 1 for yes or 0 for no"),
        (YES_NO, OptionAsked("999", 1), "has no such choice"),
        (QUANTITY, OptionAsked("1"), "takes 2 to 5"),
        (QUANTITY, OptionAsked("6"), "takes 2 to 5"),
        (QUANTITY, OptionAsked("2.50"), "takes 2 to 5"),
        (QUANTITY, OptionAsked("many"), "takes 2 to 5"),
        (QUANTITY, OptionAsked("9" * 5000), "takes 2 to 5"),
        (QUANTITY, OptionAsked("531", 6), "takes 2 to 5"),
        (QUANTITY, OptionAsked("999", 3), "has no such choice"),
    ],
)
def test_a_value_that_the_option_does_not_take_is_refused(option: ConfigOption, asked: OptionAsked, words: str) -> None:
    rejection = refuse_with(option, {str(option.id): asked})

    assert rejection.code == "config_option_invalid"
    assert rejection.message == f"configoptions[3]: option {option.id} (Option {option.id}) {words}"


def test_an_option_of_another_product_is_refused() -> None:
    rejection = refuse_with(DROPDOWN, {"77": OptionAsked("1")})

    assert rejection.message == "configoptions[3]: option 77 is not of product 1"


def test_all_options_that_are_wrong_are_named() -> None:
    rejection = refuse_with(DROPDOWN, {"77": OptionAsked("1"), "78": OptionAsked("1"), "51": OptionAsked("0")})

    assert [fault.message.split()[2] for fault in rejection.faults] == ["77", "78", "51"]


@pytest.mark.parametrize("price", [a_choice(511, "9.00", cycle=ANNUALLY), a_choice(511, None)])
def test_a_choice_without_a_price_for_the_cycle_is_free_as_the_default_and_refused_when_chosen(price: object) -> None:
    option = an_option(51, "dropdown", price)  # type: ignore[arg-type]

    assert firsts(order_with(option)) == ["20.00"]
    assert refuse_with(option, {"51": OptionAsked("511")}).code == "config_option_invalid"


def test_a_quantity_without_a_price_may_still_be_none() -> None:
    option = an_option(3, "quantity", a_choice(30, None), quantity_min=0, quantity_max=10)

    assert firsts(order_with(option, {"3": OptionAsked("0")})) == ["20.00"]
    assert refuse_with(option, {"3": OptionAsked("1")}).code == "config_option_invalid"


def test_an_option_without_choices_asks_for_nothing() -> None:
    assert firsts(order_with(an_option(51, "dropdown"))) == ["20.00"]
