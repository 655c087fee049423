"""Whatever bytes come, the decoders read them or reject them, and take next to no time for it (reliability.md 10)."""

import base64
import gc
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import phpserialize
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import add_order, wire
from schemas.rejections import Rejected
from schemas.wire import FORM, JSON, PHP

BYTES_MAX = 64 * 1024
SECONDS_MAX = 0.05  # of processor time, for as much, on a machine that takes the next for YARDSTICK_NUMBERS squares
YARDSTICK_SECONDS = 0.005
YARDSTICK_NUMBERS = 100_000
MEASUREMENTS = 8  # of which the best counts: machines are noisy

# Other ones at every run. All of it takes seconds at a desk, and less than half a minute in CI.
fuzzed = settings(
    max_examples=1_500 if os.environ.get("CI") else 200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
pytestmark = pytest.mark.timeout(60)

VALUES = {
    "clientid": "1",
    "pid": {"0": "1", "1": "5"},
    "domain": {"0": "a.com", "1": "b\u00e4.co.uk"},
    "billingcycle": {"0": "monthly"},
    "addons": {"0": "1,,3"},
    "customfields": {"0": "YToxOntpOjE7czo2OiJHb29nbGUiO30=", "1": {"1": "x"}},
    "configoptions": {"0": {"1": {"optionid": "2", "qty": "3"}}},
    "priceoverride": {"0": "5.00"},
    "domainrenewals": {"domain1.com": "1"},
    "clientip": "2001:db8::1",
    "noinvoice": "on",
    "notes": "a b\n",
    "responsetype": "xml",
}
FIELDS = {
    "clientid": "1",
    "pid[0]": "1",
    "pid[]": "5",
    "addons[0]": "1,3",
    "domainrenewals[a.com]": "1",
    "notes": "\u20ac",
}
VALID = {
    JSON: json.dumps(VALUES).encode(),
    FORM: urlencode(FIELDS).encode(),
    PHP: bytes(phpserialize.dumps(VALUES)),
}
# What means something in one of the three, or in their values.
TOKENS = (
    b'{}[]",:0 \\ \\u0000 \\ud800 null true NaN Infinity 1e999999 -0 {"pid":[ {"a": [[ ]] '
    b"& = ; + % %00 %FF %C0%80 [ ] [] [0] [][] pid=1& pid[]=1& clientid=1& a[ a[[[[=& "
    b'a:1:{ a:-1:{ a:99999999: i:0; i:-1; i:9223372036854775808; s:1:"a"; s:-1:" d:NAN; d:1E999; b:1; N; } R:1; O:1: '
    b"\xff \xef\xbb\xbf \xed\xa0\x80 \xf0\x9f\x92\xa9 \0 , 1, = YTox"
).split(b" ")


@dataclass(frozen=True)
class Mutation:
    """One way to spoil a body."""

    what: str
    start: int
    length: int
    token: bytes
    times: int

    def of(self, body: bytes) -> bytes:
        start = self.start % (len(body) + 1)
        piece = body[start : start + self.length]
        match self.what:
            case "insert":
                middle = self.token * self.times + piece
            case "repeat":
                middle = piece * self.times
            case "fill":
                middle = (self.token + piece) * (BYTES_MAX // len(self.token + piece))
            case _:
                middle = b""
        return (body[:start] + middle + body[start + self.length :])[:BYTES_MAX]


mutations = st.lists(
    st.builds(
        Mutation,
        st.sampled_from(("insert", "insert", "repeat", "repeat", "leave out", "leave out", "fill")),
        st.integers(0, 2_000),
        st.integers(1, 60),
        st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=4)),
        st.sampled_from((1, 2, 7, 100, 5_000)),
    ),
    min_size=1,
    max_size=6,
)
in_tokens = st.lists(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=3)), max_size=40).map(b"".join)
content_types = st.sampled_from((JSON, FORM, PHP, None))


def spoil(body: bytes, mutating: list[Mutation]) -> bytes:
    for mutation in mutating:
        body = mutation.of(body)
    return body


def read(body: bytes, content_type: str | None) -> None:
    """Read a body as far as it goes. Nothing is raised but Rejected, and that has a code."""
    try:
        add_order.parse(wire.decode(body, content_type))
    except Rejected as rejected:
        codes = [fault.code for fault in rejected.faults]
        assert codes
        assert all(re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code) for code in codes)


