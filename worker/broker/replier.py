"""Replies, on connections of their own: given to the broker within a bound, or given up.

A reply may be lost: who missed it asks again under the same message_id. It must never hold up anything else.
"""

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import structlog

from worker.broker.messages import Outgoing
from worker.broker.outlet import Outlet, Why

REPLY_SECONDS_MAX = 5.0
ANSWER_SECONDS = 0.5  # for an outlet to tell what it has given up
DIRECT_REPLY = "amq.rabbitmq.reply-to"
ADDRESSES_MAX = 10_000  # that cut a connection
CALLERS_MAX = 1_000  # whose addresses did
QUEUES_MAX = 1_000  # that confirmed nothing
REMEMBER_SECONDS = 60.0  # callers and queues: a broker that went away at that moment looks the same

log = structlog.get_logger()

Reply = tuple[Outgoing, str]  # and whose other replies it may cost theirs


class Replier:
    """Sends replies by one of three ways, so that a bad one costs nobody but its caller.

    A direct reply-to is a name that only RabbitMQ can make. Over one that somebody made up it cuts the connection, and
    with it the replies that were on their way. Those are sent again apart, one at a time, callers taking turns: so the
    one at fault is known. It is not tried again, and for a while its caller's others go apart at once. A reply to an
    ordinary queue goes by a third connection, which a queue that never confirms would stop.
    """

    def __init__(self, direct: Outlet, apart: Outlet, queues: Outlet) -> None:
        self._direct = direct
        self._apart = apart
        self._queues = queues
        self._cut = _Recent(ADDRESSES_MAX)
        self._callers = _Recent(CALLERS_MAX, REMEMBER_SECONDS)
        self._stuck = _Recent(QUEUES_MAX, REMEMBER_SECONDS)
        self._turns = _Turns()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """Open the connections.

        Raises:
            BROKER_FAULTS: one does not come about.
        """
        async with AsyncExitStack() as opening:
            names = (f"orders worker, replying {how}" for how in ("directly", "apart", "to queues"))
            outlets = [await opening.enter_async_context(Outlet.open(url, name, reopen_seconds=0.0)) for name in names]
            yield cls(*outlets)

    async def answer(self, replies: Sequence[Reply]) -> list[Reply]:
        """Give replies to the broker together. Returns those that must go apart, each by `answer_apart`."""
        together: list[Reply] = []
        apart: list[Reply] = []
        for reply in replies:
            (together if self._may_go_together(*reply) else apart).append(reply)
        untaken = await self._direct.publish([outgoing for outgoing, _ in together], REPLY_SECONDS_MAX)
        given_up = {id(outgoing): why for outgoing, why in untaken}
        for reply in together:
            why = given_up.get(id(reply[0]))
            if why is Why.LOST:
                apart.append(reply)
            elif why is not None:
                _log_lost(reply[0], why)
        return apart

    async def answer_apart(self, reply: Reply) -> None:
        """Give one reply to the broker, or give it up after its time."""
        outgoing, caller = reply
        try:
            async with asyncio.timeout(REPLY_SECONDS_MAX + ANSWER_SECONDS):
                if _is_direct(outgoing):
                    why = await self._alone(outgoing, caller)
                else:
                    why = await self._to_queue(outgoing)
        except TimeoutError:
            why = Why.OVERDUE
        if why is not None:
            _log_lost(outgoing, why)

    def _may_go_together(self, outgoing: Outgoing, caller: str) -> bool:
        return _is_direct(outgoing) and outgoing.routing_key not in self._cut and caller not in self._callers

    async def _to_queue(self, outgoing: Outgoing) -> Why | None:
        queue = outgoing.routing_key
        if queue in self._stuck:
            return Why.OVERDUE
        why = await _sent(self._queues, outgoing)
        if why is Why.OVERDUE and queue not in self._stuck:
            self._stuck.add(queue)
            self._queues.renew()  # it stops the connection, and replies to other queues with it
        return why

    async def _alone(self, outgoing: Outgoing, caller: str) -> Why | None:
        """Send a reply with nothing else on its connection: what cuts that now is this one's address."""
        if outgoing.routing_key in self._cut:
            return Why.LOST
        async with self._turns.turn(caller):
            why = await _sent(self._apart, outgoing)
        if why is Why.LOST:
            self._cut.add(outgoing.routing_key)
            self._callers.add(caller)
        return why


def _is_direct(outgoing: Outgoing) -> bool:
    return outgoing.routing_key.startswith(DIRECT_REPLY)


async def _sent(outlet: Outlet, outgoing: Outgoing) -> Why | None:
    """Send a reply; tell why it is not known to have arrived."""
    untaken = await outlet.publish([outgoing], REPLY_SECONDS_MAX)
    return untaken[0][1] if untaken else None


def _log_lost(outgoing: Outgoing, why: Why) -> None:
    # The caller left before its answer came, or its queue takes no more. It may send the same message_id again.
    log.warning("reply.lost", reply_to=outgoing.routing_key, why=why)


class _Recent:
    """Remembers the last so many, each for a while."""

    def __init__(self, most: int, seconds: float = math.inf) -> None:
        self._most = most
        self._seconds = seconds
        self._until: OrderedDict[str, float] = OrderedDict()

    def __contains__(self, one: str) -> bool:
        return self._until.get(one, -math.inf) > time.monotonic()

    def add(self, one: str) -> None:
        self._until[one] = time.monotonic() + self._seconds
        self._until.move_to_end(one)
        if len(self._until) > self._most:
            self._until.popitem(last=False)


class _Turns:
    """Lets one in at a time, and callers in turn: however many of one wait, another's is the next but one."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        await self._enter(caller)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, caller: str) -> None:
        if not self._is_taken:
            self._is_taken = True
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()  # it was our turn, and we were not there any more
            raise

    def _leave(self) -> None:
        while self._waiting:
            caller, queue = self._waiting.popitem(last=False)
            first = queue.popleft()
            if queue:
                self._waiting[caller] = queue  # behind the others
            if not first.done():
                first.set_result(None)
                return
        self._is_taken = False
