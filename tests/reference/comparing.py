"""What the rules say and what the product did, as two tables of short texts under the same names."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from typing import Any

from tests.reference import amounts
from tests.reference.amended import Amended
from tests.reference.lines import Line
from tests.reference.naming import MONTHS_A_YEAR
from tests.reference.placing import Outcome, Placed
from tests.reference.product import Returned
from tests.reference.shops import Rules
from tests.reference.taxing import Tax

Table = Mapping[str, str]
MISSING = "-"
KINDS = {"serviceids": "service", "addonids": "addon", "domainids": "domain"}
ROWS = {"service": "services", "addon": "addons", "domain": "domains"}


def differences(outcome: Outcome, returned: Returned, rules: Rules) -> list[str]:
    """Put what differs side by side: the rules left, the product right."""
    if outcome.faults and returned.reply["result"] == "error":
        return _differing_faults(outcome, returned)
    said, done = expected(outcome, rules), actual(outcome, returned, rules)
    names = [*said, *(name for name in done if name not in said)]
    return [
        f"{name}: {said.get(name, MISSING)}  |  {done.get(name, MISSING)}"
        for name in names
        if said.get(name, MISSING) != done.get(name, MISSING)
    ]


def _differing_faults(outcome: Outcome, returned: Returned) -> list[str]:
    """Compare why both refuse. Of an item that is wrong, the product may name more than these rules look for."""
    said = set(outcome.faults)
    done = {(fault["code"], _item_of(fault)) for fault in returned.events["order.rejected"]["faults"]}
    items = {item for _, item in said}
    more = {(code, item) for code, item in done - said if item not in items}
    return [f"faults: {_faults(said - done)}  |  {_faults(more)}"] if said - done or more else []


# ---------------------------------------------------------------- what the rules say


def expected(outcome: Outcome, rules: Rules) -> Table:
    placed = outcome.placed
    if placed is None:
        return {"faults": _faults(outcome.faults)}
    return {
        "faults": "",
        **_expected_totals(placed, rules),
        **_expected_lines(placed, rules),
        "stock": _counts(outcome.books.stock),
        "uses": _counts(outcome.books.uses),
        "given way": _given_way(placed, rules),
    }


def _expected_totals(placed: Placed, rules: Rules) -> dict[str, str]:
    bill, digits = placed.bill, placed.digits
    said = {
        "order": str(placed.order),
        "invoice": str(placed.invoice),
        **{name: _ids(placed, kind) for name, kind in KINDS.items()},
        "promotion": placed.promotion["code"] if placed.promotion else "",
        "warned of the code": str(any(warning.startswith("promocode") for warning in placed.warnings)),
        "amount": amounts.text(bill.total, digits),
        "subtotal": amounts.text(bill.subtotal, digits),
        "discount": amounts.text(bill.discount, digits),
    }
    if bill.is_invoiced:
        of_level = [[tax for tax in bill.taxes if tax.level == level] for level in (1, 2)]
        said |= {
            "taxes": _taxes(((tax.level, tax.name, tax.rate, tax.amount, tax.base) for tax in bill.taxes), rules),
            "invoice row": f"{_sum(of_level[0])} {_sum(of_level[1])} {bill.tax_inclusive} {bill.total}",
            "paid": str(bill.is_paid),
            "due": str(bill.due),
        }
    return said


def _expected_lines(placed: Placed, rules: Rules) -> dict[str, str]:
    said = {}
    for number, (line, one) in enumerate(zip(placed.lines, placed.ids, strict=True)):
        said[f"item {number}"] = f"{line.kind} {one}"
        said[f"item {number} first"] = amounts.text(line.owed, placed.digits)
        said[f"item {number} recurring"] = (
            "never" if line.recurring is None else amounts.text(line.recurring, placed.digits)
        )
        said |= {f"item {number} {name}": value for name, value in _expected_row(line, rules).items()}
    if placed.bill.is_invoiced:
        said["lines"] = " ".join(_billed(placed, rules))
    return said


def _expected_row(line: Line, rules: Rules) -> dict[str, str]:
    said = {"row": str(line.owed)}
    if line.kind in ROWS:
        said["row recurring"] = str(line.recurring if line.kind == "domain" else line.recurring or 0)
        if Amended.RECUR_FOR in rules:
            full = line.recurring_full
            said["full"] = "-" if full is None else f"{amounts.text(full, line.digits)} {line.discounts_left}"
    if Amended.PERIOD_ENDS in rules:
        said["period_end"] = str(line.period and line.period[1])
    if Amended.LATE_DOMAINS in rules and line.kind == "domain_renewal":
        said["late_fee"] = amounts.text(line.pieces["late_fee"], line.digits)
    if line.kind == "domain":
        said["row years"] = str(line.months // MONTHS_A_YEAR)
    return said


def _billed(placed: Placed, rules: Rules) -> Iterable[str]:
    for line in placed.lines:
        yield f"{line.kind}:{line.first}:{line.taxed}"
        if line.code_off:
            yield f"promotion:{-line.code_off}:{line.taxed}"
    bill = placed.bill
    groups = {True: bill.group_taxed, False: bill.group_untaxed}
    if Amended.GROUP_LINES in rules:
        yield from (f"group:{-off}:{taxed}" for taxed, off in groups.items() if off)
    elif any(groups.values()):
        yield f"group:{-sum(groups.values())}"


def _ids(placed: Placed, kind: str) -> str:
    return ",".join(str(one) for line, one in zip(placed.lines, placed.ids, strict=True) if line.kind == kind)


def _given_way(placed: Placed, rules: Rules) -> str:
    return " ".join(map(str, placed.superseded)) if Amended.RENEWED_AGAIN in rules else ""


def _sum(taxes: Iterable[Tax]) -> Fraction:
    return sum((tax.amount for tax in taxes), amounts.ZERO)


# ---------------------------------------------------------------- what the product did


def actual(outcome: Outcome, returned: Returned, rules: Rules) -> Table:
    reply = returned.reply
    if reply["result"] != "success":
        faults = returned.events["order.rejected"]["faults"]
        return {"faults": _faults((fault["code"], _item_of(fault)) for fault in faults)}
    return {
        "faults": "",
        **_actual_totals(returned, rules),
        **_actual_lines(returned, rules),
        "stock": _counts({key: left for key, left in returned.stock.items() if key in outcome.books.stock}),
        "uses": _counts({key: uses for key, uses in returned.uses.items() if key in outcome.books.uses}),
        "given way": " ".join(map(str, returned.cancelled)) if Amended.RENEWED_AGAIN in rules else "",
    }


def _faults(faults: Iterable[tuple[str, int | None]]) -> str:
    return " ".join(sorted({f"{code}[{'' if item is None else item}]" for code, item in faults}))


def _item_of(fault: Mapping[str, Any]) -> int | None:
    """Tell of which item a fault is: addon-only lines and renewals have numbers of their own."""
    of_items = not str(fault["parameter"]).startswith(("addonid", "serviceid", "servicerenewals", "addonrenewals"))
    return fault["item"] if of_items else None


def _actual_totals(returned: Returned, rules: Rules) -> dict[str, str]:
    reply, added = returned.reply, returned.events["order.added"]
    confirmed = returned.events["email.order-confirmation"]
    done = {
        "order": str(reply["orderid"]),
        "invoice": str(reply["invoiceid"]),
        **{name: str(reply[name]) for name in KINDS},
        "promotion": (added["promotion"] or {}).get("code", ""),
        "warned of the code": str(any(one.startswith("promocode") for one in reply.get("warnings", ()))),
        "amount": _same(added["amount"], confirmed["amount"], returned.rows["orders"][0]["amount"]),
        "subtotal": confirmed["subtotal"],
        "discount": confirmed["discount"],
    }
    if mail := returned.events.get("email.invoice-created"):
        invoice, [row] = mail["invoice"], returned.rows["invoices"]
        taxes = (
            (one["level"], one["name"], Fraction(one["rate"]), Fraction(one["amount"]), Fraction(one.get("base", 0)))
            for one in invoice["taxes"]
        )
        done |= {
            "amount": _same(done["amount"], invoice["total"], row["total"]),
            "subtotal": _same(done["subtotal"], invoice["subtotal"], row["subtotal"]),
            "discount": _same(done["discount"], invoice["discount"], row["discount"]),
            "taxes": _taxes(taxes, rules),
            "invoice row": " ".join(
                (_plain(row["tax"]), _plain(row["tax2"]), str(row["tax_inclusive"]), _plain(row["total"]))
            ),
            "paid": _same(str(row["status"] == "Paid"), str(invoice["status"] == "Paid")),
            "due": _same(str(row["due"]), invoice["due"]),
        }
    return done


def _actual_lines(returned: Returned, rules: Rules) -> dict[str, str]:
    done: dict[str, str] = {}
    by_kind = {kind: iter(returned.rows[table]) for kind, table in ROWS.items()}
    renewals = iter(returned.rows["renewals"])
    for number, item in enumerate(returned.events["order.added"]["items"]):
        row = next(by_kind.get(item["kind"], renewals))
        done[f"item {number}"] = f"{item['kind']} {item['id']}"
        done[f"item {number} first"] = item["first"]
        done[f"item {number} recurring"] = "never" if item["recurring"] is None else item["recurring"]
        done |= {f"item {number} {name}": value for name, value in _actual_row(item, row, rules).items()}
    if returned.rows["invoices"]:
        done["lines"] = " ".join(_lines(returned, rules))
    return done


def _actual_row(item: Mapping[str, Any], row: Mapping[str, Any], rules: Rules) -> dict[str, str]:
    kind = item["kind"]
    done = {"row": _plain(row["first_payment"] if kind in ROWS else row["amount"])}
    if kind in ROWS:
        done["row recurring"] = _plain(row["recurring"])
        if Amended.RECUR_FOR in rules:
            left = _same(item["discounts_left"], row["discounts_left"])
            done["full"] = "-" if item["recurring_full"] is None else f"{item['recurring_full']} {left}"
    if Amended.PERIOD_ENDS in rules:
        done["period_end"] = _same(str(item["period_end"]), str(row["period_end"]))
    if Amended.LATE_DOMAINS in rules and kind == "domain_renewal":
        done["late_fee"] = _same(item["late_fee"], row["late_fee"])
    if kind == "domain":
        done["row years"] = str(row["years"])
    return done


def _lines(returned: Returned, rules: Rules) -> Iterable[str]:
    for row, told in zip_longest(returned.rows["lines"], returned.events["email.order-confirmation"]["lines"]):
        kind = row["kind"].removesuffix("_discount")
        amount = _same(_plain(row["amount"]), _plain(Decimal(told["amount"])))
        yield (
            f"group:{amount}"
            if kind == "group" and Amended.GROUP_LINES not in rules
            else (f"{kind}:{amount}:{row['taxed']}")
        )


# ---------------------------------------------------------------- small tools


def _taxes(taxes: Iterable[tuple[int, str, Fraction, Fraction, Fraction]], rules: Rules) -> str:
    bases = Amended.TAX_BASES in rules
    return " ".join(
        f"{level} {name} {rate} {amount}" + (f" of {base}" if bases else "")
        for level, name, rate, amount, base in taxes
    )


def _same(*told: object) -> str:
    """Give what all tell, or all that they tell."""
    first, *others = told
    is_one = all(Decimal(str(one)) == Decimal(str(first)) if _is_number(first) else one == first for one in others)
    return str(first) if is_one else " but ".join(map(str, told))


def _is_number(told: object) -> bool:
    return str(told).replace(".", "", 1).removeprefix("-").isdigit()


def _plain(amount: Decimal | None) -> str:
    return str(None if amount is None else Fraction(amount))


def _counts(counts: Mapping[int, int]) -> str:
    return " ".join(f"{key}:{count}" for key, count in sorted(counts.items()))
