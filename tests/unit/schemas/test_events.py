"""What we publish."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import TypeAdapter

from schemas import topology
from schemas.events import CloudEvent, Event, EventData, EventType, OrderAdded, event_id
from tests import samples

BODIES = Path(__file__).parent / "bodies"
EVENTS = dict(samples.said_events())
TYPES: dict[EventType, type] = {data.TYPE: data for data in get_args(EventData)}


def test_the_id_of_an_event_is_the_same_for_ever() -> None:
    assert event_id("publisher:storefront", "cart-1", "order.added") == "ec997ab2-5832-54d7-b20c-cfd1b6ba031b"


@pytest.mark.parametrize(("name", "event"), EVENTS.items(), ids=EVENTS)
def test_an_event_is_written_as_it_ever_was_to_the_byte(name: str, event: Event) -> None:
    assert event.body == (BODIES / f"{name}.json").read_bytes()


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_that_is_read_back_is_the_very_same(event: Event) -> None:
    assert Event.from_body(event.body) == event


def test_each_type_has_its_data_and_an_example() -> None:
    assert set(TYPES) == set(EventType) == {event.type for event in EVENTS.values()}


def test_those_that_ask_for_a_mail_wait_in_a_queue() -> None:
    waiting = {event.type for event in EVENTS.values() if event.is_follow_up}

    assert waiting == set(topology.FOLLOW_UPS)


# ---------------------------------------------------------------- their schemas


def validator_of(body: Any) -> Draft202012Validator:
    schema = TypeAdapter(body).json_schema(mode="serialization")
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_is_what_the_schema_of_its_type_says(event: Event) -> None:
    body = orjson.loads(event.body)

    validator_of(CloudEvent[EventData]).validate(body)
    validator_of(TYPES[EventType(event.type)]).validate(body["data"])


def _without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda data: data.pop(name)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.update(amount=27.67),
        lambda data: data.update(amount="27,67"),
        lambda data: data.update(clientid=None),
        lambda data: data["items"][0].update(kind="lease"),
        lambda data: data["items"][0].pop("quantity"),
        lambda data: data["items"][3].update(years=None),
        lambda data: data["promotion"].update(value=10),
        *map(_without, ("request_id", "caller", "promotion", "warnings")),
    ],
)
def test_the_schema_of_order_added_refuses_what_it_is_not(spoil: Callable[[dict[str, Any]], object]) -> None:
    data = orjson.loads(EVENTS["everything.order.added"].body)["data"]
    validator = validator_of(OrderAdded)
    assert validator.is_valid(data)

    spoil(data)

    assert not validator.is_valid(data)


def test_a_consumer_is_told_no_schema_that_forbids_what_comes_later() -> None:
    data = orjson.loads(EVENTS["everything.order.added"].body)["data"]

    assert validator_of(OrderAdded).is_valid({**data, "affiliate": 7})
