"""The rules as they are written down a second time, held against what was worked out on paper."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import pytest

from tests.reference import life
from tests.reference.amounts import ZERO, Entry, text
from tests.reference.books import Books
from tests.reference.placing import Outcome, Placed, place
from tests.reference.worked import NEVER, WORKED, Worked
from tests.reference.worked_shop import SHOP

PAY = "pay"


def placed_by_the_rules(worked: Worked) -> Outcome:
    """Place what was ordered before, and then the order that was worked out."""
    shop: Entry = {**SHOP, "settings": {**SHOP["settings"], **worked.settings}}
    today = date.fromisoformat(worked.today)
    books, invoice = Books.of(shop, today), 0
    for act in worked.before:
        if act == PAY:
            life.settle(shop, books, invoice, today)
        else:
            assert not isinstance(act, str)
            before = place(shop, books, act, today)
            assert before.placed
            books, invoice = before.books, before.placed.invoice
    return place(shop, books, worked.request, today)


@pytest.mark.parametrize("worked", WORKED, ids=[worked.rule for worked in WORKED])
def test_an_order_comes_to_what_was_worked_out_on_paper(worked: Worked) -> None:
    outcome = placed_by_the_rules(worked)

    assert tuple(code for code, _ in outcome.faults) == worked.faults
    if outcome.placed is None:
        return
    placed, bill = outcome.placed, outcome.placed.bill
    assert _texts(placed, (line.owed for line in placed.lines)) == worked.first
    assert _texts(placed, (line.recurring for line in placed.lines)) == worked.recurring
    assert text(bill.total, placed.digits) == worked.total
    assert (bill.is_invoiced, bill.tax_inclusive, placed.number) == (
        worked.is_invoiced, worked.tax_inclusive, worked.number,
    )  # fmt: skip
    assert placed.warnings == frozenset(worked.warnings)
    assert len(placed.superseded) == worked.superseded
    assert _told(worked, placed) == {name: getattr(worked, name) for name in _told(worked, placed)}


def _told(worked: Worked, placed: Placed) -> dict[str, object]:
    """Tell what else was worked out."""
    bill, digits = placed.bill, placed.digits
    found: dict[str, object] = {
        "discount": text(bill.discount, digits),
        "taxes": tuple(
            f"{tax.name} {float(tax.rate):g} of {text(tax.base, digits)}: {text(tax.amount, digits)}"
            for tax in bill.taxes
        ),
        "group_lines": (text(bill.group_taxed, digits), text(bill.group_untaxed, digits)),
        "late_fees": _texts(placed, (line.pieces["late_fee"] for line in placed.lines)),
        "full": tuple(f"{_text(line.recurring_full, digits, None)} {line.discounts_left}" for line in placed.lines),
        "periods": tuple(str(line.period and line.period[1]) for line in placed.lines),
        "promotion": placed.promotion["code"] if placed.promotion else "",
    }
    return {name: value for name, value in found.items() if getattr(worked, name) is not None}


def _texts(placed: Placed, amounts: Iterable[Fraction | None]) -> tuple[str, ...]:
    return tuple(str(_text(amount, placed.digits, NEVER)) for amount in amounts)


def _text(amount: Fraction | None, digits: int, none: str | None) -> str | None:
    return none if amount is None else text(amount, digits)


def test_lines_of_a_bill_add_up() -> None:
    for worked in WORKED:
        placed = placed_by_the_rules(worked).placed
        if placed:
            bill = placed.bill
            added = sum((tax.amount for tax in bill.taxes), ZERO) if not bill.tax_inclusive else ZERO
            assert bill.subtotal - bill.discount + added == bill.total, worked.rule


def test_a_year_begins_its_own_series_of_numbers() -> None:
    shop: Entry = {**SHOP, "settings": {"invoice_number": "{year}-{number:05}", "invoice_next": 17}}
    request = {"clientid": 1, "paymentmethod": "paypal", "pid": 1, "priceoverride": "0"}
    old_year, new_year = date(2026, 12, 31), date(2027, 1, 1)

    first = place(shop, Books.of(shop, old_year), request, old_year)
    second = place(shop, first.books, request, new_year)
    third = place(shop, second.books, request, new_year)

    numbers = [outcome.placed.number for outcome in (first, second, third) if outcome.placed]
    assert numbers == ["2026-00017", "2027-00001", "2027-00002"]
