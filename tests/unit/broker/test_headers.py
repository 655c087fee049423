"""worker/broker/headers.py: whose word counts."""

from typing import Any

import pytest

from worker.broker.headers import SEAL, sealed, trail_of
from worker.broker.messages import NO_TRAIL, Properties, Trail
from worker.key_ring import KeyRing

NEW, OLD = b"new" * 11, b"old" * 11
KEYS = KeyRing([NEW, OLD])
NOTES = {
    "x-orders-attempts": 2,
    "x-orders-replays": 1,
    "x-orders-first-seen": "2026-11-23T10:00:00.000Z",
    "x-orders-routing-key": "order.add",
    "x-orders-supersedes": ["first", "second"],
}
TRAIL = Trail(
    attempts=2,
    replays=1,
    first_seen="2026-11-23T10:00:00.000Z",
    routing_key="order.add",
    supersedes=("first", "second"),
)
BODY = b'{"clientid":1}'


def sealed_by(keys: KeyRing, **notes: Any) -> Properties:
    properties = Properties(message_id="m", headers={**NOTES, **notes, "theirs": "t"})
    return Properties(message_id="m", headers=sealed(properties, BODY, keys))


def test_what_is_sealed_counts() -> None:
    assert trail_of(sealed_by(KEYS), BODY, KEYS) == TRAIL


def test_a_seal_under_an_older_key_counts_and_one_under_a_key_that_is_gone_does_not() -> None:
    written = sealed_by(KeyRing([OLD]))

    assert trail_of(written, BODY, KEYS) == TRAIL
    assert trail_of(written, BODY, KeyRing([NEW])) == NO_TRAIL


def test_headers_without_a_seal_are_the_publishers() -> None:
    assert trail_of(Properties(message_id="m", headers=NOTES), BODY, KEYS) == NO_TRAIL


@pytest.mark.parametrize("seal", ["", "x", "1653f1ed:" + "0" * 32, 7, None, b"x", ["x"], "ä:ö"])
def test_a_made_up_seal_is_none(seal: object) -> None:
    assert trail_of(Properties(message_id="m", headers={**NOTES, SEAL: seal}), BODY, KEYS) == NO_TRAIL


@pytest.mark.parametrize(
    ("message_id", "body", "headers"),
    [
        ("another", BODY, {}),
        ("m", b'{"clientid":2}', {}),
        ("m", BODY, {"x-orders-attempts": 0}),
        ("m", BODY, {"x-orders-code": "added"}),
        ("m", BODY, {"x-orders-deep": [[[{"a": object()}]]]}),
    ],
)
def test_a_seal_is_of_one_message_one_body_and_all_that_we_wrote(
    message_id: str, body: bytes, headers: dict[str, Any]
) -> None:
    moved = Properties(message_id=message_id, headers={**sealed_by(KEYS).headers, **headers})

    assert trail_of(moved, body, KEYS) == NO_TRAIL


def test_what_a_publisher_or_the_broker_adds_breaks_no_seal() -> None:
    come_back = Properties(message_id="m", headers={**sealed_by(KEYS).headers, "x-death": [{"count": 1}], "mine": 1})

    assert trail_of(come_back, BODY, KEYS) == TRAIL
