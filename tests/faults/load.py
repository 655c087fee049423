"""Numbered orders from a storefront that does as docs/messages.md tells it: confirms, and again under the same id."""

import asyncio
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import aio_pika
from aio_pika.abc import AbstractExchange

from schemas import topology
from tests.shop import user_of
from worker.broker.connection import BROKER_FAULTS, connect

CONFIRM_SECONDS_MAX = 5.0
AGAIN_SECONDS = 0.1  # between two tries of one request
IN_FLIGHT_MAX = 50

# Of every hundred requests; what is left is the plain order of one service.
REJECTED, STOCKED, MIXED, DISCOUNTED = 3, 15, 25, 5
REPEATED = 2  # sent twice under one id, whatever they ask for

CLIENTS = (1, 10, 11, 12, 13, 14, 20, 24)
UNKNOWN_CLIENT = 99_999


@dataclass(slots=True)
class Ledger:
    """What the storefront knows: the requests that it tried to send, and those that the broker confirmed."""

    attempted: dict[str, dict[str, Any]] = field(default_factory=dict)  # message_id → body
    confirmed: set[str] = field(default_factory=set)

    def is_right(self, message_id: str) -> bool:
        """Whether this request can be placed."""
        return bool(self.attempted[message_id]["clientid"] != UNKNOWN_CLIENT)


def requests(seed: int) -> Iterator[dict[str, Any]]:
    """Make up orders without end, the same ones for the same seed."""
    chance = random.Random(seed)
    for number in itertools.count(1):
        body: dict[str, Any] = {"clientid": chance.choice(CLIENTS), "paymentmethod": "paypal", "pid": [7]}
        kind = chance.randrange(100)
        if kind < REJECTED:
            body["clientid"] = UNKNOWN_CLIENT
        elif (kind := kind - REJECTED) < STOCKED:
            body |= {"pid": [5], "qty": [chance.randint(1, 3)], "billingcycle": ["monthly"]}
        elif (kind := kind - STOCKED) < MIXED:
            body |= {"pid": [1], "domain": [f"shop-{seed}-{number}.com"], "domaintype": ["register"], "addons": ["1,3"]}
        elif kind - MIXED < DISCOUNTED:
            body["promocode"] = "LASTUSE"
        yield body


class Storefront:
    """Publishes until the broker has confirmed, through restarts, alarms and lost connections.

    `urls` are nodes of one broker: when one does not answer, the next is asked.
    """

    def __init__(self, urls: Sequence[str], seed: int = 1) -> None:
        self.ledger = Ledger()
        self._urls = itertools.cycle(urls)
        self._seed = seed
        self._requests = requests(seed)
        self._chance = random.Random(seed)
        self._connecting = asyncio.Lock()
        self._exchange: AbstractExchange | None = None
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._leave(self._exchange)

    async def send(self, count: int, *, rate: float | None = None) -> None:
        """Send so many requests, at most `rate` a second, and return when all are confirmed."""
        room = asyncio.Semaphore(IN_FLIGHT_MAX)
        async with asyncio.TaskGroup() as sending:
            for body in itertools.islice(self._requests, count):
                await room.acquire()
                sending.create_task(self._send(body, room))
                if rate is not None:
                    await asyncio.sleep(1 / rate)

    async def _send(self, body: dict[str, Any], room: asyncio.Semaphore) -> None:
        message_id = f"load-{self._seed}-{len(self.ledger.attempted) + 1}"
        self.ledger.attempted[message_id] = body
        for _ in range(2 if self._chance.randrange(100) < REPEATED else 1):
            await self._publish(message_id, json.dumps(body).encode())
        self.ledger.confirmed.add(message_id)
        room.release()

    async def _publish(self, message_id: str, body: bytes) -> None:
        """Try until the broker confirms. A try without an answer may have arrived all the same."""
        while True:
            exchange = None
            try:
                async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                    exchange, user = await self._connected()
                    message = aio_pika.Message(
                        body,
                        content_type="application/json",
                        message_id=message_id,
                        user_id=user,
                        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    )
                    await exchange.publish(message, topology.ADD_ORDER)
                    return
            except (*BROKER_FAULTS, TimeoutError):
                await self._leave(exchange)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _connected(self) -> tuple[AbstractExchange, str]:
        async with self._connecting:
            if self._exchange is None:
                url = next(self._urls)
                self._user = user_of(url)
                connection = await self._opened.enter_async_context(connect(url, "orders tests, load"))
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._exchange = await channel.get_exchange(topology.COMMANDS, ensure=False)
            return self._exchange, self._user

    async def _leave(self, exchange: AbstractExchange | None) -> None:
        """Give a connection up, once; whoever fails on it later finds a new one."""
        async with self._connecting:
            if exchange is not self._exchange:
                return
            self._exchange = None
            opened, self._opened = self._opened, AsyncExitStack()
            try:
                async with asyncio.timeout(CONFIRM_SECONDS_MAX):
                    await opened.aclose()
            except (*BROKER_FAULTS, TimeoutError):
                return
