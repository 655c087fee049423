"""One batch, one straight line: read, claim, lock, facts, decide, write, remember, use up, number. Start reading here.

collect ─ decode ─ authenticate ─ parse      consumer.py, edge.py
claim     whose ids are new?                 repository/inbox.py
lock      what decides, what is renewed      repository/facts.py
facts     what must we know?                 repository/facts.py
decide    changes, or a rejection            actions/, pure
write     changes, and all born with them    repository/orders.py
remember  replies and events                 repository/orders.py, in the same statement
use up    stock, limited promotions          repository/orders.py
number    invoices that are Paid already     repository/invoice_numbers.py
publish ─ ack                                consumer.py
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

import structlog
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from repository import facts, inbox, invoice_numbers, orders
from repository.database import AWAY_FAULTS, LOCK_FAULTS, PASSING_FAULTS, Connection
from repository.facts import AsOf, FactsRead
from repository.inbox import Claimed
from repository.orders import OrderToPlace, UsedUp
from schemas.catalog import Catalog
from schemas.notes import NotedOrder
from schemas.order import FactsNeeded, PlacedOrder
from schemas.rejections import Rejection
from worker import metrics
from worker.actions.asked import Change, Decided
from worker.broker.messages import Delivery
from worker.intake.edge import Reading
from worker.intake.verifications import Verification
from worker.pipeline import outcomes
from worker.pipeline.context import CatalogueMoved, Context
from worker.pipeline.known import Placed
from worker.pipeline.locks import Locked
from worker.pipeline.outcomes import DELAYS, Outcome
from worker.pipeline.repeats import (
    Command,
    ToJudge,
    Verdict,
    command_of,
    last_word,
    one_at_a_time,
    rebuild_pruned,
    sort_out,
    superseded_by,
    without_copies,
)
from worker.pipeline.trouble import DatabaseTrouble
from worker.trial import Sample

ROUNDS_MAX = 5  # of one batch: again when the catalogue has moved, or others took the last of something
# Services, addons, domains and renewals in one transaction: a fraction of a second. Orders that are larger go alone.
BATCH_ROWS_MAX = 2_000
TRIES_AT_ONCE = 3
TRY_WAIT_SECONDS = 0.05  # grows with each try, with jitter
TRY_WAIT_SECONDS_MAX = 1.0

log = structlog.get_logger()


Unverified = list[tuple[Delivery, Verification]]


async def carry_out(batch: Sequence[Delivery], context: Context, unverified: Unverified | None = None) -> list[Outcome]:
    """Bring the deliveries of a batch to their outcomes, in the order of the batch: the first, and as many as fit.

    Orders of very many items do not all fit into one transaction; what is left over is for another batch. So is other
    content under the same key. What must wait until it is known who asks is put into `unverified`, and holds nobody
    up; where there is no such list, all wait for it.
    What they publish is not sent yet. A passing fault is tried again at once; a batch that fails all the same is
    carried out one by one, so that the one at fault hurts no neighbour; one that fails alone has used up an attempt.

    Raises:
        AWAY_FAULTS: the database is away, or another one. Nothing is known to have happened, no attempt is counted.
        DatabaseTrouble: no request would fare better. Likewise.
    """
    try:
        return await _at_once_again(batch, context, unverified)
    except (*AWAY_FAULTS, DatabaseTrouble):
        raise
    except Exception as error:  # where a bug becomes an outcome, and is logged
        if await context.trial.is_the_servers(error, context.catalog):
            raise DatabaseTrouble from error
        if isinstance(error, Locked) and len(batch) == 1:
            return [outcomes.locked(Reading(batch[0]), context.now())]
        if len(batch) > 1:
            return [outcome for delivery in batch for outcome in await carry_out([delivery], context, unverified)]
        async with context.database.connection() as connection:
            return [await _crashed(connection, Reading(batch[0]), error, context.now())]


async def _crashed(connection: Connection, reading: Reading, error: Exception, now: datetime) -> Outcome:
    """Count an attempt for a message that failed alone: it waits for its next one, or has had its last."""
    metrics.attempt_counted()
    log.error("order.crashed", message_id=reading.delivery.properties.message_id, exc_info=error)
    attempts = min(reading.delivery.trail.attempts, len(DELAYS)) + 1
    reason = type(error).__name__
    if attempts > len(DELAYS):
        return await last_word(connection, reading, reason, attempts, now)
    return outcomes.retried(reading, reason, attempts, now)


async def _at_once_again(batch: Sequence[Delivery], context: Context, unverified: Unverified | None) -> list[Outcome]:
    async for attempt in AsyncRetrying(
        # Not where no answer came in all its time: it would be waited for as long again, and nobody told meanwhile.
        retry=retry_if_exception_type(PASSING_FAULTS) & retry_if_not_exception_type(TimeoutError),
        stop=stop_after_attempt(TRIES_AT_ONCE),
        wait=wait_random_exponential(multiplier=TRY_WAIT_SECONDS, max=TRY_WAIT_SECONDS_MAX),
        reraise=True,
    ):
        with attempt:
            try:
                return await _carry_out_together(batch, context, unverified)
            except LOCK_FAULTS as error:
                if context.locks.are_expected:
                    raise Locked from error  # without those that a look could tell: one by one
                context.locks.expect()
                raise
    raise AssertionError("the retrying above returns or raises")


async def _carry_out_together(
    batch: Sequence[Delivery], context: Context, unverified: Unverified | None
) -> list[Outcome]:
    is_contended = False
    for _ in range(ROUNDS_MAX):
        catalog = context.catalog
        read = await context.edge.read(batch, catalog, context.now(), waits=unverified is None)
        wait = [(reading.delivery, reading.verification) for reading in read if reading.verification]
        readings = _as_many_as_fit([reading for reading in read if not reading.verification], catalog)
        commands, copies = without_copies([command for reading in readings if (command := command_of(reading))])
        commands = one_at_a_time(commands, catalog)
        try:
            waiting: list[Command] = []
            if context.locks.are_expected and commands:
                commands, waiting = await context.locks.apart(commands, catalog, context.database)
            if commands:
                settled = await _settle(commands, catalog, context, is_contended=is_contended)
            elif readings:
                settled = await _settle_nothing(catalog, context)
            else:
                settled = {}
        except CatalogueMoved:
            await context.reload()
            continue
        except UsedUp:
            is_contended = True
            continue
        settled |= {one.reading.delivery.tag: outcomes.locked(one.reading, context.now()) for one in waiting}
        settled |= copies.outcomes(settled)
        settled |= _rejected_at_the_edge(readings, context.now())
        if unverified is not None:
            unverified += wait
        return [settled[reading.delivery.tag] for reading in readings if reading.delivery.tag in settled]
    raise CatalogueMoved


def _rejected_at_the_edge(readings: Sequence[Reading], now: datetime) -> dict[int, Outcome]:
    refused = ((reading, reading.rejection) for reading in readings if reading.rejection)
    return {reading.delivery.tag: outcomes.rejected(reading, rejection, now) for reading, rejection in refused}


def _as_many_as_fit(readings: Sequence[Reading], catalog: Catalog) -> Sequence[Reading]:
    """Take what one transaction should hold, from the front, and at least one."""
    rows = 0
    for position, reading in enumerate(readings):
        rows += reading.asked.rows(catalog) if reading.asked else 0
        if rows > BATCH_ROWS_MAX and position:
            return readings[:position]
    return readings


async def _settle(
    commands: Sequence[Command], catalog: Catalog, context: Context, *, is_contended: bool
) -> dict[int, Outcome]:
    """Carry out what can be judged, in one transaction. Returns the outcomes by delivery tag.

    Stock and uses of promotions are taken at the end, and locked no sooner: else every batch in which somebody buys
    what everybody buys would wait for every other one. With `is_contended` they are locked before anything is decided.

    Raises:
        CatalogueMoved: nothing was written.
        UsedUp: somebody else took the last of something meanwhile; nothing was written. Not with `is_contended`.
    """
    marks = context.take_marks()
    try:
        async with context.database.transaction(is_hasty=context.locks.are_expected) as connection:
            context.known.check()
            claims = [claim for command in commands for claim in (command.claim, *command.supersedes)]
            claimed = await inbox.claim(connection, claims)
            needed = FactsNeeded.joined([command.asked.facts_needed(catalog) for command in commands])
            await facts.lock_clients(connection, needed)
            await facts.lock_renewed(connection, needed)
            if is_contended:
                await facts.lock_totals(connection, needed)
            found = await context.read(connection, needed, catalog)
            settled, pruned, to_judge = sort_out(commands, claimed, context.keys, found.as_of)
            settled += await rebuild_pruned(connection, pruned, catalog)
            await inbox.judge_anew(connection, [(row, command.claim) for command, row in to_judge])
            verdicts = _decide(to_judge, found, catalog)
            said, unnumbered, placed = await _write(connection, verdicts, found.as_of, catalog, context)
            settled += said
            await inbox.supersede(connection, superseded_by(verdicts, claimed))
            await inbox.mark_published(connection, marks)
            await orders.use_up(connection, list(_changes(verdicts)))
            settled += await _number(connection, unnumbered, found.as_of, catalog, context)
    except BaseException:
        context.published += marks
        raise
    context.trial.placed(_samples(verdicts, catalog))
    context.known.placed(placed)
    return {outcome.reading.delivery.tag: outcome for outcome in settled}


async def _settle_nothing(catalog: Catalog, context: Context) -> dict[int, Outcome]:
    """See that today's catalogue was asked, though nothing got past the edge: its credentials say who may ask.

    Raises:
        CatalogueMoved: it was an older one.
    """
    async with context.database.connection() as connection:
        await context.read(connection, FactsNeeded(), catalog)
    return {}


def _decide(to_judge: Sequence[ToJudge], found: FactsRead, catalog: Catalog) -> list[Verdict]:
    """Judge requests one after the other: each sees what those before it took."""
    totals = found.totals
    verdicts: list[Verdict] = []
    for command, row in to_judge:
        try:
            verdict, totals = command.asked.decide(found.facts, totals, catalog)
        except PASSING_FAULTS:
            raise
        except Exception as error:  # noqa: BLE001  # a bug in a pure rule: the transaction is as it was; the others go on
            verdicts.append((command, row, error))
        else:
            verdicts.append((command, row, verdict))
    return verdicts


@dataclass(frozen=True, slots=True)
class _Written:
    """What was decided on a request, and the ids that its changes were given."""

    command: Command
    request_id: int
    decided: Decided
    ids: tuple[PlacedOrder, ...]

    @property
    def paid_invoices(self) -> list[int]:
        """The invoices that get a number as they are made."""
        pairs = zip(self.decided.changes, self.ids, strict=True)
        return [ids.invoice_id for change, ids in pairs if change.takes_number]

    def say(self, as_of: AsOf) -> Outcome:
        reading = self.command.reading
        told = self.decided.say(self.ids, outcomes.cause_of(reading, as_of.now))
        return outcomes.placed(reading, self.request_id, told, as_of.now)


async def _write(
    connection: Connection, verdicts: Sequence[Verdict], as_of: AsOf, catalog: Catalog, context: Context
) -> tuple[list[Outcome], list[_Written], Placed]:
    """Write what was decided; reject the others; remember what was said.

    Returned are also those of which nothing can be said yet, because their invoices are Paid and have no number; and
    what is to be remembered outside of the database.
    """
    said: list[Outcome] = []
    unnumbered: list[_Written] = []
    decided: list[tuple[Command, Claimed, Decided]] = []
    for command, row, verdict in verdicts:
        if isinstance(verdict, Exception):
            said.append(await _crashed(connection, command.reading, verdict, as_of.now))
        elif isinstance(verdict, Rejection):
            said.append(outcomes.rejected(command.reading, verdict, as_of.now, row.request_id))
        else:
            decided.append((command, row, verdict))
    to_place = [
        OrderToPlace(row.request_id, command.caller.asked_by, change)
        for command, row, one in decided
        for change in one.changes
    ]
    written = await orders.allocate(connection, to_place, catalog.order_number_key)
    ids = iter(written)
    for command, row, one in decided:
        done = _Written(command, row.request_id, one, tuple(islice(ids, len(one.changes))))
        if done.paid_invoices:
            unnumbered.append(done)
        else:
            said.append(done.say(as_of))
    answers = [outcome.answer for outcome in said if outcome.answer]
    pairs = list(zip(to_place, written, strict=True))
    await orders.supersede(connection, pairs)
    await orders.place(connection, pairs, answers, catalog=catalog, encrypt=context.keys.encrypt)
    await orders.complete_renewals(connection, pairs)
    return said, unnumbered, _placed(decided, written)


async def _number(
    connection: Connection, unnumbered: Sequence[_Written], as_of: AsOf, catalog: Catalog, context: Context
) -> list[Outcome]:
    """Number the invoices that are Paid as they are made, say what was decided, and remember it.

    The last lock of all: between a number and the commit nobody is waited for (docs/decisions/invoice-numbers.md).
    """
    paid = [invoice_id for one in unnumbered for invoice_id in one.paid_invoices]
    numbers = await invoice_numbers.give(connection, paid, catalog.settings.numbers, as_of.today)
    numbered = (
        replace(one, ids=tuple(replace(ids, invoice_number=numbers.get(ids.invoice_id)) for ids in one.ids))
        for one in unnumbered
    )
    said = [one.say(as_of) for one in numbered]
    answers = [outcome.answer for outcome in said if outcome.answer]
    await orders.place(connection, [], answers, catalog=catalog, encrypt=context.keys.encrypt)
    return said


def _placed(decided: Sequence[tuple[Command, Claimed, Decided]], written: Sequence[PlacedOrder]) -> Placed:
    """Say what was written, as it is to be remembered outside of the database."""
    changes = ((command.claim.message_id, change) for command, _, one in decided for change in one.changes)
    noted = [
        NotedOrder(ids.order_id, message_id, change.client.id, str(change.bill.total), change.currency.code)
        for (message_id, change), ids in zip(changes, written, strict=True)
    ]
    return Placed(noted, max((max(one.order_id, one.invoice_id, *one.item_ids) for one in written), default=0))


def _samples(verdicts: Sequence[Verdict], catalog: Catalog) -> Iterator[tuple[int | None, Sample]]:
    """Name what was placed, for a trial, each with the client that it is for."""
    for command, _, verdict in verdicts:
        if isinstance(verdict, Decided) and verdict.changes:
            yield (
                command.asked.client_id,
                Sample(command.asked.facts_needed(catalog), command.caller.asked_by, verdict.changes),
            )


def _changes(verdicts: Sequence[Verdict]) -> Iterator[Change]:
    for *_, verdict in verdicts:
        if isinstance(verdict, Decided):
            yield from verdict.changes
