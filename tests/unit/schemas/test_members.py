"""What a dataclass says, and what it leaves out."""

from dataclasses import dataclass, field

from schemas.members import members


@dataclass(frozen=True, slots=True)
class Said:
    always: str | None
    number: int = 0
    words: tuple[str, ...] = ()
    named: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Said


def test_members_come_in_the_order_of_their_fields_and_those_with_their_default_are_left_out() -> None:
    assert list(members(Said("a", 1, ("w",), {"n": "m"})).items()) == [
        ("always", "a"),
        ("number", 1),
        ("words", ("w",)),
        ("named", {"n": "m"}),
    ]
    assert members(Said("a")) == {"always": "a"}


def test_what_has_no_default_is_always_said() -> None:
    assert members(Said(None)) == {"always": None}


def test_false_is_not_zero() -> None:
    assert members(Said("a", number=False)) == {"always": "a", "number": False}


def test_what_is_inside_is_left_as_it_is() -> None:
    assert members(Outer(Said("a"))) == {"inner": Said("a")}