@pytest.fixture(autouse=True, scope="module")
def _nothing_older_is_collected() -> Iterator[None]:
    """Leave what the tests themselves hold out of collections: they would take several times what is measured."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def is_quick(reading: Callable[[], object]) -> bool:
    return any(seconds(reading) <= SECONDS_MAX * slowness() for _ in range(MEASUREMENTS))


def seconds(doing: Callable[[], object]) -> float:
    began = time.thread_time()
    doing()
    return time.thread_time() - began


def slowness() -> float:
    """How many times slower than most this machine is, at this moment."""
    return max(1.0, seconds(lambda: sum(number * number for number in range(YARDSTICK_NUMBERS))) / YARDSTICK_SECONDS)


def why_not(written: str) -> str:
    try:
        wire.unserialize_value(written)
    except UnicodeError:
        raise  # a ValueError, too, but no sentence of ours: it would quote the value
    except ValueError as error:
        return str(error)
    return ""


@given(st.one_of(st.binary(max_size=1_000), in_tokens), content_types)
@fuzzed
def test_any_bytes_are_read_or_rejected(body: bytes, content_type: str | None) -> None:
    read(body, content_type)


@given(st.text(max_size=300), content_types)
@fuzzed
def test_any_text_is_read_or_rejected(body: str, content_type: str | None) -> None:
    read(body.encode("utf-8", "surrogatepass"), content_type)


@pytest.mark.parametrize("content_type", VALID)
def test_what_is_to_be_spoilt_can_be_read(content_type: str) -> None:
    order = add_order.parse(wire.decode(VALID[content_type], content_type))

    assert [item.product_id for item in order.items] == [1, 5]


@given(mutations, st.sampled_from(tuple(VALID)))
@fuzzed
def test_a_spoilt_body_is_read_or_rejected_in_next_to_no_time(mutating: list[Mutation], content_type: str) -> None:
    body = spoil(VALID[content_type], mutating)

    assert is_quick(lambda: read(body, content_type))


# ---------------------------------------------------------------- names in brackets, in each encoding

NAMES = st.sampled_from(("pid", "PID", "qty", "customfields", "x"))
KEYS = st.sampled_from(("", " ", "0", "1", "2", "-1", "00", "a.com", "b]", "[c", "9223372036854775807"))
bracketed = st.builds(
    lambda name, keys, end: name + "".join(f"[{key}]" for key in keys) + end,
    NAMES,
    st.lists(KEYS, max_size=6),
    st.sampled_from(("", "", "", "[", "]", "[x", "y")),
)
texts = st.sampled_from(("", "1", "5.00", "a b", "\u20ac"))


def tree_or_code(body: bytes, content_type: str) -> object:
    try:
        return wire.decode(body, content_type)
    except Rejected as rejected:
        return rejected.faults[0].code


@given(st.lists(st.tuples(bracketed, texts), min_size=1, max_size=6))
@fuzzed
def test_names_with_brackets_are_the_same_tree_in_each_encoding(pairs: list[tuple[str, str]]) -> None:
    as_form = tree_or_code(urlencode(pairs).encode(), FORM)
    members = ",".join(f"{json.dumps(name)}:{json.dumps(text)}" for name, text in pairs)

    assert tree_or_code(f"{{{members}}}".encode(), JSON) == as_form
    if len(dict(pairs)) == len(pairs):  # PHP has no name twice
        assert tree_or_code(bytes(phpserialize.dumps(dict(pairs))), PHP) == as_form


@given(st.dictionaries(st.sampled_from(("0", "1", "5")), texts), st.sampled_from(("0", "1", "7")), texts)
@fuzzed
def test_an_array_given_whole_is_the_array_of_its_elements_in_brackets(
    whole: dict[str, str], key: str, text: str
) -> None:
    pairs = [(f"qty[{index}]", member) for index, member in whole.items()]
    as_form = tree_or_code(urlencode([*pairs, (f"qty[{key}]", text)]).encode(), FORM)

    assert tree_or_code(json.dumps({"qty": whole, f"qty[{key}]": text}).encode(), JSON) == as_form
    assert tree_or_code(bytes(phpserialize.dumps({"qty": whole, f"qty[{key}]": text})), PHP) == as_form


# ---------------------------------------------------------------- serialized values

SERIALIZED = (
    bytes(phpserialize.dumps({1: "Google", "a": {"optionid": 5, "qty": 2}, 3: 1.5, 4: None, 5: True})),
    json.dumps({1: "Google", "a": {"optionid": 5, "qty": 2}, "b": [1, None, True]}).encode(),
)


@given(st.one_of(st.sampled_from(SERIALIZED), in_tokens), mutations)
@fuzzed
def test_a_spoilt_serialized_value_is_read_or_says_why_not_in_next_to_no_time(
    blob: bytes, mutating: list[Mutation]
) -> None:
    written = base64.b64encode(spoil(blob, mutating)).decode()

    why = why_not(written)
    assert len(why) < 100
    assert "Google" not in why
    assert is_quick(lambda: why_not(written))


@given(st.text(max_size=300))
@fuzzed
def test_any_text_is_a_serialized_value_or_is_refused_without_an_echo(written: str) -> None:
    assert "hunter2" not in why_not(f"hunter2{written}")


# ---------------------------------------------------------------- 64 KiB of one thing


def filled(piece: str) -> list[bytes]:
    """Repeat a piece as often as 64 KiB hold it, # being its number."""
    pieces: list[bytes] = []
    bytes_left = BYTES_MAX - 32  # for what opens and closes it
    while bytes_left > 0:
        pieces.append(piece.replace("#", str(len(pieces))).encode())
        bytes_left -= len(pieces[-1])
    return pieces[:-1]


