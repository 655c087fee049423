import asyncio
from itertools import islice

import pytest

from tests.benchmarks.figures import Aim, Figure, regressions
from tests.benchmarks.link import Link
from tests.benchmarks.load import Order, mixed


@pytest.fixture
def orders() -> list[Order]:
    return list(islice(mixed(), 1_000))


def figure(*rounds: float, more_is_better: bool = True, is_compared: bool = True) -> Figure:
    return Figure("a figure", rounds, more_is_better=more_is_better, is_compared=is_compared)


def test_a_figure_is_met_by_its_median() -> None:
    assert Figure("a figure", (7.0, 8.5, 9.0), Aim(8, at_least=True)).is_met
    assert not Figure("a figure", (7.0, 7.5, 9.0), Aim(8, at_least=True)).is_met
    assert Figure("a figure", (1.0, 1.05, 3.0), Aim(1.1)).is_met
    assert Figure("a figure", (), Aim(1.1)).is_met is None


def test_within_the_spread_of_the_rounds_nothing_is_worse() -> None:
    assert not regressions([figure(8, 9, 10)], [figure(6, 7, 8)])
    assert not regressions([figure(1, 2, 3, more_is_better=False)], [figure(3, 4, 5, more_is_better=False)])


def test_it_is_worse_when_its_best_round_is_worse_than_the_worst_before() -> None:
    assert regressions([figure(8, 9, 10)], [figure(5, 6, 7)]) == ["a figure: 6.00 ×, was 9.00"]  # noqa: RUF001
    assert regressions([figure(1, 2, 3, more_is_better=False)], [figure(4, 5, 6, more_is_better=False)])


def test_what_is_not_compared_or_was_not_measured_is_never_worse() -> None:
    assert not regressions([figure(8, 9)], [figure(1, 2, is_compared=False)])
    assert not regressions([figure()], [figure(1, 2)])
    assert not regressions([figure(8, 9)], [figure()])
    assert not regressions([], [figure(1, 2)])


def test_of_a_hundred_orders_two_are_rejected_and_one_is_a_repeat(orders: list[Order]) -> None:
    rejected = [order for order in orders if order.kind == "rejected"]

    assert len(rejected) == 20
    assert len(orders) - len({order.message_id for order in orders}) == 10


def test_a_repeat_is_the_very_same_request_as_before(orders: list[Order]) -> None:
    number = next(number for number, order in enumerate(orders) if order in orders[:number])

    assert orders.index(orders[number]) == number - 31


def test_the_five_kinds_of_the_seed_are_as_many(orders: list[Order]) -> None:
    counts = [
        sum(order.kind == kind for order in orders)
        for kind in ("product", "three products", "domains", "addon", "renewal")
    ]

    assert sum(counts) == 980
    assert max(counts) - min(counts) <= 12


class Socket:
    """Stands in for a transport: it keeps nothing."""

    def write(self, data: bytes) -> None: ...


def ack(tag: int, *, multiple: bool) -> bytes:
    payload = b"\x00\x3c\x00\x50" + tag.to_bytes(8) + bytes([multiple])
    return b"\x01\x00\x01" + len(payload).to_bytes(4) + payload + b"\xce"


async def test_a_run_of_messages_is_confirmed_when_every_one_is() -> None:
    link = Link()
    link.connection_made(Socket())  # type: ignore[arg-type]  # enough of a transport
    publishing = asyncio.ensure_future(link.publish([b"one", b"two", b"three"]))
    await asyncio.sleep(0)

    link.data_received(ack(3, multiple=False) + ack(1, multiple=True)[:5])
    await asyncio.sleep(0)
    assert not publishing.done()
    link.data_received(ack(1, multiple=True)[5:])
    await asyncio.sleep(0)
    assert not publishing.done()
    link.data_received(ack(2, multiple=True))
    await publishing
