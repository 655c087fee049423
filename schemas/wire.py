"""Bytes and a content type → names and values, in each of the three encodings (addorder.md 1)."""

import base64
import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

import phpserialize

from schemas import php, rejections
from schemas.rejections import Rejected
from schemas.secret_names import SECRET_NAMES

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PHP = "application/vnd.php.serialized"

# What clients send where nobody says a type: kombu of a text, bunny, kombu of bytes. It tells nothing of a body.
_TELLING_NOTHING = frozenset({"", "text/plain", "application/octet-stream", "application/data"})
# That of UTF-32 begins like one of UTF-16.
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "UTF-8", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
PROPERTY_CHARS_SHOWN = 60

# Levels of arrays below a parameter. The deepest that a parameter needs is item → option → {optionid, qty}.
LEVELS_MAX = php.LEVELS_MAX

# Values of a whole request, at whatever depth. A thousand items, each with every parameter that it can have, are fewer.
# To read one takes microseconds, and so many a twentieth of a second, in which nobody else is served.
VALUES_MAX = 20_000
ARRAYS_MAX = 10_000  # of which a thousand items with three maps each have fewer too
BRACKETS_MAX = 2 * VALUES_MAX  # in names

NAME_CHARS_SHOWN = 40  # of a name that the caller made up

# Whose outer white space counts: secrets and notes; and custom fields, of which only the catalogue knows the passwords.
KEPT_NAMES = frozenset({*SECRET_NAMES, "notes", "customfields"})

_INDEX = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)  # as PHP counts: 00 and -0 are texts
_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # one that is never closed goes to the end
_SERIALIZED = re.compile(rb"[a-zA-Z]:|N;")  # how each of PHP's serialized values begins
_BLANKS = frozenset(" \t\n\v\f\r")
_NUL = "it contains the character U+0000"


@dataclass(slots=True)
class Repeated:
    """What a name was given more than once: every value in order of arrival; none where an array stood beside them."""

    values: list[str]


class JsonObject(dict[str, "Value"]):
    """An array that the caller wrote as a JSON object, so that its keys may be meant as the keys of a map."""


# Every scalar is text, as the form sends it: a number keeps its digits and never becomes a float.
Value = str | Repeated | Mapping[str, "Value"]
Tree = Mapping[str, Value]
Written = TypeVar("Written")  # a value, as one of the encodings has it
Trim = Callable[[str], str]  # what becomes of the text of a value: str.strip, or str where it is kept


class Unreadable(ValueError):
    """Bytes that are no request. The text says why and never echoes them."""


def decode(body: bytes, content_type: str | None) -> Tree:
    """Read a request's parameters: names in lower case, values without outer white space, JSON's null left out.

    Raises:
        Rejected: `malformed`, with the reason; `too_many_items`, for what has more values than an order can need.
    """
    body = body.strip()
    if not body:
        return {}
    try:
        return _tree(body, content_type)
    except Unreadable as why:
        raise Rejected(rejections.malformed(str(why))) from None


def _too_many_values() -> Rejected:
    return Rejected(rejections.too_many_values(VALUES_MAX))


def _tree(body: bytes, content_type: str | None) -> Tree:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if body.startswith(mark):
            raise Unreadable(f"it begins with the byte order mark of {encoding}: send UTF-8 without one")
    match media_type(content_type, body):
        case "application/json":
            return _json(body)
        case "application/x-www-form-urlencoded":
            return _form(body)
        case "application/vnd.php.serialized":
            return _php(body)
    raise Unreadable(f"its content type is {shown(content_type or '')}: send it as {FORM}, {JSON} or {PHP}")


def media_type(content_type: str | None, body: bytes) -> str:
    """Name the encoding of a body, in lower case. What a content type does not tell, the first byte does."""
    named = (content_type or "").partition(";")[0].strip().lower()
    if named not in _TELLING_NOTHING:
        return named
    start = body.lstrip()[:2]
    return JSON if start.startswith(b"{") else PHP if start == b"a:" else FORM


