"""worker/broker/replier.py: which way a reply goes, and what a bad address costs whom."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from tests.unit.broker.stand_in import Broker, Does, outgoing
from worker.broker import replier as replies
from worker.broker.replier import DIRECT_REPLY, REMEMBER_SECONDS, Replier, Reply

FORGED = f"{DIRECT_REPLY}.forged"
MOMENT = 0.05
SECONDS_MAX = 4.0  # less than any reply is waited for


@pytest.fixture
async def replier(broker: Broker) -> AsyncIterator[Replier]:
    del broker  # it is there
    async with Replier.open("amqp://host") as opened:
        yield opened


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock by which a replier remembers."""
    return lambda seconds: monkeypatch.setattr(replies, "time", SimpleNamespace(monotonic=lambda: seconds))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "REPLY_SECONDS_MAX", MOMENT)


def direct(name: object, caller: str = "shop") -> Reply:
    return outgoing(f"{DIRECT_REPLY}.{name}"), caller


def forged(number: int, caller: str = "thief") -> Reply:
    """A reply to an address that somebody made up: see `cutting`."""
    return outgoing(f"{FORGED}.{number}"), caller


def to_queue(name: str, caller: str = "shop") -> Reply:
    return outgoing(name), caller


def addresses(given: Sequence[Reply]) -> list[str]:
    return [one.routing_key for one, _ in given]


@pytest.fixture
def cutting(broker: Broker) -> Broker:
    broker.queues = {f"{FORGED}.{number}": Does.CUT for number in (1, 2)}
    return broker


async def answer(replier: Replier, *given: Reply) -> list[Reply]:
    """Answer as the worker does: together what may be, then what must apart. Returns what had to go apart."""
    async with asyncio.timeout(SECONDS_MAX):
        apart = await replier.answer(given)
        await asyncio.gather(*map(replier.answer_apart, apart))
    return apart


async def test_direct_replies_go_together_and_one_to_a_queue_goes_apart(replier: Replier, broker: Broker) -> None:
    given = [direct(1), to_queue("replies.shop"), direct(2)]

    apart = await answer(replier, *given)

    assert apart == [given[1]]
    assert sorted(broker.published) == sorted(addresses(given))


@pytest.mark.parametrize(("does", "why"), [(Does.RETURN, "returned"), (Does.REFUSE, "refused")])
async def test_a_reply_that_no_queue_takes_is_lost_and_told(
    replier: Replier, broker: Broker, does: Does, why: str
) -> None:
    broker.queues = {f"{DIRECT_REPLY}.gone": does, "replies.full": does}

    with capture_logs() as log:
        await answer(replier, direct("gone"), to_queue("replies.full"), direct(1))

    lost = {line["reply_to"]: line["why"] for line in log if line["event"] == "reply.lost"}
    assert lost == {f"{DIRECT_REPLY}.gone": why, "replies.full": why}


# ---------------------------------------------------------------- addresses that cut the connection


async def test_after_a_cut_what_is_not_confirmed_goes_again_and_only_the_one_at_fault_is_lost(
    replier: Replier, cutting: Broker
) -> None:
    given = [direct(1), forged(1), direct(2)]

    with capture_logs() as log:
        apart = await answer(replier, *given)

    assert apart == given[1:]
    assert [line["reply_to"] for line in log if line["event"] == "reply.lost"] == [f"{FORGED}.1"]
    assert cutting.published.count(f"{DIRECT_REPLY}.1") == 1
    assert cutting.published.count(f"{DIRECT_REPLY}.2") == 1  # the first time it came too late to be read


async def test_an_address_that_cut_a_connection_is_never_tried_again(
    replier: Replier, cutting: Broker, at: Callable[[float], None]
) -> None:
    at(0.0)
    await answer(replier, forged(1))
    assert cutting.published.count(f"{FORGED}.1") == 2  # with others, then alone

    at(1_000 * REMEMBER_SECONDS)
    await answer(replier, forged(1), forged(1, "another"))

    assert cutting.published.count(f"{FORGED}.1") == 2


async def test_of_very_many_addresses_the_last_are_remembered(cutting: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "ADDRESSES_MAX", 1)
    async with Replier.open("amqp://host") as replier:
        await answer(replier, forged(1))
        await answer(replier, forged(2))
        before = list(cutting.published)

        await answer(replier, forged(2), forged(1))

    assert cutting.published[len(before) :] == [f"{FORGED}.1"]


async def test_who_gave_such_an_address_goes_apart_for_a_while_and_nobody_else(
    replier: Replier, cutting: Broker, at: Callable[[float], None]
) -> None:
    at(0.0)
    await answer(replier, forged(1, "thief"))

    soon = await answer(replier, direct(1, "thief"), direct(2, "shop"))
    at(REMEMBER_SECONDS)
    later = await answer(replier, direct(1, "thief"))

    assert addresses(soon) == [f"{DIRECT_REPLY}.1"]
    assert later == []
    assert cutting.published.count(f"{DIRECT_REPLY}.1") == 2


async def test_callers_take_turns_going_apart(replier: Replier, broker: Broker) -> None:
    given = [*(direct(number, "pile") for number in range(20)), direct("other", "other")]

    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*map(replier.answer_apart, given))

    assert len(broker.published) == 21
    assert broker.published.index(f"{DIRECT_REPLY}.other") == 2


async def test_whose_time_is_over_before_its_turn_comes_stops_nobody(
    replier: Replier, broker: Broker, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del impatient
    monkeypatch.setattr(replies, "ANSWER_SECONDS", 0.0)
    broker.queues = {f"{DIRECT_REPLY}.slow": Does.NOTHING}
    await asyncio.gather(replier.answer_apart(direct("slow")), replier.answer_apart(direct("behind", "other")))

    async with asyncio.timeout(SECONDS_MAX):
        await replier.answer_apart(direct("next"))

    assert broker.published[-1] == f"{DIRECT_REPLY}.next"


# ---------------------------------------------------------------- queues that confirm nothing


async def test_a_queue_that_confirms_nothing_is_left_alone_for_a_while_and_costs_other_queues_a_connection(
    replier: Replier, broker: Broker, impatient: None, at: Callable[[float], None]
) -> None:
    del impatient
    broker.queues = {"replies.stuck": Does.NOTHING}
    at(0.0)
    await answer(replier, to_queue("replies.stuck"))

    with capture_logs() as log:
        await answer(replier, to_queue("replies.stuck"), to_queue("replies.shop"))
    assert broker.published == ["replies.stuck", "replies.shop"]
    assert [(line["reply_to"], line["why"]) for line in log if line["event"] == "reply.lost"] == [
        ("replies.stuck", "overdue")
    ]
    assert broker.opened["orders worker, replying to queues"] == 2

    at(REMEMBER_SECONDS)
    await answer(replier, to_queue("replies.stuck"))
    assert broker.published == ["replies.stuck", "replies.shop", "replies.stuck"]
