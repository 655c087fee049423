"""PHP's serialize() format, read strictly: a cheap scan first, then phpserialize, then a check of what came out.

phpserialize alone takes objects through hooks, negative lengths, trailing bytes and text that is no Unicode, and
raises five kinds of exception; the scan refuses all of that in microseconds, before anything is built.
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable
from typing import Any

import phpserialize

BLOB_BYTES_MAX = 64 * 1024  # of one serialized value, decoded (addorder.md 1)
LEVELS_MAX = 5
ENTRIES_MAX = 1_000
INTEGER_MAX = 2**63 - 1  # PHP's own; wider ones would also let keys be crafted that collide in a dict

Value = int | float | str | bool | None | dict[str, "Value"]

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
# Ruby and openssl end the lines of base64, and some clients use its alphabet for URLs.
_AS_MEANT = str.maketrans({" ": "+", "-": "+", "_": "/", "\r": None, "\n": None})


class NotSerialized(ValueError):
    """Not a PHP-serialized array that we take. The text says why and never echoes the value."""


def from_base64(written: str) -> bytes:
    """Undo base64. A `+` that became a space is put back; missing padding, line ends and the URL alphabet are fine.

    Raises:
        NotSerialized: not base64, or more than BLOB_BYTES_MAX decoded.
    """
    packed = written.translate(_AS_MEANT).rstrip("=")
    if len(packed) * 3 // 4 > BLOB_BYTES_MAX:
        raise NotSerialized(f"more than {BLOB_BYTES_MAX // 1024} KiB")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise NotSerialized("not base64") from None


def unserialize(blob: bytes, *, levels_max: int, entries_max: int | None) -> dict[str, Value]:
    """Read one serialized array: scalars and arrays only, in UTF-8.

    Raises:
        NotSerialized: anything else, with the reason.
    """
    _scan(blob, levels_max, entries_max)
    try:
        value = phpserialize.loads(blob, charset="utf-8", errors="strict", decode_strings=True, array_hook=_array)
    except UnicodeDecodeError:
        raise NotSerialized("its text is not UTF-8") from None
    except NotSerialized:
        raise
    except Exception as error:  # phpserialize leaks TypeError, IndexError and more for keys and ends out of place
        raise NotSerialized(_CUT_SHORT) from error
    if not isinstance(value, dict):
        raise NotSerialized("not an array")
    return value


def _array(pairs: Iterable[tuple[Any, Value]]) -> dict[str, Value]:
    """Build an array. Its keys are looked at before they are in a dict, to which 1, 1.0 and True are the same."""
    array: dict[str, Value] = {}
    for key, value in pairs:
        if type(key) not in {int, str}:
            raise NotSerialized("a key is neither a whole number nor a text")
        if str(key) in array:
            raise NotSerialized("a key is given twice")
        if isinstance(value, float) and not math.isfinite(value):
            raise NotSerialized("a number is out of range")
        array[str(key)] = value
    return array


def _scan(blob: bytes, levels_max: int, entries_max: int | None) -> None:
    """Check every token, length, depth and count without building anything."""
    # An entry takes six bytes at least (i:0;N;), so a larger count cannot be true.
    entries_max = len(blob) // 6 if entries_max is None else entries_max
    position, levels, entries, values = 0, 0, 0, 0
    while True:
        token = _TOKEN.match(blob, position)
        if token is None:
            raise NotSerialized(_why_not(blob[position : position + 1]))
        position = token.end()
        values += token["end"] is None
        if values > 1 + 2 * entries:  # a key and a value for each: the rest was never declared
            raise NotSerialized(_CUT_SHORT)
        if token["length"] is not None:
            position = _end_of_text(blob, position, int(token["length"]))
        elif token["int"] is not None:
            _check_number(int(token["int"]))
        else:
            levels += (token["count"] is not None) - (token["end"] is not None)
            entries += int(token["count"] or 0)
            _check_size(levels, levels_max, entries, entries_max)
        if levels <= 0:
            break
    if position != len(blob):
        raise NotSerialized("something follows its end")


def _check_size(levels: int, levels_max: int, entries: int, entries_max: int) -> None:
    if levels > levels_max:
        raise NotSerialized(f"more than {levels_max} levels")
    if entries > entries_max:
        raise NotSerialized(f"more than {entries_max} entries")


def _end_of_text(blob: bytes, start: int, length: int) -> int:
    """Find where the text that starts here ends, behind its quote."""
    end = start + length
    if blob[end : end + 2] != b'";':
        raise NotSerialized("a declared length does not fit")
    if b"\0" in blob[start:end]:
        raise NotSerialized("it contains the character U+0000")
    return end + 2


def _check_number(number: int) -> None:
    if not -INTEGER_MAX - 1 <= number <= INTEGER_MAX:
        raise NotSerialized("a number is out of range")


def _why_not(opcode: bytes) -> str:
    return "objects and references are refused" if opcode and opcode in b"OCERr" else _CUT_SHORT


def text_of(value: Any) -> str | None:
    """Write a scalar as a form would send it; None for PHP's null.

    False is the empty text, as in PHP: whatever it is given for, it says that there is none. A float is the shortest
    text that means it, and without decimals that are none: 5.0 is 5.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return str(value)
