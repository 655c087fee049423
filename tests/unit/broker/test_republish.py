"""worker/broker/republish.py: a message sent on its way again, or set aside."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pamqp.header import ContentHeader

from schemas.rejections import Reason
from worker.broker.batch import _properties
from worker.broker.headers import trail_of
from worker.broker.messages import NO_TRAIL, Delivery, Outgoing, Properties, Trail
from worker.broker.republish import CauseOfDeath, Edited, Republisher, dead_letter, delayed, returned, suspect
from worker.key_ring import KeyRing

KEYS = KeyRing([b"a-key-of-the-tests-which-is-no-secret"])
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
SEEN = "2026-11-23T10:00:00.000Z"
CAUSE = CauseOfDeath(Reason.REJECTED, "x", "y" * 5_000)
FRAME_BYTES_MIN = 4_096  # the smallest that AMQP allows


def a_delivery(
    headers: Mapping[str, Any] | None = None, routing_key: str = "order.add", trail: Trail = NO_TRAIL, **properties: Any
) -> Delivery:
    return Delivery(
        b"body", Properties(headers=headers or {}, **properties), routing_key, redelivered=False, tag=1, trail=trail
    )


def letter_of(headers: Mapping[str, Any], frame_bytes_max: int = 0, **properties: Any) -> Outgoing:
    delivery = a_delivery(headers, **properties)
    return Republisher(KEYS, frame_bytes_max).copy(delivery, dead_letter(delivery, NOW, CAUSE, attempts=0))


def test_a_dead_letter_keeps_the_message_and_its_publisher() -> None:
    letter = letter_of({"mine": 7}, message_id="m", user_id="storefront", reply_to="q", correlation_id="c").properties

    assert (letter.message_id, letter.user_id, letter.reply_to, letter.correlation_id) == ("m", "storefront", "q", "c")
    assert letter.headers["mine"] == 7
    assert letter.headers["x-orders-routing-key"] == "order.add"


def test_headers_beyond_eight_kibibytes_are_dropped_and_named() -> None:
    letter = letter_of({"small": "s", "large": "x" * 200_000}).properties

    assert letter.headers["small"] == "s"
    assert letter.headers["x-orders-dropped"] == "large"


def test_ten_thousand_headers_fit_into_eight_kibibytes_too() -> None:
    letter = letter_of({f"header-{number}": "value" for number in range(10_000)}).properties

    assert len(letter.headers["x-orders-dropped"]) == 1_000
    assert sum(len(name) + len(str(value)) for name, value in letter.headers.items()) <= 8 * 1024


def test_headers_fit_into_the_frames_that_the_connection_carries() -> None:
    longest = "x" * 255
    letter = letter_of(
        {f"header-{number}": "value" * 20 for number in range(100)},
        FRAME_BYTES_MIN,
        **dict.fromkeys(("message_id", "correlation_id", "reply_to", "user_id", "app_id", "type"), longest),
    )

    frame = ContentHeader(properties=_properties(letter.properties, longest), body_size=4).marshal()

    assert len(frame) + 8 <= FRAME_BYTES_MIN
    assert letter.properties.headers["x-orders-reason"] == "rejected"
    assert letter.properties.headers["x-orders-message"].startswith("yyy")


def test_headers_that_cannot_make_the_way_back_are_dropped_and_named() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    letter = letter_of({"deep": deep, "n" * 200: 1, "bytes": b"\xff", "table": {"list": [1, 2.5, None]}}).properties

    assert letter.headers["table"] == {"list": [1, 2.5, None]}
    assert sorted(letter.headers["x-orders-dropped"].split(", ")) == ["bytes", "deep", "n" * 64]


def test_headers_that_would_route_a_copy_elsewhere_or_count_what_is_over_are_left_out() -> None:
    theirs = {"CC": ["elsewhere"], "BCC": ["there"], "x-delivery-count": 3, "x-death": [{"queue": "q"}]}

    assert not theirs.keys() & letter_of(theirs).properties.headers.keys()


def test_what_a_publisher_writes_under_our_names_is_not_believed() -> None:
    letter = letter_of(
        {"x-orders-reason": "failed", "x-orders-replays": 9, "x-orders-attempts": 3, "x-orders-first-seen": "1970"}
    ).properties

    assert letter.headers["x-orders-reason"] == "rejected"
    assert letter.headers["x-orders-replays"] == 0
    assert letter.headers["x-orders-attempts"] == 0
    assert letter.headers["x-orders-first-seen"] == SEEN


def test_what_we_wrote_before_goes_along_and_is_sealed_anew() -> None:
    trail = Trail(attempts=2, replays=1, first_seen=SEEN, routing_key="order.place", supersedes=("first",))
    delivery = a_delivery({"mine": 7}, "order.add", trail, message_id="m")

    copy = Republisher(KEYS).copy(delivery, suspect(delivery, LATER))

    assert (copy.exchange, copy.routing_key) == ("", "orders.suspects")
    assert trail_of(copy.properties, copy.body, KEYS) == replace(trail, is_returned=True)


def test_what_is_given_back_was_never_handed_over_and_is_the_same_try() -> None:
    delivery = a_delivery({"mine": 7, "x-delivery-count": 2}, message_id="m")

    copy = Republisher(KEYS).copy(delivery, returned(delivery, NOW))

    assert (copy.exchange, copy.routing_key) == ("", "orders.requests")
    assert "x-delivery-count" not in copy.properties.headers
    assert replace(delivery, trail=trail_of(copy.properties, copy.body, KEYS)).is_same_try


def test_a_retry_comes_back_under_a_key_that_every_version_binds() -> None:
    elsewhere = a_delivery(routing_key="orders.requests", message_id="m")  # by the default exchange

    copy = Republisher(KEYS).copy(elsewhere, delayed(elsewhere, NOW, "orders.retry.5s", attempts=1))

    assert (copy.exchange, copy.routing_key) == ("orders.retry.5s", "order.add")
    assert trail_of(copy.properties, copy.body, KEYS).routing_key == "orders.requests"


def test_a_replay_counts_itself_forgets_the_end_and_starts_with_no_deliveries() -> None:
    trail = Trail(attempts=4, replays=2, first_seen=SEEN)
    letter = a_delivery({"mine": 7, "x-orders-reason": "failed", "x-delivery-count": 4}, message_id="m")

    again = Republisher(KEYS).replay(letter, trail, "order.add")

    assert (again.exchange, again.routing_key) == ("orders", "order.add")
    assert again.properties.headers == {
        "mine": 7,
        "x-orders-replays": 3,
        "x-orders-first-seen": SEEN,
        "x-orders-routing-key": "order.add",
        "x-orders-seal": again.properties.headers["x-orders-seal"],
    }
    assert trail_of(again.properties, again.body, KEYS) == Trail(replays=3, first_seen=SEEN, routing_key="order.add")


def test_an_edit_supersedes_all_that_it_was_made_of() -> None:
    letter = a_delivery(message_id="second", content_encoding="identity")

    edited = Republisher(KEYS).edited(
        letter, Trail(supersedes=("first",)), "order.add", Edited("third", b"{}", "application/json")
    )

    assert (edited.properties.message_id, edited.properties.content_encoding, edited.body) == ("third", None, b"{}")
    assert trail_of(edited.properties, edited.body, KEYS).supersedes == ("first", "second")
