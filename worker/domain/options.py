"""Configurable options inside a product's line (addorder.md 5.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from schemas.catalog import BillingCycle, ConfigChoice, ConfigOption, Product
from schemas.order import ChosenOption, Item, OptionAsked
from schemas.rejections import Fault, Rejected, config_option_invalid
from worker.domain.faults import Faults
from worker.domain.money import ZERO
from worker.domain.reading import whole_number, yes_or_no
from worker.domain.sale import Sale

_KEY_CHARS_SHOWN = 40  # a key is the caller's text, and messages are published


@dataclass(frozen=True, slots=True)
class PricedOptions:
    """What was chosen, and what it adds to the line's price and setup fee."""

    chosen: tuple[ChosenOption, ...]
    price: Decimal
    setup: Decimal


def price_options(item: Item, product: Product, cycle: BillingCycle, sale: Sale) -> PricedOptions:
    """Choose and price every option of the product, as asked or by default (addorder.md 5.2).

    Dropdown and radio take one choice (default: the first), yes/no takes 1 or 0 (default: 0), quantity takes a number
    within min and max (default: min): price a unit, setup fee once.

    Raises:
        Rejected: config_option_invalid, for each option asked for that cannot be had.
    """
    faults = Faults()
    choices = _choices(item, product, faults)
    price = setup = ZERO
    for option, choice, quantity in choices:
        if choice is None or quantity == 0:
            continue
        unit = sale.choice_prices(choice).get(cycle)
        if unit is not None:
            price += unit.price * quantity
            setup += unit.setup
        elif _asked(option, item) is not None:
            faults.add(_fault(item.key, option, f"has no price {cycle} for this choice"))
    faults.raise_if_any()
    chosen = tuple(_recorded(option, choice, quantity) for option, choice, quantity in choices)
    return PricedOptions(chosen, sale.rounded(price), sale.rounded(setup))


def choose_options(item: Item, product: Product) -> None:
    """Check that every option asked for can be chosen so, on whatever cycle.

    Raises:
        Rejected: config_option_invalid, for each that cannot.
    """
    faults = Faults()
    _choices(item, product, faults)
    faults.raise_if_any()


def _choices(item: Item, product: Product, faults: Faults) -> list[tuple[ConfigOption, ConfigChoice | None, int]]:
    """Name the choice of every option, and how many of it; those that cannot be chosen so are faults."""
    options = [option for option in product.config_options if option.choices]
    _check_keys(item, product, options, faults)
    choices = []
    for option in options:
        with faults:
            choices.append((option, *_choose(option, _asked(option, item), item.key)))
    return choices


def _check_keys(item: Item, product: Product, options: Sequence[ConfigOption], faults: Faults) -> None:
    known = {str(option.id) for option in options}
    for key in item.config_options:
        if key not in known:
            sentence = f"option {key[:_KEY_CHARS_SHOWN]} is not of product {product.id}"
            faults.add(config_option_invalid(item.key, sentence))


def _asked(option: ConfigOption, item: Item) -> OptionAsked | None:
    """Look up what was asked; an empty text is absent, as everywhere (addorder.md 1)."""
    asked = item.config_options.get(str(option.id))
    return asked if asked is not None and asked.value else None


def _choose(option: ConfigOption, asked: OptionAsked | None, item: int) -> tuple[ConfigChoice | None, int]:
    """Name the choice and how many of it; no choice for a yes/no that is off."""
    if option.type == "quantity":
        return option.choices[0], _quantity(option, asked, item)
    if option.type == "yesno":
        return (option.choices[0], 1) if _is_yes(option, asked, item) else (None, 0)
    if asked is None:
        return option.choices[0], 1
    if asked.quantity not in (None, 1):
        raise _invalid(item, option, "takes one choice, once")
    return _choice(option, asked, item), 1


def _choice(option: ConfigOption, asked: OptionAsked, item: int) -> ConfigChoice:
    choice_id = whole_number(asked.value)
    for choice in option.choices:
        if choice.id == choice_id:
            return choice
    raise _invalid(item, option, "has no such choice")


def _is_yes(option: ConfigOption, asked: OptionAsked | None, item: int) -> bool:
    if asked is None:
        return False
    if asked.quantity is not None:
        _choice(option, asked, item)
    answer = yes_or_no(asked.value if asked.quantity is None else str(asked.quantity))
    if answer is None:
        raise _invalid(item, option, "takes 1 for yes or 0 for no")
    return answer


def _quantity(option: ConfigOption, asked: OptionAsked | None, item: int) -> int:
    least, most = option.quantity_min or 0, option.quantity_max
    if asked is None:
        return least
    if asked.quantity is not None:
        _choice(option, asked, item)
    quantity = whole_number(asked.value) if asked.quantity is None else asked.quantity
    if quantity is None or quantity < least or (most is not None and quantity > most):
        raise _invalid(item, option, f"takes {least} to {most}" if most is not None else f"takes {least} or more")
    return quantity


def _recorded(option: ConfigOption, choice: ConfigChoice | None, quantity: int) -> ChosenOption:
    if choice is None:
        return ChosenOption(option.id, None, option.name, "No", 0)
    return ChosenOption(option.id, choice.id, option.name, choice.name, quantity)


def _invalid(item: int, option: ConfigOption, sentence: str) -> Rejected:
    return Rejected(_fault(item, option, sentence))


def _fault(item: int, option: ConfigOption, sentence: str) -> Fault:
    return config_option_invalid(item, f"option {option.id} ({option.name}) {sentence}")
