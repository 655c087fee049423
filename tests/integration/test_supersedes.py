"""A request that was made of another one, and that other one: at most one of the two is placed (messages.md)."""

import asyncio
import json
from typing import Any

import pytest

from tests.shop import Asked, Shop
from worker.broker.headers import lineage

ORDER: dict[str, Any] = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
WRONG = {**ORDER, "paymentmethod": "bitcoin"}


async def send(shop: Shop, message_id: str, *supersedes: str, body: dict[str, Any] = ORDER) -> Asked:
    """Send a request as an operator's edit does."""
    return await shop.publish(body, message_id=message_id, notes=lineage(supersedes))


async def ended(shop: Shop, asked: Asked) -> str:
    """The order that it was placed as, or why not."""
    reply = json.loads(await shop.reply(asked))
    return "placed" if reply["result"] == "success" else str(reply["code"])


async def test_once_the_new_one_is_placed_the_old_one_is_refused(shop: Shop) -> None:
    await shop.start_worker()
    assert await ended(shop, await send(shop, "old", body=WRONG)) == "invalid_payment_method"

    new = await ended(shop, await send(shop, "new", "old"))
    old = await shop.ask(ORDER, message_id="old")

    assert (new, old["code"]) == ("placed", "superseded")
    assert old["message"] == "This request was edited by an operator, and placed as new"
    assert await shop.orders_placed() == 1


async def test_once_the_old_one_is_placed_the_new_one_is_refused(shop: Shop) -> None:
    await shop.start_worker()
    assert await ended(shop, await send(shop, "old")) == "placed"

    new = json.loads(await shop.reply(await send(shop, "new", "old")))

    assert new["code"] == "supersedes_placed"
    assert new["message"] == "The request that this one was edited from, old, was placed meanwhile"
    assert await shop.orders_placed() == 1


async def test_an_old_one_that_no_worker_has_seen_yet_is_refused_all_the_same(shop: Shop) -> None:
    await shop.start_worker()

    assert await ended(shop, await send(shop, "new", "old")) == "placed"
    assert await ended(shop, await send(shop, "old")) == "superseded"


async def test_a_new_one_that_is_refused_leaves_the_old_one_its_chance(shop: Shop) -> None:
    await shop.start_worker()

    assert await ended(shop, await send(shop, "new", "old", body=WRONG)) == "invalid_payment_method"
    assert await ended(shop, await send(shop, "old")) == "placed"
    assert await ended(shop, await send(shop, "newer", "old", "new")) == "supersedes_placed"


async def test_an_old_one_that_is_placed_all_the_same_is_a_repeat_from_then_on(shop: Shop) -> None:
    """Its id was first claimed by the new one, with other content: its own content counts once it is there."""
    await shop.start_worker()
    assert await ended(shop, await send(shop, "new", "old", body=WRONG)) == "invalid_payment_method"
    first = await send(shop, "old")
    assert await ended(shop, first) == "placed"

    again = await send(shop, "old")

    assert await shop.reply(again) == await shop.reply(first)
    assert await shop.orders_placed() == 1


async def test_all_that_it_was_edited_from_are_refused(shop: Shop) -> None:
    await shop.start_worker()

    assert await ended(shop, await send(shop, "third", "first", "second")) == "placed"
    assert await ended(shop, await send(shop, "second", "first")) == "superseded"
    assert await ended(shop, await send(shop, "first")) == "superseded"


async def test_of_two_that_were_made_of_the_same_one_the_second_is_refused(shop: Shop) -> None:
    await shop.start_worker()

    assert await ended(shop, await send(shop, "new", "old")) == "placed"
    assert await ended(shop, await send(shop, "other", "old")) == "supersedes_placed"


async def test_the_new_one_again_is_a_repeat(shop: Shop) -> None:
    await shop.start_worker()
    first = await send(shop, "new", "old")
    assert await ended(shop, first) == "placed"

    again = await send(shop, "new", "old")

    assert await shop.reply(again) == await shop.reply(first)
    assert await shop.orders_placed() == 1


async def test_of_both_at_once_at_any_number_of_workers_one_is_placed(shop: Shop) -> None:
    for number in range(40):
        await send(shop, f"old-{number}")
        await send(shop, f"new-{number}", f"old-{number}")
    workers = await asyncio.gather(*(shop.start_worker(ORDERS_BATCH_SIZE="7") for _ in range(3)))

    results = ("order.added", "order.rejected")
    await shop.until(lambda: sum(event.type in results for event in shop.events) == 80)

    codes = {event.data["code"] for event in shop.events if event.type == "order.rejected"}
    assert await shop.orders_placed() == 40
    assert codes <= {"superseded", "supersedes_placed"}
    assert [line for worker in workers for line in worker.log if line["event"] == "order.crashed"] == []


async def test_another_callers_request_of_that_id_is_none_of_its_business(shop: Shop) -> None:
    await shop.start_worker()
    with_credentials = {**ORDER, "identifier": "IDENT", "secret": "SECRET"}

    assert await ended(shop, await send(shop, "old")) == "placed"
    assert await ended(shop, await send(shop, "new", "old", body=with_credentials)) == "placed"


@pytest.mark.parametrize("header", [7, "", "x" * 129, ["a", 7], [f"id-{n}" for n in range(21)], "new", {"a": "b"}])
async def test_a_header_that_names_nothing_is_nothing(shop: Shop, header: object) -> None:
    await shop.start_worker()

    assert await ended(shop, await shop.publish(ORDER, message_id="new", notes={"x-orders-supersedes": header})) == (
        "placed"
    )


async def test_what_it_was_edited_from_survives_a_rejection_and_a_replay(shop: Shop) -> None:
    await shop.start_worker()
    assert await ended(shop, await send(shop, "new", "old", body=WRONG)) == "invalid_payment_method"
    assert await ended(shop, await send(shop, "old")) == "placed"
    await shop.fetch("UPDATE payment_methods SET active = true, name = 'bitcoin' WHERE name = 'oldgateway'")
    await shop.fetch("UPDATE catalogue SET version = version + 1")

    [letter] = await shop.dead_letters()
    assert await shop.replay("new") == 1
    events = await shop.until_events("new", "order.rejected")
    await shop.until(lambda: len(shop.events_of("new")) == 2)

    assert letter.delivery.properties.headers["x-orders-supersedes"] == "old"
    assert [event.data["code"] for event in shop.events_of("new")] == ["invalid_payment_method", "supersedes_placed"]
    assert events
