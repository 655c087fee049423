"""Bytes and a content type → names and values, in each of the three encodings (addorder.md 1)."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import phpserialize

from schemas import php, rejections
from schemas.rejections import Rejected

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PHP = "application/vnd.php.serialized"

# Levels of arrays below a parameter. The deepest that a parameter needs is item → option → {optionid, qty}.
LEVELS_MAX = 5

NAME_CHARS_SHOWN = 40  # of a name that the caller made up

_INDEX = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)  # as PHP counts: 00 and -0 are texts
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # one that is never closed goes to the end
_BLANKS = frozenset(" \t\n\v\f\r")


@dataclass(slots=True)
class Repeated:
    """What a name was given more than once: every value in order of arrival; none where an array stood beside them."""

    values: list[str]


class JsonObject(dict[str, "Value"]):
    """An array that the caller wrote as a JSON object, so that its keys may be meant as the keys of a map."""


# Every scalar is text, as the form sends it: a number keeps its digits and never becomes a float.
Value = str | Repeated | Mapping[str, "Value"]
Tree = Mapping[str, Value]


def decode(body: bytes, content_type: str | None) -> Tree:
    """Read a request's parameters; names in lower case, absent values (JSON null) left out.

    Raises:
        Rejected: `malformed`, with the reason.
    """
    if not body:
        return {}
    match media_type(content_type, body):
        case "application/json":
            return _lower(_json(body))
        case "application/x-www-form-urlencoded":
            return _form(_text(body))
        case "application/vnd.php.serialized":
            return _lower(_php(body))
        case _:
            raise Rejected(rejections.malformed(f"the content type must be {FORM}, {JSON} or {PHP}"))


def media_type(content_type: str | None, body: bytes) -> str | None:
    """Name the encoding of a body, in lower case; JSON where none is said and it begins with a brace."""
    if not content_type:
        return JSON if body.lstrip().startswith(b"{") else None
    return content_type.partition(";")[0].strip().lower()


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Rejected(rejections.malformed(f"byte {error.start} is not UTF-8")) from None


def _lower(tree: Mapping[str, Value]) -> Tree:
    """Match names without case. The same name in two spellings is a name given twice."""
    named: dict[str, Value] = {}
    for name, value in tree.items():
        _add(named, name.lower(), value)
    return named


def encode(tree: Tree, media: str) -> bytes:
    """Write parameters down in an encoding: `decode` reads the same tree from it."""
    match media:
        case "application/json":
            return json.dumps(_plain(tree), ensure_ascii=False).encode()
        case "application/x-www-form-urlencoded":
            return urlencode([pair for name, value in tree.items() for pair in _pairs(name, value)]).encode()
        case "application/vnd.php.serialized":
            return bytes(phpserialize.dumps(_plain(tree)))
    raise ValueError(f"no encoding of requests: {media}")


def _plain(value: Value) -> Any:
    if isinstance(value, Repeated):
        return value.values
    return value if isinstance(value, str) else {key: _plain(member) for key, member in value.items()}


def _pairs(name: str, value: Value) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Repeated):
        yield from ((name, one) for one in value.values)
    else:
        for key, member in value.items():
            yield from _pairs(f"{name}[{key}]", member)


# ---------------------------------------------------------------- form


def _form(text: str) -> Tree:
    """Build PHP's arrays from `name[key]=value` pairs: keys are kept, `[]` takes the next free index."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise Rejected(rejections.malformed("a percent-encoded value is not UTF-8")) from None
    named: dict[str, Value] = {}
    for written, value in pairs:
        if "\0" in value or "\0" in written:
            raise Rejected(rejections.malformed("it contains the character U+0000"))
        name, bracket, rest = written.lstrip(" ").partition("[")
        if not bracket or "]" not in rest:
            _add(named, written.lstrip(" ").lower(), value)
        else:
            _add_element(named, name.lower(), rest, value)
    return named


class _FormArray(dict[str, Value]):
    """An array in the making, which knows its next free index as PHP counts it: one more than the highest so far."""

    __slots__ = ("_next_index",)

    def __init__(self) -> None:
        super().__init__()
        self._next_index: int | None = None  # until an index is there

    def key_of(self, written: str) -> str:
        """Name the element that `[written]` means."""
        if not written or written in _BLANKS:  # PHP skips one blank
            index = self._next_index or 0
        elif _INDEX.fullmatch(written):
            index = int(written)
        else:
            return written
        if -php.INTEGER_MAX - 1 <= index <= php.INTEGER_MAX and (self._next_index is None or self._next_index <= index):
            self._next_index = index + 1
        return str(index)


def _add_element(named: dict[str, Value], name: str, rest: str, value: str) -> None:
    """Put `value` where `name[rest` says. `rest` is all behind the first bracket, such as `0]` or `0][optionid]`."""
    node, key = named, name
    levels = 0
    while True:
        inner, _, rest = rest.partition("]")
        child = node.get(key)
        if child is None:
            child = node[key] = _FormArray()
        elif not isinstance(child, _FormArray):
            # A bare name beside its own array: PHP keeps the later one and builds another order than was meant.
            node[key] = Repeated([])
            return
        node, key = child, child.key_of(inner)
        levels += 1
        if levels > LEVELS_MAX:
            raise Rejected(rejections.malformed(f"{name[:NAME_CHARS_SHOWN]}: more than {LEVELS_MAX} levels of arrays"))
        if not rest.startswith("[") or "]" not in rest:
            _add(node, key, value)
            return
        rest = rest[1:]


