"""PHP's serialize() format, read strictly: scalars and arrays, in UTF-8, and every declared length and count true.

Not by phpserialize: it takes objects through hooks, negative lengths, trailing bytes and text that is no Unicode,
raises five kinds of exception, and makes floats of amounts.
"""

import base64
import binascii
import math
import re

BLOB_BYTES_MAX = 64 * 1024  # of one serialized value, decoded (addorder.md 1)
LEVELS_MAX = 5
ENTRIES_MAX = 1_000
INTEGER_MAX = 2**63 - 1  # PHP's own
ENTRY_BYTES_MIN = 6  # i:0;N;

# A float is the text that it was written as: its digits may be an amount's.
Scalar = int | str | bool | None
Value = Scalar | dict[str, "Value"]

_TOKEN = re.compile(
    rb"""
      (?P<null>N);
    | b:(?P<bool>[01]);
    | i:(?P<int>-?[0-9]{1,19});
    | d:(?P<float>-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:E[+-]?[0-9]{1,3})?);
    | s:(?P<text>[0-9]{1,8}):"
    | a:(?P<array>[0-9]{1,7}):\{
    """,
    re.VERBOSE,
)

NO_MAP = "must be a map, or base64 of one: of a PHP-serialized array or a JSON object"
_CUT_SHORT = "cut short or out of order"
# Ruby and openssl end the lines of base64, and some clients use its alphabet for URLs.
_AS_MEANT = str.maketrans({" ": "+", "-": "+", "_": "/", "\r": None, "\n": None})


class NotSerialized(ValueError):
    """Not a PHP-serialized array that we take. The text says why and never echoes the value."""


class TooMany(NotSerialized):
    """More entries than are taken."""


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
        raise NotSerialized(NO_MAP) from None


def unserialize(blob: bytes, *, levels_max: int, entries_max: int) -> dict[str, Value]:
    """Read one serialized array: scalars and arrays only, in UTF-8. Entries of all its arrays are counted.

    Raises:
        TooMany: more entries.
        NotSerialized: anything else, with the reason.
    """
    reader = _Reader(blob, levels_max, entries_max)
    value = reader.value(levels_max)
    if reader.position != len(blob):
        raise NotSerialized("something follows its end")
    if not isinstance(value, dict):
        raise NotSerialized("not an array")
    return value


class _Reader:
    """Reads on from `position`. Nothing is built for a count or a length that the bytes behind it do not bear out."""

    __slots__ = ("_blob", "_entries_left", "_entries_max", "_levels_max", "position")

    def __init__(self, blob: bytes, levels_max: int, entries_max: int) -> None:
        self.position = 0
        self._blob = blob
        self._levels_max = levels_max
        self._entries_max = self._entries_left = entries_max

    def value(self, levels_left: int) -> Value:
        kind, written = self._token()
        match kind:
            case "text":
                return self._text(int(written))
            case "int":
                return _integer(written)
            case "float":
                return _float(written)
            case "bool":
                return written == b"1"
            case "array":
                return self._array(int(written), levels_left)
        return None

    def _token(self) -> tuple[str | None, bytes]:
        """Take a token: what it begins, and what stands in it (of a text its length, of an array its count)."""
        token = _TOKEN.match(self._blob, self.position)
        if token is None:
            raise NotSerialized(_why_not(self._blob[self.position : self.position + 1]))
        self.position = token.end()
        return token.lastgroup, token[token.lastindex or 0]

    def _text(self, length: int) -> str:
        start, self.position = self.position, self.position + length + 2
        if self._blob[self.position - 2 : self.position] != b'";':
            raise NotSerialized("a declared length does not fit")
        written = self._blob[start : start + length]
        if b"\0" in written:
            raise NotSerialized("it contains the character U+0000")
        try:
            return written.decode("utf-8")
        except UnicodeDecodeError:
            raise NotSerialized("its text is not UTF-8") from None

    def _array(self, count: int, levels_left: int) -> dict[str, Value]:
        if levels_left == 0:
            raise NotSerialized(f"more than {self._levels_max} levels")
        if count > (len(self._blob) - self.position) // ENTRY_BYTES_MIN:
            raise NotSerialized(_CUT_SHORT)
        self._entries_left -= count
        if self._entries_left < 0:
            raise TooMany(f"more than {self._entries_max} entries")
        array: dict[str, Value] = {}
        for _ in range(count):
            key = self._key()
            if key in array:
                raise NotSerialized("a key is given twice")
            array[key] = self.value(levels_left - 1)
        if self._blob[self.position : self.position + 1] != b"}":
            raise NotSerialized(_CUT_SHORT)
        self.position += 1
        return array

    def _key(self) -> str:
        kind, written = self._token()
        if kind == "int":
            return str(_integer(written))
        if kind == "text":
            return self._text(int(written))
        raise NotSerialized("a key is neither a whole number nor a text")


def _integer(written: bytes) -> int:
    number = int(written)
    if not -INTEGER_MAX - 1 <= number <= INTEGER_MAX:
        raise NotSerialized("a number is out of range")
    return number


def _float(written: bytes) -> str:
    if not math.isfinite(float(written)):
        raise NotSerialized("a number is out of range")
    return written.decode("ascii")


def _why_not(opcode: bytes) -> str:
    return "objects and references are refused" if opcode and opcode in b"OCERr" else _CUT_SHORT


def text_of(value: Scalar) -> str | None:
    """Write a scalar as a form would send it; None for PHP's null.

    False is the empty text, as in PHP: whatever it is given for, it says that there is none.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else ""
    return str(value)
