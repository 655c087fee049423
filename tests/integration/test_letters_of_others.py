"""Letters that are not as we write them: forged, of the broker's own making, alike but not the same."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika import Message
from pamqp.common import FieldTable

from deploy.local.servers import Servers
from schemas import topology
from tests.conftest import administered
from tests.integration.test_commands import orders
from tests.integration.test_dead_letters import ORDER, left, put
from tests.shop import Shop
from worker.broker.connection import connect

FORGED = {
    "x-orders-reason": "failed",
    "x-orders-code": "internal_error",
    "x-orders-message": "our fault",
    "x-orders-died-at": "2026-11-23T10:00:00.000Z",
    "x-orders-routing-key": "k" * 300,
    "x-orders-replays": 7,
    "x-orders-supersedes": "somebody-elses",
}


async def expired(shop: Shop, message_id: str, headers: dict[str, Any] | None = None, body: Any = ORDER) -> None:
    """Have the broker dead-letter a request of a storefront, because it expired before a worker took it."""
    before = await shop.waiting(topology.DEAD)
    async with connect(shop.logins.storefront, "orders tests") as connection, connection.channel() as channel:
        exchange = await channel.get_exchange(topology.COMMANDS, ensure=False)
        message = Message(
            json.dumps(body).encode(),
            content_type="application/json",
            message_id=message_id,
            user_id=shop.user,
            expiration=0.001,
            headers=headers or {},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, "order.add")
    async with asyncio.timeout(20):
        while await shop.waiting(topology.DEAD) == before:
            await asyncio.sleep(0.05)


async def told(shop: Shop, *arguments: str) -> list[dict[str, Any]]:
    ended = await orders(shop, *arguments, "--json")
    return [json.loads(line) for line in ended.stdout.splitlines()]


# ---------------------------------------------------------------- headers that we did not write


async def test_headers_that_we_did_not_write_are_told_as_the_publishers_and_never_obeyed(shop: Shop) -> None:
    await expired(shop, "forged", FORGED)

    [listed] = await told(shop, "dead", "list")
    [shown] = await told(shop, "dead", "show", "forged")

    assert (listed["reason"], listed["code"], listed["replays"], listed["routing_key"]) == (
        "expired",
        "",
        0,
        "order.add",
    )
    assert abs((datetime.now(UTC) - datetime.fromisoformat(listed["died_at"])).total_seconds()) < 60
    assert {name: shown["headers"][name] for name in FORGED} == FORGED


async def test_a_forged_letter_stops_no_replay(shop: Shop) -> None:
    await put(shop, {"message_id": "before"})
    await expired(shop, "forged", FORGED)
    await put(shop, {"message_id": "behind"})

    ended = await orders(shop, "dead", "replay", "--all", "--no-dry-run")

    assert (ended.returncode, await left(shop)) == (0, set()), ended.stderr
    assert await shop.waiting(topology.REQUESTS) == 3
    await shop.start_worker()
    added = await shop.until_events("forged", "order.added")
    assert [event.type for event in added if event.type.startswith("order.")] == ["order.added"]


async def test_what_came_under_a_key_that_nobody_binds_goes_back_under_its_actions(shop: Shop) -> None:
    await put(
        shop,
        {"message_id": "before"},
        {"message_id": "nobody-takes", "headers": {"x-orders-routing-key": "invoice.pay"}},
        {"message_id": "too-long", "headers": {"x-orders-routing-key": "k" * 300}},
        {"message_id": "behind"},
    )

    ended = await orders(shop, "dead", "replay", "--all", "--no-dry-run")

    assert (ended.returncode, await left(shop)) == (0, set()), ended.stderr
    assert sorted(ended.stdout.split()) == ["before", "behind", "nobody-takes", "too-long"]
    assert (await shop.waiting(topology.REQUESTS), await shop.waiting(topology.UNROUTED)) == (4, 0)


async def test_headers_that_this_broker_has_no_frame_for_are_named_and_stop_nothing(
    shop: Shop, servers: Servers
) -> None:
    broker = administered(servers.rabbitmq)
    if broker is None:
        pytest.skip("needs a broker whose frames can be made smaller")
    await put(shop, {"message_id": "before"}, {"message_id": "large", "headers": {"mine": "x" * 5_000}})
    try:
        await asyncio.to_thread(broker.control, "eval", FRAME_MAX.format(4_096))

        ended = await orders(shop, "dead", "replay", "--all", "--no-dry-run")
    finally:
        await asyncio.to_thread(broker.control, "eval", FRAME_MAX.format(131_072))

    assert (ended.returncode, await left(shop)) == (1, {"large"}), ended.stderr
    assert re.search(r"skipped large: its headers take 5,\d+ bytes, and a frame of this broker has 4,088", ended.stderr)
    assert "1 replayed" in ended.stderr


FRAME_MAX = "application:set_env(rabbit, frame_max, {})."


# ---------------------------------------------------------------- the broker's own dead letters


async def test_what_expired_is_told_as_that_with_its_time_and_is_found_by_it(shop: Shop) -> None:
    await put(shop, {"message_id": "rejected"})
    await expired(shop, "late")

    today = datetime.now(UTC).date().isoformat()
    found = await told(shop, "dead", "list", "--since", today, "--reason", "expired")
    screen = await orders(shop, "dead", "show", "late")
    dry = await orders(shop, "dead", "replay", "--reason", "expired", "--dry-run")

    assert [letter["message_id"] for letter in found] == ["late"]
    assert "expired: its caller set an expiration, and no worker took it in time" in " ".join(screen.stdout.split())
    assert "1 of them expired: its caller may have given up; a replay places it all the same" in dry.stderr


async def test_what_expired_has_the_time_of_its_death_no_event_and_a_replay_places_it(shop: Shop) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    await expired(shop, "late")
    worker = await shop.start_worker()

    [letter] = await told(shop, "dead", "list")
    [group] = await told(shop, "dead", "groups")
    after = await told(shop, "dead", "list", "--since", (before + timedelta(hours=1)).isoformat())
    died_at = datetime.fromisoformat(letter["died_at"])
    heard = list(shop.events)
    replayed = await orders(shop, "dead", "replay", "late", "--no-dry-run")

    assert before <= died_at <= datetime.now(UTC)
    assert (group["reason"], group["count"], after, heard) == ("expired", 1, [], [])
    assert replayed.returncode == 0, replayed.stderr
    assert {event.type for event in await shop.until_events("late", "order.added")} >= {"order.added"}
    assert await told(shop, "dead", "list") == []
    assert worker.stop() == 0


async def test_what_a_limit_dropped_is_told_as_that_with_its_time(shop: Shop) -> None:
    """Ours refuse what is too much, unless an older declaration or another broker's copy of them does not."""
    died_at = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    death: FieldTable = {
        "reason": "maxlen",
        "queue": "orders.requests",
        "time": died_at,
        "count": 1,
        "exchange": "orders",
    }
    async with connect(shop.logins.administrator, "orders tests") as connection, connection.channel() as channel:
        message = Message(b"{}", message_id="dropped", headers={"x-death": [death], "x-orders-died-at": "2020-01-01"})
        await channel.default_exchange.publish(message, topology.DEAD)

    [letter] = await told(shop, "dead", "list", "--since", "2026-11-23", "--until", "2026-11-23", "--reason", "maxlen")
    later = await told(shop, "dead", "list", "--since", "2026-11-24")
    screen = await orders(shop, "dead", "show", "dropped")

    assert (letter["message_id"], datetime.fromisoformat(letter["died_at"]), later) == ("dropped", died_at, [])
    assert "maxlen: the broker had no room for it, by a limit that is not ours" in " ".join(screen.stdout.split())


