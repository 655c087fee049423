"""What a person may be shown of a message: everything but secrets, and nothing that drives a terminal."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas import wire
from worker import redaction
from worker.redaction import ReadableBody, readable, redacted

SECRET = "hunter2-fäßchen"
BYTES_MAX = 1_024


def php(text: str) -> bytes:
    return f'a:1:{{s:6:"rootpw";s:{len(text.encode())}:"{text}";}}'.encode()


def packed(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def read(body: bytes | Mapping[str, Any], content_type: str | None = wire.JSON) -> ReadableBody:
    return readable(body if isinstance(body, bytes) else json.dumps(body).encode(), content_type, bytes_max=BYTES_MAX)


def parameters_of(body: Mapping[str, Any]) -> dict[str, Any] | None:
    return read(body).parameters


@pytest.mark.parametrize("name", ["password", "secret", "rootpw", "eppcode", "accesskey"])
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title, "old_{}".format, "{}[0".format, " {} ".format])
def test_a_secret_is_left_out_however_its_name_is_written(name: str, spelling: Any) -> None:
    [(shown, value)] = redacted({spelling(name): SECRET}).items()

    assert value == "•••"
    assert SECRET not in shown


FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


@pytest.mark.parametrize("name", ["password".translate(FULL_WIDTH), "EPPCODE".translate(FULL_WIDTH)])
def test_a_name_is_compared_in_the_letters_that_it_looks_like(name: str) -> None:
    assert list(redacted({name: SECRET}).values()) == ["•••"]
    assert SECRET not in json.dumps(redacted({"notes": f"{name}={SECRET}"}), ensure_ascii=False)
    assert list(redacted({"identifier".translate(FULL_WIDTH): SECRET}).values()) == ["•••"]


def test_of_parameters_that_are_not_known_the_names_are_shown() -> None:
    body = {"clientid": "3", "pin": SECRET, "extra": {"a": [SECRET, ""], "b": 7}, "empty": ""}

    assert parameters_of(body) == {
        "clientid": "3",
        "pin": "•••",
        "extra": {"a": {"0": "•••", "1": ""}, "b": "•••"},
        "empty": "",
    }
    shown = readable(json.dumps(body).encode(), wire.JSON, bytes_max=BYTES_MAX, with_unknown=True).parameters
    assert shown is not None
    assert shown["pin"] == SECRET


@pytest.mark.parametrize(
    "tree",
    [
        {"rootpw": [SECRET, SECRET]},
        {"eppcode": {"0": SECRET, "7": {"x": SECRET}}},
        {"item": {"0": {"Password": SECRET}}},
        {"headers": [{"secret": SECRET}, ({"accesskey": SECRET},)]},
        {"rootpw": wire.Repeated([SECRET, SECRET])},
        {"customfields": {"0": packed(php(SECRET))}},
        {"customfields": packed(php(SECRET))},
        {"domainfields": {"0": packed(json.dumps({"EPPCode": SECRET}).encode())}},
        {f"password={SECRET}": ""},
        {f"clientsecret={SECRET}": ""},
    ],
)
def test_a_secret_is_left_out_wherever_it_stands(tree: dict[str, Any]) -> None:
    shown = json.dumps(redacted(tree), ensure_ascii=False)

    assert SECRET not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"the password: {SECRET}",
        f"https://example.com/?rootpw%5B0%5D={SECRET}",
        f"<eppcode>{SECRET}</eppcode>",
        packed(b"password=" + SECRET.encode()),
        packed(b"not serialized " + php(SECRET)),
    ],
)
@pytest.mark.parametrize("name", ["notes", "customfields"])
def test_a_text_that_gives_a_secret_by_name_is_left_out_whole(name: str, text: str) -> None:
    assert redacted({name: text}) == {name: "•••"}


def test_everything_else_is_shown_as_it_is() -> None:
    tree = {
        "clientid": "7",
        "domain": {"0": "secretgarden.com"},
        "domainrenewals": {"password.com": "1"},
        "notes": "Hi",
    }

    assert redacted(tree) == tree


def test_that_a_secret_is_empty_is_shown() -> None:
    assert redacted({"password": "", "eppcode": {}}) == {"password": "", "eppcode": ""}


def test_a_serialized_map_is_opened() -> None:
    options = packed(b'a:1:{i:7;s:6:"Google";}')

    assert parameters_of({"domainfields": {"0": options}, "configoptions": {"3": "12"}}) == {
        "domainfields": {"0": {"7": "Google"}},
        "configoptions": {"3": "12"},
    }


def test_what_is_no_serialized_map_after_all_is_shown_as_it_was_written() -> None:
    assert parameters_of({"domainfields": {"7": "Google"}}) == {"domainfields": {"7": "Google"}}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (
            {"0": packed(f'a:2:{{i:7;s:{len(SECRET.encode())}:"{SECRET}";i:8;s:0:"";}}'.encode())},
            {"0": {"7": "•••", "8": ""}},
        ),
        ({"0": {"7": [SECRET, {"x": SECRET}]}}, {"0": {"7": {"0": "•••", "1": {"x": "•••"}}}}),
        (SECRET, "•••"),
    ],
)
def test_of_custom_fields_only_the_names_are_shown_because_any_may_be_a_password(written: Any, shown: Any) -> None:
    assert parameters_of({"CustomFields": written}) == {"customfields": shown}


def test_a_name_with_a_secret_behind_it_is_cut() -> None:
    assert redaction.names(["colour", f"password={SECRET}"]) == ("colour", "password")


def test_what_amqp_tables_hold_is_written_as_json() -> None:
    table = {"at": datetime(2026, 7, 1, tzinfo=UTC), "raw": b"\xff", "count": 7, "deep": [{"mine": True}], "none": None}

    assert redacted(table) == {
        "at": "2026-07-01T00:00:00+00:00",
        "raw": "(bytes)",
        "count": 7,
        "deep": [{"mine": True}],
        "none": None,
    }


@pytest.mark.parametrize(
    "body",
    [
        f'{{"password": "{SECRET}"'.encode(),
        f'{{"PASSWORD": "{SECRET}"'.encode(),
        f'{{"pass\\u0077ord": "{SECRET}"'.encode(),
        f'{{"rootpw": "{SECRET}"}}'.encode("utf-16"),
        b"%70assword=" + SECRET.encode() + b"\xff",
        b"\xff" + base64.b64encode(b"identifier=me&secret=" + SECRET.encode()),
        b"a:9:" + php(SECRET),
    ],
)
def test_of_an_unreadable_body_that_names_a_secret_nothing_is_shown(body: bytes) -> None:
    shown = read(body)

    assert (shown.parameters, shown.head) == (None, None)
    assert shown.size_bytes == len(body)
    assert len(shown.sha256) == 64
    assert shown.note.endswith("not shown, because a secret is named in it")
    assert SECRET not in str(asdict(shown))


def test_an_unreadable_text_is_shown_where_it_names_no_secret() -> None:
    shown = read(b'{"clientid": 1, ' + b"x" * 600)

    assert (shown.head or "").startswith('{"clientid": 1, xx')
    assert len(shown.head or "") == 500
    assert shown.note == "The request could not be read: not a JSON object"


def test_of_unreadable_bytes_the_first_eight_are_shown() -> None:
    assert read(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03rest").head == "1f 8b 08 00 00 00 00 00 (hex)"


def test_a_body_larger_than_a_request_may_be_is_not_even_decoded() -> None:
    shown = read({"clientid": "1" * BYTES_MAX})

    assert (shown.parameters, shown.head) == (None, None)
    assert shown.note == "not decoded: larger than the 1024 bytes that a request may have"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert redaction.escape_controls("\x1b[31mred\n\x9b \u202egnp.exe ü€") == "\\x1b[31mred\\n\\x9b \\u202egnp.exe ü€"
