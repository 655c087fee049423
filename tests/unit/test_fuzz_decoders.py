"""Whatever bytes come, the decoders read them or reject them, and take next to no time for it (reliability.md 10)."""

import base64
import json
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import phpserialize
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import add_order, wire
from schemas.rejections import Rejected
from schemas.wire import FORM, JSON, PHP

# Of processor time, for 64 KiB.
SECONDS_MAX = 0.05
MEASUREMENTS = 3  # of which the best counts: machines are noisy
SPOILT_BYTES_MAX = 16 * 1024
REPEATED_BYTES = 128 * 1024  # what takes quadratic time is far beyond its bound for as much

fuzzed = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
            case _:
                middle = b""
        return (body[:start] + middle + body[start + self.length :])[:SPOILT_BYTES_MAX]


mutations = st.lists(
    st.builds(
        Mutation,
        st.sampled_from(("insert", "repeat", "leave out")),
        st.integers(0, 2_000),
        st.integers(1, 60),
        st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=4)),
        st.sampled_from((1, 2, 7, 100, 5_000)),
    ),
    min_size=1,
    max_size=6,
)
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


def is_read_within(seconds: float, body: bytes, content_type: str) -> bool:
    for _ in range(MEASUREMENTS):
        began = time.thread_time()
        read(body, content_type)
        if time.thread_time() - began <= seconds:
            return True
    return False


def why_not(written: str) -> str:
    try:
        wire.unserialize_value(written)
    except ValueError as error:
        return str(error)
    return ""


@given(st.binary(max_size=1_000), content_types)
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

    assert is_read_within(SECONDS_MAX, body, content_type)


@given(st.binary(max_size=100), mutations)
@fuzzed
def test_a_spoilt_serialized_value_is_read_or_says_why_not(tail: bytes, mutating: list[Mutation]) -> None:
    options = {1: "Google", "a": {"optionid": 5, "qty": 2}, 3: 1.5, 4: None, 5: True}
    blob = spoil(bytes(phpserialize.dumps(options)), mutating) + tail

    assert len(why_not(base64.b64encode(blob).decode())) < 200


@given(st.text(max_size=300))
@fuzzed
def test_any_text_is_a_serialized_value_or_not(written: str) -> None:
    assert len(written) < 40 or written not in why_not(written)


@pytest.mark.parametrize(
    ("piece", "content_type"),
    [
        (b"pid=7&", FORM),
        (b"x[a]=1&", FORM),
        (b"x[]=1&", FORM),
        (b"x[a][b][c][d]=1&x=1&", FORM),
        (b"%", FORM),
        (b"[", FORM),
        (b"&", FORM),
        (b'"a":1,', JSON),
        (b'"a":{},', JSON),
        (b'"pid":[7],', JSON),
        (b'"\\u0061\\u20ac":[],', JSON),
        (b"[", JSON),
        (b'{"a":', JSON),
        (b"i:0;i:0;", PHP),
        (b"i:0;a:1:{i:0;N;}", PHP),
        (b"a:1:{i:0;", PHP),
        (b's:1:"a";', PHP),
    ],
)
def test_the_same_over_and_over_takes_time_for_its_length_only(piece: bytes, content_type: str) -> None:
    count = REPEATED_BYTES // len(piece)
    count -= count % 2  # whole pairs of key and value
    opening, closing = {FORM: (b"clientid=1&", b""), JSON: (b"{", b'"z":1}'), PHP: (b"a:%d:{" % (count // 2), b"}")}[
        content_type
    ]

    body = opening + piece * count + closing

    assert is_read_within(SECONDS_MAX * REPEATED_BYTES / 2**16, body, content_type)