def _add(array: dict[str, Value], key: str, value: Value) -> None:
    before = array.get(key)
    if before is None:
        array[key] = value
    elif isinstance(before, str) and isinstance(value, str):
        array[key] = Repeated([before, value])
    elif isinstance(before, Repeated) and before.values and isinstance(value, str):
        before.values.append(value)
    else:
        array[key] = Repeated([])


# ---------------------------------------------------------------- JSON


def _json(body: bytes) -> Tree:
    tree = json_object(_text(body))
    if tree is None:
        raise Rejected(rejections.malformed("not a JSON object"))
    return tree


def json_object(text: str) -> JsonObject | None:
    """Read a JSON object; None where the text is none. Numbers stay the text that they were written as.

    Raises:
        Rejected: `malformed`: nested too deeply, or with text that is no Unicode.
    """
    try:
        value = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_no_constant, object_pairs_hook=_json_object
        )
    except (ValueError, RecursionError):
        return None
    return _checked(value) if isinstance(value, JsonObject) else None


def _no_constant(name: str) -> str:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _json_object(pairs: list[tuple[str, Any]]) -> JsonObject:
    named = JsonObject()
    for name, value in pairs:
        converted = _json_value(value)
        if converted is not None:
            _add(named, name, converted)
    return named


def _json_value(value: Any) -> Value | None:
    if isinstance(value, list):
        pairs = ((str(index), _json_value(member)) for index, member in enumerate(value))
        return {key: member for key, member in pairs if member is not None}
    if isinstance(value, bool):
        return php.text_of(value)
    assert value is None or isinstance(value, str | JsonObject), "json.loads makes nothing else here"
    return value


def _checked(tree: JsonObject) -> JsonObject:
    """Refuse what JSON escapes can smuggle in: U+0000 and half a surrogate pair; and depth."""
    for text in _texts(tree.items(), LEVELS_MAX + 1):
        if "\0" in text:
            raise Rejected(rejections.malformed("it contains the character U+0000"))
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise Rejected(rejections.malformed("it contains half a surrogate pair")) from None
    return tree


def _texts(pairs: Iterable[tuple[str, Value]], levels: int) -> Iterable[str]:
    if levels < 0:
        raise Rejected(rejections.malformed(f"more than {LEVELS_MAX} levels of arrays"))
    for name, value in pairs:
        yield name
        if isinstance(value, str):
            yield value
        elif isinstance(value, Repeated):
            yield from value.values
        else:
            yield from _texts(value.items(), levels - 1)


# ---------------------------------------------------------------- PHP


def _php(body: bytes) -> Tree:
    try:
        return _php_array(php.unserialize(body, levels_max=LEVELS_MAX + 1, entries_max=None))
    except php.NotSerialized as error:
        raise Rejected(rejections.malformed(f"not a PHP-serialized array: {error}")) from None


def _php_array(array: Mapping[str, php.Value]) -> dict[str, Value]:
    named: dict[str, Value] = {}
    for key, value in array.items():
        if isinstance(value, dict):
            named[key] = _php_array(value)
        elif (text := php.text_of(value)) is not None:
            named[key] = text
    return named


# ---------------------------------------------------------------- serialized values


def unserialize_value(written: str) -> Mapping[str, Value]:
    """Read base64 of a PHP-serialized array, or of a JSON object (addorder.md 1).

    Raises:
        ValueError: with a sentence that says why and never echoes the value.
    """
    blob = php.from_base64(written)
    if blob.startswith(b"{"):
        # Every entry of an array but its first is behind a comma: too many are refused before anything is built.
        if _JSON_TEXT.sub(b"", blob).count(b",") >= php.ENTRIES_MAX:
            raise ValueError(f"more than {php.ENTRIES_MAX} entries")
        try:
            tree = json_object(blob.decode("utf-8"))
        except (UnicodeDecodeError, Rejected):
            tree = None
        if tree is None:
            raise ValueError("neither a PHP-serialized array nor a JSON object, in base64")
        return bounded_map(tree)
    return _php_array(php.unserialize(blob, levels_max=php.LEVELS_MAX, entries_max=php.ENTRIES_MAX))


def serialize_value(tree: Mapping[str, Value]) -> str:
    """Write a map as `unserialize_value` reads it: base64 of a PHP-serialized array."""
    return base64.b64encode(phpserialize.dumps(_plain(tree))).decode()


def bounded_map(tree: Mapping[str, Value]) -> Mapping[str, Value]:
    """Hold a plain map to the bounds of a serialized one.

    Raises:
        ValueError: with a sentence that says why and never echoes the value.
    """
    try:
        texts = list(_texts(tree.items(), php.LEVELS_MAX))
    except Rejected:
        raise ValueError(f"more than {php.LEVELS_MAX} levels") from None
    if _entries(tree) > php.ENTRIES_MAX:
        raise ValueError(f"more than {php.ENTRIES_MAX} entries")
    if sum(map(len, texts)) > php.BLOB_BYTES_MAX:
        raise ValueError(f"more than {php.BLOB_BYTES_MAX // 1024} KiB")
    return tree


def _entries(tree: Mapping[str, Value]) -> int:
    return len(tree) + sum(_entries(value) for value in tree.values() if isinstance(value, Mapping))