def shown(written: str) -> str:
    """Cut the text of a property to what may stand in a sentence: not too long, and nothing that a terminal obeys."""
    short = written if len(written) <= PROPERTY_CHARS_SHOWN else written[:PROPERTY_CHARS_SHOWN] + "…"
    return short if short.isprintable() else ascii(short)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} is not UTF-8") from None


def encode(tree: Tree, media: str) -> bytes:
    """Write parameters down in an encoding: `decode` reads the same tree from it."""
    match media:
        case "application/json":
            return json.dumps({name: _json_form(value) for name, value in tree.items()}, ensure_ascii=False).encode()
        case "application/x-www-form-urlencoded":
            return urlencode([pair for name, value in tree.items() for pair in _pairs(name, value)]).encode()
        case "application/vnd.php.serialized":
            return bytes(phpserialize.dumps(_plain(tree)))
    raise ValueError(f"no encoding of requests: {media}")


def _plain(value: Value) -> Any:
    if isinstance(value, Repeated):
        return value.values
    return value if isinstance(value, str) else {key: _plain(member) for key, member in value.items()}


def _json_form(value: Value) -> Any:
    """Write an array of items as a list where it can be one: beside a scalar, an object would be a map."""
    plain = _plain(value)
    if isinstance(value, Mapping) and not isinstance(value, JsonObject) and list(plain) == _indexes(len(plain)):
        return list(plain.values())
    return plain


def _indexes(count: int) -> list[str]:
    return [str(index) for index in range(count)]


def _pairs(name: str, value: Value) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Repeated):
        yield from ((name, one) for one in value.values)
    else:
        for key, member in value.items():
            yield from _pairs(f"{name}[{key}]", member)


# ---------------------------------------------------------------- names


def _named(pairs: Iterable[tuple[str, Written]], value_of: Callable[[Written, Trim], Value | None]) -> Tree:
    """Match names as PHP matches those of a form, without case: `pid[0]` is an element of `pid`, in each encoding.

    White space around a name is nothing, and a bracket that never closes belongs to it. What `value_of` tells to be
    None is absent.
    """
    named: dict[str, Value] = {}
    brackets = 0
    for written, given in pairs:
        name, bracket, keys = written.partition("[")
        is_element = bracket and "]" in keys
        if is_element:
            brackets += 1 + keys.count("[")
            if brackets > BRACKETS_MAX:
                raise Unreadable(f"its names have more than {BRACKETS_MAX} brackets")
        name = (name if is_element else written).strip().lower()
        value = value_of(given, str if name in KEPT_NAMES else str.strip)
        if value is None:
            continue
        if is_element:
            _add_element(named, name, keys, value)
        else:
            _add(named, name, value)
    return named


class _Elements(dict[str, Value]):
    """An array given element by element. It knows its next free index as PHP counts: one more than the highest."""

    __slots__ = ("_next_index",)

    def __init__(self, whole: Mapping[str, Value] | None = None) -> None:
        super().__init__()
        self._next_index: int | None = None  # until an index is there
        if whole:
            self.take(whole)

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

    def take(self, whole: Mapping[str, Value]) -> None:
        """Take the members of the same array where it is given whole."""
        for key, member in whole.items():
            _add(self, self.key_of(key) if _INDEX.fullmatch(key) else key, member)


def _add_element(named: dict[str, Value], name: str, keys: str, value: Value) -> None:
    """Put `value` where `name[keys` says. `keys` is all behind the first bracket, such as `0]` or `0][optionid]`."""
    node, key = named, name
    levels_left = LEVELS_MAX
    while True:
        inner, _, keys = keys.partition("]")
        child = node.get(key)
        if child is None:
            child = node[key] = _Elements()
        elif not isinstance(child, _Elements):
            if not isinstance(child, Mapping):
                # A bare name beside its own array: PHP keeps the later one and builds another order than was meant.
                node[key] = Repeated([])
                return
            child = node[key] = _Elements(child)
        node, key = child, child.key_of(inner)
        levels_left -= 1
        if levels_left < 0:
            raise _too_deep(name)
        if not keys.startswith("[") or "]" not in keys:
            break
        keys = keys[1:]
    if not isinstance(value, str) and _levels_of(value) > levels_left:
        raise _too_deep(name)
    _add(node, key, value)


