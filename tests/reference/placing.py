"""A request to its outcome: refused with codes, or an order with its lines, bill and the books behind it.

The stages are those of the specification (4): client, payment method, contact, nothing asked for, items.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from functools import partial
from typing import Any

from tests.reference import asked, life, naming, promoting, renewing, selling, taxing
from tests.reference.amounts import ZERO, Entry
from tests.reference.asked import Request
from tests.reference.books import Addon, Books, Domain, Invoice, Order, Renewal, Service, next_id
from tests.reference.lines import Line
from tests.reference.selling import Counter, Refused
from tests.reference.taxing import Tax


@dataclass(frozen=True)
class Bill:
    subtotal: Fraction
    discount: Fraction
    group_taxed: Fraction  # the group's discount of all taxed lines, and of the others: a line each
    group_untaxed: Fraction
    taxes: tuple[Tax, ...]
    tax_inclusive: bool
    total: Fraction
    is_invoiced: bool
    is_paid: bool
    due: date


@dataclass(frozen=True)
class Placed:
    order: int
    invoice: int  # 0: none
    ids: tuple[int, ...]  # beside the lines: of the service, addon, domain, or of what is renewed
    lines: tuple[Line, ...]
    bill: Bill
    promotion: Entry | None
    number: str | None  # of an invoice that is born paid
    superseded: tuple[int, ...]
    warnings: frozenset[str]
    currency: str
    digits: int


@dataclass(frozen=True)
class Outcome:
    """`faults` are codes with the item that each is of; `books` are those of before where there are any."""

    books: Books
    placed: Placed | None = None
    faults: tuple[tuple[str, int | None], ...] = ()


def place(shop: Entry, books: Books, request: Request, today: date) -> Outcome:
    """Place a request at a shop on a day; `shop` is its catalogue file. The books that come in are left as they are."""
    client = next((one for one in shop["clients"] if one["id"] == request["clientid"]), None)
    if client is None:
        return _refused(books, "client_not_found")
    if fault := _who_and_how(shop, client, request):
        return _refused(books, fault)
    basket = _Basket(Counter(shop, client, today), books.copy(), request)
    basket.supersede()
    if not basket.fill():
        return _refused(books, "empty_order")
    if basket.faults:
        return Outcome(books, faults=tuple(basket.faults))
    return Outcome(basket.books, placed=basket.check_out())


def _who_and_how(shop: Entry, client: Entry, request: Request) -> str | None:
    methods = {one["name"] for one in shop["payment_methods"] if one["active"]}
    contact = request.get("contactid")
    if client["status"] == "Closed":
        return "client_closed"
    if request.get("paymentmethod") not in methods:
        return "invalid_payment_method"
    if contact and not any((one["id"], one["client"]) == (contact, client["id"]) for one in shop["contacts"]):
        return "contact_not_found"
    return None


def _refused(books: Books, code: str) -> Outcome:
    return Outcome(books, faults=((code, None),))


@dataclass
class _Basket:
    at: Counter
    books: Books  # of its own
    request: Request
    lines: list[Line] = field(default_factory=list)
    faults: list[tuple[str, int | None]] = field(default_factory=list)
    warnings: set[str] = field(default_factory=set)
    stock: dict[int, int] = field(default_factory=dict)  # units taken, by product
    superseded: list[int] = field(default_factory=list)

    # ------------------------------------------------------------ what was asked

    def supersede(self) -> None:
        """Cancel the older orders in whose place this one comes, so that what they held counts for it (5.7)."""
        client = self.at.client["id"]
        things = renewing.things_renewed(self.request, self.books, self.at)
        for order in list(renewing.superseded(things, self.books, client)):
            life.cancel(self.books, order.id)
            self.superseded.append(order.id)
        if any(renewing.renewed_elsewhere(things, self.books, client)):
            self.warnings.add("renewed elsewhere")

    def fill(self) -> bool:
        """Price all that is asked for; false: nothing is."""
        return sum(1 for stage in (self._items(), self._addon_lines(), self._renewals()) for _ in stage) > 0

    def _items(self) -> Iterator[None]:
        names: set[str] = set()
        for key, item in asked.items(self.request).items():
            self._item(key, item, names)
            yield

    def _item(self, key: int, item: asked.Item, names: set[str]) -> None:
        product, parent, cycle = None, None, None
        if "pid" in item:
            product = self._try(key, partial(selling.product_of, item, self.at))
            made = self._try(key, partial(selling.services, item, product, self.at)) if product else None
            if product and made:
                self._take_stock(key, product, int(item.get("qty", 1)))
                parent, cycle = len(self.lines), made[0].cycle
                for service in made:
                    self._add_service(key, item, product, service)
        if "domaintype" in item:
            name = str(item["domain"]).lower()
            if name in names:
                self.faults.append(("domain_repeated", key))
            names.add(name)
            line = self._try(key, partial(naming.domain, item, product, cycle, parent, self.at))
            if line:
                self.lines.append(line)

    def _add_service(self, key: int, item: asked.Item, product: Entry, service: Line) -> None:
        position = len(self.lines)
        self.lines.append(service)
        assert service.cycle is not None
        for addon in selling.addons(item, product, service.cycle, position, self.at):
            if isinstance(addon, Refused):
                self.faults.append((addon.code, key))
            else:
                self.lines.append(addon)

    def _take_stock(self, key: int, product: Entry, units: int) -> None:
        if not product["stock_control"]:
            return
        taken = self.stock.get(product["id"], 0)
        if self.books.stock[product["id"]] - taken < units:
            self.faults.append(("out_of_stock", key))
        else:
            self.stock[product["id"]] = taken + units

    def _addon_lines(self) -> Iterator[None]:
        for line in asked.addon_lines(self.request):
            self._add(partial(selling.addon_only, line, self.books, self.at))
            yield

    def _renewals(self) -> Iterator[None]:
        for name, years in asked.domain_renewals(self.request).items():
            renew_domain = partial(renewing.domain_renewal, name, years, self.request, self.books, self.at)
            made = self._try(None, renew_domain)
            if made:
                self.lines.append(made[0])
                self.warnings.update(made[1])
            yield
        for parameter, renew in (
            ("servicerenewals", renewing.service_renewal),
            ("addonrenewals", renewing.addon_renewal),
        ):
            seen = set()
            for one in asked.renewals(self.request, parameter):
                if one in seen:
                    self.faults.append(("renewal_repeated", None))
                else:
                    self._add(partial(renew, one, self.books, self.at))
                seen.add(one)
                yield

    def _add(self, make: Callable[[], Line]) -> None:
        if line := self._try(None, make):
            self.lines.append(line)

    def _try(self, key: int | None, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except Refused as refused:
            self.faults.append((refused.code, key))
            return None

    # ------------------------------------------------------------ what it comes to

    def check_out(self) -> Placed:
        applied = promoting.discounted(self.lines, self.request, self.books, self.at)
        if applied.warning:
            self.warnings.add(f"promocode: {applied.warning}")
        self.lines = applied.lines
        if taxing.deducts(self.at):
            self.lines = [taxing.without_tax(line, self.at) for line in self.lines]
        bill = self._bill()
        return self._write(bill, applied.promotion)

    def _bill(self) -> Bill:
        subtotal = sum((line.first for line in self.lines), ZERO)
        discount = sum((line.off for line in self.lines), ZERO)
        inclusive = taxing.is_inclusive(self.at) and not taxing.deducts(self.at)
        taxes = taxing.taxes(self.lines, self.at)
        total = subtotal - discount + (ZERO if inclusive else sum((tax.amount for tax in taxes), ZERO))
        is_invoiced = not asked.is_true(self.request.get("noinvoice")) and not all(line.is_free for line in self.lines)
        settings = self.at.shop.get("settings", {})
        return Bill(
            subtotal=subtotal,
            discount=discount,
            group_taxed=sum((line.group_off for line in self.lines if line.taxed), ZERO),
            group_untaxed=sum((line.group_off for line in self.lines if not line.taxed), ZERO),
            taxes=tuple(taxes),
            tax_inclusive=inclusive,
            total=total,
            is_invoiced=is_invoiced,
            is_paid=is_invoiced and total == 0,
            due=self.at.today + timedelta(days=settings.get("invoice_grace_days") or 0),
        )

    # ------------------------------------------------------------ what is written

    def _write(self, bill: Bill, promotion: Entry | None) -> Placed:
        books, today, client = self.books, self.at.today, self.at.client["id"]
        order = Order(next_id(books.orders), client, "Pending", placed_on=today, stock=self.stock)
        books.orders[order.id] = order
        ids: list[int] = []
        for line in self.lines:
            ids.append(self._write_line(line, order, ids))
        order.renewals = tuple(self._renewal(line) for line in self.lines if line.kind.endswith("renewal"))
        order.has_others = len(order.renewals) < len(self.lines)
        for old in self.superseded:
            books.orders[old].superseded_by = order.id
        for product, units in self.stock.items():
            books.stock[product] -= units
        if promotion:
            order.promotion = promotion["id"]
            life.use(books, promotion["id"], 1)
        number = None
        if bill.is_invoiced:
            order.invoice = next_id(books.invoices)
            books.invoices[order.invoice] = Invoice(order.invoice, order.id, bill.total, "Unpaid")
            if bill.is_paid:
                life.settle(self.at.shop, books, order.invoice, today)
                number = books.invoices[order.invoice].number
        return Placed(
            order=order.id,
            invoice=order.invoice or 0,
            ids=tuple(ids),
            lines=tuple(self.lines),
            bill=bill,
            promotion=promotion,
            number=number,
            superseded=tuple(self.superseded),
            warnings=frozenset(self.warnings),
            currency=self.at.currency,
            digits=self.at.digits,
        )

    def _write_line(self, line: Line, order: Order, ids: list[int]) -> int:
        books, today = self.books, self.at.today
        again: dict[str, Any] = {
            "client": order.client,
            "product": line.target,
            "recurring": line.recurring,
            "recurring_full": line.recurring_full,
            "discounts_left": line.discounts_left or 0,
            "is_lowered": line.is_lowered,
            "status": "Pending",
            "next_due": today,
            "period_end": line.period and line.period[1],
            "order": order.id,
        }
        match line.kind:
            case "service":
                service = Service(next_id(books.services), cycle=line.cycle or "", **again)
                books.services[service.id] = service
                return service.id
            case "addon":
                parent = line.service_id if line.parent is None else ids[line.parent]
                addon = Addon(next_id(books.addons), cycle=line.cycle or "", service=parent or 0, **again)
                books.addons[addon.id] = addon
                return addon.id
            case "domain":
                domain = Domain(
                    next_id(books.domains), order.client, line.name, line.months // naming.MONTHS_A_YEAR,
                    line.recurring, "Pending", None, line.extras, order=order.id,
                    billed_until=line.period and line.period[1],
                    free_with=None if line.free_with is None else ids[line.free_with],
                )  # fmt: skip
                books.domains[domain.id] = domain
                return domain.id
        if line.takes_discount:
            rows = books.services if line.kind == "service_renewal" else books.addons
            rows[line.target].discounts_left -= 1
        return line.target

    @staticmethod
    def _renewal(line: Line) -> Renewal:
        assert line.period is not None
        return Renewal(line.kind, line.target, line.months, line.first, line.period[0], line.takes_discount)
