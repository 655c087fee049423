"""The money rules as they are written down a second time (tests/reference), held against the product, on Postgres.

Each request goes through the worker's own line: what is compared is its reply, its events and its rows.
"""

import json
import random
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import floor
from pathlib import Path
from typing import Any

import pytest

from deploy.local.servers import Servers
from repository import migrate, scratch
from tests.reference import promoting
from tests.reference.amended import BUILT, Amended
from tests.reference.product import Product, Returned
from tests.reference.scenes import REQUESTS, Scene
from tests.reference.worked import WORKED, Worked
from tests.reference.worked_shop import known_with

SCENES = 200 // REQUESTS  # in every run, the same ones
SOAK_SCENES = 5_000 // REQUESTS  # of a soak, others each time: --seed
DIFFERENCES_MAX = 10  # of a soak, until it is told: the first ones are enough to begin with


@pytest.fixture(scope="module")
async def empty_template(servers: Servers) -> AsyncIterator[str]:
    """The name of a database with our tables and nothing in them, to be copied."""
    name = f"orders_test_empty_{uuid.uuid4().hex[:12]}"
    await migrate.migrate(await scratch.recreate(servers.postgres_url, name))
    yield name
    await scratch.drop(servers.postgres_url, name)


@pytest.mark.parametrize("seed", range(SCENES))
async def test_the_product_says_of_random_orders_what_the_rules_say(
    seed: int, servers: Servers, empty_template: str, tmp_path: Path
) -> None:
    difference = await Scene(seed).hold(servers.postgres_url, empty_template)

    assert difference is None, difference.write(tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(0)  # a second or two a scene
async def test_the_product_says_of_very_many_random_orders_what_the_rules_say(
    request: pytest.FixtureRequest, servers: Servers, empty_template: str, tmp_path: Path
) -> None:
    chance = random.Random(request.config.getoption("--seed"))
    told = []
    for _ in range(SOAK_SCENES):
        difference = await Scene(chance.randrange(10**9)).hold(servers.postgres_url, empty_template)
        told += [difference.write(tmp_path)] if difference else []
        if len(told) == DIFFERENCES_MAX:
            break

    assert not told, "\n\n".join(told)


async def test_a_difference_is_told_with_all_that_is_needed_to_see_it_again(
    servers: Servers, empty_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoting, "half_up", round_down)

    for seed in range(SCENES):
        if difference := await Scene(seed).hold(servers.postgres_url, empty_template):
            break

    assert difference is not None
    words = difference.write(tmp_path)
    assert f"again: python -m tests.reference {seed}\n" in words
    assert json.dumps(difference.request) in words
    assert re.search(r"^  discount: [0-9.]+  \|  [0-9.]+$", words, re.MULTILINE)
    assert json.loads((tmp_path / f"shop-{seed}.json").read_text(encoding="utf-8")) == difference.scene.shop


def round_down(amount: Fraction, digits: int) -> Fraction:
    return Fraction(floor(amount * 10**digits), 10**digits)


# ---------------------------------------------------------------- worked out on paper

PAY = "pay"  # what no request does yet

COMPARABLE = [worked for worked in WORKED if worked.needs <= BUILT and PAY not in worked.before]


def own_shop(worked: Worked) -> tuple[object, ...]:
    """Tell which examples can be placed in one shop: one after the other, none sees what was before."""
    is_alone = any("renewals" in name for name in worked.request) or worked.before or worked.number is not None
    return worked.today, sorted(worked.settings.items()), worked.rule if is_alone else ""


def in_shops() -> Iterator[list[Worked]]:
    for _, group in groupby(sorted(COMPARABLE, key=own_shop), own_shop):
        yield list(group)


@pytest.mark.parametrize("examples", list(in_shops()), ids=lambda examples: examples[0].rule)
async def test_the_product_comes_to_what_was_worked_out_on_paper(
    examples: list[Worked], servers: Servers, empty_template: str
) -> None:
    shop = known_with(BUILT)
    shop["settings"] |= examples[0].settings
    now = f"{examples[0].today} 12:00+00"

    async with Product.opened(servers.postgres_url, empty_template, shop, now) as product:
        for worked in examples:
            for before in worked.before:
                assert not isinstance(before, str)
                await product.ask(before)
            assert told(await product.ask(worked.request), worked) == expected(worked), worked.rule


def expected(worked: Worked) -> dict[str, Any]:
    if worked.faults:
        return {"faults": worked.faults}
    said: dict[str, Any] = {
        "first": worked.first,
        "recurring": worked.recurring,
        "total": worked.total,
        "is_invoiced": worked.is_invoiced,
    }
    said |= {name: getattr(worked, name) for name in _comparable() if getattr(worked, name) is not None}
    if worked.taxes and Amended.TAX_BASES not in BUILT:
        said["taxes"] = tuple(map(_without_base, worked.taxes))
    return said


def _comparable() -> Iterator[str]:
    yield from ("discount", "promotion", "taxes")
    names = {
        "group_lines": Amended.GROUP_LINES,
        "full": Amended.RECUR_FOR,
        "periods": Amended.PERIOD_ENDS,
        "late_fees": Amended.LATE_DOMAINS,
        "superseded": Amended.RENEWED_AGAIN,
        "number": Amended.INVOICE_NUMBERS,
    }
    yield from (name for name, amended in names.items() if amended in BUILT)


def told(returned: Returned, worked: Worked) -> dict[str, Any]:
    """Tell of what came back what is worked out."""
    if returned.reply["result"] == "error":
        return {"faults": tuple(fault["code"] for fault in returned.events["order.rejected"]["faults"])}
    added, confirmed = returned.events["order.added"], returned.events["email.order-confirmation"]
    items = added["items"]
    found: dict[str, Any] = {
        "faults": (),
        "full": tuple(f"{item.get('recurring_full')} {item.get('discounts_left')}" for item in items),
        "periods": tuple(str(item.get("period_end")) for item in items),
        "late_fees": tuple(item.get("late_fee") for item in items),
        "superseded": len(returned.cancelled),
        "group_lines": tuple(_group_line(returned, taxed=taxed) for taxed in (True, False)),
        "first": tuple(item["first"] for item in items),
        "recurring": tuple(item["recurring"] or "never" for item in items),
        "total": added["amount"],
        "is_invoiced": bool(returned.reply["invoiceid"]),
        "discount": confirmed["discount"],
        "promotion": (added["promotion"] or {}).get("code", ""),
    }
    if mail := returned.events.get("email.invoice-created"):
        found["taxes"] = tuple(map(_tax, mail["invoice"]["taxes"]))
        found["number"] = mail["invoice"].get("number")
    return {name: found[name] for name in expected(worked)}


def _group_line(returned: Returned, *, taxed: bool) -> str:
    lines = [row for row in returned.rows["lines"] if row["kind"] == "group_discount" and row["taxed"] is taxed]
    return str(-sum((row["amount"] for row in lines), Decimal("0.00")))


def _tax(tax: dict[str, Any]) -> str:
    base = f" of {tax['base']}" if Amended.TAX_BASES in BUILT else ""
    return f"{tax['name']} {float(tax['rate']):g}{base}: {tax['amount']}"


def _without_base(tax: str) -> str:
    return f"{tax.partition(' of ')[0]}:{tax.rpartition(':')[2]}"
