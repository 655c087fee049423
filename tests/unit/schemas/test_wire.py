"""Bytes → names and values, in three encodings (addorder.md 1)."""

import base64
import json
import time
from urllib.parse import urlencode

import phpserialize
import pytest

from schemas import wire
from schemas.rejections import Rejected
from schemas.wire import FORM, JSON, PHP, Repeated, decode


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        ("pid[0]=1&pid[2]=5", {"pid": {"0": "1", "2": "5"}}),
        ("pid[1]=5&pid[0]=1", {"pid": {"1": "5", "0": "1"}}),
        ("pid[]=1&pid[]=5", {"pid": {"0": "1", "1": "5"}}),
        ("pid[]=1&pid[]=5&pid[7]=9&pid[]=3", {"pid": {"0": "1", "1": "5", "7": "9", "8": "3"}}),
        ("pid[2]=1&pid[1]=5&pid[]=3", {"pid": {"2": "1", "1": "5", "3": "3"}}),
        ("pid%5B0%5D=1", {"pid": {"0": "1"}}),
        ("domainrenewals[domain1.com]=1", {"domainrenewals": {"domain1.com": "1"}}),
        ("customfields[0][1]=Google", {"customfields": {"0": {"1": "Google"}}}),
        ("clientid=1&&paymentmethod=paypal&", {"clientid": "1", "paymentmethod": "paypal"}),
        ("noinvoice&clientid=1", {"noinvoice": "", "clientid": "1"}),
        ("clientid=1;pid=3", {"clientid": "1;pid=3"}),
        ("ClientID=1&PID[0]=2", {"clientid": "1", "pid": {"0": "2"}}),
        ("notes=a+b%20c%2B", {"notes": "a b c+"}),
        ("notes=%E6%9D%B1", {"notes": "東"}),
        ("pid[0=1", {"pid[0": "1"}),
        ("pid=1&pid=5", {"pid": Repeated(["1", "5"])}),
        ("pid=1&PID=5&pid=7", {"pid": Repeated(["1", "5", "7"])}),
        ("pid[0]=1&pid[0]=5", {"pid": {"0": Repeated(["1", "5"])}}),
        ("pid=2&pid[0]=1", {"pid": Repeated([])}),
        ("pid[0]=1&pid=2", {"pid": Repeated([])}),
    ],
)
def test_a_form_body_is_read_by_phps_rules_but_nothing_given_twice_is_lost(body: str, tree: object) -> None:
    assert decode(body.encode(), FORM) == tree


def test_a_charset_behind_the_content_type_changes_nothing() -> None:
    assert decode(b"clientid=1", f"{FORM}; charset=utf-8") == {"clientid": "1"}


def test_json_numbers_keep_the_digits_they_were_written_with() -> None:
    body = b'{"priceoverride": [5, 5.50, 1e3, 12345678901234567890.10], "Pid": 7}'

    assert decode(body, JSON) == {
        "priceoverride": {"0": "5", "1": "5.50", "2": "1e3", "3": "12345678901234567890.10"},
        "pid": "7",
    }


def test_a_serialized_float_keeps_the_digits_it_was_written_with() -> None:
    body = b'a:1:{s:13:"priceoverride";a:3:{i:0;d:19.989999999999998;i:1;d:5;i:2;d:1.0E+2;}}'

    assert decode(body, PHP) == {"priceoverride": {"0": "19.989999999999998", "1": "5", "2": "1.0E+2"}}
    assert wire.unserialize_value("YToxOntpOjE7ZDoxOS45ODk5OTk5OTk5OTk5OTg7fQ==") == {"1": "19.989999999999998"}


def test_json_null_is_absent_and_keeps_the_places_of_the_others() -> None:
    assert decode(b'{"pid": [null, 5], "notes": null}', JSON) == {"pid": {"1": "5"}}


def test_json_booleans_are_words() -> None:
    assert decode(b'{"noinvoice": true, "noemail": false}', JSON) == {"noinvoice": "true", "noemail": ""}