FILLED: dict[str, Callable[[list[bytes]], bytes]] = {
    "form": lambda pairs: b"clientid=1&" + b"".join(pairs),
    "json object": lambda members: b'{%s"z":1}' % b"".join(members),
    "json list": lambda members: b'{"pid":[%s1]}' % b"".join(members),
    "php array": lambda entries: b"a:%d:{%s}" % (len(entries), b"".join(entries)),
    "php array of 1": lambda entries: b"a:1:{i:0;%s}" % b"".join(entries),
}
PIECES = {
    "form": (
        *(
            "pid=7&",
            "#=7&",
            "pid[#]=7&",
            "pid[]=7&",
            "x[a]=1&",
            "x[a][b][c][d]=1&x=1&",
            "x[][][][][]&",
            "x[#][a]=&x[#]&",
        ),
        *(
            "customfields[#]=YTowOnt9&",
            "%",
            "%41",
            "%41&",
            "%C3%A4",
            "%C3%A4=%C3%A4&",
            "\u00e4",
            "+",
            "[",
            "]",
            "&",
            "=&",
        ),
    ),
    "json object": (
        '"a":1,',
        '"#":1,',
        '"a":{},',
        '"#":{},',
        '"pid":[7],',
        '"#":[[]],',
        '"\\u0061\\u20ac":[],',
        '"#":"\\ud800",',
        '"#":"\\u0000",',
        '{"a":',
        '"a[]":1,',
        '"a[#]":1,',
        '"a[x]":{"b":1},"a":[1],',
        '"a[][][][][]":[],',
    ),
    "json list": (
        "7,",
        "[],",
        "[[]],",
        "{},",
        '{"a":1},',
        '"\\u20ac",',
        "null,",
        '"YTowOnt9",',
        '"e30",',
        "[",
        " ",
        "9",
    ),
    "php array": (
        *("i:#;N;", "i:#;b:1;", "i:#;a:0:{}", "i:0;a:1:{i:0;N;}", 's:1:"a";s:1:"b";', 's:0:"";N;', "N;N;", "d:1.5;N;"),
        's:3:"a[]";i:1;s:1:"a";a:0:{}',
        *("i:#;d:0.10000000000000001;", "i:#;i:9223372036854775807;", 'i:#;s:3:"\u20ac";', 'i:#;s:00000001:"a";'),
    ),
    "php array of 1": ("N;", "i:0;", "a:1:{i:0;", 's:1:"a";', "}", "O:1:", "d:12345678901234567890", "9"),
}
CONTENT_TYPES = {name: {"f": FORM, "j": JSON, "p": PHP}[name[0]] for name in PIECES}
ALL_PIECES = [(name, piece) for name, pieces in PIECES.items() for piece in pieces]


@pytest.mark.parametrize(("name", "piece"), ALL_PIECES)
def test_64_kib_of_one_thing_are_read_or_rejected_in_next_to_no_time(name: str, piece: str) -> None:
    body = FILLED[name](filled(piece))

    assert BYTES_MAX - 64 < len(body) <= BYTES_MAX
    assert is_quick(lambda: read(body, CONTENT_TYPES[name]))


@pytest.mark.parametrize(("name", "piece"), [(name, piece) for name, piece in ALL_PIECES if name != "form"])
def test_64_kib_of_one_thing_as_a_serialized_value_are_read_or_say_why_not_in_next_to_no_time(
    name: str, piece: str
) -> None:
    written = base64.b64encode(FILLED[name](filled(piece))).decode()

    assert is_quick(lambda: why_not(written))


EURO_SIGNS = "\u20ac" * 17


@pytest.mark.parametrize(
    "value",
    [
        bytes(phpserialize.dumps(dict.fromkeys(range(999), EURO_SIGNS))),
        bytes(phpserialize.dumps({f"{number:030}": 0.1 for number in range(1_000)})),
        json.dumps(dict.fromkeys(range(999), EURO_SIGNS), ensure_ascii=False).encode(),
    ],
    ids=["texts by number", "numbers by text", "a JSON object"],
)
def test_a_serialized_value_as_large_as_may_be_is_read_in_next_to_no_time(value: bytes) -> None:
    written = base64.b64encode(value).decode()

    assert why_not(written) == ""
    assert BYTES_MAX * 0.6 < len(value) <= BYTES_MAX
    assert is_quick(lambda: wire.unserialize_value(written))


@pytest.mark.parametrize(
    "blob",
    [
        *(b"a:9999999:{}", b"a:1001:{" + b"i:0;N;" * 1_001 + b"}", b's:99999999:"', b'O:99999999:"', b"a:1:{" * 10_000),
        *(b"a:1:{" + b"N;" * 30_000 + b"}", b'{"a":[' + b"[[]]," * 13_000 + b"1]}"),
    ],
    ids=["a count", "entries", "a length", "an object", "levels", "more than declared", "entries of JSON"],
)
def test_a_value_that_declares_much_is_refused_in_microseconds(blob: bytes) -> None:
    began = time.thread_time()

    for _ in range(100):
        assert why_not(base64.b64encode(blob).decode())

    assert (time.thread_time() - began) / 100 < 0.001
