"""What the scenes of a fault have in common: a load that runs beside it, moments for it, and waiting with a bound."""

import asyncio
import math
import random
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from tests.faults.load import Storefront
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker

WORKERS = 3
PROBE_SECONDS_MAX = 5.0
# A quorum queue that is killed in its first seconds comes back without a leader on RabbitMQ 3.10.
FIRST_FAULT_SECONDS = 3.0
FAULT_EVERY_SECONDS = 20.0  # in a long run
PIECE_SECONDS = 0.5  # of the load, after which it looks whether it is still wanted


class Load:
    """Orders that are sent while something else goes on: so many in so many seconds, and more until that is over."""

    def __init__(self, shop: Shop, storefront: Storefront, chance: random.Random, orders: int, seconds: float) -> None:
        self._shop = shop
        self._storefront = storefront
        self._orders = orders
        self._rate = orders / seconds
        self._is_over = False
        # Counts of confirmed orders: the same ones for the same seed, however fast the machine is.
        first, faults = math.ceil(self._rate * FIRST_FAULT_SECONDS), max(1, int(seconds // FAULT_EVERY_SECONDS))
        self.moments = sorted(chance.sample(range(first, orders), faults))

    @property
    def confirmed(self) -> int:
        return len(self._storefront.ledger.confirmed)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send, and return when all are confirmed. What goes wrong inside ends the sending as well."""
        sending = asyncio.create_task(self._send())
        try:
            yield
            self._is_over = True
            await sending
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending

    async def _send(self) -> None:
        while self.confirmed < self._orders or not self._is_over:
            await self._storefront.send(math.ceil(self._rate * PIECE_SECONDS), rate=self._rate)

    async def reach(self, moment: int) -> int:
        """Wait until so many are confirmed, and return how many are placed: some."""
        await until(lambda: self.confirmed >= moment, 2 * moment / self._rate + SECONDS_MAX)
        return await self.exceed(0)

    async def exceed(self, placed: int, seconds_max: float = SECONDS_MAX) -> int:
        """Wait until more are placed."""
        async with asyncio.timeout(seconds_max):
            while (now := await self._shop.orders_placed()) <= placed:
                await asyncio.sleep(POLL_SECONDS)
        return now


async def until(is_so: Callable[[], bool], seconds_max: float) -> None:
    async with asyncio.timeout(seconds_max):
        while not is_so():
            await asyncio.sleep(POLL_SECONDS)


def count(worker: Worker, event: str) -> int:
    return sum(line["event"] == event for line in worker.log)


def all_live(workers: Iterable[Worker]) -> bool:
    """Whether none of them has ended, by itself or otherwise."""
    return all(worker.process.poll() is None for worker in workers)


async def is_ready(port: int) -> bool:
    def ask() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=PROBE_SECONDS_MAX) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            error.close()
            return False

    return await asyncio.to_thread(ask)
