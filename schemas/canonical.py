"""The one way to write a parsed request down, so that its fingerprint is of what it asks and of nothing else.

A fingerprint must not move by accident (docs/decisions/fingerprints.md): yesterday's repeat would become
`message_id_reused`. So what equals its default is left out: a field that is added changes nothing for requests that
do not give it. Names are sorted, wherever a field stands in its class. A field that is renamed moves the
fingerprint, and so does whatever changes how a request is read: then FORMAT moves as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any

import orjson

# Moves whenever the same request would be written down, or read, differently. What was signed under another format
# counts as the same content.
FORMAT = "2"

ADD_ORDER = "addorder"  # the one action whose name is not written: it had a format before there were others
_ACTION = "\0action"  # sorts first, and no field has such a name


def canonical(request: object, action: str = ADD_ORDER) -> bytes:
    """Write a request's content as bytes: equal for equal requests, whatever encoding they came in.

    `request` is a dataclass of schemas; `action` is WHMCS's word for what is asked, in lower case.
    """
    told = _told(request)
    if action != ADD_ORDER:
        told = {_ACTION: action, **told}
    return orjson.dumps(told, default=_json_value, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS)


def _told(value: object) -> dict[str, Any]:
    """Name what differs from its default. orjson sorts the keys of dicts, and does not sort those of dataclasses."""
    kind = type(value)
    names, read, defaults = _SHAPES.get(kind) or _SHAPES.setdefault(kind, _shape(kind))
    return {name: one for name, one, default in zip(names, read(value), defaults, strict=True) if not _is(one, default)}


def _is(value: object, default: object) -> bool:
    # False is not 0 and True not 1: the types count as well.
    return value is default or (value == default and type(value) is type(default))


# Of a class: the names of its fields, how to read them all, and their defaults.
Shape = tuple[tuple[str, ...], Callable[[object], tuple[Any, ...]], tuple[object, ...]]
_SHAPES: dict[type, Shape] = {}


def _shape(kind: type) -> Shape:
    """Look at a class once. A field without a default has MISSING for one, which equals nothing."""
    assert is_dataclass(kind), f"{kind.__name__} is no request of ours"
    named = fields(kind)
    names = tuple(one.name for one in named)
    defaults = tuple(one.default if one.default_factory is MISSING else one.default_factory() for one in named)
    read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return names, read, defaults


def _json_value(value: object) -> object:
    if is_dataclass(value):
        return _told(value)
    match value:
        case Decimal():
            return str(value)
        case frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    raise TypeError(type(value).__name__)
