"""What a process knows to be placed, and what waits to be noted."""

import asyncio

import pytest

from schemas.notes import NotedOrder
from worker.pipeline.known import UNNOTED_MAX, Known, Placed


def noted(order_id: int) -> NotedOrder:
    return NotedOrder(order_id, f"m-{order_id}", 1, "9.95", "USD")


def batch(*order_ids: int) -> Placed:
    return Placed([noted(one) for one in order_ids], max(order_ids, default=0))


async def test_what_was_placed_is_noted_once_and_in_order() -> None:
    known = Known()
    known.placed(batch(1, 2))
    known.placed(batch(3))

    first, second = known.take_unnoted(2), known.take_unnoted(2)

    assert [one.order_id for one in first.orders] == [1, 2]
    assert [one.order_id for one in second.orders] == [3]
    assert (first.highest, second.highest) == (3, 3)
    assert known.take_unnoted(2).orders == []


async def test_whoever_notes_waits_until_there_is_something() -> None:
    known = Known()
    waiting = asyncio.create_task(known.until_some())
    await asyncio.sleep(0)
    assert not waiting.done()

    known.placed(batch())
    await asyncio.sleep(0)
    assert not waiting.done()

    known.placed(batch(1))
    await waiting


async def test_what_did_not_go_out_is_noted_later() -> None:
    known = Known()
    known.placed(batch(1))
    known.to_note(known.take_unnoted(10).orders)

    await known.until_some()

    assert [one.order_id for one in known.take_unnoted(10).orders] == [1]


@pytest.mark.parametrize("count", [UNNOTED_MAX + 5])
async def test_while_nothing_goes_out_the_oldest_are_forgotten(count: int) -> None:
    known = Known()
    known.placed(batch(*range(1, count + 1)))

    kept = known.take_unnoted(2 * count).orders

    assert (len(kept), kept[0].order_id, kept[-1].order_id) == (UNNOTED_MAX, 6, count)


def test_a_process_that_has_seen_one_server_only_has_nothing_to_say() -> None:
    Known().check()
