"""One stay with the broker: deliveries come in, batches are carried out, and what they cause goes out."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPConnectionError
from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from schemas import topology
from worker import metrics
from worker.broker import probes
from worker.broker.connection import BROKER_FAULTS, BrokerUnusable, connect, delivery_of
from worker.broker.messages import Delivery, Outgoing
from worker.broker.publisher import Publisher
from worker.broker.replier import Reply
from worker.broker.shop import AnotherShop, latest_orders, note_message, own, owner
from worker.broker.topology import apply_topology, check_topology
from worker.pipeline.carry_out import Unverified
from worker.pipeline.context import Context
from worker.pipeline.delivery_buffer import DeliveryBuffer
from worker.pipeline.held import Held
from worker.pipeline.outcomes import Outcome, count_outcome, log_outcome
from worker.pipeline.publication import Publication
from worker.pipeline.suspects import carry_out_suspect, carry_out_unsuspected
from worker.pipeline.sweeper import Sweeper
from worker.pipeline.trouble import AWAY, BROKERS_OWN_FAULTS, first_of
from worker.settings import BATCHES_IN_FLIGHT, Settings

FIRST_PREFETCH = 20  # until a batch is carried out: if nothing can be, no more than that goes back
CANCEL_SECONDS_MAX = 5.0  # for the broker to let a consumer go

SUSPECTS_EVERY_SECONDS = 1.0  # so long at least a worker consumes requests between two looks at orders.suspects
SUSPECTS_SECONDS_MAX = 1.0  # so long at most it carries out suspects, and nothing else
GET_SECONDS_MAX = 10.0  # for the broker to hand over one suspect, or to say that there is none

PROBE_EVERY_SECONDS = 5.0  # while consuming: a broker with an alarm tells so only to who publishes
WATCH_SECONDS = 15.0  # between two looks at whether anything comes
SILENT_SECONDS_MAX = 60.0  # while messages wait: many times longer than the broker takes to hand one over
FINISH_SECONDS_MAX = 40  # for batches in hand when a server goes away: longer than any of their own waits
NOTED_AT_ONCE_MAX = 1_000  # orders in one note: some 100 kB
NOTE_AGAIN_SECONDS = 1.0  # after a note that did not go out
HELD_EVERY_SECONDS = 0.5  # between two looks at what is held: each queue has its own time
HELD_SHARE_MAX = 0.5  # of the prefetch: with more held, nothing new is taken

# Of who sends secrets that are not known yet in masses, so much may wait beside the prefetch of the others.
CONSUMERS_MAX = 6  # each with the prefetch
LAID_BY_BYTES_MAX = 32 * 2**20
LAID_BY_MAX_FOR_SUSPECTS = 20  # before them all must be verified: a third of a second

log = structlog.get_logger()


class Stuck(BrokerUnusable):
    """The broker hands nothing over though there is something. Whoever started us starts us again."""


@dataclass(slots=True)
class Intake:
    """Where deliveries come in, from one channel, and what is held of them."""

    buffer: DeliveryBuffer
    channel: AbstractChannel
    prefetch: int = 0
    held: Held = field(default_factory=Held)
    _consumers: list[str] = field(default_factory=list)  # their tags
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _is_over: bool = False

    async def begin(self) -> None:
        """Let deliveries come, the prefetch of them."""
        await self.channel.basic_qos(prefetch_count=self.prefetch)
        await self._consume()

    async def grow(self, prefetch: int) -> None:
        """Let more come at once. RabbitMQ changes no consumer's prefetch: another one takes its place."""
        async with self._changing:
            if self._is_over or prefetch <= self.prefetch:
                return
            self.prefetch = prefetch
            while self._consumers:
                await self.channel.basic_cancel(self._consumers.pop())
            await self.begin()

    async def make_room(self) -> None:
        """Let others come beside what is laid by, which would else fill the prefetch; no more, when that is gone.

        RabbitMQ changes no consumer's prefetch. So there is a further consumer, where half of it is taken.
        """
        async with self._changing:
            laid_by = self.buffer.laid_by
            wanted = min(1 + (laid_by + self.prefetch // 2) // self.prefetch, CONSUMERS_MAX)
            while not self._is_over and len(self._consumers) < wanted and self.buffer.laid_by_bytes < LAID_BY_BYTES_MAX:
                await self._consume()
            while not laid_by and len(self._consumers) > 1:
                await self.channel.basic_cancel(self._consumers.pop())

    async def _consume(self) -> None:
        consumer = await self.channel.basic_consume(topology.REQUESTS, self.buffer.put)
        self._consumers.append(str(consumer.consumer_tag))

    async def end(self, *, finish: bool) -> None:
        """Let nothing more arrive. What has is finished, or given back with the channel."""
        self._is_over = True
        async with self._changing:
            with contextlib.suppress(*BROKER_FAULTS):
                async with asyncio.timeout(CANCEL_SECONDS_MAX):
                    while self._consumers:
                        await self.channel.basic_cancel(self._consumers.pop())
        if finish:
            self.buffer.drain()
        else:
            self.buffer.release()


class Session:
    """One stay with the broker: consuming on one connection, publishing on others.

    An acknowledgement on a connection that publishes would be stuck behind a memory or disk alarm.
    """

    def __init__(
        self, settings: Settings, context: Context, consuming: AbstractConnection, publisher: Publisher
    ) -> None:
        self._settings = settings
        self._context = context
        self._consuming = consuming
        self._publisher = publisher
        self._publication = Publication(context, publisher)
        self._buffer: DeliveryBuffer | None = None
        self._held: Held | None = None  # None: nothing was consumed yet
        self._held_max = max(1, int(settings.prefetch * HELD_SHARE_MAX))
        self._fault: BaseException | None = None
        self._over = asyncio.Event()  # to be ended: by a fault, or because the worker is to stop
        self._suspects_wait = asyncio.Event()
        self.has_worked = False  # a batch was carried out
        self._is_wary = False  # until then take a few only

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, context: Context, url: str, *, is_wary: bool = False
    ) -> AsyncIterator["Session"]:
        """Connect, see that the broker is ours, has the topology and takes messages. A wary one begins with a few."""

        def arrived(event: Outgoing) -> None:
            if event.properties.message_id:
                context.arrived.append(event.properties.message_id)

        async with connect(url, "orders worker, consuming") as consuming:
            await (apply_topology if settings.topology == "apply" else check_topology)(consuming)
            await _see_whose_it_is(consuming, context, owns=settings.topology == "apply")
            async with Publisher.open(url, arrived=arrived) as publisher:
                await publisher.probe()
                _check_copies(publisher, settings.trusted_publishers)
                session = cls(settings, context, consuming, publisher)
                session._is_wary = is_wary
                consuming.close_callbacks.add(session.on_close)
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
        sweeper = Sweeper(self._context, self._publisher, self._publication, self._settings.drain_seconds)
        try:
            async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(self._guarded(work()))
                    for work in (
                        sweeper.run,
                        self._probe,
                        self._look_for_suspects,
                        self._note_placed,
                        partial(self._until_told, stopping),
                    )
                ]
                while not self._over.is_set():
                    await self._guarded(self._consume(partial(self._bounded, bound)))
                    if self._suspects_wait.is_set() and not self._over.is_set():
                        await self._guarded(self._carry_out_suspects())
                await self._note_some()
                for task in beside:
                    task.cancel()
        except TimeoutError:
            log.warning("worker.gave_up_finishing", seconds=self._seconds_to_finish)
        if self._fault is not None:
            raise self._fault
        await sweeper.flush()

    # ---------------------------------------------------------------- requests

    async def _consume(self, bounded: Callable[[], None]) -> None:
        """Carry out requests until the session is over, or suspects wait and everything in hand is finished."""
        async with self._intake() as intake:
            metrics.consuming(is_so=True)
            if self._held is None:
                log.info("worker.consuming", queue=topology.REQUESTS, prefetch=self._settings.prefetch)
            self._held = intake.held
            async with asyncio.TaskGroup() as tasks:
                for _ in range(BATCHES_IN_FLIGHT):
                    tasks.create_task(self._guarded(self._lane(intake, tasks)))
                beside = [
                    tasks.create_task(self._guarded(self._watch(intake.buffer))),
                    tasks.create_task(self._guarded(self._bring_held(intake))),
                ]
                await self._until_over_or_suspects()
                if self._over.is_set():
                    metrics.consuming(is_so=False, why_not="it finishes what it has in hand")
                    bounded()
                await intake.end(finish=self._fault is None)
                for task in beside:
                    task.cancel()
            if self._fault is not None and not isinstance(self._fault, BROKERS_OWN_FAULTS):
                await self._give_back(intake.buffer)

    async def _give_back(self, buffer: DeliveryBuffer) -> None:
        """Give back what is in hand, so that it does not look as if it had killed us: Postgres is what is in trouble.

        What the broker does not take in time goes back with the channel, and is counted.
        """
        unfinished = buffer.unfinished
        with contextlib.suppress(*BROKER_FAULTS):
            await buffer.finish(await self._publication.give_back(unfinished))
        log.info("worker.gave_back", count=len(unfinished))

    async def _until_over_or_suspects(self) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._over, self._suspects_wait)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    @asynccontextmanager
    async def _intake(self) -> AsyncIterator[Intake]:
        async with self._buffered() as intake:
            await intake.begin()
            yield intake

    @asynccontextmanager
    async def _buffered(self) -> AsyncIterator[Intake]:
        """Open a channel, and a buffer for what comes over it. With the channel goes back what is not acknowledged."""
        channel = await self._consuming.channel(publisher_confirms=False)
        channel.close_callbacks.add(self.on_close)
        below = await channel.get_underlay_channel()  # aio-pika would make a message of its own of each delivery
        below.on_consumer_cancel_callbacks.add(self.on_cancel)
        self._buffer = DeliveryBuffer(below, partial(delivery_of, keys=self._context.keys))
        prefetch = self._settings.prefetch
        yield Intake(self._buffer, below, min(FIRST_PREFETCH, prefetch) if self._is_wary else prefetch)
        channel.close_callbacks.remove(self.on_close)
        with contextlib.suppress(*BROKER_FAULTS):
            await channel.close()

    async def _lane(self, intake: Intake, tasks: asyncio.TaskGroup) -> None:
        while batch := await intake.buffer.take(self._settings.batch_size):
            began = time.perf_counter()
            self._tell_in_flight()
            requests = self._without_probes(intake, batch, tasks)
            if not requests:
                continue
            metrics.batch_taken(len(requests))
            unverified: Unverified = []
            outcomes = await carry_out_unsuspected(requests, self._context, unverified)
            for delivery, verification in unverified:
                intake.buffer.lay_by(delivery, verification)
            tags = {outcome.reading.delivery.tag for outcome in outcomes}
            tags.update(delivery.tag for delivery, _ in unverified)
            intake.buffer.put_back([delivery for delivery in requests if delivery.tag not in tags])
            await intake.make_room()
            await self._conclude(intake, outcomes, began, tasks)
            self.has_worked = True
            if self._is_wary:
                self._is_wary = False
                await intake.grow(self._settings.prefetch)

    def _without_probes(
        self, intake: Intake, batch: Sequence[Delivery], tasks: asyncio.TaskGroup
    ) -> Sequence[Delivery]:
        """Answer what only asks whether its key is bound, and return the requests."""
        for delivery in batch:
            if delivery.is_probe:
                intake.buffer.set_apart(delivery)
                tasks.create_task(self._guarded(self._answer(intake, delivery, probes.pong(delivery))))
        return [delivery for delivery in batch if not delivery.is_probe]

    async def _conclude(
        self, intake: Intake, outcomes: Sequence[Outcome], began: float, tasks: asyncio.TaskGroup
    ) -> None:
        """Bring out what the outcomes say, and acknowledge what may be. The others do not wait for what must wait."""
        published = await self._publication.publish(outcomes)
        apart: set[int] = set()
        for delivery, copy in published.held:
            apart.add(delivery.tag)
            intake.held.add(delivery, copy)
        for delivery, reply in published.replying:
            is_held = delivery.tag in apart
            apart.add(delivery.tag)
            tasks.create_task(self._guarded(self._answer(intake, None if is_held else delivery, reply)))
        done = [outcome.reading.delivery for outcome in outcomes]
        if apart:
            for delivery in done:
                if delivery.tag in apart:
                    intake.buffer.set_apart(delivery)
            done = [delivery for delivery in done if delivery.tag not in apart]
        if done:
            await intake.buffer.finish(done)
        self._tell_in_flight()
        seconds = time.perf_counter() - began
        for outcome in outcomes:
            count_outcome(outcome, seconds)
            log_outcome(outcome, seconds)

    async def _answer(self, intake: Intake, delivery: Delivery | None, reply: Reply | None) -> None:
        if reply is not None:
            await self._publisher.replier.answer_apart(reply)
        if delivery is not None:
            await intake.buffer.finish([delivery])
            self._tell_in_flight()

    async def _bring_held(self, intake: Intake) -> None:
        """Try again and again what is held. With too much of it, take nothing new until it becomes less."""
        is_paused = False
        while True:
            await asyncio.sleep(HELD_EVERY_SECONDS)
            if taken := await intake.held.bring(self._publication.bring_held):
                await intake.buffer.finish(taken)
                self._tell_in_flight()
            if len(intake.held) >= self._held_max and not is_paused:
                is_paused = True
                intake.buffer.pause()
                names = ", ".join(intake.held.names)
                metrics.consuming(is_so=False, why_not=f"RabbitMQ: {names} takes nothing of what is to go there")
                log.warning("worker.paused", server="RabbitMQ", queues=intake.held.names, held=len(intake.held))
            elif is_paused and len(intake.held) < self._held_max:
                is_paused = False
                intake.buffer.resume()
                metrics.consuming(is_so=True)

    async def _watch(self, buffer: DeliveryBuffer) -> None:
        """End the session, and with it the process, when the queue has messages and none of them comes.

        Connected and in silence it would wait for ever, and nobody would know.
        """
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            silent_seconds = time.monotonic() - buffer.arrived_at
            if not buffer and silent_seconds > SILENT_SECONDS_MAX and await self._publisher.waiting(topology.REQUESTS):
                self._end(Stuck(f"{topology.REQUESTS} has messages, and none has come for {silent_seconds:.0f} s"))

    # ---------------------------------------------------------------- suspects

    async def _look_for_suspects(self) -> None:
        """See every now and then whether a suspect waits."""
        while True:
            jitter = random.uniform(1, 1.5)  # noqa: S311  # so that not all workers look at once
            await asyncio.sleep(SUSPECTS_EVERY_SECONDS * jitter)
            if self._is_free_for_suspects and await self._publisher.waiting(topology.SUSPECTS):
                self._suspects_wait.set()

    @property
    def _is_free_for_suspects(self) -> bool:
        # What is held would go back to the broker, and look as if it had killed us; what is laid by is waited for.
        laid_by = self._buffer.laid_by if self._buffer is not None else 0
        return not self._held and laid_by <= LAID_BY_MAX_FOR_SUSPECTS

    async def _carry_out_suspects(self) -> None:
        """Carry out suspects one by one, for a while. Nothing else is in hand: who kills us now is known."""
        until = time.monotonic() + SUSPECTS_SECONDS_MAX
        async with self._buffered() as intake, asyncio.TaskGroup() as tasks:
            while not self._over.is_set() and time.monotonic() < until:
                began = time.perf_counter()
                message = await intake.channel.basic_get(topology.SUSPECTS, timeout=GET_SECONDS_MAX)
                if isinstance(message.delivery, Basic.GetEmpty):
                    break
                await intake.buffer.put(message)
                [suspect] = await intake.buffer.take(1)
                if not self._without_probes(intake, [suspect], tasks):
                    continue
                outcome, fault = await carry_out_suspect(suspect, self._context)
                await self._conclude(intake, [outcome], began, tasks)
                if fault is not None:
                    self._end(fault)
        self._suspects_wait.clear()

    # ---------------------------------------------------------------- beside them

    async def _until_told(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._over.set()

    async def _probe(self) -> None:
        """See again and again that both servers are what they were. Without traffic nothing else would notice."""
        while True:
            await asyncio.sleep(PROBE_EVERY_SECONDS)
            self._context.known.check()
            await self._publisher.probe()

    async def _note_placed(self) -> None:
        """Note in the broker what is placed, beside all else: another server may have to be held against it."""
        while True:
            await self._context.known.until_some()
            if not await self._note_some():
                await asyncio.sleep(NOTE_AGAIN_SECONDS)

    async def _note_some(self) -> bool:
        """Note what there is, if there is something; False: it did not go out, and is to be noted another time."""
        known = self._context.known
        placed = known.take_unnoted(NOTED_AT_ONCE_MAX)
        if not placed.orders:
            return True
        is_out = await self._publisher.note(note_message(self._context.shop_id, placed.highest, placed.orders))
        if not is_out:
            known.to_note(placed.orders)
        return is_out

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Let a server's fault end the session, and not the process."""
        try:
            await work
        except AWAY as error:
            self._end(error)
        except BaseExceptionGroup as group:  # of work that has tasks of its own
            away, others = group.split(AWAY)
            if away is None or others is not None:
                raise
            self._end(first_of(away))

    def _end(self, fault: BaseException) -> None:
        """End the session for its first fault; those that follow come of it."""
        if self._fault is None:
            self._fault = fault
            self._over.set()

    @property
    def _seconds_to_finish(self) -> float:
        return self._settings.drain_seconds if self._fault is None else FINISH_SECONDS_MAX

    def _bounded(self, bound: asyncio.Timeout) -> None:
        bound.reschedule(asyncio.get_running_loop().time() + self._seconds_to_finish)

    def _tell_in_flight(self) -> None:
        metrics.in_flight(len(self._buffer) if self._buffer is not None else 0)


async def _see_whose_it_is(consuming: AbstractConnection, context: Context, *, owns: bool) -> None:
    """See that the broker is this shop's, and that the database has the orders that were noted in it.

    Raises:
        AnotherShop: it is another one's.
        OrdersLost: the database does not have them.
    """
    theirs, noted = await asyncio.gather(owner(consuming), latest_orders(consuming, context.shop_id))
    if theirs is None and owns:
        await own(consuming, context.shop_id)
    elif theirs is None:
        log.warning("shop.unknown", shop=context.shop_id, fix="orders topology adopt: it says whose this broker is")
    elif theirs != context.shop_id:
        raise AnotherShop(theirs, context.shop_id)
    await context.see_noted(noted)


def _check_copies(publisher: Publisher, trusted: Collection[str]) -> None:
    """See that copies of trusted requests can keep their publisher: without it they would not be trusted any more."""
    if not publisher.impersonates and any(user != publisher.user for user in trusted):
        raise BrokerUnusable(
            f"the RabbitMQ user {publisher.user} lacks the tag impersonator, which keeps the publisher of a "
            f"message that is retried or set aside; fix: rabbitmqctl set_user_tags {publisher.user} impersonator"
        )
