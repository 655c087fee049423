"""worker/pipeline/held.py: how often a queue that takes nothing is tried, and with what."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tests.deliveries import delivery
from worker.broker.messages import Outgoing, Properties
from worker.pipeline import held as module
from worker.pipeline.held import TRY_SECONDS, TRY_SECONDS_MAX, Held

DEAD, DELAY, SUSPECTS = "orders.dead", "orders.retry.5s", ("", "orders.suspects")  # exchanges; an exchange and a key


class Queues:
    """Take what they are given, but those that are full."""

    def __init__(self) -> None:
        self.full: set[str] = set()
        self.tried: list[str] = []  # message ids

    async def take(self, copy: Outgoing) -> bool:
        self.tried.append(str(copy.properties.message_id))
        return (copy.exchange or copy.routing_key) not in self.full


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock. It begins at 0."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: seconds))

    set_to(0.0)
    return set_to


def add(held: Held, tag: int, exchange: str = DEAD, routing_key: str = "order.add") -> None:
    copy = Outgoing(
        exchange=exchange,
        routing_key=routing_key,
        body=b"",
        properties=Properties(message_id=str(tag)),
        mandatory=True,
    )
    held.add(delivery(tag, str(tag), {}), copy)


async def bring(held: Held, queues: Queues) -> list[int]:
    return [one.tag for one in await held.bring(queues.take)]


async def test_a_queue_is_left_alone_at_first_and_then_given_all_in_the_order_of_their_coming(
    queues: Queues, at: Callable[[float], None]
) -> None:
    held = Held()
    for tag in (1, 2, 3):
        add(held, tag)

    assert await bring(held, queues) == []
    assert queues.tried == []
    at(TRY_SECONDS)
    assert await bring(held, queues) == [1, 2, 3]
    assert (len(held), held.names) == (0, [])


async def test_of_a_queue_that_takes_nothing_the_oldest_is_tried_and_no_other(
    queues: Queues, at: Callable[[float], None]
) -> None:
    held = Held()
    add(held, 1)
    add(held, 2)
    queues.full = {DEAD}

    at(TRY_SECONDS)
    assert await bring(held, queues) == []

    assert queues.tried == ["1"]
    assert (len(held), held.names) == (2, [DEAD])


async def test_tries_are_twice_as_far_apart_each_time_and_half_a_minute_at_most(
    queues: Queues, at: Callable[[float], None]
) -> None:
    held = Held()
    add(held, 1)
    queues.full = {DEAD}

    tried_at = []
    for second in range(100):
        at(float(second))
        before = len(queues.tried)
        await bring(held, queues)
        if len(queues.tried) > before:
            tried_at.append(second)

    assert tried_at == [1, 2, 4, 8, 16, 32, 62, 92]
    assert TRY_SECONDS_MAX == 30.0


async def test_a_queue_that_has_taken_something_is_tried_soon_again(
    queues: Queues, at: Callable[[float], None]
) -> None:
    held = Held()
    add(held, 1)
    queues.full = {DEAD}
    for second in (1.0, 2.0, 4.0, 8.0):
        at(second)
        await bring(held, queues)
    add(held, 2)

    async def take_one(copy: Outgoing) -> bool:
        return copy.properties.message_id == "1"

    at(16.0)
    assert [one.tag for one in await held.bring(take_one)] == [1]
    queues.full = set()
    at(16.0 + TRY_SECONDS)

    assert await bring(held, queues) == [2]


async def test_queues_do_not_wait_for_each_other(queues: Queues, at: Callable[[float], None]) -> None:
    held = Held()
    add(held, 1)
    add(held, 2, *SUSPECTS)
    queues.full = {DEAD}

    at(TRY_SECONDS)
    assert await bring(held, queues) == [2]
    add(held, 3, *SUSPECTS)
    at(2 * TRY_SECONDS)
    assert await bring(held, queues) == [3]
    add(held, 4, *SUSPECTS)
    at(3 * TRY_SECONDS)  # the other's time is a second later
    assert await bring(held, queues) == [4]
    assert queues.tried == ["1", "2", "1", "3", "4"]
    assert held.names == [DEAD]


async def test_whatever_its_key_a_message_goes_by_an_exchange_into_its_one_queue_and_without_one_by_its_key(
    queues: Queues, at: Callable[[float], None]
) -> None:
    held = Held()
    add(held, 1, DELAY, "order.add")
    add(held, 2, DELAY, "order.of-tomorrow")
    add(held, 3, *SUSPECTS)
    add(held, 4, "", "orders.elsewhere")
    queues.full = {DELAY, "orders.suspects", "orders.elsewhere"}

    at(TRY_SECONDS)
    await bring(held, queues)

    assert queues.tried == ["1", "3", "4"]
    assert held.names == [DELAY, "orders.suspects", "orders.elsewhere"]


async def test_of_a_queue_that_is_well_again_nothing_is_remembered(queues: Queues, at: Callable[[float], None]) -> None:
    held = Held()
    add(held, 1)
    queues.full = {DEAD}
    for second in (1.0, 2.0, 4.0):
        at(second)
        await bring(held, queues)
    queues.full = set()
    at(8.0)
    assert await bring(held, queues) == [1]

    add(held, 2)
    at(8.0 + TRY_SECONDS)

    assert await bring(held, queues) == [2]
