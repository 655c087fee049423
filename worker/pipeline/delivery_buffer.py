"""The deliveries that a process holds on one channel, until they are acknowledged. The only place that acks."""

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.broker.messages import Delivery

# A batch of large requests is a small one: what they are read into must fit into memory.
BATCH_BYTES_MAX = 512 * 1024


class DeliveryBuffer:
    """Hands out batches, and acknowledges the finished prefix: all before the oldest that is unfinished, in one go.

    Publishers take turns, so that what one has piled up leaves the others their share of each batch.
    A tag never outlives its channel: a buffer is made with the channel and ends with it.
    """

    def __init__(self, channel: AbstractChannel, read: Callable[[DeliveredMessage], Delivery]) -> None:
        self._channel = channel
        self._read = read
        self._piles: OrderedDict[str | None, deque[Delivery]] = OrderedDict()  # what has arrived, by publisher
        self._in_hand: dict[int, Delivery] = {}  # by tag
        self._unacknowledged: deque[int] = deque()  # tags, as they came
        self._apart: set[int] = set()  # tags that the others do not wait for
        self._finished: set[int] = set()
        self._acknowledging = asyncio.Lock()  # one for several must not overtake one that it covers
        self._laid_by: dict[int, int] = {}  # tag → bytes, of what waits for something of its own
        self._message_ids = Counter[str]()  # of what is being carried out
        self._news = asyncio.Event()
        self._is_paused = False
        self._is_draining = False
        self._is_releasing = False
        self.arrived_at = time.monotonic()  # when the last one came; in the beginning, now

    def __len__(self) -> int:
        return len(self._unacknowledged) + len(self._apart)

    @property
    def unfinished(self) -> list[Delivery]:
        """What would go back to the broker, if the channel closed now."""
        return [delivery for tag, delivery in self._in_hand.items() if tag not in self._finished]

    @property
    def laid_by(self) -> int:
        """How many deliveries wait by themselves."""
        return len(self._laid_by)

    @property
    def laid_by_bytes(self) -> int:
        return sum(self._laid_by.values())

    async def put(self, message: DeliveredMessage) -> None:
        """Take a delivery from the broker."""
        delivery = self._read(message)
        self.arrived_at = time.monotonic()
        self._in_hand[delivery.tag] = delivery
        self._unacknowledged.append(delivery.tag)
        self._pile_of(delivery).append(delivery)
        self._news.set()

    async def take(self, most: int) -> list[Delivery]:
        """Wait for deliveries and take up to `most`; never waits for a batch to fill. Empty: nothing more comes.

        Copies of one request come in one batch, behind the others, to be answered together. What claims an id that
        another batch is at, or what one of this batch was edited from, stays for a later one.
        """
        while True:
            batch = [] if self._is_paused else self._pick(most)
            if batch or (self._is_draining and not (self._piles or self._laid_by)):
                return batch
            self._news.clear()
            await self._news.wait()

    def _pick(self, most: int) -> list[Delivery]:
        batch: list[Delivery] = []
        copies: list[Delivery] = []
        later: list[Delivery] = []
        claimed: dict[str, Delivery] = {}
        room = BATCH_BYTES_MAX
        while self._piles and len(batch) < most and room > 0:
            delivery = self._next()
            ids = _message_ids(delivery)
            if any(one in self._message_ids for one in ids):
                later.append(delivery)
            elif all(one not in claimed for one in ids):
                claimed.update(dict.fromkeys(ids, delivery))
                batch.append(delivery)
                room -= len(delivery.body)
            else:
                first = claimed.get(delivery.properties.message_id or "")
                is_copy = first is not None and not (delivery.trail.supersedes or first.trail.supersedes)
                (copies if is_copy else later).append(delivery)
        count = most - len(batch) if room > 0 else 0
        batch += copies[:count]
        self._put_first([*later, *copies[count:]])
        for delivery in batch:
            self._message_ids.update(_message_ids(delivery))
        return batch

    def put_back(self, deliveries: Sequence[Delivery]) -> None:
        """Take back what did not fit into a batch, to be first in the next."""
        if deliveries and not self._is_releasing:
            self._forget_ids(deliveries)
            self._put_first(deliveries)
            self._news.set()

    def lay_by(self, delivery: Delivery, until: asyncio.Future[Any]) -> None:
        """Let a delivery wait by itself, and be handed out again then."""
        if self._is_releasing:
            return
        self._forget_ids([delivery])
        self.set_apart(delivery)
        self._laid_by[delivery.tag] = len(delivery.body)
        until.add_done_callback(lambda _: self._bring_back(delivery))

    def _bring_back(self, delivery: Delivery) -> None:
        if self._laid_by.pop(delivery.tag, None) is not None:
            self._put_first([delivery])
            self._news.set()

    def set_apart(self, delivery: Delivery) -> None:
        """Let what is behind this delivery be acknowledged before it: it cannot be finished yet."""
        if delivery.tag not in self._apart:
            self._unacknowledged.remove(delivery.tag)
            self._apart.add(delivery.tag)

    async def finish(self, deliveries: Sequence[Delivery]) -> None:
        """All that these deliveries caused is confirmed: acknowledge as far as nothing older is unfinished."""
        self._forget_ids(deliveries)
        async with self._acknowledging:
            last, single = self._to_acknowledge(deliveries)
            if last is not None:
                await self._channel.basic_ack(last, multiple=True)
            for tag in single:
                await self._channel.basic_ack(tag)
            for delivery in deliveries:
                self._in_hand.pop(delivery.tag, None)
        self._news.set()

    def _to_acknowledge(self, deliveries: Sequence[Delivery]) -> tuple[int | None, list[int]]:
        """Tell up to which tag all can be acknowledged in one go, and which others one by one."""
        single: list[int] = []
        for delivery in deliveries:
            if delivery.tag in self._apart:
                self._apart.remove(delivery.tag)
                single.append(delivery.tag)
            else:
                self._finished.add(delivery.tag)
        before = min(self._apart, default=None)  # one ack for several would take what is apart with them
        last: int | None = None
        while self._unacknowledged and self._unacknowledged[0] in self._finished:
            tag = self._unacknowledged.popleft()
            self._finished.discard(tag)
            if before is None or tag < before:
                last = tag
            else:
                single.append(tag)
        if last is not None:
            single = [tag for tag in single if tag > last]
        return last, single

    def pause(self) -> None:
        """Hand out nothing until `resume`."""
        self._is_paused = True

    def resume(self) -> None:
        self._is_paused = False
        self._news.set()

    def drain(self) -> None:
        """Nothing more arrives: hand out what has, then end."""
        self._is_draining = True
        self.resume()

    def release(self) -> None:
        """Hand out nothing more. What has not begun goes back to the broker when the channel closes."""
        self._is_releasing = True
        self._piles.clear()
        self._laid_by.clear()
        self.drain()

    # ---------------------------------------------------------------- what has arrived

    def _pile_of(self, delivery: Delivery) -> deque[Delivery]:
        return self._piles.setdefault(delivery.properties.user_id, deque())

    def _next(self) -> Delivery:
        """Take the oldest of the publisher whose turn it is."""
        publisher, pile = next(iter(self._piles.items()))
        delivery = pile.popleft()
        if pile:
            self._piles.move_to_end(publisher)
        else:
            del self._piles[publisher]
        return delivery

    def _put_first(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in reversed(deliveries):
            self._pile_of(delivery).appendleft(delivery)

    def _forget_ids(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            for one in _message_ids(delivery):
                self._message_ids[one] -= 1
                if not self._message_ids[one]:
                    del self._message_ids[one]


def _message_ids(delivery: Delivery) -> tuple[str, ...]:
    """Name the ids that carrying out this delivery will claim."""
    own = delivery.properties.message_id
    return (own, *delivery.trail.supersedes) if own else delivery.trail.supersedes
