"""Tidying up beside the line: marks of what was published, and what the broker has not taken yet."""

import asyncio
import time
from collections.abc import Sequence

import structlog

from repository import inbox, unsent
from repository.unsent import Unsent
from schemas import topology
from schemas.events import Event
from worker import metrics
from worker.broker.publisher import Publisher
from worker.broker.replier import REPLY_SECONDS_MAX
from worker.pipeline.context import Context
from worker.pipeline.publication import Publication

FLUSH_SECONDS = 1.0  # without traffic, marks wait at most so long
LOOK_SECONDS = 5.0  # between two looks at what is kept: each destination has its own time
SWEEP_SECONDS = 15.0
SWEEP_ANSWERS_MAX = 100
BRING_MAX = 500  # at once, of a destination that takes everything again

log = structlog.get_logger()


class Sweeper:
    """Brings what was committed and never confirmed.

    What was kept (`unsent`) it tries again. And it publishes the events of answers that nobody else can publish:
    whoever holds the request does so within the bounds of a publish, or gives it back within the drain time; what is
    older and still not marked as published is nobody's.
    """

    def __init__(self, context: Context, publisher: Publisher, publication: Publication, drain_seconds: float) -> None:
        self._context = context
        self._publisher = publisher
        self._publication = publication
        self._older_than_seconds = 2 * REPLY_SECONDS_MAX + drain_seconds

    async def run(self) -> None:
        looked_at = swept_at = -SWEEP_SECONDS  # at once: whoever was here before us may have left something
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
            if time.monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = time.monotonic()
                await self._bring_kept()
                await self._measure()
            if time.monotonic() - swept_at >= SWEEP_SECONDS:
                swept_at = time.monotonic()
                await self._sweep_answers()

    async def flush(self) -> None:
        """Write down what was published since the last batch. Under load the batches themselves carry the marks."""
        marks, self._context.published = self._context.published, []
        arrived, self._context.arrived = self._context.arrived, []
        if not (marks or arrived):
            return
        try:
            async with self._context.database.transaction() as connection:
                await inbox.mark_published(connection, marks)
                await unsent.forget(connection, arrived)
        except BaseException:
            self._context.published += marks
            self._context.arrived += arrived
            raise

    async def _measure(self) -> None:
        async with self._context.database.connection() as connection:
            metrics.unpublished(*await inbox.unpublished(connection), await unsent.summary(connection))
        metrics.dead_letters(await self._publisher.waiting(topology.DEAD))

    async def _sweep_answers(self) -> None:
        async with self._context.database.transaction() as connection:
            found = await inbox.sweep(connection, older_than_seconds=self._older_than_seconds, most=SWEEP_ANSWERS_MAX)
        if not found:
            return
        await self._publication.announce([Event.from_body(body.encode()) for answer in found for body in answer.events])
        self._context.published += [answer.mark for answer in found]
        log.warning("answers.swept", count=len(found))

    # ---------------------------------------------------------------- what is kept

    async def _bring_kept(self) -> None:
        async with self._context.database.transaction() as connection:
            due = await unsent.take_due(connection)
        if due:
            await asyncio.gather(*map(self._try, due))

    async def _try(self, oldest: Unsent) -> None:
        """Try the oldest message of a destination. While that is refused, its queues see no other twice."""
        if not await self._bring([oldest]):
            log.warning("unsent.refused", kind=oldest.kind, destination=oldest.destination, since=oldest.since)
            return
        count, most = 1, 2
        while True:
            async with self._context.database.transaction() as connection:
                following = await unsent.take_next(connection, oldest.kind, oldest.destination, most)
            if not following:
                break
            arrived = await self._bring(following)
            count += arrived
            if arrived < len(following):
                break  # it took some, and is full again
            most = min(2 * most, BRING_MAX)
        log.info("unsent.brought", kind=oldest.kind, destination=oldest.destination, count=count)

    async def _bring(self, kept: Sequence[Unsent]) -> int:
        arrived = await self._publication.bring(kept)
        if arrived:
            async with self._context.database.transaction() as connection:
                await unsent.forget(connection, list(arrived))
        return len(arrived)
