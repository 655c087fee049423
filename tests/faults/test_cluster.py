"""A broker of three nodes goes on without one of them, and so do workers that were connected to it.

reliability.md 20. The scene takes its length, so that a long run can play it too.
"""

import asyncio
import json
import random

from schemas import topology
from tests.faults.cluster import NODES, Cluster
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.faults.scenes import Load, all_live, count
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker, vhost_of

ORDERS = 300
SECONDS = 6.0
GO_ON_SECONDS_MAX = 10.0
JUDGE_SECONDS_MAX = 90.0


async def node_killed(shop: Shop, cluster: Cluster, chance: random.Random, orders: int, seconds: float) -> None:
    """Kill the node that leads the requests, again and again; the storefront and each worker prefer another node."""
    workers = await start_workers(shop, cluster)
    vhost = vhost_of(shop.logins.administrator)

    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront(
            [node.at(shop.logins.storefront) for node in cluster.nodes], seed=chance.randrange(1_000_000)
        ) as storefront,
    ):
        load = Load(shop, storefront, chance, orders, seconds)
        async with load.running():
            for moment in load.moments:
                placed = await load.reach(moment)
                leader = await asyncio.to_thread(cluster.leader_of, topology.REQUESTS, vhost)
                await asyncio.to_thread(leader.kill)
                async with asyncio.timeout(GO_ON_SECONDS_MAX):
                    await load.exceed(placed + orders // 10)
                    while not all(map(is_consuming, workers)):
                        await asyncio.sleep(POLL_SECONDS)
                assert not leader.is_running()
                await asyncio.to_thread(leader.start)
                await until_complete(cluster, vhost)
        assert any(count(worker, "worker.paused") for worker in workers), "nobody was connected to a node that died"
        assert all_live(workers)
        await oracle.judge(storefront.ledger, workers, JUDGE_SECONDS_MAX)


async def start_workers(shop: Shop, cluster: Cluster) -> list[Worker]:
    urls = [node.at(shop.logins.worker) for node in cluster.nodes]
    orders = [",".join(urls[first:] + urls[:first]) for first in range(NODES)]
    return await asyncio.gather(*(shop.start_worker(ORDERS_AMQP_URL=order) for order in orders))


def is_consuming(worker: Worker) -> bool:
    states: list[str] = [line["event"] for line in worker.log]
    return [state for state in states if state in ("worker.consuming", "worker.paused")][-1] == "worker.consuming"


async def until_complete(cluster: Cluster, vhost: str) -> None:
    """Wait until every queue is on all nodes again: before that, no other node may be lost."""
    command = ("list_queues", "--vhost", vhost, "--formatter", "json", "name", "online")
    async with asyncio.timeout(2 * SECONDS_MAX):
        while True:
            queues = json.loads(await asyncio.to_thread(cluster.nodes[0].control, *command))
            if all(len(queue["online"]) == NODES for queue in queues):
                return


async def test_without_the_node_that_leads_the_queue_work_goes_on_and_nothing_is_lost(
    clustered_shop: Shop, cluster: Cluster
) -> None:
    await node_killed(clustered_shop, cluster, random.Random(20), ORDERS, SECONDS)
