"""worker/commands/events.py: what is told of an event in one line."""

import pytest

from tests.unit.schemas.test_events import EVENTS
from worker.commands.events import line_of

REQUEST = "(request cart-4711)"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("everything.order.added", f"21:35:20 order.added order 6 of client 10: 368.75 USD {REQUEST}"),
        (
            "faults.order.rejected",
            f"21:35:20 order.rejected number_invalid: qty[1]: must be a whole number such as 7 {REQUEST}",
        ),
        ("fault.order.failed", f"21:35:20 order.failed RuntimeError {REQUEST}"),
        (
            "everything.email.invoice-created",
            f"21:35:20 email.invoice-created invoice 1 over 368.75 to client10@example.com {REQUEST}",
        ),
        (
            "everything.email.order-confirmation",
            f"21:35:20 email.order-confirmation order 6919540479 to client10@example.com {REQUEST}",
        ),
    ],
)
def test_a_line_tells_what_matters_of_an_event(name: str, line: str) -> None:
    assert line_of(EVENTS[name].body).plain == line


def test_an_event_of_a_type_that_is_not_known_is_told_by_its_type() -> None:
    body = b'{"type":"order.painted","time":"2026-11-23T21:35:20Z","data":{"request_id":"r","code":"of-tomorrow"}}'

    assert line_of(body).plain == "21:35:20 order.painted  (request r)"


def test_a_code_that_is_not_known_is_told_all_the_same() -> None:
    body = (
        b'{"type":"order.rejected","time":"2026-11-23T21:35:20Z",'
        b'"data":{"request_id":"r","code":"of_tomorrow","message":"m"}}'
    )

    assert line_of(body).plain == "21:35:20 order.rejected of_tomorrow: m (request r)"
