"""Workers killed at random under load lose nothing and repeat nothing (reliability.md 1)."""

import asyncio
import random

from tests.faults.load import Storefront
from tests.faults.oracle import Oracle
from tests.shop import Shop

WORKERS = 3
ORDERS = 600
RATE = 100  # a second
KILLS = 6


async def test_workers_killed_at_random_under_load(shop: Shop) -> None:
    await be_killed_at_random(shop, random.Random(22), orders=ORDERS, kills=KILLS)


async def be_killed_at_random(shop: Shop, chance: random.Random, orders: int, kills: int) -> None:
    """Under load, kill one of three workers after the other, and start another in its place."""
    workers = list(await asyncio.gather(*(shop.start_worker() for _ in range(WORKERS))))

    async with (
        Oracle.listening(shop.logins.administrator, shop.environment["ORDERS_POSTGRES_URL"]) as oracle,
        Storefront([shop.logins.storefront], seed=chance.randrange(10**6)) as storefront,
    ):
        sending = asyncio.create_task(storefront.send(orders, rate=RATE))
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.3, 0.9))
            await asyncio.to_thread(workers.pop(chance.randrange(WORKERS)).kill)
            workers.append(await shop.spawn_worker())
        await sending

        await oracle.judge(storefront.ledger, workers, seconds_max=60)
