"""The deliveries that a process holds on one channel, until they are acknowledged. The only place that acks."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.broker import headers
from worker.broker.connection import delivery_of
from worker.broker.messages import Delivery

# A batch of large requests is a small one: what they are read into must fit into memory.
BATCH_BYTES_MAX = 512 * 1024


class DeliveryBuffer:
    """Hands out batches, and acknowledges the finished prefix: all before the oldest that is unfinished, in one go.

    A tag never outlives its channel: a buffer is made with the channel and ends with it.
    """

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._arrived: deque[Delivery] = deque()
        self._unacknowledged: deque[int] = deque()  # tags, as they came
        self._finished: set[int] = set()
        self._message_ids: set[str] = set()  # of what is being carried out
        self._news = asyncio.Event()
        self._is_draining = False
        self._is_releasing = False
        self.arrived_at = time.monotonic()  # when the last one came; in the beginning, now

    def __len__(self) -> int:
        return len(self._unacknowledged)

    async def put(self, message: DeliveredMessage) -> None:
        """Take a delivery from the broker."""
        delivery = delivery_of(message)
        self.arrived_at = time.monotonic()
        self._unacknowledged.append(delivery.tag)
        self._arrived.append(delivery)
        self._news.set()

    async def take(self, most: int) -> list[Delivery]:
        """Wait for deliveries and take up to `most`; never waits for a batch to fill. Empty: nothing more comes.

        Of two deliveries with the same message_id the second stays for a later batch, when the first is answered. So
        does one that supersedes another.
        """
        while True:
            batch = self._pick(most)
            if batch or (self._is_draining and not self._arrived):
                return batch
            self._news.clear()
            await self._news.wait()

    def _pick(self, most: int) -> list[Delivery]:
        batch: list[Delivery] = []
        later: list[Delivery] = []
        room = BATCH_BYTES_MAX
        while self._arrived and len(batch) < most and room > 0:
            delivery = self._arrived.popleft()
            message_ids = _message_ids(delivery)
            if not message_ids.isdisjoint(self._message_ids):
                later.append(delivery)
                continue
            self._message_ids |= message_ids
            batch.append(delivery)
            room -= len(delivery.body)
        self._arrived.extendleft(reversed(later))
        return batch

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Take back what did not fit into a batch, to be first in the next."""
        if deliveries and not self._is_releasing:
            self._message_ids.difference_update(*map(_message_ids, deliveries))
            self._arrived.extendleft(reversed(deliveries))
            self._news.set()

    async def finish(self, batch: Sequence[Delivery]) -> None:
        """All that these deliveries caused is confirmed: acknowledge as far as nothing older is unfinished."""
        self._finished.update(delivery.tag for delivery in batch)
        self._message_ids.difference_update(*map(_message_ids, batch))
        last: int | None = None
        while self._unacknowledged and self._unacknowledged[0] in self._finished:
            last = self._unacknowledged.popleft()
            self._finished.discard(last)
        if last is not None:
            await self._channel.basic_ack(last, multiple=True)
        self._news.set()

    def drain(self) -> None:
        """Nothing more arrives: hand out what has, then end."""
        self._is_draining = True
        self._news.set()

    def release(self) -> None:
        """DeliveryBuffer out nothing more. What has not begun goes back to the broker when the channel closes."""
        self._is_releasing = True
        self._arrived.clear()
        self.drain()


def _message_ids(delivery: Delivery) -> set[str]:
    """Name the ids that carrying out this delivery will claim."""
    own = delivery.properties.message_id
    return {*([own] if own else ()), *headers.superseded(delivery.properties.headers)}
