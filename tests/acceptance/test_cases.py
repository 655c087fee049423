"""The cases of cases.jsonl and more_cases.jsonl, through the real queue to a real worker."""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from deploy.local.servers import Servers
from repository import scratch
from tests.acceptance.expected import Returned, differences, expected_types, utc_today
from tests.shop import Asked, Shop

FILES = [Path(__file__).with_name(name) for name in ("cases.jsonl", "more_cases.jsonl")]
LINES = [line for file in FILES for line in file.read_text(encoding="utf-8").splitlines()]
CASES = [case for case in map(json.loads, LINES) if "id" in case]


@pytest.fixture(scope="module")
async def open_shop(servers: Servers, template: str, amqp_url: str) -> AsyncIterator[Shop]:
    """One shop with one worker for all cases: they are independent of each other."""
    name = f"orders_test_acceptance_{uuid.uuid4().hex[:12]}"
    url = await scratch.clone(servers.postgres_url, name, template)
    async with Shop.open(url, amqp_url) as shop:
        await shop.start_worker()
        yield shop
    await scratch.drop(servers.postgres_url, name)


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
async def test_a_request_is_answered_as_its_case_says(open_shop: Shop, case: Mapping[str, Any]) -> None:
    returned: list[Returned] = []
    message_ids: dict[str, str] = {}
    for number, delivery in enumerate(case.get("sequence", [case])):
        key = delivery.get("message_key", str(number))
        fresh = str(uuid.uuid4()).ljust(delivery.get("message_id_length", 0), "x")
        message_id = delivery.get("message_id", message_ids.setdefault(key, fresh))

        earlier = delivery.get("same_reply_as")
        returned.append(await deliver(open_shop, delivery, message_id, None if earlier is None else returned[earlier]))

        assert list(differences(delivery["expect"], returned[-1])) == [], case["why"]
        if (earlier := delivery.get("other_order_than")) is not None:
            assert order_id(returned[-1]) != order_id(returned[earlier])


async def deliver(
    shop: Shop, delivery: Mapping[str, Any], message_id: str | None, repeated: Returned | None
) -> Returned:
    """Publish one delivery and gather its reply and events; of a repeat those that came before, and no others come."""
    began = utc_today()
    seen = len(shop.events)
    asked = await shop.publish(
        body_of(delivery),
        message_id=message_id,
        content_type=delivery["content_type"],
        trusted=delivery["trusted"],
        headers=delivery.get("headers"),
        reply_to={"queue": "", "direct": "amq.rabbitmq.reply-to", None: None}[delivery.get("reply_to", "queue")],
        correlate=delivery.get("correlation_id", "") is not None,
    )
    reply = await shop.reply(asked) if delivery.get("reply_to", "queue") else None
    if delivery["expect"].get("events") == "any":
        return Returned(reply, (), (began, utc_today()))
    if repeated is not None:
        assert reply == repeated.reply
        assert ids_of(heard(shop, asked, seen)) <= ids_of(repeated.events)
        return repeated
    events = await gather_events(shop, asked, seen, expected_types(delivery["expect"]))
    return Returned(reply, tuple(events), (began, utc_today()))


async def gather_events(shop: Shop, asked: Asked, seen: int, types: list[str]) -> list[dict[str, Any]]:
    await shop.until(lambda: len(heard(shop, asked, seen)) >= len(types))
    return heard(shop, asked, seen)


def heard(shop: Shop, asked: Asked, seen: int) -> list[dict[str, Any]]:
    """Return the events of a request that came since so many were seen."""
    return [json.loads(one.raw) for one in shop.events[seen:] if one.data["request_id"] == asked.message_id]


def ids_of(events: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(event["id"]) for event in events}


def body_of(delivery: Mapping[str, Any]) -> bytes:
    if "body_base64" in delivery:
        return base64.b64decode(delivery["body_base64"])
    if "body_parts" in delivery:
        return "".join(text * times for text, times in delivery["body_parts"]).encode()
    return str(delivery["body"]).encode()


def order_id(returned: Returned) -> int:
    return int(returned.data_of("order.added")["orderid"])
