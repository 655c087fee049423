"""Secrets that are being verified: beside the batches, a few at a time, and nobody's pile before everybody's else."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

THREADS = 2  # one verification takes about 30 ms and 19 MiB


class Verdict(Enum):
    """What became of a pair that was verified."""

    RIGHT = auto()
    REPLACED = auto()  # right, for as long as the old secret is taken as well
    WRONG = auto()


Verification = asyncio.Future[Verdict | None]  # None: it was not looked at, for the credentials are others now
Pile = tuple[str | None, str | None]  # the publisher, and the identifier, where there is such a credential


@dataclass(slots=True)
class _Waiting:
    verify: Callable[[], Verdict]
    told: Verification
    verdict: Verdict | None = None  # not known yet
    waits_for_others: bool = True


class Verifications:
    """Verifies in threads; piles take turns.

    A wrong secret is told no sooner than all that came before it are known. Else the piles would tell which identifiers
    there are: a flood of made-up ones is one pile, and a credential's own is answered before it.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="argon2")
        self._running = 0
        self._piles: OrderedDict[Pile, deque[_Waiting]] = OrderedDict()
        self._in_order: deque[_Waiting] = deque()  # what is not told yet, as it came
        self._takes_newest = False

    def add(self, pile: Pile, verify: Callable[[], Verdict]) -> Verification:
        """Let a pair be verified when it is its turn."""
        waiting = _Waiting(verify, asyncio.get_running_loop().create_future())
        self._piles.setdefault(pile, deque()).append(waiting)
        self._in_order.append(waiting)
        self._start()
        return waiting.told

    def forget(self) -> None:
        """Tell all whose turn has not come to ask again: the credentials are others now."""
        unbegun = [waiting for pile in self._piles.values() for waiting in pile]
        verified = [waiting for waiting in self._in_order if waiting.verdict]
        for waiting in (*unbegun, *verified):
            waiting.told.set_result(None)
        for waiting in self._in_order:
            waiting.waits_for_others = False
        self._piles.clear()
        self._in_order.clear()

    def _start(self) -> None:
        while self._piles and self._running < THREADS:
            waiting = self._next()
            self._running += 1
            done = asyncio.get_running_loop().run_in_executor(self._threads, waiting.verify)
            done.add_done_callback(partial(self._verified, waiting))

    def _next(self) -> _Waiting:
        """Take from either end of the pile whose turn it is: among guesses the right one may well be the newest."""
        key, pile = next(iter(self._piles.items()))
        self._takes_newest = not self._takes_newest
        waiting = pile.pop() if self._takes_newest else pile.popleft()
        if pile:
            self._piles.move_to_end(key)
        else:
            del self._piles[key]
        return waiting

    def _verified(self, waiting: _Waiting, done: asyncio.Future[Verdict]) -> None:
        self._running -= 1
        if error := done.exception():
            waiting.told.set_exception(error)
        elif done.result() is Verdict.WRONG and waiting.waits_for_others:
            waiting.verdict = done.result()
        else:
            waiting.told.set_result(done.result())
        while self._in_order and (self._in_order[0].told.done() or self._in_order[0].verdict):
            first = self._in_order.popleft()
            if first.verdict:
                first.told.set_result(first.verdict)
        self._start()
