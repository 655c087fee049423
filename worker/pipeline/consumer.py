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
    wait_random_exponential,
)

from repository.database import LOCKED_OUT
from worker import metrics
from worker.broker.addresses import nodes_of
from worker.broker.connection import REFUSALS, BrokerRefused
from worker.pipeline.context import Context
from worker.pipeline.session import Session
from worker.pipeline.trouble import AWAY, fault_fields
from worker.settings import Settings

PAUSE_SECONDS = 0.2  # grows with each probe that fails, with jitter
PAUSE_SECONDS_MAX = 5.0  # work goes on within 10 of a server's return, and a probe takes time itself
RELAPSE_SECONDS = 0.5  # doubled with each
RELAPSE_SECONDS_MAX = 60.0
SESSION_SECONDS_MIN = 5.0  # one that ends sooner counts as a probe that failed

log = structlog.get_logger()


class Consumer:
    """Consumes until told to stop, through any number of sessions with the broker."""

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._nodes = deque(nodes_of(settings.require("amqp_url")))
        self._has_worked = False
        self._relapses = 0  # sessions in a row that ended in seconds, though the servers were there before each

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish what is in hand within the drain time.

        While Postgres or RabbitMQ is away nothing is consumed; they are probed with growing, jittered waits.

        Raises:
            Stuck: messages wait, and the broker hands none of them over.
            TopologyError: queues or exchanges are missing, or differ.
            NotMigrated: the database's tables are missing, or older than this program.
            LOCKED_OUT: the database never let us in: it takes nobody who comes as the URL says.
        """
        metrics.consuming(is_so=False, why_not="it starts")
        while not stopping.is_set():
            async for attempt in AsyncRetrying(
                retry=retry_if_exception(self._is_waited_for),
                wait=self._wait,
                stop=lambda _: stopping.is_set(),
                retry_error_callback=lambda _: None,
                before_sleep=_tell_next_try,
                sleep=_sleep_until(stopping),
            ):
                with attempt:
                    await self._probe_and_consume(stopping)
        log.info("worker.stopped")

    def _wait(self, state: RetryCallState) -> float:
        """Wait as long as a server may take to come back, or, if it fell back at once again and again, for longer."""
        relapse = min(RELAPSE_SECONDS * 2**self._relapses, RELAPSE_SECONDS_MAX) if self._relapses else 0.0
        return max(relapse, wait_random_exponential(multiplier=PAUSE_SECONDS, max=PAUSE_SECONDS_MAX)(state))

    def _is_waited_for(self, error: BaseException) -> bool:
        """Whether a fault may pass while we wait. A URL that never let us in is wrong: whoever starts us reads why."""
        return isinstance(error, AWAY) and (self._has_worked or not isinstance(error, LOCKED_OUT))

    async def _probe_and_consume(self, stopping: asyncio.Event) -> None:
        began, opened = time.monotonic(), None
        try:
            await self._context.open()
            self._has_worked = True
            opened = time.monotonic()
            async with Session.open(self._settings, self._context, ",".join(self._nodes)) as session:
                await session.run(stopping)
        except REFUSALS as error:
            raise BrokerRefused(f"RabbitMQ refuses: {error}; see `orders doctor`") from error
        except AWAY as error:
            self._nodes.rotate(-1)  # a node may answer, and still be in no state to work
            if opened is not None:
                self._relapses = self._relapses + 1 if time.monotonic() - opened < SESSION_SECONDS_MIN else 0
            if time.monotonic() - began < SESSION_SECONDS_MIN:
                raise
            _tell_pause(error)


def _tell_next_try(state: RetryCallState) -> None:
    _tell_pause(state.outcome.exception() if state.outcome else None, probe=state.attempt_number)


def _tell_pause(error: BaseException | None, **more: int) -> None:
    fields = fault_fields(error)
    why = fields.get("says", fields["fault"])
    metrics.consuming(is_so=False, why_not=f"{fields['server']} is away or in trouble: {why}")
    log.warning("worker.paused", **fields, **more)


def _sleep_until(stopping: asyncio.Event) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), seconds)

    return sleep
