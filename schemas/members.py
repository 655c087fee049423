"""What a dataclass says: the one rule of what is left out, for bodies that go out and for fingerprints."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from operator import attrgetter
from typing import Any


def members(value: object) -> dict[str, Any]:
    """Name what a dataclass says, in the order of its fields. A field that has its default says nothing.

    One level: what the values themselves are made of is left as it is.
    """
    kind = type(value)
    names, read, defaults = _SHAPES.get(kind) or _SHAPES.setdefault(kind, _shape(kind))
    told = dict(zip(names, read(value), strict=True))
    for name, default in defaults:
        if _is(told[name], default):
            del told[name]
    return told


def _is(value: object, default: object) -> bool:
    # False is not 0 and True not 1: the types count as well.
    return value is default or (value == default and type(value) is type(default))


# Of a class: the names of its fields, how to read them all, and the defaults of those that have one.
Shape = tuple[tuple[str, ...], Callable[[object], tuple[Any, ...]], tuple[tuple[str, object], ...]]
_SHAPES: dict[type, Shape] = {}


def _shape(kind: type) -> Shape:
    """Look at a class once."""
    assert is_dataclass(kind), f"{kind.__name__} is no dataclass"
    named = fields(kind)
    names = tuple(one.name for one in named)
    defaults = [one.default if one.default_factory is MISSING else one.default_factory() for one in named]
    read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return names, read, tuple(pair for pair in zip(names, defaults, strict=True) if pair[1] is not MISSING)