def test_a_body_that_begins_like_json_needs_no_content_type() -> None:
    assert decode(b' {"clientid": 1}', None) == {"clientid": "1"}


def test_a_name_twice_in_json_is_a_name_given_twice() -> None:
    assert decode(b'{"clientid": 1, "clientid": 2}', JSON) == {"clientid": Repeated(["1", "2"])}


@pytest.mark.parametrize(
    "pairs",
    [
        [("qty[0]", "2")],
        [("PID[0]", "1"), ("pid[2]", "5")],
        [("addons[]", "1,3"), ("addons[]", "5")],
        [("customfields[1][2]", "Google")],
        [("domainrenewals[a.com]", "1"), ("domainrenewals", "2")],
        [("qty", "1"), ("qty", "2"), (" qty", "3")],
        [("pid[0", "1"), ("[a]", "2"), ("a]b[c]", "3"), ("a[b]c", "4"), ("x[ ]", "5"), ("", "6")],
        [("\n pid ", "1"), ("qty [0]", "2")],
    ],
)
def test_names_are_read_as_those_of_a_form_in_each_encoding(pairs: list[tuple[str, str]]) -> None:
    tree = decode(urlencode(pairs).encode(), FORM)

    assert (
        decode(b"{%s}" % ",".join(f"{json.dumps(name)}: {json.dumps(text)}" for name, text in pairs).encode(), JSON)
        == tree
    )
    if len(dict(pairs)) == len(pairs):  # PHP has no name twice
        assert decode(phpserialize.dumps(dict(pairs)), PHP) == tree


# What str.strip takes for white space; the others are of text that is pasted from web pages and office programs.
WHITE = "\u00a0 \t\r\n\v\f\u2003\u202f\u3000\u2028"


@pytest.mark.parametrize(
    "name", ["promocode", "paymentmethod", "domain[0]", "pid[0]", "identifier", "configoptions[0][1]"]
)
def test_outer_white_space_of_a_value_is_nothing_in_each_encoding(name: str) -> None:
    padded, bare = {name: f"{WHITE}a{WHITE}b{WHITE}"}, {name: f"a{WHITE}b"}

    for media in (FORM, JSON, PHP):
        assert decode(body_of(padded, media), media) == decode(body_of(bare, media), media)


@pytest.mark.parametrize(
    "name", ["rootpw[0]", "password", "Secret", "accesskey", "eppcode", "notes", "customfields[0][1]"]
)
def test_secrets_codes_for_transfer_notes_and_custom_fields_keep_theirs(name: str) -> None:
    for media in (FORM, JSON, PHP):
        assert texts_of(decode(body_of({name: f" a{WHITE}"}, media), media)) == [f" a{WHITE}"]


def body_of(pairs: dict[str, str], media: str) -> bytes:
    match media:
        case wire.FORM:
            return urlencode(pairs).encode()
        case wire.JSON:
            return json.dumps(pairs).encode()
    return bytes(phpserialize.dumps(pairs))


def texts_of(tree: wire.Tree) -> list[str]:
    texts: list[str] = []
    for value in tree.values():
        assert not isinstance(value, Repeated)
        texts += [value] if isinstance(value, str) else texts_of(value)
    return texts


def test_a_value_of_white_space_only_is_empty() -> None:
    assert decode(b"promocode=+%C2%A0&notes=+", FORM) == {"promocode": "", "notes": " "}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\r\n clientid=1&secret=a\r\n", FORM),
        (b'\n{"clientid": 1, "secret": "a"}\n', JSON),
        (b'\t a:2:{s:8:"clientid";i:1;s:6:"secret";s:1:"a";}\r\n', PHP),
    ],
)
def test_white_space_around_a_whole_body_belongs_to_no_value(body: bytes, content_type: str) -> None:
    assert decode(body, content_type) == {"clientid": "1", "secret": "a"}


