"""How fast a run goes."""

import asyncio
import time

TURNS_A_SECOND = 10  # of a run with a rate


class Pace:
    """Lets so many go a second; None: as fast as it goes."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._next = 0.0

    def at_once(self, most: int) -> int:
        """Tell how many may go together, so that it is looked at several times a second."""
        return most if self._rate is None else max(1, min(most, int(self._rate / TURNS_A_SECOND)))

    async def wait(self, count: int) -> None:
        """Wait until the next `count` may go."""
        now = time.monotonic()
        begin = max(self._next, now)
        self._next = begin + (count / self._rate if self._rate else 0.0)
        await asyncio.sleep(begin - now)
