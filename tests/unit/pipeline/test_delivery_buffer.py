"""worker/pipeline/delivery_buffer.py: what is handed out together, and what is acknowledged when."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.broker.messages import NO_TRAIL, Delivery, Properties, Trail
from worker.pipeline.delivery_buffer import BATCH_BYTES_MAX, DeliveryBuffer


class Channel:
    """Hears what is acknowledged. (A broker tells nobody.)"""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[int, bool]] = []

    async def basic_ack(self, tag: int, *, multiple: bool = False) -> None:
        self.acknowledged.append((tag, multiple))


@pytest.fixture
def channel() -> Channel:
    return Channel()


@pytest.fixture
def buffer(channel: Channel) -> DeliveryBuffer:
    return DeliveryBuffer(cast("AbstractChannel", channel), lambda message: cast("Any", message))


def delivery(
    tag: int, message_id: str | None = None, publisher: str = "shop", body: bytes = b"", trail: Trail = NO_TRAIL
) -> Delivery:
    properties = Properties(message_id=message_id or f"m{tag}", user_id=publisher)
    return Delivery(body, properties, "order.add", redelivered=False, tag=tag, trail=trail)


async def filled(buffer: DeliveryBuffer, deliveries: Sequence[Delivery]) -> list[Delivery]:
    for one in deliveries:
        await buffer.put(cast("DeliveredMessage", one))
    return list(deliveries)


def tags(deliveries: Sequence[Delivery]) -> list[int]:
    return [one.tag for one in deliveries]


async def test_a_batch_is_what_is_there_in_the_order_of_its_coming(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [delivery(tag) for tag in range(1, 6)])

    assert tags(await buffer.take(3)) == [1, 2, 3]
    assert tags(await buffer.take(3)) == [4, 5]


async def test_a_batch_of_large_requests_is_a_small_one(buffer: DeliveryBuffer) -> None:
    large = b"x" * (BATCH_BYTES_MAX // 2)
    await filled(buffer, [delivery(tag, body=large) for tag in range(1, 4)])

    assert tags(await buffer.take(100)) == [1, 2]
    assert tags(await buffer.take(100)) == [3]


async def test_a_batch_is_waited_for_until_something_comes_and_not_until_it_is_full(buffer: DeliveryBuffer) -> None:
    taking = asyncio.ensure_future(buffer.take(100))
    await asyncio.sleep(0)
    assert not taking.done()

    await filled(buffer, [delivery(1)])

    async with asyncio.timeout(1):
        assert tags(await taking) == [1]


async def test_publishers_take_turns(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [*(delivery(tag, publisher="pile") for tag in range(1, 9)), delivery(9, publisher="other")])

    assert 9 in tags(await buffer.take(4))


async def test_copies_of_one_request_come_together_behind_the_others(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [*(delivery(tag, "same") for tag in range(1, 6)), delivery(6)])

    assert tags(await buffer.take(4)) == [1, 6, 2, 3]


async def test_what_another_batch_is_at_waits_until_that_is_finished(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [delivery(1, "same")])
    first = await buffer.take(10)
    await filled(buffer, [delivery(2, "same"), delivery(3)])

    assert tags(await buffer.take(10)) == [3]
    await buffer.finish(first)
    assert tags(await buffer.take(10)) == [2]


async def test_a_request_and_what_it_was_edited_from_are_never_in_one_batch(buffer: DeliveryBuffer) -> None:
    edited = delivery(2, "edited", trail=Trail(supersedes=("original",)))
    await filled(buffer, [delivery(1, "original"), edited])

    first = await buffer.take(10)
    assert tags(first) == [1]
    await buffer.finish(first)
    assert tags(await buffer.take(10)) == [2]


async def test_what_supersedes_a_request_that_another_batch_is_at_waits_for_that(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [delivery(1, "original")])
    first = await buffer.take(10)
    await filled(buffer, [delivery(2, "edited", trail=Trail(supersedes=("original",))), delivery(3)])

    assert tags(await buffer.take(10)) == [3]
    await buffer.finish(first)
    assert tags(await buffer.take(10)) == [2]


async def test_what_is_put_back_is_in_nobodys_way(buffer: DeliveryBuffer) -> None:
    [first] = await filled(buffer, [delivery(1, "same")])
    await buffer.take(1)

    buffer.put_back([first])
    await filled(buffer, [delivery(2, "same")])

    assert tags(await buffer.take(10)) == [1, 2]


async def test_what_is_put_back_is_first_in_the_next_batch(buffer: DeliveryBuffer) -> None:
    first, second, _third = await filled(buffer, [delivery(1), delivery(2), delivery(3)])
    assert tags(await buffer.take(2)) == [1, 2]

    buffer.put_back([first, second])

    assert tags(await buffer.take(10)) == [1, 2, 3]


async def test_one_acknowledgement_is_for_all_that_is_finished_without_a_gap(
    buffer: DeliveryBuffer, channel: Channel
) -> None:
    first, second, third, fourth = await filled(buffer, [delivery(tag) for tag in range(1, 5)])
    await buffer.take(4)

    await buffer.finish([second, third])
    assert channel.acknowledged == []
    await buffer.finish([first])
    assert channel.acknowledged == [(3, True)]
    await buffer.finish([fourth])
    assert channel.acknowledged == [(3, True), (4, True)]
    assert len(buffer) == 0


async def test_nothing_waits_for_what_was_set_apart_and_nothing_takes_it_along(
    buffer: DeliveryBuffer, channel: Channel
) -> None:
    first, second, third, fourth = await filled(buffer, [delivery(tag) for tag in range(1, 5)])
    await buffer.take(4)

    buffer.set_apart(second)
    await buffer.finish([first, third, fourth])
    assert channel.acknowledged == [(1, True), (3, False), (4, False)]
    assert len(buffer) == 1
    await buffer.finish([second])
    assert channel.acknowledged[3:] == [(2, False)]
    assert len(buffer) == 0


async def test_a_buffer_that_is_paused_hands_out_nothing_until_it_goes_on(buffer: DeliveryBuffer) -> None:
    buffer.pause()
    await filled(buffer, [delivery(1)])
    taking = asyncio.ensure_future(buffer.take(10))
    await asyncio.sleep(0)
    assert not taking.done()

    buffer.resume()

    async with asyncio.timeout(1):
        assert tags(await taking) == [1]


async def test_a_buffer_that_drains_waits_no_longer_for_what_is_paused(buffer: DeliveryBuffer) -> None:
    buffer.pause()
    await filled(buffer, [delivery(1)])

    buffer.drain()

    async with asyncio.timeout(1):
        assert tags(await buffer.take(10)) == [1]
        assert await buffer.take(10) == []


async def test_a_buffer_that_drains_hands_out_what_has_and_then_ends(buffer: DeliveryBuffer) -> None:
    await filled(buffer, [delivery(1)])

    buffer.drain()

    assert tags(await buffer.take(10)) == [1]
    assert await buffer.take(10) == []


async def test_a_buffer_that_releases_hands_out_nothing(buffer: DeliveryBuffer) -> None:
    [one] = await filled(buffer, [delivery(1)])
    await buffer.take(1)
    await filled(buffer, [delivery(2)])

    buffer.release()
    buffer.put_back([one])

    assert await buffer.take(10) == []


async def test_what_waits_by_itself_holds_nobody_up_and_comes_again(buffer: DeliveryBuffer, channel: Channel) -> None:
    first, second = await filled(buffer, [delivery(1, "same"), delivery(2)])
    await buffer.take(10)
    known: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    buffer.lay_by(first, known)
    await buffer.finish([second])
    assert (channel.acknowledged, len(buffer), buffer.laid_by) == ([(2, False)], 1, 1)
    await filled(buffer, [delivery(3, "same")])
    assert tags(await buffer.take(10)) == [3]
    await buffer.finish([delivery(3, "same")])
    buffer.drain()
    known.set_result(None)

    assert tags(await buffer.take(10)) == [1]
    assert buffer.laid_by == 0
    await buffer.finish([first])
    assert channel.acknowledged[1:] == [(3, False), (1, False)]
    assert await buffer.take(10) == []


async def test_a_buffer_that_releases_waits_for_nothing(buffer: DeliveryBuffer) -> None:
    [one] = await filled(buffer, [delivery(1)])
    await buffer.take(1)
    known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    buffer.lay_by(one, known)

    buffer.release()
    known.set_result(None)

    assert await buffer.take(10) == []


class Broker(Channel):
    """Takes an acknowledgement some turns of the loop later, and as RabbitMQ does: of an unknown tag it wants none."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.unacknowledged = set(range(1, count + 1))

    async def basic_ack(self, tag: int, *, multiple: bool = False) -> None:
        await asyncio.sleep(0)
        assert tag in self.unacknowledged, f"unknown delivery tag {tag}"
        self.unacknowledged -= {one for one in self.unacknowledged if one == tag or (multiple and one < tag)}


async def test_no_tag_is_acknowledged_twice_whoever_finishes_at_the_same_time() -> None:
    broker = Broker(8)
    buffer = DeliveryBuffer(cast("AbstractChannel", broker), lambda message: cast("Any", message))
    deliveries = await filled(buffer, [delivery(tag) for tag in range(1, 9)])
    await buffer.take(8)

    buffer.set_apart(deliveries[0])
    await asyncio.gather(
        buffer.finish(deliveries[1:7]),  # one by one, for the first is apart
        buffer.finish(deliveries[:1]),
        buffer.finish(deliveries[7:]),  # all up to here, in one go
    )

    assert broker.unacknowledged == set()
