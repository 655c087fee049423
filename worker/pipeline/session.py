"""One stay with the broker: deliveries come in, batches are carried out, and what they cause goes out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPConnectionError
from aiormq.abc import AbstractChannel

from repository.database import AWAY_FAULTS
from schemas import topology
from worker import metrics
from worker.broker import headers
from worker.broker.connection import BROKER_FAULTS, BrokerRefused, connect
from worker.broker.messages import Delivery
from worker.broker.publisher import Publisher
from worker.broker.topology import apply_topology, check_topology
from worker.intake.edge import Reading
from worker.pipeline import outcomes
from worker.pipeline.carry_out import carry_out
from worker.pipeline.context import Context
from worker.pipeline.delivery_buffer import DeliveryBuffer
from worker.pipeline.outcomes import Outcome, count_outcome, log_outcome
from worker.pipeline.sweeper import Sweeper
from worker.pipeline.trouble import AWAY, BROKERS_OWN_FAULTS
from worker.settings import Settings

BATCHES_IN_FLIGHT = 3  # so that Postgres works while the broker confirms
SUSPECTS_AT_ONCE = 1

# A message handed over so often without an end is moved to orders.suspects; there, so often again, it is what kills
# its worker. The second number is larger, because an outage gives a suspect back as well.
DELIVERIES_MAX = 2
SUSPECT_DELIVERIES_MAX = 3

PROBE_EVERY_SECONDS = 5.0  # while consuming: a broker with an alarm tells so only to who publishes
WATCH_SECONDS = 15.0  # between two looks at whether anything comes
SILENT_SECONDS_MAX = 60.0  # while messages wait: many times longer than the broker takes to hand one over
FINISH_SECONDS_MAX = 40  # for batches in hand when a server goes away: longer than any of their own waits

log = structlog.get_logger()


class Stuck(BrokerRefused):
    """The broker hands nothing over though there is something. Whoever started us starts us again."""


class Session:
    """One stay with the broker: consuming on one connection, publishing on another.

    An acknowledgement on a connection that publishes would be stuck behind a memory or disk alarm.
    """

    def __init__(
        self, settings: Settings, context: Context, consuming: AbstractConnection, publisher: Publisher
    ) -> None:
        self._settings = settings
        self._context = context
        self._consuming = consuming
        self._publisher = publisher
        self._buffers: list[DeliveryBuffer] = []
        self._fault: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, context: Context, url: str) -> AsyncIterator["Session"]:
        """Connect, see that the topology is there and that the broker takes messages."""
        async with (
            connect(url, "orders worker, consuming") as consuming,
            connect(url, "orders worker, publishing") as publishing,
        ):
            await (apply_topology if settings.topology == "apply" else check_topology)(publishing)
            async with Publisher.on(publishing, url) as publisher:
                await publisher.probe()
                _check_copies(publisher, settings.trusted_publishers)
                session = cls(settings, context, consuming, publisher)
                for connection in (consuming, publishing):
                    connection.close_callbacks.add(session.on_close)
                yield session

    def on_close(self, _connection: object, error: BaseException | None) -> None:
        is_told = isinstance(error, BROKERS_OWN_FAULTS)
        self._end(error if error and is_told else AMQPConnectionError(f"the connection is closed: {error!r}"))

    def on_cancel(self, _frame: object) -> None:
        """Hear that the broker has given our consumer up: its queue was deleted, or has lost its leader."""
        self._end(AMQPConnectionError("the broker gave our consumer up"))

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set or a server is away.

        Raises:
            AWAY: the fault that ended the session. What was not finished goes back to the broker, once.
        """
        sweeper = Sweeper(self._context, self._publisher, self._settings.drain_seconds)
        async with (
            self._intake(topology.REQUESTS, self._settings.prefetch) as requests,
            self._intake(topology.SUSPECTS, SUSPECTS_AT_ONCE) as suspects,
        ):
            metrics.consuming(is_so=True)
            log.info("worker.consuming", queue=topology.REQUESTS, prefetch=self._settings.prefetch)
            try:
                async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as tasks:
                    for _ in range(BATCHES_IN_FLIGHT):
                        tasks.create_task(self._lane(requests.buffer, self._carry_out))
                    tasks.create_task(self._lane(suspects.buffer, self._carry_out_suspect))
                    beside = [
                        tasks.create_task(self._beside(sweeper.run)),
                        tasks.create_task(self._beside(self._probe)),
                        tasks.create_task(self._watch(requests.buffer, topology.REQUESTS)),
                        tasks.create_task(self._watch(suspects.buffer, topology.SUSPECTS)),
                    ]
                    await self._until_over(stopping)
                    seconds = FINISH_SECONDS_MAX if self._fault.done() else self._settings.drain_seconds
                    bound.reschedule(asyncio.get_running_loop().time() + seconds)
                    for intake in (requests, suspects):
                        await intake.end(finish=not self._fault.done())
                    for task in beside:
                        task.cancel()
            except TimeoutError:
                log.warning("worker.gave_up_finishing", seconds=seconds)
            if self._fault.done():
                raise self._fault.result()
            await sweeper.flush()

    async def _watch(self, buffer: DeliveryBuffer, queue: str) -> None:
        """End the session, and with it the process, when a queue has messages and none of them comes.

        Connected and in silence it would wait for ever, and nobody would know.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            silent_seconds = time.monotonic() - buffer.arrived_at
            try:
                if not buffer and silent_seconds > SILENT_SECONDS_MAX and await self._publisher.waiting(queue):
                    self._end(Stuck(f"{queue} has messages, and none has come for {silent_seconds:.0f} s"))
            except AWAY as error:
                self._end(error)

    async def _until_over(self, stopping: asyncio.Event) -> None:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(stopping.wait()), self._fault]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waits[0].cancel()
            metrics.consuming(is_so=False)

    def _end(self, fault: BaseException) -> None:
        """End the session for its first fault; those that follow come of it."""
        if not self._fault.done():
            self._fault.set_result(fault)

    @asynccontextmanager
    async def _intake(self, queue: str, prefetch: int) -> AsyncIterator["Intake"]:
        channel = await self._consuming.channel(publisher_confirms=False)
        channel.close_callbacks.add(self.on_close)
        below = await channel.get_underlay_channel()  # aio-pika would make a message of its own of each delivery
        below.on_consumer_cancel_callbacks.add(self.on_cancel)
        await below.basic_qos(prefetch_count=prefetch)
        buffer = DeliveryBuffer(below)
        self._buffers.append(buffer)
        consumer = await below.basic_consume(queue, buffer.put)
        yield Intake(buffer, below, str(consumer.consumer_tag))
        channel.close_callbacks.remove(self.on_close)
        with contextlib.suppress(*BROKER_FAULTS):
            await channel.close()

    async def _lane(self, buffer: DeliveryBuffer, carry_out_step: "Step") -> None:
        try:
            while batch := await buffer.take(self._settings.batch_size):
                began = time.perf_counter()
                metrics.batch_taken(len(batch))
                self._tell_in_flight()
                ended = await carry_out_step(batch)
                tags = {outcome.reading.delivery.tag for outcome in ended}
                buffer.put_back([delivery for delivery in batch if delivery.tag not in tags])
                await self._publisher.publish_all(message for outcome in ended for message in outcome.messages)
                await buffer.finish([outcome.reading.delivery for outcome in ended])
                self._tell_in_flight()
                self._context.published += [outcome.request_id for outcome in ended if outcome.request_id]
                seconds = time.perf_counter() - began
                for outcome in ended:
                    count_outcome(outcome, seconds)
                    log_outcome(outcome, seconds)
        except AWAY as error:
            self._end(error)

    def _tell_in_flight(self) -> None:
        metrics.in_flight(sum(map(len, self._buffers)))

    async def _beside(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except AWAY as error:
            self._end(error)

    async def _probe(self) -> None:
        """See again and again that the broker takes messages. Without traffic nothing else would notice."""
        while True:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            await self._publisher.probe()

    async def _carry_out(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Carry out a batch; what the broker has handed over too often is moved first, to be taken alone."""
        suspects = [delivery for delivery in batch if headers.deliveries_before(delivery) >= DELIVERIES_MAX]
        if suspects:
            # While Postgres is away every worker gives everything back once: that tells nothing about a message.
            await self._context.database.probe()
        others = [delivery for delivery in batch if delivery not in suspects] if suspects else batch
        moved = [outcomes.suspected(Reading(delivery), self._context.now()) for delivery in suspects]
        return moved + (await carry_out(others, self._context) if others else [])

    async def _carry_out_suspect(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Carry out a suspect alone; one that ended none of its deliveries here either is set aside."""
        [suspect] = batch
        delivery = headers.unmoved(suspect)
        if headers.deliveries_before(suspect) < SUSPECT_DELIVERIES_MAX:
            try:
                return await carry_out([delivery], self._context)
            except AWAY_FAULTS as error:
                # It goes back as a copy that was never handed over: an outage is not what it is suspected of.
                self._end(error)
                return [outcomes.suspected(Reading(delivery), self._context.now())]
        attempts = headers.count_of(suspect.properties.headers, headers.ATTEMPTS)
        return [outcomes.failed(Reading(delivery), "killed_its_workers", self._context.now(), attempts)]


def _check_copies(publisher: Publisher, trusted: frozenset[str]) -> None:
    """See that copies of trusted requests can keep their publisher: without it they would not be trusted any more."""
    if not publisher.impersonates and trusted - {publisher.user}:
        raise BrokerRefused(
            f"the RabbitMQ user {publisher.user} lacks the tag impersonator, which keeps the publisher of a "
            f"message that is retried or set aside; mend: rabbitmqctl set_user_tags {publisher.user} impersonator"
        )


Step = Callable[[Sequence[Delivery]], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Intake:
    """Where deliveries come in."""

    buffer: DeliveryBuffer
    channel: AbstractChannel
    consumer_tag: str

    async def end(self, *, finish: bool) -> None:
        """Let nothing more arrive. What has is finished, or given back with the channel."""
        if finish:
            with contextlib.suppress(*BROKER_FAULTS):
                await self.channel.basic_cancel(self.consumer_tag)
            self.buffer.drain()
        else:
            self.buffer.release()
