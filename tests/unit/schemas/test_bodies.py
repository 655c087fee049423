"""How whatever goes out is written."""

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import pytest

from schemas import events, replies
from schemas.bodies import Money, value, write

OUTERMOST: tuple[type, ...] = (events.CloudEvent, *get_args(replies.ReplyData))


@value
class Bill:
    total: Money
    at: dt.datetime
    on: dt.date
    note: str | None
    warnings: tuple[str, ...] = ()
    subject: str | None = None


NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
BILL = Bill(Decimal("1E+2"), NOON, NOON.date(), None)


def test_members_are_written_in_their_order_and_null_is_not_absent() -> None:
    assert write(BILL) == b'{"total":"1E+2","at":"2026-11-23T12:00:00Z","on":"2026-11-23","note":null}'


def test_a_member_that_may_be_absent_is_there_when_it_says_something() -> None:
    body = write(Bill(Decimal("9.90"), NOON.replace(microsecond=1), NOON.date(), "n", ("w",), "6"))

    assert body == (
        b'{"total":"9.90","at":"2026-11-23T12:00:00.000001Z","on":"2026-11-23","note":"n",'
        b'"warnings":["w"],"subject":"6"}'
    )


def test_what_has_no_way_of_being_written_is_not_written() -> None:
    with pytest.raises(TypeError, match="frozenset"):
        write(Bill(Decimal(1), NOON, NOON.date(), None, warnings=frozenset("a")))  # type: ignore[arg-type]


# ---------------------------------------------------------------- values


def test_a_value_is_frozen_for_the_type_checker() -> None:
    value_ = Bill(Decimal(1), NOON, NOON.date(), None)

    value_.note = "mypy refuses this line, or finds its comment unused"  # type: ignore[misc]


def test_equal_values_are_one_in_a_set() -> None:
    assert len({BILL, Bill(Decimal("1E+2"), NOON, NOON.date(), None)}) == 1


def test_under_dev_mode_values_are_frozen_and_slotted_indeed_and_the_bytes_are_the_same() -> None:
    code = """
import dataclasses
from pathlib import Path
from tests import samples
from tests.unit.schemas import test_events, test_replies

for name, event in test_events.EVENTS.items():
    assert event.body == (test_events.BODIES / f"{name}.json").read_bytes(), name
for name, reply in test_replies.REPLIES.items():
    assert reply.body == (test_replies.BODIES / f"{name}.reply.json").read_bytes(), name
line = samples.placed_order.lines(samples.EVERYTHING)[0]
assert not hasattr(line, "__dict__")
try:
    line.amount = None
except dataclasses.FrozenInstanceError:
    print("frozen")
"""

    ended = subprocess.run([sys.executable, "-X", "dev", "-c", code], check=True, capture_output=True, text=True)

    assert ended.stdout == "frozen\n"


# ---------------------------------------------------------------- the types of bodies


def parts_of(annotation: Any) -> Iterator[Any]:
    """Go through all types that a type is made of; of a dataclass, through those of its fields."""
    if isinstance(annotation, TypeVar):
        annotation = annotation.__bound__
    if get_origin(annotation) is Literal:
        return
    if is_dataclass(annotation):
        yield annotation
        types = get_type_hints(annotation)
        for member in fields(annotation):
            yield from parts_of(types[member.name])
    elif inner := get_args(annotation):
        for one in inner:
            yield from parts_of(one)
    elif annotation is not Ellipsis:
        yield annotation


PARTS = {part for body in OUTERMOST for part in parts_of(body)}


def test_nothing_that_goes_out_is_a_float_or_of_no_type() -> None:
    leaves = {part for part in PARTS if not is_dataclass(part) and not issubclass(part, Enum)}

    assert leaves == {str, int, bool, type(None), Decimal, dt.date, dt.datetime}


def test_only_the_outermost_object_of_a_body_leaves_anything_out() -> None:
    # What is inside is written by orjson as it stands, and would not.
    inside = [part for part in PARTS if is_dataclass(part) and part not in OUTERMOST]
    defaults = {
        (part, field.name)
        for part in inside
        for field in fields(part)
        if field.default is not MISSING or field.default_factory is not MISSING
    }

    assert len(inside) > 10
    assert defaults == set()
