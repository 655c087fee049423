"""How whatever goes out is written; what is said is in events.py and replies.py.

The types there have the wire's names in the wire's order. A member that may be absent has a default, and is absent
where it has it. Only the outermost object of a body leaves anything out: inside, all is there, and null where its type
says so.
"""

import sys
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, TypeVar, dataclass_transform

import orjson
from pydantic import WithJsonSchema

from schemas.members import members

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make a value of a body: a dataclass that the type checker takes for frozen.

    Under `python -X dev` it is frozen, and slotted, indeed. Otherwise it costs no more than a dict
    (docs/decisions/bodies-as-types.md).
    """
    is_strict = sys.flags.dev_mode
    return dataclass(frozen=is_strict, slots=is_strict, unsafe_hash=True)(cls)


def _as_text(meaning: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "description": meaning})


# Decimals, written as text: a JSON number would be a float to whoever reads it.
Money = Annotated[Decimal, _as_text("an amount in the currency's major unit, such as 9.95")]
Percent = Annotated[Decimal, _as_text("a percentage, such as 9.975")]
MoneyOrPercent = Annotated[Decimal, _as_text("an amount, or a percentage")]


def write(body: object) -> bytes:
    """Write a body as JSON. The same body always gives the same bytes."""
    return orjson.dumps(members(body), default=_json_value, option=orjson.OPT_UTC_Z)


def _json_value(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
