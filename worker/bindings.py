"""A worker's look at the bindings, where the management plugin can be asked: at the start, and then again and again.

It is for who watches. Requests that arrive are carried out meanwhile, whatever is missing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from schemas.topology import Binding
from worker import metrics
from worker.broker.management import Management, Unmanaged

LOOK_EVERY_SECONDS = 60.0
LOOK_AGAIN_SECONDS = 5.0  # while one is missing: who makes it again wants to see that it is there

log = structlog.get_logger()


@asynccontextmanager
async def watched(management: Management | None) -> AsyncIterator[None]:
    """Tell the metrics, and so /readyz, which bindings are missing; None: nobody can be asked."""
    if management is None:
        yield
        return
    watch = _Watch(management)
    await watch.look()
    # Not a TaskGroup: it would wrap in a group the faults that the command tells in a sentence.
    going_on = asyncio.ensure_future(watch.go_on())
    try:
        yield
    finally:
        going_on.cancel()
        await asyncio.wait([going_on])


class _Watch:
    def __init__(self, management: Management) -> None:
        self._management = management
        self._missing: list[Binding] = []
        self._is_unknown = False

    async def go_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS if self._missing else LOOK_EVERY_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Ask once. What is not told stays as it was."""
        try:
            missing = await self._management.missing_bindings()
        except Unmanaged as error:
            if not self._is_unknown:
                log.warning("topology.bindings_unknown", why=str(error))
            self._is_unknown = True
            return
        if missing != self._missing:
            log.warning("topology.bindings_missing", bindings=[str(one) for one in missing])
        self._is_unknown, self._missing = False, missing
        metrics.bindings_missing(missing)
