"""A broker with an alarm takes nothing from anybody who publishes, and hears nothing more of them: commands say so.

reliability.md 13 for the command line: in seconds, and none of them waits without an end.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest

from deploy.local import RabbitMQ
from schemas import topology
from tests.faults.proxy import Proxy
from tests.faults.test_broker import DISK_ALARM, MEMORY_ALARM
from tests.integration.test_commands import run
from tests.integration.test_dead_letters import put
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop

SECONDS = 15.0  # for a command with its start; each is told within three
ALARMS = ("eval", "rabbit_alarm:get_alarms().")
ORDER = "clientid=1&pid=7&paymentmethod=paypal"


@pytest.fixture(params=[MEMORY_ALARM, DISK_ALARM], ids=["memory", "disk"])
async def alarmed(shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ, request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    """A shop with a dead letter, whose broker has an alarm."""
    raise_, clear = request.param
    await put(shop_at_rabbitmq, {"message_id": "mine"})
    await asyncio.to_thread(rabbitmq.control, *raise_)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while "resource_limit" not in await asyncio.to_thread(rabbitmq.control, *ALARMS):
                await asyncio.sleep(POLL_SECONDS)
        yield shop_at_rabbitmq
    finally:
        await asyncio.to_thread(rabbitmq.control, *clear)
        async with asyncio.timeout(SECONDS_MAX):
            while "resource_limit" in await asyncio.to_thread(rabbitmq.control, *ALARMS):
                await asyncio.sleep(POLL_SECONDS)


async def timed(*arguments: str, environment: dict[str, str]) -> tuple[float, int, str]:
    began = time.monotonic()
    ended = await asyncio.to_thread(run, *arguments, **environment)
    assert "Traceback" not in ended.stderr
    return time.monotonic() - began, ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("command", "whose"),
    [
        ("doctor --as worker", "worker"),
        ("doctor", "operator"),
        ("status", "operator"),
        (f"publish --wait --form {ORDER}", "storefront"),
        (f"publish --form {ORDER}", "storefront"),
        ("dead replay mine", "operator"),
        ("dead discard mine --why x --yes", "operator"),
    ],
)
async def test_an_alarm_is_told_in_seconds(alarmed: Shop, command: str, whose: str) -> None:
    environment = {
        "worker": alarmed.worker_environment,
        "operator": alarmed.environment,
        "storefront": alarmed.storefront_environment,
    }[whose]

    seconds, status, said = await timed(*command.split(), environment=environment)

    assert seconds < SECONDS
    if "discard" in command:  # nothing is published
        assert status == 0, said
        return
    assert status == 1
    assert "it takes nothing: low on" in " ".join(said.split())
    if command.startswith("status"):
        assert topology.DEAD in said  # the rest is told all the same


async def test_a_worker_that_is_paused_by_an_alarm_goes_on_by_itself(
    shop_at_rabbitmq: Shop, rabbitmq: RabbitMQ
) -> None:
    """Only commands give up: what a worker does is as before."""
    await shop_at_rabbitmq.start_worker()
    raise_, clear = MEMORY_ALARM
    asked = await shop_at_rabbitmq.publish(json.dumps({"clientid": 1, "pid": 7, "paymentmethod": "paypal"}).encode())
    await shop_at_rabbitmq.reply(asked)

    await asyncio.to_thread(rabbitmq.control, *raise_)
    await asyncio.to_thread(rabbitmq.control, *clear)
    again = await shop_at_rabbitmq.publish({"clientid": 1, "pid": 7, "paymentmethod": "paypal"})

    assert await shop_at_rabbitmq.reply(again)


# ---------------------------------------------------------------- servers that fall silent

SILENT_SECONDS = 30.0  # two heartbeats, or what the database may take; both are asked at once


@pytest.mark.parametrize("moment", ["from the beginning", "once they have been spoken to"])
async def test_the_doctor_tells_of_servers_that_fall_silent_and_ends(shop: Shop, moment: str) -> None:
    amqp_url, postgres_url = shop.environment["ORDERS_AMQP_URL"], shop.environment["ORDERS_POSTGRES_URL"]
    async with Proxy.to(amqp_url) as rabbitmq, Proxy.to(postgres_url) as postgres:
        if moment == "from the beginning":
            rabbitmq.swallow()
            postgres.swallow()
        else:
            rabbitmq.half_open_at(topology.UNROUTED.encode())
            postgres.half_open_at(b"pg_is_in_recovery")
        settings = {
            "ORDERS_AMQP_URL": rabbitmq.url(amqp_url),
            "ORDERS_POSTGRES_URL": postgres.url(postgres_url),
        }
        seconds, status, said = await timed("doctor", environment={**shop.environment, **settings})

    assert (status, seconds < SILENT_SECONDS) == (1, True), seconds
    assert said.count("does not answer") == 2, said
