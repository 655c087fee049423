"""Products with their options, and addons, to lines (5.1 to 5.4, 5.8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.reference import asked
from tests.reference.amounts import ONE, ZERO, Entry, exact, offered
from tests.reference.asked import AddonLine, Item
from tests.reference.books import Books
from tests.reference.days import CYCLES, DAY, MONTHS, months_on, prorata
from tests.reference.lines import Line

NOT_EXTENDABLE = ("Terminated", "Cancelled", "Fraud", "Completed")


class Refused(Exception):
    """A fault of one item: a code (4)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Counter:
    """Where one client orders: the shop, the client's currency, today."""

    shop: Entry
    client: Entry
    today: date

    @property
    def currency(self) -> str:
        return str(self.client["currency"])

    @property
    def digits(self) -> int:
        return int(next(one["digits"] for one in self.shop["currencies"] if one["code"] == self.currency))

    def find(self, section: str, key: object, name: str = "id") -> Entry | None:
        return next((one for one in self.shop[section] if one[name] == key), None)

    def sold_on(self, pricing: Entry) -> dict[str, tuple[Fraction, Fraction]]:
        """List the cycles that have a price in the client's currency, shortest first, with price and setup fee."""
        rows = pricing.get(self.currency, {})
        found = {}
        for cycle in CYCLES:
            price = offered(rows.get(cycle, {}).get("price"))
            if price is not None:
                found[cycle] = (price, exact(rows[cycle]["setup"]))
        return found


# ---------------------------------------------------------------- products


def product_of(item: Item, at: Counter) -> Entry:
    product = at.find("products", int(item["pid"]))
    if product is None or product["retired"]:
        raise Refused("product_not_found")
    return product


def services(item: Item, product: Entry, at: Counter) -> list[Line]:
    """Make an item's services: one, or as many as `qty` says where the product is sold so (5.3).

    Scaling multiplies the product's price or its override by n; options are charged once.
    """
    rule, asked_for = product["allowqty"], int(item.get("qty", 1))
    if rule == "no" and asked_for > 1:
        raise Refused("quantity_not_allowed")
    n = asked_for if rule == "scaling" else 1
    line = _service(item, product, n, at)
    return [line] * (asked_for if rule == "multiple" else 1)


def _service(item: Item, product: Entry, n: int, at: Counter) -> Line:
    cycle, price, setup = _cycle_price(item, product, at)
    options, options_setup = _options(item, product, cycle, at)
    override = item.get("priceoverride")
    if override is not None:
        price, setup = exact(override), ZERO
    price *= n
    share, period_end = _billed(product, cycle, at.today)
    recurs = MONTHS[cycle] > 0
    return Line(
        kind="service",
        target=product["id"],
        price=price,
        options=options,
        setup=setup + options_setup,
        share=share,
        units=n,
        recurring=price + options if recurs else None,
        recurring_options=options,
        taxed=product["tax"],
        # A price of one's own above 0 makes a free product one that is charged, once.
        is_free=product["paytype"] == "free" and not (override is not None and exact(override) > 0),
        cycle=cycle,
        months=MONTHS[cycle],
        period=(at.today, period_end) if period_end else None,
        digits=at.digits,
    )


def _cycle_price(item: Item, product: Entry, at: Counter) -> tuple[str, Fraction, Fraction]:
    """Choose the cycle. What a free or one-time product is given as one is not looked at (4)."""
    if product["paytype"] == "free":
        return "free", ZERO, ZERO
    sold = at.sold_on(product["pricing"])
    if product["paytype"] == "onetime":
        cycle: str | None = "onetime"
    else:
        sold = {cycle: price for cycle, price in sold.items() if MONTHS[cycle]}
        cycle = item.get("billingcycle") or next(iter(sold), None)
    if cycle not in sold:
        raise Refused("cycle_not_offered")
    assert cycle is not None
    return cycle, *sold[cycle]


def _billed(product: Entry, cycle: str, today: date) -> tuple[Fraction, date | None]:
    """Tell what share is billed and the last day that it pays for (5.8); None: it is not for a time."""
    if product.get("prorata") and cycle == "monthly":
        return prorata(today, product["prorata"]["day"], product["prorata"].get("charge_next_month"))
    months = MONTHS[cycle]
    return ONE, months_on(today, months) - DAY if months else None


