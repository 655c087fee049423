"""Whatever can go wrong, one after the other and two at once, at random under load (reliability.md, "Oracle")."""

import asyncio
import logging
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deploy.local import RabbitMQ
from deploy.local.postgres import Postgres
from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.faults.scenes import WORKERS
from tests.faults.test_broker import DISK_ALARM
from tests.faults.test_database import CUT, STOPS
from tests.shop import POLL_SECONDS, Shop, Worker

RATE = 60.0  # orders a second
PIECE = 30  # orders, after which the load looks whether it is still wanted
QUIET_SECONDS_MAX = 1.5  # between two faults
AWAY_SECONDS_MAX = 3.0
FROZEN_SECONDS_MAX = 30.0  # longer than the broker waits for a heartbeat: what the worker holds, others get meanwhile
JUDGE_SECONDS_MAX = 120.0
SECONDS = 10.0
SHORT_FROZEN_SECONDS_MAX = 3.0

log = logging.getLogger(__name__)


@dataclass
class Site:
    """What faults happen to."""

    shop: Shop
    postgres: Postgres
    rabbitmq: RabbitMQ
    workers: list[Worker]
    chance: random.Random
    frozen_seconds_max: float

    async def take_worker(self) -> Worker:
        """Take one of the workers out, and let another take its place."""
        taken = self.workers.pop(self.chance.randrange(len(self.workers)))
        self.workers.append(await self.shop.spawn_worker())
        return taken

    async def sleep(self, seconds_max: float = AWAY_SECONDS_MAX) -> None:
        await asyncio.sleep(self.chance.uniform(0, seconds_max))


async def kill_worker(site: Site) -> None:
    await asyncio.to_thread((await site.take_worker()).kill)


async def replace_worker(site: Site) -> None:
    worker = await site.take_worker()
    await until_signals_are_heard(worker)
    assert await asyncio.to_thread(worker.stop) == 0, worker.words


async def until_signals_are_heard(worker: Worker) -> None:
    """Wait until a worker has got so far that it ends in an orderly way when it is asked to."""
    async with asyncio.timeout(JUDGE_SECONDS_MAX):
        while not worker.words:
            await asyncio.sleep(POLL_SECONDS)


async def freeze_worker(site: Site) -> None:
    """Stop a worker's clock, as a machine that is short of everything does. It takes up where it was."""
    worker = site.chance.choice(site.workers)
    worker.process.send_signal(signal.SIGSTOP)
    try:
        await site.sleep(site.frozen_seconds_max)
    finally:
        worker.process.send_signal(signal.SIGCONT)


async def kill_rabbitmq(site: Site) -> None:
    await asyncio.to_thread(site.rabbitmq.kill)
    await site.sleep()
    await asyncio.to_thread(site.rabbitmq.start)


async def cut_connections(site: Site) -> None:
    await asyncio.to_thread(site.rabbitmq.control, "close_all_connections", "a fault of the tests")


async def fill_disk(site: Site) -> None:
    raised, cleared = DISK_ALARM
    await asyncio.to_thread(site.rabbitmq.control, *raised)
    await site.sleep()
    await asyncio.to_thread(site.rabbitmq.control, *cleared)


async def stop_postgres(site: Site) -> None:
    await asyncio.to_thread(site.chance.choice(list(STOPS.values())), site.postgres)
    await site.sleep()
    await asyncio.to_thread(site.postgres.start)


async def cut_transactions(site: Site) -> None:
    await site.shop.database.execute(CUT)


Fault = Callable[[Site], Awaitable[None]]

# Each group happens to something of its own, so that two of different groups can happen at once.
WORKER_FAULTS: tuple[Fault, ...] = (kill_worker, replace_worker, freeze_worker)
RABBITMQ_FAULTS: tuple[Fault, ...] = (kill_rabbitmq, cut_connections, fill_disk)
POSTGRES_FAULTS: tuple[Fault, ...] = (stop_postgres, cut_transactions)
GROUPS = (WORKER_FAULTS, RABBITMQ_FAULTS, POSTGRES_FAULTS)


async def suffer(
    shop: Shop,
    postgres: Postgres,
    rabbitmq: RabbitMQ,
    chance: random.Random,
    seconds: float,
    *,
    frozen_seconds_max: float = FROZEN_SECONDS_MAX,
) -> None:
    """Let faults happen under load for so long, and say which; then mend everything and judge."""
    workers = list(await asyncio.gather(*(shop.start_worker() for _ in range(WORKERS))))
    site = Site(shop, postgres, rabbitmq, workers, chance, frozen_seconds_max)
    is_over = asyncio.Event()
    happened = 0

    async def send(storefront: Storefront) -> None:
        while not is_over.is_set():
            await storefront.send(PIECE, rate=RATE)

    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        async with asyncio.TaskGroup() as load:
            load.create_task(send(storefront))
            began = time.monotonic()
            while (at := time.monotonic() - began) < seconds:
                faults = [chance.choice(group) for group in chance.sample(GROUPS, chance.choice((1, 1, 2)))]
                log.info("%.1f s: %s", at, ", ".join(fault.__name__ for fault in faults))
                await asyncio.gather(*(fault(site) for fault in faults))
                happened += len(faults)
                await site.sleep(QUIET_SECONDS_MAX)
            is_over.set()
        await asyncio.gather(*map(until_signals_are_heard, site.workers))
        await oracle.judge(storefront.ledger, site.workers, JUDGE_SECONDS_MAX)

    assert happened
    assert await shop.orders_placed()
    log.info("%d faults, %d requests, each with one ending", happened, len(storefront.ledger.confirmed))


async def test_faults_of_all_kinds_at_once_lose_nothing_and_repeat_nothing(
    shop_at_both: Shop, postgres: Postgres, rabbitmq: RabbitMQ
) -> None:
    chance = random.Random(12)
    await suffer(shop_at_both, postgres, rabbitmq, chance, SECONDS, frozen_seconds_max=SHORT_FROZEN_SECONDS_MAX)