@pytest.mark.parametrize("content_type", [FORM, JSON, PHP, None])
def test_a_body_of_white_space_only_is_empty(content_type: str | None) -> None:
    assert decode(b" \r\n", content_type) == {}


def test_a_name_of_a_form_may_have_white_space_around_it() -> None:
    assert decode(b"clientid=1&\r\n pid[0]=7&qty =2", FORM) == {"clientid": "1", "pid": {"0": "7"}, "qty": "2"}


def test_brackets_inside_a_value_are_no_names() -> None:
    body = {"customfields": {"0": {"a[0]": "x", "b[": "y"}}}

    assert decode(json.dumps(body).encode(), JSON) == body
    assert decode(phpserialize.dumps(body), PHP) == body


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        ('{"qty": {"0": 2}, "qty[1]": 3}', {"qty": {"0": "2", "1": "3"}}),
        ('{"qty[1]": 3, "qty": {"0": 2}}', {"qty": {"0": "2", "1": "3"}}),
        ('{"pid": [1, 5], "pid[]": 7}', {"pid": {"0": "1", "1": "5", "2": "7"}}),
        ('{"pid[]": 7, "pid": {"4": 5}, "PID[]": 9}', {"pid": {"0": "7", "4": "5", "5": "9"}}),
        ('{"m[0]": {"a": 1}, "m[0][b]": 2}', {"m": {"0": {"a": "1", "b": "2"}}}),
        ('{"pid": [1, 5], "pid[1]": 7}', {"pid": {"0": "1", "1": Repeated(["5", "7"])}}),
        ('{"pid": 1, "pid[1]": 7}', {"pid": Repeated([])}),
        ('{"pid[1]": 7, "pid": 1}', {"pid": Repeated([])}),
        ('{"pid[0]": [1], "pid[0]": [5]}', {"pid": {"0": Repeated([])}}),
        ('{"pid": [1], "pid": [5]}', {"pid": Repeated([])}),
        ('{"pid[0]": null, "pid": [1]}', {"pid": {"0": "1"}}),
    ],
)
def test_an_array_and_names_in_brackets_are_one_array_and_nothing_given_twice_is_lost(body: str, tree: object) -> None:
    assert decode(body.encode(), JSON) == tree


def test_a_php_body_is_the_same_tree_as_the_json_one() -> None:
    values = {"clientid": 1, "pid": [1, 5], "noinvoice": True, "domainrenewals": {"a.com": 2}, "notes": "Zoë"}

    assert decode(phpserialize.dumps(values), PHP) == decode(json.dumps(values).encode(), JSON)


def test_five_levels_below_a_parameter_are_enough_in_each_encoding() -> None:
    tree = {"a": {"0": {"0": {"0": {"0": {"0": "1"}}}}}}

    assert decode(b"a[0][0][0][0][0]=1", FORM) == tree
    assert decode(b'{"a": [[[[[1]]]]]}', JSON) == tree
    assert decode(b'{"a[0][0]": [[[1]]]}', JSON) == tree
    assert decode(phpserialize.dumps(tree), PHP) == tree


def test_what_is_written_down_in_json_keeps_arrays_of_items_and_maps_apart() -> None:
    body = {"pid": "1", "customfields": [{"1": "x"}], "configoptions": {"0": "2"}, "qty": {"1": "3"}}

    assert json.loads(wire.encode(decode(json.dumps(body).encode(), JSON), JSON)) == body