def _too_deep(name: str) -> Unreadable:
    return Unreadable(f"{name[:NAME_CHARS_SHOWN]}: more than {LEVELS_MAX} levels of arrays")


def _levels_of(value: Value) -> int:
    return 1 + max(map(_levels_of, value.values()), default=0) if isinstance(value, Mapping) else 0


def _add(array: dict[str, Value], key: str, value: Value) -> None:
    """Put in a value. What is given twice is told so, and not lost: an array given by elements takes another's."""
    before = array.get(key)
    if before is None:
        array[key] = value
    elif isinstance(before, str) and isinstance(value, str):
        array[key] = Repeated([before, value])
    elif isinstance(before, Repeated) and before.values and isinstance(value, str):
        before.values.append(value)
    elif isinstance(before, _Elements) and isinstance(value, Mapping):
        before.take(value)
    else:
        array[key] = Repeated([])


# ---------------------------------------------------------------- form


def _form(body: bytes) -> Tree:
    """Build PHP's arrays from `name[key]=value` pairs: keys are kept, `[]` takes the next free index."""
    if body.count(b"&") >= VALUES_MAX:
        raise _too_many_values()
    text = _text(body)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="strict")
    except UnicodeDecodeError:
        raise Unreadable("a percent-encoded value is not UTF-8") from None
    if "\0" in text or "%00" in text:
        raise Unreadable(_NUL)
    return _named(pairs, _form_value)


def _form_value(text: str, trim: Trim) -> str:
    return trim(text)


# ---------------------------------------------------------------- JSON


class _Members(list[tuple[str, Any]]):
    """A JSON object, with every name as often as it was written."""


def _json(body: bytes) -> Tree:
    _check_amount(body)
    members = _json_object(_text(body))
    if members is None:
        raise Unreadable("not a JSON object")
    return _named(((_checked(name), member) for name, member in members), _json_value)


def _check_amount(body: bytes) -> None:
    """See from the bytes that there are not too many values, before anything is built of them.

    Every value of an array but its first is behind a comma. What stands in texts is not counted.
    """
    if body.count(b",") >= VALUES_MAX or body.count(b"[") + body.count(b"{") > ARRAYS_MAX:
        # Each value has two texts at most, its name and itself, and each text two quotes that are not escaped.
        if body.count(b'"') - body.count(b'\\"') > 4 * VALUES_MAX:
            raise _too_many_values()
        body = _JSON_TEXT.sub(b"", body)
        if body.count(b",") >= VALUES_MAX:
            raise _too_many_values()
        if body.count(b"[") + body.count(b"{") > ARRAYS_MAX:
            raise Unreadable(f"more than {ARRAYS_MAX} arrays")


def _json_object(text: str) -> _Members | None:
    """Read a JSON object; None where the text is none. Numbers stay the text that they were written as."""
    try:
        value = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=_no_constant, object_pairs_hook=_Members
        )
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Members) else None


def _no_constant(name: str) -> str:
    raise ValueError(name)  # NaN and Infinity are no JSON


def _json_value(value: Any, trim: Trim, levels_left: int = LEVELS_MAX) -> Value | None:
    """Make one of our values; None for JSON's null."""
    if isinstance(value, str):
        return trim(_checked(value))
    if value is None or isinstance(value, bool):
        return php.text_of(value)
    assert isinstance(value, list), "json.loads makes nothing else here"
    if levels_left == 0:
        raise Unreadable(f"more than {LEVELS_MAX} levels of arrays")
    is_object = isinstance(value, _Members)
    array: dict[str, Value] = JsonObject() if is_object else {}
    for key, member in value if is_object else enumerate(value):
        converted = _json_value(member, trim, levels_left - 1)
        if converted is not None:
            _add(array, _checked(str(key)), converted)
    return array


