"""Tidying up beside the line: marks of what was published, and events whose request is gone."""

import asyncio
import time

import structlog

from repository import inbox
from schemas import topology
from schemas.events import Event
from worker import metrics
from worker.broker.publisher import CONFIRM_SECONDS_MAX, Publisher
from worker.pipeline import outcomes
from worker.pipeline.context import Context

FLUSH_SECONDS = 1.0  # without traffic, marks wait at most so long
SWEEP_SECONDS = 15.0
SWEEP_ANSWERS_MAX = 100

log = structlog.get_logger()


class Sweeper:
    """Publishes what was committed but never confirmed, once nobody else can: the request itself is gone.

    Whoever holds the request publishes within the confirm's bound, or gives it back within the drain time. What is
    older and still not marked as published is nobody's.
    """

    def __init__(self, context: Context, publisher: Publisher, drain_seconds: float) -> None:
        self._context = context
        self._publisher = publisher
        self._older_than_seconds = CONFIRM_SECONDS_MAX + drain_seconds

    async def run(self) -> None:
        swept_at = -SWEEP_SECONDS  # sweep at once: whoever was here before us may have left something
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
            if time.monotonic() - swept_at >= SWEEP_SECONDS:
                swept_at = time.monotonic()
                await self._sweep()
                await self._measure()

    async def flush(self) -> None:
        """Mark what was published since the last batch. Under load the batches themselves carry the marks."""
        marks, self._context.published = self._context.published, []
        if not marks:
            return
        try:
            async with self._context.database.transaction() as connection:
                await inbox.mark_published(connection, marks)
        except BaseException:
            self._context.published += marks
            raise

    async def _measure(self) -> None:
        async with self._context.database.connection() as connection:
            metrics.unpublished(*await inbox.unpublished(connection))
        metrics.dead_letters(await self._publisher.waiting(topology.DEAD))

    async def _sweep(self) -> None:
        async with self._context.database.transaction() as connection:
            found = await inbox.sweep(connection, older_than_seconds=self._older_than_seconds, most=SWEEP_ANSWERS_MAX)
        if not found:
            return
        events = [Event.from_body(body.encode()) for answer in found for body in answer.events]
        await self._publisher.publish_all(map(outcomes.event_message, events))
        self._context.published += [answer.request_id for answer in found]
        log.warning("answers.swept", count=len(found))
