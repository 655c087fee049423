"""worker/broker/outlet.py: how long is waited for a confirm, for whose, and over which channel it goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.broker.stand_in import Broker, Does, outgoing
from worker.broker import outlet as outlets
from worker.broker.messages import Outgoing
from worker.broker.outlet import Outlet, Untaken, Why

PATIENCE = 60.0  # seconds: who waits for so long has failed
MOMENT = 0.05


class Heard(list[Outgoing]):
    """What arrived after it was given up."""


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def outlet(broker: Broker, heard: Heard) -> AsyncIterator[Outlet]:
    del broker  # it is there
    async with Outlet.open("amqp://host", "outlet", arrived=heard.append, reopen_seconds=0.0) as opened:
        yield opened


async def publish(outlet: Outlet, *messages: Outgoing, seconds: float = PATIENCE) -> list[Untaken]:
    """Publish, and see that nobody waits for what is not to be waited for."""
    async with asyncio.timeout(PATIENCE / 12):
        return await outlet.publish(messages, seconds)


def told(untaken: list[Untaken]) -> list[tuple[str, Why]]:
    return [(outgoing.routing_key, why) for outgoing, why in untaken]


async def test_nothing_is_told_of_what_is_confirmed(outlet: Outlet, broker: Broker) -> None:
    assert await publish(outlet, outgoing("a"), outgoing("b")) == []
    assert broker.published == ["a", "b"]


async def test_what_comes_back_or_is_refused_is_told_apart_from_what_is_confirmed(
    outlet: Outlet, broker: Broker
) -> None:
    broker.queues = {"nowhere": Does.RETURN, "full": Does.REFUSE}

    untaken = await publish(outlet, outgoing("nowhere"), outgoing("a"), outgoing("full"))

    assert told(untaken) == [("nowhere", Why.RETURNED), ("full", Why.REFUSED)]
    assert outlet.overdue == []


# ---------------------------------------------------------------- overdue routes


async def test_what_nobody_confirms_in_time_is_overdue_and_its_route_is_named(outlet: Outlet, broker: Broker) -> None:
    broker.queues = {"stuck": Does.NOTHING}

    untaken = await publish(outlet, outgoing("stuck"), outgoing("a"), seconds=MOMENT)

    assert told(untaken) == [("stuck", Why.OVERDUE)]
    assert outlet.overdue == [("", "stuck")]


async def test_while_something_is_overdue_others_of_its_route_are_sent_and_not_waited_for(
    outlet: Outlet, broker: Broker
) -> None:
    broker.queues = {"stuck": Does.NOTHING}
    await publish(outlet, outgoing("stuck"), seconds=MOMENT)

    untaken = await publish(outlet, outgoing("stuck"), outgoing("a"))

    assert told(untaken) == [("stuck", Why.OVERDUE)]
    assert broker.published == ["stuck", "stuck", "a"]


async def test_the_same_key_of_another_exchange_is_another_route(outlet: Outlet, broker: Broker) -> None:
    broker.queues = {"stuck": Does.NOTHING}
    await publish(outlet, outgoing("stuck"), seconds=MOMENT)

    asyncio.get_running_loop().call_later(MOMENT, broker.catch_up)

    assert await publish(outlet, outgoing("stuck", exchange="orders.events")) == []


async def test_a_route_is_waited_for_again_when_all_that_was_overdue_has_arrived(
    outlet: Outlet, broker: Broker, heard: Heard
) -> None:
    broker.queues = {"stuck": Does.NOTHING}
    late = [outgoing("stuck", "1"), outgoing("stuck", "2")]
    await publish(outlet, *late, seconds=MOMENT)
    assert heard == []

    broker.queues = {}
    broker.catch_up()

    assert heard == late
    assert outlet.overdue == []
    assert await publish(outlet, outgoing("stuck", "3")) == []


async def test_what_is_refused_after_all_has_not_arrived_but_is_in_nobodys_way(
    outlet: Outlet, broker: Broker, heard: Heard
) -> None:
    broker.queues = {"stuck": Does.NOTHING}
    await publish(outlet, outgoing("stuck"), seconds=MOMENT)

    broker.catch_up(Does.REFUSE)

    assert heard == []
    assert outlet.overdue == []


# ---------------------------------------------------------------- what a stuck connection may hold


async def test_more_than_a_connection_may_hold_is_not_sent(
    outlet: Outlet, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "IN_FLIGHT_MAX", 2)
    broker.queues = {"stuck": Does.NOTHING, "other": Does.NOTHING}
    await publish(outlet, outgoing("stuck", "1"), seconds=MOMENT)

    untaken = await publish(outlet, outgoing("other", "2"), outgoing("other", "3"), seconds=MOMENT)

    assert sorted(broker.published) == ["other", "stuck"]
    assert sorted((one.properties.message_id, why) for one, why in untaken) == [("2", Why.OVERDUE), ("3", Why.OVERDUE)]


@pytest.mark.parametrize("does", [Does.CONFIRM, Does.REFUSE, Does.RETURN])
async def test_whatever_becomes_of_a_message_there_is_room_again(
    outlet: Outlet, broker: Broker, monkeypatch: pytest.MonkeyPatch, does: Does
) -> None:
    monkeypatch.setattr(outlets, "IN_FLIGHT_MAX", 1)
    broker.queues = {"stuck": Does.NOTHING, "sooner": does}
    await publish(outlet, outgoing("sooner"))
    await publish(outlet, outgoing("stuck"), seconds=MOMENT)
    assert told(await publish(outlet, outgoing("a"))) == [("a", Why.OVERDUE)]

    broker.catch_up(does)

    assert await publish(outlet, outgoing("a")) == []


async def test_a_channel_on_which_the_broker_answers_nobody_is_not_waited_for(
    outlet: Outlet, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "LOCK_SECONDS_MAX", MOMENT)
    monkeypatch.setattr(outlets, "IN_FLIGHT_MAX", 1)
    [channel] = broker.connections[0].channels

    async with channel.below.is_busy:
        untaken = await publish(outlet, outgoing("a"))

    assert told(untaken) == [("a", Why.UNSENT)]
    assert broker.published == []
    assert await publish(outlet, outgoing("a")) == []


# ---------------------------------------------------------------- connections and channels


async def test_what_was_on_its_way_over_a_connection_that_is_cut_is_lost_and_the_next_goes_over_another(
    outlet: Outlet, broker: Broker
) -> None:
    broker.queues = {"forged": Does.CUT, "slow": Does.NOTHING}

    untaken = await publish(outlet, outgoing("slow"), outgoing("forged"))

    assert sorted(told(untaken)) == [("forged", Why.LOST), ("slow", Why.LOST)]
    assert await publish(outlet, outgoing("a")) == []
    assert len(broker.connections) == 2
    assert outlet.overdue == []  # with the connection went what was in the way


async def test_without_a_connection_nothing_is_sent_and_nobody_waits(outlet: Outlet, broker: Broker) -> None:
    broker.connections[0].end()
    broker.is_away = True

    assert told(await publish(outlet, outgoing("a"))) == [("a", Why.UNSENT)]
    broker.is_away = False
    assert await publish(outlet, outgoing("a")) == []


async def test_a_lost_connection_is_opened_anew_no_more_often_than_it_may(broker: Broker) -> None:
    async with Outlet.open("amqp://host", "outlet", reopen_seconds=PATIENCE) as outlet:
        broker.connections[0].end()

        untaken = await publish(outlet, outgoing("a"))

    assert told(untaken) == [("a", Why.UNSENT)]
    assert len(broker.connections) == 1


async def test_a_connection_that_is_given_up_is_used_no_more(outlet: Outlet, broker: Broker) -> None:
    broker.queues = {"stuck": Does.NOTHING}
    await publish(outlet, outgoing("stuck"), seconds=MOMENT)

    outlet.renew()

    assert outlet.overdue == []
    assert await publish(outlet, outgoing("a")) == []
    assert len(broker.connections) == 2


async def test_where_a_queue_has_refused_something_another_channel_is_used_after_a_while(
    outlet: Outlet, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.queues = {"full": Does.REFUSE}
    await publish(outlet, outgoing("full"))
    await publish(outlet, outgoing("a"))
    assert len(broker.connections[0].channels) == 1

    monkeypatch.setattr(outlets, "ANOTHER_CHANNEL_SECONDS", 0.0)
    await asyncio.gather(*(publish(outlet, outgoing(name)) for name in "abc"))
    await publish(outlet, outgoing("a"))

    assert [channel.is_closed for channel in broker.connections[0].channels] == [True, False]


async def test_a_channel_is_not_left_while_something_on_it_is_overdue(
    outlet: Outlet, broker: Broker, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlets, "ANOTHER_CHANNEL_SECONDS", 0.0)
    broker.queues = {"full": Does.REFUSE, "stuck": Does.NOTHING}
    await publish(outlet, outgoing("full"), outgoing("stuck"), seconds=MOMENT)

    await publish(outlet, outgoing("a"))
    assert len(broker.connections[0].channels) == 1
    broker.catch_up()
    assert [one.routing_key for one in heard] == ["stuck"]
    await publish(outlet, outgoing("a"))
    assert len(broker.connections[0].channels) == 2