def test_an_empty_body_has_no_parameters() -> None:
    assert decode(b"", FORM) == {}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"clientid=1", "application/pdf"),
        (b"clientid=1", "multipart/form-data; boundary=x"),
        (b"notes=%FF", FORM),
        (b"notes=\xff", FORM),
        (b"notes=a%00b", FORM),
        (b"notes%00=a", FORM),
        (b"a[b][c][d][e][f][g]=1", FORM),
        (b"{", JSON),
        (b"[1]", JSON),
        (b'"clientid"', JSON),
        (b'{"clientid": NaN}', JSON),
        (b'{"clientid": Infinity}', JSON),
        (b'{"notes": "x\\ud800y"}', JSON),
        (b'{"notes": "x\\u0000y"}', JSON),
        (b'{"\\u0000": "y"}', JSON),
        (b'{"pid": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", JSON),
        (b'{"pid": [[[[[[1]]]]]]}', JSON),
        (b'{"a[b][c][d][e][f]": [1]}', JSON),
        (b'a:1:{s:10:"a[b][c][d]";a:1:{i:0;a:1:{i:0;a:1:{i:0;i:1;}}}}', PHP),
        (b'{"clientid": ' + b"9" * 5_000 + b"}", "application/xml"),
        (b"i:1;", PHP),
        (b'a:1:{s:8:"clientid";i:1;', PHP),
        (b'a:1:{s:8:"clientid";i:1;}x', PHP),
        (b'O:1:"A":0:{}', PHP),
        (b'a:1:{s:1:"a";O:1:"A":0:{}}', PHP),
        (b'a:2:{s:1:"a";i:1;s:1:"b";R:2;}', PHP),
        (b'a:1:{s:1:"a";i:99999999999999999999;}', PHP),
        (b'a:1:{s:1:"a";d:NAN;}', PHP),
        (b'a:999999:{s:1:"a";i:1;}', PHP),
        (b'a:1:{s:1:"a";s:4:"\xff\xfe\xfd\xfc";}', PHP),
    ],
)
def test_what_cannot_be_read_is_malformed_within_milliseconds(body: bytes, content_type: str | None) -> None:
    seconds = []
    for _ in range(3):  # the best counts: the machine has other work
        began = time.thread_time()
        with pytest.raises(Rejected) as refusal:
            decode(body, content_type)
        seconds.append(time.thread_time() - began)

    assert [fault.code for fault in refusal.value.faults] == ["malformed"]
    assert min(seconds) < 0.05


TELLING_NOTHING = (
    *(None, "", "text/plain", "text/plain; charset=utf-8", "TEXT/PLAIN", "application/octet-stream"),
    *("application/data", "; charset=utf-8", " text/plain ;x"),
)


@pytest.mark.parametrize("content_type", TELLING_NOTHING)
@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b'\r\n {"clientid": 1}', JSON),
        (b'\n a:1:{s:8:"clientid";i:1;}', PHP),
        (b"clientid=1", FORM),
        (b"\t clientid=1", FORM),
    ],
)
def test_a_content_type_that_tells_nothing_leaves_it_to_the_first_byte(
    content_type: str | None, body: bytes, media: str
) -> None:
    assert decode(body, content_type) == {"clientid": "1"}
    assert wire.media_type(content_type, body) == media


@pytest.mark.parametrize(
    ("content_type", "shown"),
    [
        ("application/pdf", "application/pdf"),
        ("text/json; charset=utf-8", "text/json; charset=utf-8"),
        ("application/json\r\nX: y\x1b[2J", "'application/json\\r\\nX: y\\x1b[2J'"),
        ("\u202ejson", "'\\u202ejson'"),
        ("x" * 255, "x" * 60 + "…"),
    ],
)
def test_a_content_type_that_is_none_of_the_three_is_named_so_that_no_terminal_obeys_it(
    content_type: str, shown: str
) -> None:
    with pytest.raises(Rejected) as refusal:
        decode(b"clientid=1", content_type)

    assert refusal.value.faults[0].message == (
        f"The request could not be read: its content type is {shown}: send it as {FORM}, {JSON} or {PHP}"
    )


