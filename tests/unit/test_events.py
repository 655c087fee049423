"""What we publish."""

from pathlib import Path

import pytest

from schemas.events import Event, event_id
from tests.unit import said

BODIES = Path(__file__).parent / "bodies"
EVENTS = dict(said.said_events())


def test_the_id_of_an_event_is_the_same_for_ever() -> None:
    assert event_id("publisher:storefront", "cart-1", "order.added") == "ec997ab2-5832-54d7-b20c-cfd1b6ba031b"


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_an_event_is_written_as_it_ever_was_to_the_byte(name: str, event: Event) -> None:
    assert event.body == (BODIES / f"{name}.json").read_bytes()


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_that_is_read_back_is_the_very_same(event: Event) -> None:
    assert Event.from_body(event.body) == event
