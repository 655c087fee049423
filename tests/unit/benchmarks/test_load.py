"""The load is the same in every run, and has of each kind as much as it says."""

from itertools import islice

import pytest

from tests.benchmarks.load import Order, mixed


@pytest.fixture
def orders() -> list[Order]:
    return list(islice(mixed(), 1_000))


def test_of_a_hundred_orders_two_are_rejected_and_one_is_a_repeat(orders: list[Order]) -> None:
    rejected = [order for order in orders if order.kind == "rejected"]

    assert len(rejected) == 20
    assert len(orders) - len({order.message_id for order in orders}) == 10


def test_a_repeat_is_the_very_same_request_as_before(orders: list[Order]) -> None:
    messages = [order.message for order in orders]
    number = next(number for number, message in enumerate(messages) if message in messages[:number])

    assert messages.index(messages[number]) == number - 31
    assert orders[number].follow_ups == 0  # whether it is told its first's once more depends on when it comes


def test_the_five_kinds_of_the_seed_are_as_many(orders: list[Order]) -> None:
    counts = [
        sum(order.kind == kind for order in orders)
        for kind in ("product", "three products", "domains", "addon", "renewal")
    ]

    assert sum(counts) == 980
    assert max(counts) - min(counts) <= 12
