"""Deliveries that can't end yet, because the queue that their copy is for takes nothing.

They stay unacknowledged, out of the way of the others, and are tried again: of each queue one, until it takes it.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from worker.broker.messages import Delivery, Outgoing

TRY_SECONDS = 1.0  # then twice as long after each try
TRY_SECONDS_MAX = 30.0


@dataclass(slots=True)
class _Queue:
    """What is held for one queue, the oldest first."""

    waiting: list[tuple[Delivery, Outgoing]] = field(default_factory=list)
    try_at: float = 0.0  # monotonic seconds
    pause_seconds: float = TRY_SECONDS


class Held:
    """What is held, by the queue that it is held for."""

    def __init__(self) -> None:
        self._queues: dict[tuple[str, str], _Queue] = {}

    def __len__(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    @property
    def names(self) -> list[str]:
        """Name the queues that take nothing."""
        return [exchange or routing_key for exchange, routing_key in self._queues]

    def add(self, delivery: Delivery, copy: Outgoing) -> None:
        # By the delay's exchange, a message comes into its one queue, whatever its key.
        key = (copy.exchange, "" if copy.exchange else copy.routing_key)
        queue = self._queues.setdefault(key, _Queue(try_at=time.monotonic() + TRY_SECONDS))
        queue.waiting.append((delivery, copy))

    async def bring(self, send: Callable[[Outgoing], Awaitable[bool]]) -> list[Delivery]:
        """Try those whose time has come; returns the deliveries whose copy was taken."""
        taken: list[Delivery] = []
        for key, queue in list(self._queues.items()):
            if time.monotonic() < queue.try_at:
                continue
            while queue.waiting and await send(queue.waiting[0][1]):
                taken.append(queue.waiting.pop(0)[0])
                queue.pause_seconds = TRY_SECONDS
            if queue.waiting:
                queue.try_at = time.monotonic() + queue.pause_seconds
                queue.pause_seconds = min(2 * queue.pause_seconds, TRY_SECONDS_MAX)
            else:
                del self._queues[key]
        return taken
