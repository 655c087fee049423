"""worker/pipeline/session.py: what ends a session, and what ends the process."""

import asyncio
from typing import Any, cast
from unittest.mock import Mock

import pytest
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from worker.pipeline import session
from worker.pipeline.delivery_buffer import DeliveryBuffer
from worker.pipeline.session import Intake, Session
from worker.settings import Settings


def a_session() -> Session:
    return Session(Settings.read({}), Mock(), Mock(), Mock())


@pytest.mark.parametrize("is_grouped", [False, True])
async def test_a_broker_that_falls_silent_ends_the_session_and_not_the_process(*, is_grouped: bool) -> None:
    """In whatever it was doing: suspects, for one, are carried out beside tasks, which puts faults into groups."""
    one = a_session()

    async def wait_in_vain() -> None:
        if is_grouped:
            async with asyncio.TaskGroup():
                raise TimeoutError
        raise TimeoutError

    await one._guarded(wait_in_vain())  # noqa: SLF001  # the seam between a fault and what it ends

    assert isinstance(one._fault, TimeoutError)  # noqa: SLF001
    assert one._over.is_set()  # noqa: SLF001


async def test_a_bug_beside_a_fault_of_the_broker_is_still_a_bug() -> None:
    async def go_wrong() -> None:
        raise BaseExceptionGroup("both", [TimeoutError(), KeyError("a bug")])

    with pytest.raises(BaseExceptionGroup):
        await a_session()._guarded(go_wrong())  # noqa: SLF001


class Channel:
    """Counts consumers, and those that were cancelled."""

    def __init__(self) -> None:
        self.consumers: list[str] = []
        self.opened = 0

    async def basic_qos(self, *, prefetch_count: int) -> None:
        assert prefetch_count == 10

    async def basic_consume(self, _queue: str, _callback: object) -> Basic.ConsumeOk:
        self.opened += 1
        self.consumers.append(f"consumer-{self.opened}")
        return Basic.ConsumeOk(consumer_tag=self.consumers[-1])

    async def basic_cancel(self, tag: str) -> None:
        self.consumers.remove(tag)


class Laid(DeliveryBuffer):
    """A buffer of which so much is laid by as a test says."""

    count = 0
    size = 0

    @property
    def laid_by(self) -> int:
        return self.count

    @property
    def laid_by_bytes(self) -> int:
        return self.size


@pytest.fixture
def laid() -> Laid:
    return Laid(cast("AbstractChannel", None), lambda message: cast("Any", message))


async def test_what_waits_to_be_verified_leaves_the_others_half_of_the_prefetch_at_least(laid: Laid) -> None:
    channel = Channel()
    intake = Intake(laid, cast("AbstractChannel", channel), prefetch=10)
    await intake.begin()

    counts = []
    for laid.count in (0, 4, 5, 14, 15, 1_000, 1, 0):
        await asyncio.gather(*(intake.make_room() for _ in range(3)))
        counts.append(len(channel.consumers))

    assert counts == [1, 1, 2, 2, 3, session.CONSUMERS_MAX, session.CONSUMERS_MAX, 1]
    await intake.end(finish=True)
    assert channel.consumers == []


async def test_no_room_is_made_for_more_than_memory_has(laid: Laid) -> None:
    channel = Channel()
    intake = Intake(laid, cast("AbstractChannel", channel), prefetch=10)
    await intake.begin()

    laid.count, laid.size = 100, session.LAID_BY_BYTES_MAX
    await intake.make_room()

    assert len(channel.consumers) == 1
