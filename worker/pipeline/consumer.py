"""Deliveries → batches → outcomes → acks: sessions with the broker, pauses between them."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
)

from worker import metrics
from worker.broker.addresses import nodes_of
from worker.broker.connection import BROKER_ACCESS_FAULTS, BrokerUnusable
from worker.pipeline.context import Context
from worker.pipeline.pauses import SESSION_SECONDS_MIN, Pauses
from worker.pipeline.session import Session
from worker.pipeline.trouble import AWAY, fault_fields, sentence_of
from worker.settings import Settings

log = structlog.get_logger()


class Consumer:
    """Consumes until told to stop, through any number of sessions with the broker."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._nodes = deque(nodes_of(settings.require("amqp_url")))
        self._pauses = Pauses()

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish what is in hand within the drain time.

        While Postgres or RabbitMQ is away nothing is consumed; they are probed with growing, jittered waits.

        Raises:
            Stuck: messages wait, and the broker hands none of them over.
            TopologyError: queues or exchanges are missing, or differ.
            NotMigrated: the database's tables are missing, or older than this program.
            ACCESS_FAULTS: the database never let us in: it takes nobody who comes as the URL says.
        """
        metrics.consuming(is_so=False, why_not="it starts")
        while not stopping.is_set():
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(self._pauses.wait_for),
                wait=self._pauses.seconds,
                stop=lambda _: stopping.is_set(),
                retry_error_callback=lambda _: None,
                before_sleep=_tell_next_try,
                sleep=_sleep_until(stopping),
            ):
                with attempt:
                    await self._probe_and_consume(stopping)
        log.info("worker.stopped")

    async def _probe_and_consume(self, stopping: asyncio.Event) -> None:
        began, session = time.monotonic(), None
        try:
            await self._context.open()
            nodes = ",".join(self._nodes)
            async with Session.open(self._settings, self._context, nodes, is_wary=self._pauses.were_any) as session:
                self._pauses.servers_are_there()
                await session.run(stopping)
        except BROKER_ACCESS_FAULTS as error:
            raise BrokerUnusable(f"RabbitMQ refuses: {error}; see `orders doctor`") from error
        except AWAY as error:
            self._nodes.rotate(-1)  # a node may answer, and still be in no state to work
            if session is not None:
                self._pauses.session_ended(time.monotonic() - began, has_worked=session.has_worked)
            if time.monotonic() - began < SESSION_SECONDS_MIN:
                raise
            _tell_pause(error)


def _tell_next_try(state: RetryCallState) -> None:
    _tell_pause(state.outcome.exception() if state.outcome else None, probe=state.attempt_number)


def _tell_pause(error: BaseException | None, **more: int) -> None:
    metrics.consuming(is_so=False, why_not=sentence_of(error))
    log.warning("worker.paused", **fault_fields(error), **more)


def _sleep_until(stopping: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)

    return sleep