# ---------------------------------------------------------------- configurable options


def _options(item: Item, product: Entry, cycle: str, at: Counter) -> tuple[Fraction, Fraction]:
    """Add up prices and setup fees of an item's options (5.2)."""
    chosen = {str(key): value for key, value in item.get("configoptions", {}).items()}
    known = {str(option["id"]): option for option in product.get("config_options", ())}
    if not chosen.keys() <= known.keys():
        raise Refused("config_option_invalid")
    price, setup = ZERO, ZERO
    for key, option in known.items():
        choice, n = _choice(option, chosen.get(key))
        if choice is None:
            raise Refused("config_option_invalid")
        sold = at.sold_on(choice["pricing"]).get(cycle)
        if sold is None and n and key in chosen:
            raise Refused("config_option_invalid")  # an error when chosen, 0.00 when it is only the default
        if sold is not None and n:
            price += sold[0] * n
            setup += sold[1]
    return price, setup


def _choice(option: Entry, value: object) -> tuple[Entry | None, int]:
    """Tell which choice of an option is taken, and how many of it; None: there is no such choice, or not so many."""
    choices = option["choices"]
    one_of_many = option["type"] in ("dropdown", "radio")
    if value is None:
        return choices[0], 1 if one_of_many else option.get("min") or 0
    if isinstance(value, dict):
        if one_of_many:
            return _by_id(choices, value["optionid"]) if int(value.get("qty", 1)) == 1 else None, 1
        choice, n = _by_id(choices, value["optionid"]), int(value.get("qty", 1))
    elif one_of_many:
        return _by_id(choices, value), 1
    else:
        choice, n = choices[0], int(str(value))
    low, high = (option["min"], option["max"]) if option["type"] == "quantity" else (0, 1)
    return choice if low <= n <= high else None, n


def _by_id(choices: list[Entry], key: object) -> Entry | None:
    return next((choice for choice in choices if str(choice["id"]) == str(key)), None)


# ---------------------------------------------------------------- addons


def addons(item: Item, product: Entry, cycle: str, parent: int, at: Counter) -> Iterator[Line | Refused]:
    """Make the addons of a service of this order, which stands at `parent` among its lines."""
    for addon, n in asked.addons(item):
        try:
            yield _addon(addon, n, product, cycle, at, parent=parent)
        except Refused as refused:
            yield refused


def addon_only(line: AddonLine, books: Books, at: Counter) -> Line:
    """Make an addon for a service that exists; one that is over takes none (5.4)."""
    service = books.services.get(line.service)
    if service is None or service.client != at.client["id"]:
        raise Refused("service_not_owned")
    if service.status in NOT_EXTENDABLE:
        raise Refused("service_not_extendable")
    product = at.find("products", service.product)
    assert product is not None
    return _addon(line.addon, line.quantity, product, service.cycle, at, service_id=service.id)


def _addon(
    addon_id: int, n: int, product: Entry, parents_cycle: str, at: Counter, *,
    parent: int | None = None, service_id: int | None = None,
) -> Line:  # fmt: skip
    """Price an addon: on its parent's cycle if it is sold on it, else on its own shortest (5.4).

    With `prorata` it goes by its parent's prorata day, where both are monthly (5.8). An addon that has no price in the
    client's currency is one that is not offered.
    """
    addon = at.find("addons", addon_id)
    if addon is None or addon.get("retired"):
        raise Refused("addon_invalid")
    sold = at.sold_on(addon["pricing"])
    if not sold or (addon["products"] != "all" and product["id"] not in addon["products"]):
        raise Refused("addon_not_offered")
    cycle = parents_cycle if parents_cycle in sold else next(iter(sold))
    price, setup = sold[cycle]
    follows = bool(addon.get("prorata")) and parents_cycle == cycle == "monthly"
    share, period_end = _billed(product if follows else {}, cycle, at.today)
    return Line(
        kind="addon",
        target=addon["id"],
        price=price * n,
        setup=setup,
        share=share,
        units=n,
        recurring=price * n if MONTHS[cycle] else None,
        taxed=addon["tax"],
        cycle=cycle,
        months=MONTHS[cycle],
        period=(at.today, period_end) if period_end else None,
        parent=parent,
        service_id=service_id,
        digits=at.digits,
    )
