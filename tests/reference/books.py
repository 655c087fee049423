"""What a shop remembers: what is owned, ordered and billed, what is left of stock and codes. Copied for each order."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, Self, TypeVar

from tests.reference.amounts import Entry, exact
from tests.reference.days import DAY
from tests.reference.numbers import series

LIVE = ("Active", "Suspended")

Row = TypeVar("Row")


@dataclass
class Service:
    id: int
    client: int
    product: int
    cycle: str
    recurring: Fraction | None
    status: str
    next_due: date
    renewable: bool = True
    recurring_full: Fraction | None = None  # None: no code lowers it for so many payments only
    discounts_left: int = 0
    is_lowered: bool = False  # by a code that recurs for ever
    period_end: date | None = None  # the last day that was billed
    order: int | None = None  # that made it; None: it was there before

    @property
    def is_lowered_now(self) -> bool:
        return self.is_lowered if self.recurring_full is None else self.discounts_left > 0

    @property
    def amount(self) -> Fraction:
        """What a renewal is charged now (5.9): `recurring` while discounts are left, else the full one."""
        if self.recurring_full is not None and self.discounts_left <= 0:
            return self.recurring_full
        assert self.recurring is not None, "what is billed once is not renewed"
        return self.recurring


@dataclass
class Addon(Service):
    """An addon of a service; `product` is the addon's id in the catalogue."""

    service: int = 0


@dataclass
class Domain:
    id: int
    client: int
    name: str
    years: int
    recurring: Fraction | None
    status: str
    expires: date | None
    extras: tuple[str, ...] = ()
    period_end: date | None = None  # the last day that is paid
    billed_until: date | None = None  # by the order that made it
    free_with: int | None = None  # the service as long as whose renewals it is free
    order: int | None = None


@dataclass
class Renewal:
    """A renewal as an order holds it; `kind` with `target` is what it renews."""

    kind: str
    target: int
    months: int
    amount: Fraction
    starts: date
    took_discount: bool
    status: str = "Pending"

    @property
    def thing(self) -> tuple[str, int]:
        return self.kind, self.target


@dataclass
class Order:
    id: int
    client: int
    status: str
    promotion: int | None = None
    invoice: int | None = None
    placed_on: date | None = None  # None: what it was made of is not told
    renewals: tuple[Renewal, ...] = ()
    has_others: bool = True  # anything but renewals
    stock: dict[int, int] = field(default_factory=dict)
    superseded_by: int | None = None


@dataclass
class Invoice:
    id: int
    order: int
    total: Fraction
    status: str
    paid: Fraction = Fraction(0)
    number: str | None = None
    issued: date | None = None


@dataclass
class Books:
    services: dict[int, Service] = field(default_factory=dict)
    addons: dict[int, Addon] = field(default_factory=dict)
    domains: dict[int, Domain] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    invoices: dict[int, Invoice] = field(default_factory=dict)
    stock: dict[int, int] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)  # of codes that have a limit
    numbers: dict[str, int] = field(default_factory=dict)  # of each series of invoices: the next one

    @classmethod
    def of(cls, shop: Entry, today: date) -> Self:
        """Open the books of a shop whose catalogue file was just loaded."""
        promotions = {one["code"].lower(): one["id"] for one in shop["promotions"]}
        books = cls(
            stock={one["id"]: one["stock_quantity"] for one in shop["products"] if one["stock_control"]},
            uses={one["id"]: one["uses"] for one in shop["promotions"] if one["max_uses"]},
        )
        for one in shop.get("services", ()):
            books.services[one["id"]] = Service(
                id=one["id"], client=one["client"], product=one["product"], cycle=one["cycle"],
                next_due=date.fromisoformat(one["next_due"]), **_paid_again(one),
            )  # fmt: skip
        for one in shop.get("service_addons", ()):
            service = books.services[one["service"]]
            books.addons[one["id"]] = Addon(
                id=one["id"], client=service.client, service=service.id, product=one["addon"], cycle=one["cycle"],
                next_due=_addons_next_due(one, service), **_paid_again(one),
            )  # fmt: skip
        for one in shop.get("domains", ()):
            books.domains[one["id"]] = Domain(
                id=one["id"], client=one["client"], name=one["name"], years=one["years"],
                recurring=exact(one["recurring"]), status=one["status"], expires=date.fromisoformat(one["expires"]),
                period_end=_day(one.get("period_end")), free_with=one.get("free_with"),
            )  # fmt: skip
        for one in shop.get("orders", ()):
            code = one.get("promotion")
            books.orders[one["id"]] = Order(
                id=one["id"], client=one["client"], status=one["status"],
                promotion=None if code is None else promotions[code.lower()],
            )  # fmt: skip
        settings = shop.get("settings", {})
        if settings.get("invoice_number") and settings.get("invoice_next"):
            books.numbers[series(settings["invoice_number"], today)] = settings["invoice_next"]
        return books

    def copy(self) -> Self:
        """Return books of their own: nothing that is changed in them is changed here."""
        orders = _copied(self.orders)
        for order in orders.values():
            order.renewals = tuple(copy(renewal) for renewal in order.renewals)
        return type(self)(
            services=_copied(self.services),
            addons=_copied(self.addons),
            domains=_copied(self.domains),
            orders=orders,
            invoices=_copied(self.invoices),
            stock=dict(self.stock),
            uses=dict(self.uses),
            numbers=dict(self.numbers),
        )

    def orders_of(self, client: int) -> Iterator[Order]:
        return (order for order in self.orders.values() if order.client == client)

    def unpaid_invoice(self, order: int | None) -> Invoice | None:
        """Return the invoice of an order that is still to be paid."""
        made = self.orders.get(order) if order is not None else None
        invoice = self.invoices.get(made.invoice) if made and made.invoice is not None else None
        return invoice if invoice and invoice.status == "Unpaid" else None


def _copied(rows: dict[int, Row]) -> dict[int, Row]:
    return {key: copy(row) for key, row in rows.items()}


def next_id(rows: Mapping[int, object]) -> int:
    return max(rows, default=0) + 1


def _paid_again(entry: Entry) -> dict[str, Any]:
    full = entry.get("recurring_full")
    return {
        "recurring": exact(entry["recurring"]),
        "status": entry["status"],
        "renewable": entry["renewable"],
        "recurring_full": None if full is None else exact(full),
        "discounts_left": entry.get("discounts_left") or 0,
        "period_end": _day(entry.get("period_end")),
    }


def _addons_next_due(entry: Entry, service: Service) -> date:
    """Tell from when on an addon of the file is not paid: its own period says it, else it goes with its service.

    The file has no `next_due` of addons; `next_due` is the first day that is not paid yet (5.8).
    """
    paid_until = _day(entry.get("period_end"))
    return service.next_due if paid_until is None else paid_until + DAY


def _day(written: str | None) -> date | None:
    return None if written is None else date.fromisoformat(written)
