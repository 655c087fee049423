"""PHP's serialize() format, read strictly: a cheap scan first, then phpserialize, then a check of what came out.

phpserialize alone takes objects through hooks, negative lengths, trailing bytes and text that is no Unicode, and
raises five kinds of exception; the scan refuses all of that in microseconds, before anything is built.
"""

import base64
import binascii
import re
from typing import Any

import phpserialize

BLOB_BYTES_MAX = 64 * 1024  # of one serialized value, decoded (addorder.md 1)
LEVELS_MAX = 5
ENTRIES_MAX = 1_000
INTEGER_MAX = 2**63 - 1  # PHP's own; wider ones would also let keys be crafted that collide in a dict

Value = int | float | str | bool | None | dict[int | str, "Value"]

_TOKEN = re.compile(
    rb"""
      (?P<end>\})
    | N;
    | b:[01];
    | i:(?P<int>-?[0-9]{1,19});
    | d:-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:E[+-]?[0-9]{1,3})?;
    | s:(?P<length>[0-9]{1,8}):"
    | a:(?P<count>[0-9]{1,7}):\{
    """,
    re.VERBOSE,
)


_CUT_SHORT = "cut short or out of order"


class NotSerialized(ValueError):
    """Not a PHP-serialized array that we take. The text says why and never echoes the value."""


def from_base64(written: str) -> bytes:
    """Undo base64. A `+` that became a space is put back; missing padding is fine.

    Raises:
        NotSerialized: not base64, or more than BLOB_BYTES_MAX decoded.
    """
    packed = written.replace(" ", "+").rstrip("=")
    if len(packed) * 3 // 4 > BLOB_BYTES_MAX:
        raise NotSerialized(f"more than {BLOB_BYTES_MAX // 1024} KiB")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise NotSerialized("not base64") from None


def unserialize(blob: bytes, *, levels_max: int, entries_max: int | None) -> dict[int | str, Value]:
    """Read one serialized array: scalars and arrays only, in UTF-8.

    Raises:
        NotSerialized: anything else, with the reason.
    """
    _scan(blob, levels_max, entries_max)
    try:
        value = phpserialize.loads(blob, charset="utf-8", errors="strict", decode_strings=True)
    except UnicodeDecodeError:
        raise NotSerialized("its text is not UTF-8") from None
    except Exception as error:  # phpserialize leaks TypeError, IndexError and more for keys and ends out of place
        raise NotSerialized(_CUT_SHORT) from error
    if not isinstance(value, dict):
        raise NotSerialized("not an array")
    return value


def _scan(blob: bytes, levels_max: int, entries_max: int | None) -> None:
    """Check every token, length, depth and count without building anything."""
    position, levels, entries = 0, 0, 0
    while position < len(blob):
        token = _TOKEN.match(blob, position)
        if token is None:
            refused = blob[position : position + 1] in b"OCERr"
            raise NotSerialized("objects and references are refused" if refused and blob[position:] else _CUT_SHORT)
        position = token.end()
        if token["length"] is not None:
            position += int(token["length"])
            if blob[position : position + 2] != b'";':
                raise NotSerialized("a declared length does not fit")
            if b"\0" in blob[token.end() : position]:
                raise NotSerialized("it contains the character U+0000")
            position += 2
        elif token["count"] is not None:
            levels += 1
            entries += int(token["count"])
            if levels > levels_max:
                raise NotSerialized(f"more than {levels_max} levels")
            # An entry takes eight bytes at least (i:0;i:0;), so a larger count cannot be true.
            if int(token["count"]) > len(blob) // 6 or (entries_max is not None and entries > entries_max):
                raise NotSerialized(f"more than {entries_max or len(blob) // 6} entries")
        elif token["int"] is not None:
            if not -INTEGER_MAX - 1 <= int(token["int"]) <= INTEGER_MAX:
                raise NotSerialized("a number is out of range")
        elif token["end"] is not None:
            levels -= 1
        if levels <= 0:
            break
    if levels or position != len(blob):
        raise NotSerialized(_CUT_SHORT if levels else "something follows its end")


def text_of(value: Any) -> str | None:
    """Write a scalar as a form would send it; None for PHP's null.

    repr() of a float is the shortest text that means it: what PHP itself prints.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    return str(value)
