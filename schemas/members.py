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


def with_reserved_names(value: Any) -> Any:
    """Give the members instead of a dataclass whose fields have names that Python keeps for itself, as `from_`.

    Of its members, tuples of such are given so too; whatever else there is stays as it is.
    """
    kind = type(value)
    if kind not in _RENAMED:
        _RENAMED[kind] = is_dataclass(kind) and any(one.name.endswith("_") for one in fields(kind))
    if not _RENAMED[kind]:
        return value
    return {
        name: tuple(map(with_reserved_names, told)) if isinstance(told, tuple) else told
        for name, told in members(value).items()
    }


def _is(value: object, default: object) -> bool:
    # False is not 0 and True not 1: the types count as well.
    return value is default or (value == default and type(value) is type(default))


# Of a class: the names of its fields, how to read them all, and the defaults of those that have one.
Shape = tuple[tuple[str, ...], Callable[[object], tuple[Any, ...]], tuple[tuple[str, object], ...]]
_SHAPES: dict[type, Shape] = {}
_RENAMED: dict[type, bool] = {}


def _shape(kind: type) -> Shape:
    """Look at a class once."""
    assert is_dataclass(kind), f"{kind.__name__} is no dataclass"
    named = fields(kind)
    names = tuple(one.name.removesuffix("_") for one in named)  # `from_`: Python keeps `from` for itself
    defaults = [one.default if one.default_factory is MISSING else one.default_factory() for one in named]
    fields_read = [one.name for one in named]
    read = attrgetter(*fields_read) if len(named) > 1 else lambda value: (getattr(value, fields_read[0]),)
    return names, read, tuple(pair for pair in zip(names, defaults, strict=True) if pair[1] is not MISSING)
