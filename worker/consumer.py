"""Deliveries → batches → endings → acks. The only place that acknowledges."""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from repository.database import PASSING_FAULTS
from worker.broker import topology
from worker.broker.connection import BROKER_FAULTS, connect, delivery_of
from worker.broker.publisher import Publisher
from worker.carry_out import House, carry_out
from worker.endings import Ending, EndingKind
from worker.messages import Delivery
from worker.settings import Settings

BATCHES_IN_FLIGHT = 2  # so that Postgres works while the broker confirms
RETRY_WAIT_SECONDS_MAX = 10.0

log = structlog.get_logger()


class Hand:
    """The deliveries that this process holds on one channel: arrived, being carried out, finished.

    Acknowledges the finished prefix: everything before the oldest delivery that is still unfinished, in one go.
    """

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._arrived: deque[Delivery] = deque()
        self._unacknowledged: OrderedDict[int, AbstractIncomingMessage] = OrderedDict()
        self._finished: set[int] = set()
        self._message_ids: set[str] = set()  # of what is being carried out
        self._news = asyncio.Event()
        self._is_closing = False

    async def put(self, message: AbstractIncomingMessage) -> None:
        """Take a delivery from the broker."""
        delivery = delivery_of(message, self._channel)
        self._unacknowledged[delivery.tag] = message
        self._arrived.append(delivery)
        self._news.set()

    async def take(self, most: int) -> list[Delivery]:
        """Wait for deliveries and take up to `most` of them; never waits for a batch to fill. Empty: closing.

        Of two deliveries with the same message_id the second stays for a later batch, when the first is answered.
        """
        while not self._is_closing:
            batch = self._pick(most)
            if batch:
                return batch
            self._news.clear()
            await self._news.wait()
        return []

    def _pick(self, most: int) -> list[Delivery]:
        batch: list[Delivery] = []
        later: list[Delivery] = []
        while self._arrived and len(batch) < most:
            delivery = self._arrived.popleft()
            message_id = delivery.properties.message_id
            if message_id is not None and message_id in self._message_ids:
                later.append(delivery)
                continue
            if message_id is not None:
                self._message_ids.add(message_id)
            batch.append(delivery)
        self._arrived.extendleft(reversed(later))
        return batch

    async def finish(self, batch: Sequence[Delivery]) -> None:
        """All that these deliveries caused is confirmed: acknowledge as far as nothing older is unfinished."""
        self._finished.update(delivery.tag for delivery in batch)
        self._message_ids.difference_update(delivery.properties.message_id or "" for delivery in batch)
        last: AbstractIncomingMessage | None = None
        while self._unacknowledged and (tag := next(iter(self._unacknowledged))) in self._finished:
            last = self._unacknowledged.pop(tag)
            self._finished.discard(tag)
        if last is not None:
            await last.ack(multiple=True)
        self._news.set()

    def close(self) -> None:
        """Hand out nothing more. What has not begun goes back to the broker with the channel."""
        self._is_closing = True
        self._news.set()


class Consumer:
    """Consumes until told to stop, through any number of sessions with the broker."""

    def __init__(self, settings: Settings, house: House) -> None:
        self._settings = settings
        self._house = house
        self._sessions = 0

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish what is in hand. A lost broker is awaited, with backoff.

        Raises:
            TopologyError: queues or exchanges are missing, or differ.
        """
        wait = wait_random_exponential(multiplier=0.2, max=RETRY_WAIT_SECONDS_MAX)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(BROKER_FAULTS),
            wait=wait,
            stop=lambda _: stopping.is_set(),
            before_sleep=_log_retry("broker.lost"),
            sleep=_sleep_until(stopping),
        ):
            with attempt:
                try:
                    await self._session(stopping)
                except* BROKER_FAULTS as group:
                    raise group.exceptions[0] from group
        log.info("worker.stopped")

    async def _session(self, stopping: asyncio.Event) -> None:
        """One stay with the broker: consume on one connection, publish on another.

        An acknowledgement on a connection that publishes would be stuck behind a memory or disk alarm.
        """
        url = self._settings.require("amqp_url")
        async with (
            connect(url, "orders worker, consuming") as consuming,
            connect(url, "orders worker, publishing") as out,
        ):
            if self._settings.topology == "apply":
                await topology.apply(out)
            else:
                await topology.check(out)
            channel = await consuming.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=self._settings.prefetch)
            queue = await channel.get_queue(topology.REQUESTS, ensure=False)
            self._sessions += 1
            hand = Hand(self._sessions)
            lost = asyncio.Event()
            channel.close_callbacks.add(lambda *_: lost.set())
            out.close_callbacks.add(lambda *_: lost.set())
            async with Publisher.on(out) as publisher, _consuming(queue, hand):
                log.info("worker.consuming", queue=queue.name, prefetch=self._settings.prefetch)
                async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as lanes:
                    for _ in range(BATCHES_IN_FLIGHT):
                        lanes.create_task(self._lane(hand, publisher))
                    await _first_of(stopping, lost)
                    if lost.is_set():
                        raise ConnectionError("the broker closed the channel")
                    hand.close()
                    bound.reschedule(asyncio.get_running_loop().time() + self._settings.drain_seconds)

    async def _lane(self, hand: Hand, publisher: Publisher) -> None:
        while batch := await hand.take(self._settings.batch_size):
            began = time.perf_counter()
            ended = await self._carry_out(batch)
            await publisher.publish_all(message for ending in ended for message in ending.messages)
            await hand.finish(batch)
            self._house.published += [
                ending.request_id for ending in ended if ending.request_id and ending.kind is EndingKind.PLACED
            ]
            for ending in ended:
                log_ending(ending, seconds=time.perf_counter() - began)

    async def _carry_out(self, batch: Sequence[Delivery]) -> list[Ending]:
        """Carry out a batch; while the database is away or in the way, wait and try again."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(PASSING_FAULTS),
            wait=wait_random_exponential(multiplier=0.05, max=RETRY_WAIT_SECONDS_MAX),
            before_sleep=_log_retry("batch.retried"),
        ):
            with attempt:
                return await carry_out(batch, self._house)
        raise AssertionError("the retrying above has no end but success")


@asynccontextmanager
async def _consuming(queue: AbstractQueue, hand: Hand) -> AsyncIterator[None]:
    tag = await queue.consume(hand.put)
    try:
        yield
    finally:
        if not queue.channel.is_closed:
            await queue.cancel(tag)


async def _first_of(*events: asyncio.Event) -> None:
    tasks = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _log_retry(event: str) -> Callable[[RetryCallState], None]:
    def before_sleep(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(event, fault=type(error).__name__, attempt=state.attempt_number)

    return before_sleep


def _sleep_until(stopping: asyncio.Event) -> Callable[[float], "asyncio.Future[None]"]:
    async def sleep(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)

    return sleep  # type: ignore[return-value]  # a coroutine function is what tenacity wants


_EVENTS = {kind: f"order.{kind}" for kind in EndingKind}


def log_ending(ending: Ending, seconds: float) -> None:
    """Write the one line of a delivery."""
    properties = ending.reading.delivery.properties
    caller = ending.reading.caller
    unknown = {"unknown_parameters": ending.reading.unknown_names} if ending.reading.unknown_names else {}
    log.info(
        _EVENTS[ending.kind],
        message_id=properties.message_id,
        caller=caller.name if caller else None,
        seconds=round(seconds, 4),
        **ending.told,
        **unknown,
    )
