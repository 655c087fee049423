"""What reading a request costs at most: a body is of somebody who may mean no good, and is read where all are served.

Processor time, not time: what else the machine does is not counted. Bounds leave room for a slow machine; without them
each of these took half a second to two.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from schemas import add_order, wire
from schemas.rejections import Rejected

BODY_BYTES = 2**20
REFUSED_SECONDS_MAX = 0.04  # from the bytes
READ_SECONDS_MAX = 0.25  # as much as is taken at all: on a machine that does nothing else, a quarter of it
BEST_OF = 3


@dataclass(frozen=True)
class Kind:
    """Bodies of many parts. A part is written with its number."""

    media: str
    part: Callable[[int], str]
    head: str = ""
    tail: str = ""
    between: str = ""

    def body(self, parts: int) -> bytes:
        """Write a body of so many parts, or as many as there is room for."""
        head, tail = (text.replace("COUNT", str(parts)) for text in (self.head, self.tail))
        written: list[str] = []
        room = BODY_BYTES - len(head) - len(tail)
        for number in range(parts):
            part = self.part(number) + self.between
            room -= len(part)
            if room < 0:
                break
            written.append(part)
        text = "".join(written)
        return f"{head}{text.removesuffix(self.between)}{tail}".encode()

    @property
    def fitting(self) -> int:
        """How many parts there is room for; of an array that tells its size, exactly so many must be written."""
        return BODY_BYTES // len(self.part(99_999) + self.between) - 10


def json(part: Callable[[int], str], head: str = '{"clientid":1,"pid":[', tail: str = "]}") -> Kind:
    return Kind(wire.JSON, part, head, tail, ",")


def form(part: Callable[[int], str]) -> Kind:
    return Kind(wire.FORM, part, "clientid=1&", "", "&")


def php(part: Callable[[int], str], head: str = 'a:1:{s:3:"pid";a:COUNT:{', tail: str = "}}") -> Kind:
    return Kind(wire.PHP, part, head, tail)


def php_text(text: str) -> str:
    return f's:{len(text)}:"{text}";'


KINDS = {
    "JSON numbers": json(lambda _: "1"),
    "JSON nulls": json(lambda _: "null"),
    "JSON empty texts": json(lambda _: '""'),
    "JSON texts with escapes": json(lambda _: '"\\\\"'),
    "JSON empty objects": json(lambda _: "{}"),
    "JSON lists in lists": json(lambda _: "[[[[]]]]"),
    "JSON names": json(lambda number: f'"{number}":1', "{", "}"),
    "JSON names of elements": json(lambda number: f'"p[{number}]":1', "{", "}"),
    "JSON names with brackets": json(lambda _: '"p[][][][][]":1', "{", "}"),
    "JSON map": json(lambda number: f'"{number}":1', '{"clientid":1,"customfields":[{', "}]}"),
    "JSON renewals": json(lambda number: f'"{number}":1', '{"domainrenewals":{', "}}"),
    "form of nothing": form(lambda _: ""),
    "form names": form(lambda number: f"{number}"),
    "form one name": form(lambda _: "pid=1"),
    "form elements": form(lambda _: "pid[]=1"),
    "form numbered elements": form(lambda number: f"pid[{number}]=1"),
    "form brackets": form(lambda _: "p[][][][][]"),
    "form brackets of a parameter": form(lambda _: "pid[][][][][]=1"),
    "form percent-encoded": form(lambda _: "%70%5B%5D=%31"),
    "form maps": form(lambda _: "customfields[]=YTowOnt9"),
    "PHP numbers": php(lambda number: f"i:{number};i:1;"),
    "PHP nulls": php(lambda number: f"i:{number};N;"),
    "PHP arrays": php(lambda number: f"i:{number};a:0:{{}}"),
    "PHP names": php(lambda number: f"i:{number};i:1;", "a:COUNT:{", "}"),
    "PHP names with brackets": php(lambda number: f"{php_text(f'p[{number}][][][][]')}i:1;", "a:COUNT:{", "}"),
}
ONE_PART = {
    "JSON a deep list": (wire.JSON, b'{"pid":' + b"[" * (BODY_BYTES - 10)),
    "JSON a long number": (wire.JSON, b'{"pid":' + b"1" * (BODY_BYTES - 10) + b"}"),
    "JSON a long text of escapes": (wire.JSON, b'{"notes":"' + b'\\"' * (BODY_BYTES // 2 - 10) + b'"}'),
    "JSON addons": (wire.JSON, b'{"clientid":1,"addons":["' + b"1," * (BODY_BYTES // 2 - 20) + b'"]}'),
    "form a deep name": (wire.FORM, b"p" + b"[]" * (BODY_BYTES // 2 - 10) + b"=1"),
    "form a text of escapes": (wire.FORM, b"notes=" + b"%41" * (BODY_BYTES // 3 - 10)),
    "form escaped separators": (wire.FORM, b"#38;" * (BODY_BYTES // 4 - 10) + b"x=1"),
    "PHP a long text": (wire.PHP, f'a:1:{{s:5:"notes";s:{10**6}:"{"a" * 10**6}";}}'.encode()),
}


def cost(body: bytes, media: str) -> tuple[float, str]:
    """Read a request as the edge does; return what it cost, and the code of the first fault."""
    seconds: list[float] = []
    code = ""
    for _ in range(BEST_OF):
        began = time.process_time()
        try:
            tree = wire.decode(body, media)
            add_order.unknown_names(tree)
            add_order.parse(tree)
        except Rejected as rejected:
            code = rejected.faults[0].code
        seconds.append(time.process_time() - began)
    return min(seconds), code


@pytest.mark.parametrize("name", KINDS)
def test_more_values_than_an_order_can_have_are_refused_from_the_bytes(name: str) -> None:
    kind = KINDS[name]

    seconds, code = cost(kind.body(kind.fitting), kind.media)

    assert code in {"too_many_items", "malformed"}
    assert seconds < REFUSED_SECONDS_MAX


@pytest.mark.parametrize("name", KINDS)
def test_what_is_read_at_all_costs_a_fraction_of_a_second(name: str) -> None:
    kind = KINDS[name]
    brackets = max(1, kind.part(1).count("["))
    parts = min(wire.VALUES_MAX - 10, wire.BRACKETS_MAX // brackets - 10)
    if kind.media == wire.JSON and kind.part(1)[0] in "[{":
        parts = wire.ARRAYS_MAX // len(kind.part(1)) * 2 - 10

    seconds, _ = cost(kind.body(parts), kind.media)

    assert seconds < READ_SECONDS_MAX


@pytest.mark.parametrize("name", ONE_PART)
def test_one_long_value_costs_a_fraction_of_a_second(name: str) -> None:
    media, body = ONE_PART[name]

    assert cost(body, media)[0] < READ_SECONDS_MAX


def test_a_thousand_items_with_all_that_they_can_have_are_not_too_many() -> None:
    names = [name for name in add_order._ARRAYS if name != "domainrenewals"]  # noqa: SLF001  # whatever comes to be one
    body = "&".join(f"{name}[{number}]=1" for name in names if name not in add_order._MAPS for number in range(700))  # noqa: SLF001

    with pytest.raises(Rejected) as refused:
        add_order.parse(wire.decode(f"clientid=1&{body}".encode(), wire.FORM))

    assert "too_many_items" not in {fault.code for fault in refused.value.faults}