# ---------------------------------------------------------------- alike, and not the same


async def test_two_letters_of_one_id_and_body_that_would_be_tried_differently_are_two(shop: Shop) -> None:
    await put(
        shop,
        {"message_id": "mine", "content_type": "application/pdf", "reason": "malformed", "code": "malformed"},
        {"message_id": "mine", "reason": "rejected", "code": "client_not_found"},
    )

    listed = await told(shop, "dead", "list")
    discarded = await orders(shop, "dead", "replay", "--code", "client_not_found", "--no-dry-run")

    assert {letter["code"] for letter in listed} == {"malformed", "client_not_found"}
    assert discarded.returncode == 0
    assert [letter["code"] for letter in await told(shop, "dead", "list")] == ["malformed"]
    await shop.start_worker()
    assert await shop.until_events("mine", "order.added")


async def test_what_is_taken_out_without_being_sent_is_counted(shop: Shop) -> None:
    await put(shop, {"message_id": "twice"}, {"message_id": "twice"}, {"message_id": "once"})

    ended = await orders(shop, "dead", "replay", "--all", "--no-dry-run")

    assert sorted(ended.stdout.split()) == ["once", "twice"]
    assert "2 replayed" in ended.stderr
    assert "1 more lay there twice and was taken out" in ended.stderr
    assert (await shop.waiting(topology.REQUESTS), await left(shop)) == (2, set())


# ---------------------------------------------------------------- a file there and back

EVERY_KIND = {
    "text": "ü",
    "not-text": b"\xff\xfe",
    "bytes": bytearray(b"\x00\xff"),
    "table": {"deep": [1, bytearray(b"\x01"), {"$bytes": "no tag"}]},
    "number": 2**40,
    "float": 0.1,
    "decimal": Decimal("1.50"),
    "time": datetime(2026, 11, 23, 10, 0, tzinfo=UTC),
    "yes": True,
    "nothing": None,
}


async def test_headers_of_every_kind_go_into_a_file_and_back(shop: Shop, tmp_path: Path) -> None:
    await put(shop, {"message_id": "kinds", "headers": EVERY_KIND})
    file = tmp_path / "letters.jsonl"
    before = await headers_there(shop)

    await orders(shop, "dead", "export", str(file))
    await shop.purge(topology.DEAD)
    back = await orders(shop, "dead", "import", str(file))

    after = await headers_there(shop)
    assert "1 imported" in back.stderr
    assert before == after
    assert {name: (type(after[name]), after[name]) for name in EVERY_KIND} == {
        name: (type(value), value) for name, value in EVERY_KIND.items()
    }


async def headers_there(shop: Shop) -> dict[str, Any]:
    async with shop.operating() as letters:
        [letter] = [one async for one in letters.browse()]
    counts = ("x-delivery-count", "x-acquired-count")
    return {name: value for name, value in letter.delivery.properties.headers.items() if name not in counts}
