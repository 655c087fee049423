"""`orders demo`, at the servers of the tests: what it shows, and what it takes away from nobody."""

import asyncio
import re

import pytest

from deploy.local.servers import Servers
from repository import scratch
from schemas import topology
from tests.integration.test_commands import run
from tests.integration.test_dead_letters import put
from tests.shop import Shop
from worker.commands.demo_stage import DATABASE

COLUMNS = 100


async def demo(shop: Shop, servers: Servers, *options: str, stdin: str = "") -> tuple[int, str, str]:
    settings = {"ORDERS_AMQP_URL": shop.logins.administrator, "ORDERS_POSTGRES_URL": servers.postgres_url}
    ended = await asyncio.to_thread(run, "demo", *options, stdin=stdin, **settings)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.usefixtures("nobodys")
async def test_a_demo_leaves_nothing_behind_and_says_what_it_waits_for(shop: Shop, servers: Servers) -> None:
    await scratch.drop(servers.postgres_url, DATABASE)  # of a demo that was killed
    status, shown, said = await demo(shop, servers)
    again, *_ = await demo(shop, servers)

    assert (status, again) == (0, 0), said
    assert "one was written" in shown
    assert re.search(r"Domain Registration - whmcs\.com - 1 Year \(\S+ - \S+\) +14\.95$", shown, re.MULTILINE)
    assert said.startswith("Postgres and RabbitMQ start: a few seconds")
    assert await scratch.orders_in(servers.postgres_url, DATABASE) == 0
    assert [await shop.waiting(queue.name) for queue in topology.QUEUES] == [0] * len(topology.QUEUES)


@pytest.mark.usefixtures("nobodys")
@pytest.mark.parametrize(("answer", "left"), [("n\n", 1), ("", 1), ("y\n", 0)])
async def test_what_is_there_is_taken_away_only_when_it_is_said_so(
    shop: Shop, servers: Servers, answer: str, left: int
) -> None:
    await put(shop, {"message_id": "kept"})

    status, _, said = await demo(shop, servers, stdin=answer)

    assert "1 message in our queues. The demo takes it away." in said
    assert (status, await shop.waiting(topology.DEAD)) == (left, left)
    if left:
        assert "nothing was touched" in said
