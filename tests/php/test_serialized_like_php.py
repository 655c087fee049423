r"""Serialized values and bodies against PHP's own unserialize() (addorder.md 1).

What PHP refuses, we refuse. What PHP takes is the same tree here, each scalar as text, or is refused for a reason that
is decided: a rule that holds of what PHP made of it. Nothing else may come out.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

import pytest

from schemas import wire
from schemas.php import NotSerialized, from_base64
from schemas.rejections import Rejected
from schemas.wire import PHP, Value
from tests.php.real_php import Php, Typed, Unserialized

MADE_BY_PHP_COUNT = 1_000  # of values, and as many bodies
SPOILT_COUNT = 4_000  # of each, too

# ---------------------------------------------------------------- how they are read


@dataclass(frozen=True)
class Kind:
    """A serialized value of a parameter, or a serialized body, and the bounds of it."""

    name: str
    levels_max: int
    entries_max: int
    bytes_max: int
    read: Callable[[bytes], Mapping[str, Value] | str]  # a text: why not

    def __str__(self) -> str:
        return self.name


def read_value(blob: bytes) -> Mapping[str, Value] | str:
    try:
        return wire.unserialize_value(base64.b64encode(blob).decode())
    except ValueError as error:
        return str(error)


def read_body(blob: bytes) -> Mapping[str, Value] | str:
    try:
        return wire.decode(blob, PHP)
    except Rejected as rejected:
        return ", ".join(f"{fault.code}: {fault.message}" for fault in rejected.faults)


VALUE = Kind("value", levels_max=5, entries_max=1_000, bytes_max=65_536, read=read_value)
BODY = Kind("body", levels_max=6, entries_max=10**9, bytes_max=10**9, read=read_body)
KINDS = (VALUE, BODY)

# ---------------------------------------------------------------- what is expected

SAME = "the same tree"
REFUSED_BY_PHP = "PHP refuses it"
NOTATION = "serialize() never writes it so"
TWICE = "a key given twice"

# Reason → the words with which we refuse.
REASONS = {
    "objects and references": "objects and references are refused",
    "levels": "more than [56] levels",
    "entries": "more than 1000 entries",
    "bytes": "more than 64 KiB",
    "trailing bytes": "something follows its end",
    "U+0000": r"it contains the character U\+0000",
    "no UTF-8": "its text is not UTF-8",
    "no finite number": "out of range|cut short or out of order",
    "no array": "not an array",
    TWICE: "a key is given twice",
    NOTATION: "cut short or out of order|out of range|objects and references are refused",
}


def reasons(found: Unserialized, blob: bytes, kind: Kind, php: Php) -> set[str]:
    """Tell what speaks against a value that PHP takes."""
    values = list(all_within(found.value))
    types = {value.type for value in values}
    texts = [text for value in values for text in texts_of(value)]
    holding = {
        "objects and references": "object" in types or found.has_references,
        "levels": levels_count(found.value) > kind.levels_max,
        "entries": sum(len(value.elements) for value in values) > kind.entries_max,
        "bytes": len(blob) > kind.bytes_max,
        "trailing bytes": has_tail(found, blob, php),
        "U+0000": any("\0" in text for text in texts),
        "no UTF-8": not is_utf8(found.again),
        "no finite number": any(value.type == "float" and value.value in {"INF", "-INF", "NAN"} for value in values),
        "no array": found.value.type != "array",
    }
    return {reason for reason, holds in holding.items() if holds}


def has_tail(found: Unserialized, blob: bytes, php: Php) -> bool:
    """Tell whether PHP makes the same of a part of the bytes, from their beginning."""
    if blob == found.again:
        return False
    ends = (end.end() for end in re.finditer(b"[;}]", blob[:-1]))
    return any(php.unserialize(blob[:end]) == found for end in ends)


def all_within(value: Typed) -> Iterator[Typed]:
    yield value
    for _, member in value.elements:
        yield from all_within(member)


def texts_of(value: Typed) -> list[str]:
    return [value.value] if value.type == "text" else [key for key, _ in value.elements]


def levels_count(value: Typed) -> int:
    if value.type != "array":
        return 0
    return 1 + max((levels_count(member) for _, member in value.elements), default=0)


def is_utf8(blob: bytes) -> bool:
    try:
        blob.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_same(value: Value | Mapping[str, Value], typed: Typed) -> bool:
    """Compare what we made of a value with PHP's own.

    Text stands for every scalar, as PHP casts it, but for two: true is the word that JSON has for it, and a float keeps
    the digits that it was written with, so that only the number must be PHP's.
    """
    match typed.type, value:
        case "array", Mapping():
            given = [(key, member) for key, member in typed.elements if member.type != "null"]
            return [key for key, _ in given] == list(value) and all(
                is_same(value[key], member) for key, member in given
            )
        case "bool", str():
            return value == ("true" if typed.value else "")
        case "float", str():
            return float(value) == float(typed.value)
        case "int" | "text", str():
            return bool(value == typed.value)
    return False


def declared_entries(blob: bytes) -> int:
    """Count the entries that the arrays of a blob declare; those given twice, PHP counts once."""
    return sum(int(count) for count in re.findall(rb"a:([0-9]+):\{", blob))


def as_request(body: Typed) -> Typed:
    """Write names in lower case, and values without outer white space, but where it counts."""
    if body.type != "array":
        return body
    named = [(name.lower(), value) for name, value in body.elements]
    return Typed("array", [(name, value if name in wire.KEPT_NAMES else trimmed(value)) for name, value in named])


def trimmed(value: Typed) -> Typed:
    if value.type == "array":
        return Typed("array", [(key, trimmed(member)) for key, member in value.elements])
    return Typed("text", value.value.strip()) if value.type == "text" else value


def compare(blob: bytes, kind: Kind, php: Php) -> set[str]:
    """Compare what we make of the bytes with what PHP does. Return what it came under."""
    came = kind.read(blob)
    if kind is BODY:
        blob = blob.strip()  # white space around a whole body is nothing
    found = php.unserialize(blob)
    if found is None:
        assert isinstance(came, str)
        return {REFUSED_BY_PHP}
    against = reasons(found, blob, kind, php)
    if declared_entries(blob) > sum(len(value.elements) for value in all_within(found.value)):
        against.add(TWICE)
    if not blob.startswith(found.again) and (against or isinstance(came, str)):
        against.add(NOTATION)
    if against:
        assert isinstance(came, str), against
        # PHP forgets what it overwrites; that may be what speaks against it first.
        words = REASONS.values() if TWICE in against else (REASONS[reason] for reason in against)
        assert re.search("|".join(words), came)
        return against
    assert is_same(came, as_request(found.value) if kind is BODY else found.value)
    return {SAME}


# ---------------------------------------------------------------- what PHP serializes

TEXTS = (
    *(
        "",
        "a",
        "1",
        "01",
        "5.00",
        "Google",
        "YTowOnt9",
        '"',
        '";',
        "';",
        's:1:"a";',
        "}",
        "{",
        "a\nb",
        " a\t",
        "\u00a0",
        "\u0001",
        "x" * 300,
    ),
    *(
        "\u00e4",
        "\u6771\u4eac",
        "\U0001f4a9",
        "\u20ac 5",
        "e\u0301",
        "\ufeff",
        "a.com",
        "NULL",
        "INF",
        "O:1:",
        "&=[]%+",
    ),
)
NUMBERS = ("0", "1", "-1", "7", "100", str(2**31), str(2**63 - 1), str(-(2**63)))
FLOATS = ("0.0", "-0.0", "5.0", "5.5", "0.1", "1e100", "1e15", "1e-7", "123456.78", "1.7976931348623157e308", "5e-324")
KEYS = ("0", "1", "2", "3", "9", "-1", "01", "1.5", "optionid", "qty", "a.com", "\u00e4", "", "9223372036854775807")
NAMES = ("clientid", "pid", "notes", "paymentmethod", "addons", "customfields", "NoInvoice", "\u00dc")


def a_scalar(random: Random) -> Typed:
    match random.choice(("text", "text", "int", "float", "bool", "null")):
        case "text":
            return Typed("text", random.choice(TEXTS) + random.choice(("", "", random.choice(TEXTS))))
        case "int":
            return Typed("int", random.choice((*NUMBERS, str(random.randint(-(10**9), 10**9)))))
        case "float":
            return Typed("float", random.choice((*FLOATS, repr(random.uniform(-1000, 1000)), f"{random.random():.2f}")))
        case "bool":
            return Typed("bool", random.choice((False, True)))
        case _:
            return Typed("null", None)


def an_array(random: Random, keys: tuple[str, ...] = KEYS, level: int = 1) -> Typed:
    count = random.choice((0, 1, 2, 2, 3, 4))
    is_deeper = random.random() < 0.4 and level < 5
    return Typed(
        "array",
        [
            (key, an_array(random, KEYS, level + 1) if is_deeper and random.random() < 0.5 else a_scalar(random))
            for key in random.sample(keys, count)
        ],
    )


def made_by_php(kind: Kind, php: Php) -> list[bytes]:
    """Make the same blobs each time, the simplest first."""
    random = Random(2)
    keys = NAMES if kind is BODY else KEYS
    return sorted((php.serialize(an_array(random, keys)) for _ in range(MADE_BY_PHP_COUNT)), key=len)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_php_serializes_is_read_as_the_same_tree(kind: Kind, php: Php) -> None:
    for blob in made_by_php(kind, php):
        assert compare(blob, kind, php) == {SAME}


# ---------------------------------------------------------------- what others write, or spoil

SCALAR_BLOBS = (
    *(b"N;", b"b:0;", b"b:1;", b"i:0;", b"i:7;", b"i:-7;", b"d:0.5;", b"d:5;", b"d:-0;", b"d:1.0E+25;", b"d:1.5E-7;"),
    *(b's:0:"";', b's:1:"a";', b's:6:"Google";', b's:2:"\xc3\xa4";', b's:4:"\xf0\x9f\x92\xa9";', b's:7:"s:1:"a"";'),
)
KEY_BLOBS = (
    *(b"i:0;", b"i:1;", b"i:2;", b"i:-3;", b"i:9223372036854775807;", b's:1:"a";', b's:0:"";', b's:8:"optionid";'),
    *(b's:3:"pid";', b's:5:"Notes";', b's:2:"01";', b's:1:"1";', b's:2:"\xc3\xa4";'),
)
# What PHP takes though serialize() never writes it, what it takes as an object or a reference, and what it refuses.
ODD_BLOBS = (
    *(b"i:+7;", b"i:007;", b"i:-0;", b"i:9223372036854775808;", b"d:.5;", b"d:5.;", b"d:+1.5;", b"d:1e5;", b"d:1E400;"),
    *(
        b"d:INF;",
        b"d:-INF;",
        b"d:NAN;",
        b"d:0.10000000000000001;",
        b"d:;",
        b"i:1.5;",
        b"i: 1;",
        b"b:2;",
        b"n;",
        b"I:1;",
    ),
    *(b'S:1:"\\41";', b's:01:"a";', b's:+1:"a";', b's:-1:"a";', b's:2:"a";', b's:0:"a";', b's:1:"a"', b"s:1:a;"),
    *(b's:1:"\xff";', b's:1:"\0";', b's:3:"\xed\xa0\x80";', b's:2:"\xc3\x28";', b's:000000001:"a";', b's:9999999:"";'),
    *(b'O:8:"stdClass":0:{}', b'O:3:"Foo":1:{s:1:"a";i:1;}', b'C:3:"Foo":0:{}', b'E:7:"Foo:Bar";', b"R:1;", b"R:2;"),
    *(b"r:1;", b"a:-1:{}", b"a:+0:{}", b"a:00:{}", b"a:1:{}", b"a:0:{i:0;i:1;}", b"a:9999999:{}", b"a:0:{};", b"a:0:{"),
)
ODD_KEYS = (
    *(b"i:1;", b"d:1;", b"b:1;", b"d:0;", b"b:0;", b's:2:"-3";'),  # what a dict takes for 0 and 1
    b"N;",
    b"d:7.5;",
    b"a:0:{}",
    b"i:+8;",
    b'S:1:"\\41";',
    b"R:1;",
    b'O:3:"Foo":0:{}',
    b's:1:"\0";',
    b's:1:"\xff";',
)
TAILS = (b"x", b"}", b"\0", b"\n", b"i:1;", b"a:0:{}", b";")


def an_array_blob(random: Random, level: int = 1) -> bytes:
    pairs = []
    for key in random.sample(KEY_BLOBS, random.choice((0, 1, 1, 2, 2, 3))):
        value = random.choice(SCALAR_BLOBS)
        if random.random() < 0.4 and level < 9:
            value = an_array_blob(random, level + 1)
        if random.random() < 0.1:
            value = random.choice(ODD_BLOBS)
        pairs.append((random.choice(ODD_KEYS) if random.random() < 0.02 else key) + value)
    counted = max(0, len(pairs) + random.choice((0,) * 40 + (-1, 1)))
    return b"a:%d:{%s}" % (counted, b"".join(pairs))


def spoilt(random: Random) -> bytes:
    blob = an_array_blob(random)
    match random.choice(("not", "not", "not", "tail", "bytes", "bytes")):
        case "tail":
            return blob + random.choice(TAILS)
        case "bytes":
            start = random.randint(0, len(blob))
            put_in = random.choice((b"", random.randbytes(1), random.choice(ODD_BLOBS), random.choice(SCALAR_BLOBS)))
            return blob[:start] + put_in + blob[start + random.randint(0, 2) :]
    return blob


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_spoilt_blob_is_refused_where_php_refuses_and_read_no_other_way_than_php_does(kind: Kind, php: Php) -> None:
    random = Random(3)
    rules: Counter[str] = Counter()

    for blob in sorted((spoilt(random) for _ in range(SPOILT_COUNT)), key=len):
        rules.update(compare(blob, kind, php))

    assert rules[SAME] > SPOILT_COUNT / 4
    assert rules[REFUSED_BY_PHP] > SPOILT_COUNT / 4
    assert min(rules[reason] for reason in REASONS.keys() - {"entries", "bytes"}) > 5


# ---------------------------------------------------------------- the bounds


def nested_blob(levels: int) -> bytes:
    return b"a:1:{i:0;" * (levels - 1) + b"a:0:{}" + b"}" * (levels - 1)


def blob_with_entries(count: int) -> bytes:
    return b"a:%d:{%s}" % (count, b"".join(b"i:%d;b:1;" % index for index in range(count)))


def blob_of_bytes(count: int) -> bytes:
    text = b"x" * (count - len(b'a:1:{i:0;s:12345:"";}'))
    return b'a:1:{i:0;s:%d:"%s";}' % (len(text), text)


@pytest.mark.parametrize(
    ("kind", "blob", "rule"),
    [
        pytest.param(VALUE, nested_blob(5), SAME, id="a value of 5 levels"),
        pytest.param(VALUE, nested_blob(6), "levels", id="a value of 6 levels"),
        pytest.param(BODY, nested_blob(6), SAME, id="a body of 6 levels: it is one itself"),
        pytest.param(BODY, nested_blob(7), "levels", id="a body of 7 levels"),
        pytest.param(VALUE, blob_with_entries(1_000), SAME, id="a value of 1,000 entries"),
        pytest.param(VALUE, blob_with_entries(1_001), "entries", id="a value of 1,001 entries"),
        pytest.param(VALUE, b"a:1:{i:0;%s}" % blob_with_entries(1_000), "entries", id="1,001 entries, on two levels"),
        pytest.param(BODY, blob_with_entries(1_001), SAME, id="a body of 1,001 entries"),
        pytest.param(VALUE, blob_of_bytes(65_536), SAME, id="a value of 64 KiB"),
        pytest.param(VALUE, blob_of_bytes(65_537), "bytes", id="a value of 64 KiB and a byte"),
        pytest.param(BODY, blob_of_bytes(65_537), SAME, id="a body of 64 KiB and a byte"),
    ],
)
def test_levels_entries_and_bytes_are_bounded_where_php_has_no_bound(
    kind: Kind, blob: bytes, rule: str, php: Php
) -> None:
    assert compare(blob, kind, php) == {rule}


# ---------------------------------------------------------------- base64

BASE64_TEXTS_COUNT = 1_000


def test_base64_that_we_take_is_undone_as_php_does(php: Php) -> None:
    random = Random(4)
    taken = 0

    for _ in range(BASE64_TEXTS_COUNT):
        packed = base64.b64encode(random.randbytes(random.randint(0, 30))).decode()
        written = random.choice((packed, packed.rstrip("="), packed.replace("+", " "), spoilt_text(random, packed)))
        try:
            blob = from_base64(written)
        except NotSerialized:
            assert set(written) - set(packed) or len(written.rstrip("=")) % 4 == 1 or "=" in written.rstrip("=")
        else:
            # Its own alphabet; PHP passes over line ends, too.
            assert blob == php.base64_decode(written.translate(str.maketrans(" -_", "++/")).encode())
            taken += 1

    assert taken > BASE64_TEXTS_COUNT / 2


def spoilt_text(random: Random, text: str) -> str:
    place = random.randint(0, len(text))
    return text[:place] + random.choice(("", "=", "\n", "\r\n", "-", "_", "%", "A", "\u00e4", "\0")) + text[place + 1 :]