def _checked(text: str) -> str:
    """Refuse what JSON's escapes can smuggle in: U+0000, and half a surrogate pair."""
    if "\0" in text:
        raise Unreadable(_NUL)
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise Unreadable("it contains half a surrogate pair") from None
    return text


# ---------------------------------------------------------------- PHP


def _php(body: bytes) -> Tree:
    try:
        array = php.unserialize(body, levels_max=LEVELS_MAX + 1, entries_max=VALUES_MAX)
    except php.TooMany:
        raise _too_many_values() from None
    except php.NotSerialized as error:
        raise Unreadable(f"not a PHP-serialized array: {error}") from None
    return _named(array.items(), _php_value)


def _php_value(value: php.Value, trim: Trim) -> Value | None:
    """Make one of our values; None for PHP's null."""
    if isinstance(value, dict):
        return _php_array(value, trim)
    text = php.text_of(value)
    return text if text is None else trim(text)


def _php_array(array: Mapping[str, php.Value], trim: Trim) -> dict[str, Value]:
    pairs = ((key, _php_value(member, trim)) for key, member in array.items())
    return {key: member for key, member in pairs if member is not None}


# ---------------------------------------------------------------- serialized values


# null, '' and false, and the list that PHP's json_encode makes of an empty array: all that a caller has who has no map.
_NOTHING = frozenset({b"N;", b's:0:"";', b"b:0;", b"null", b'""', b"false", b"[]"})


def unserialize_value(written: str) -> Mapping[str, Value]:
    """Read base64 of a PHP-serialized array, or of a JSON object (addorder.md 1). Of nothing it is an empty map.

    Raises:
        ValueError: with a sentence that says why and never echoes the value.
    """
    blob = php.from_base64(written)
    if blob.lstrip().startswith(b"{"):
        return _json_map(blob)
    if blob.strip() in _NOTHING:
        return {}
    if _SERIALIZED.match(blob) is None:
        raise ValueError(php.NO_MAP)
    return _php_array(php.unserialize(blob, levels_max=php.LEVELS_MAX, entries_max=php.ENTRIES_MAX), str)


def _json_map(blob: bytes) -> Mapping[str, Value]:
    # Every entry of an array but its first is behind a comma: too many are refused before anything is built.
    if _JSON_TEXT.sub(b"", blob).count(b",") >= php.ENTRIES_MAX:
        raise ValueError(f"more than {php.ENTRIES_MAX} entries")
    members = _json_object(_text(blob))
    if members is None:
        raise ValueError(php.NO_MAP)
    tree = _json_value(members, str, php.LEVELS_MAX)
    assert isinstance(tree, JsonObject), "an object is one"
    return bounded_map(tree)


def serialize_value(tree: Mapping[str, Value]) -> str:
    """Write a map as `unserialize_value` reads it: base64 of a PHP-serialized array."""
    return base64.b64encode(phpserialize.dumps(_plain(tree))).decode()


def bounded_map(tree: Mapping[str, Value]) -> Mapping[str, Value]:
    """Hold a plain map to the bounds of a serialized one. Its levels were counted when it was read.

    Raises:
        ValueError: with a sentence that says why and never echoes the value.
    """
    entries, chars = _size_of(tree)
    if entries > php.ENTRIES_MAX:
        raise ValueError(f"more than {php.ENTRIES_MAX} entries")
    if chars > php.BLOB_BYTES_MAX:
        raise ValueError(f"more than {php.BLOB_BYTES_MAX // 1024} KiB")
    return tree


def _size_of(tree: Mapping[str, Value]) -> tuple[int, int]:
    """Count entries and characters, at whatever depth."""
    entries, chars = len(tree), sum(map(len, tree))
    for value in tree.values():
        if isinstance(value, Mapping):
            inner_entries, inner_chars = _size_of(value)
            entries, chars = entries + inner_entries, chars + inner_chars
        else:
            chars += sum(map(len, value.values)) if isinstance(value, Repeated) else len(value)
    return entries, chars