@pytest.mark.parametrize("content_type", [FORM, JSON, PHP, None, "application/pdf"])
@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b'\xef\xbb\xbf{"clientid": 1}', "UTF-8"),
        (b"\xef\xbb\xbfclientid=1", "UTF-8"),
        ('\ufeff{"clientid": 1}'.encode("utf-16-le"), "UTF-16"),
        ("\ufeffclientid=1".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_a_byte_order_mark_is_named(body: bytes, encoding: str, content_type: str | None) -> None:
    with pytest.raises(Rejected) as refusal:
        decode(body, content_type)

    assert refusal.value.faults[0].message == (
        f"The request could not be read: it begins with the byte order mark of {encoding}: send UTF-8 without one"
    )


def test_refusing_never_echoes_what_was_sent() -> None:
    with pytest.raises(Rejected) as refusal:
        decode(b'{"password": "hunter2"', JSON)

    assert "hunter2" not in str(refusal.value)


def test_as_many_values_as_are_taken_are_all_read_and_one_more_is_refused() -> None:
    tree = decode(b"&".join([b"pid[]=7"] * wire.VALUES_MAX), FORM)

    pids = tree["pid"]
    assert isinstance(pids, dict)
    assert len(pids) == 20_000
    for body, media in (
        (b"&".join([b"pid[]=7"] * 20_001), FORM),
        (b'{"pid": [' + b",".join([b"7"] * 20_001) + b"]}", JSON),
        (b'a:1:{s:3:"pid";a:20000:{' + b"".join(b"i:%d;N;" % key for key in range(20_000)) + b"}}", PHP),
    ):
        with pytest.raises(Rejected) as refusal:
            decode(body, media)
        assert str(refusal.value) == "It has more than 20000 values, which no order needs: split it"


def test_commas_and_brackets_in_a_text_are_no_values() -> None:
    notes = "[{," * 20_000

    assert decode(json.dumps({"notes": notes, "pid": [1]}).encode(), JSON) == {"notes": notes, "pid": {"0": "1"}}


@pytest.mark.parametrize(
    "written",
    [
        "YToxOntpOjE7czo2OiJHb29nbGUiO30=",  # a:1:{i:1;s:6:"Google";}
        "YToxOntpOjE7czo2OiJHb29nbGUiO30",  # without its padding
        "YToxOntzOjE6IjEiO3M6NjoiR29vZ2xlIjt9",  # a:1:{s:1:"1";s:6:"Google";}
        "eyIxIjoiR29vZ2xlIn0=",  # {"1":"Google"}
        "CiB7IjEiOiAiR29vZ2xlIn0K",  # the same, with line ends around it
    ],
)
def test_a_serialized_value_is_base64_of_php_or_of_json(written: str) -> None:
    assert wire.unserialize_value(written) == {"1": "Google"}


@pytest.mark.parametrize(
    "blob", [b"a:0:{}", b"N;", b's:0:"";', b"b:0;", b"{}", b"[]", b"null", b'""', b"false", b" null\n"]
)
def test_nothing_that_was_serialized_is_an_empty_map(blob: bytes) -> None:
    assert wire.unserialize_value(base64.b64encode(blob).decode()) == {}


@pytest.mark.parametrize("blob", [b"b:1;", b"i:0;", b's:1:"0";', b"true", b"0", b"[0]", b"a:0:{} "])
def test_another_scalar_is_no_map(blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an array|must be a map|something follows"):
        wire.unserialize_value(base64.b64encode(blob).decode())


def test_a_plus_that_became_a_space_is_put_back() -> None:
    assert wire.unserialize_value("YToxOntpOjE7czozOiJ fj4iO30=") == {"1": "~~>"}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("base64_encode(serialize(array()))", "must be a map, or base64 of one"),
        ("TzoxOiJBIjowOnt9", "objects and references are refused"),  # O:1:"A":0:{}
        ("YToxOntpOjE7czo2OiJHb29nbGU=", "a declared length does not fit"),  # cut short
        ("YToxOntpOjE7czo2OiJHb29nbGUiO31hOjA6e30=", "something follows its end"),
        ("aToxOw==", "not an array"),  # i:1;
        ("WzFd", "must be a map, or base64 of one"),  # [1]
        ("Google", "must be a map, or base64 of one"),
    ],
)
def test_a_bad_serialized_value_says_why(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        wire.unserialize_value(written)
