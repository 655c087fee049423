"""One batch, one straight line: read, claim, lock, facts, decide, place, remember, use up. Start reading here.

collect ─ decode ─ authenticate ─ parse      consumer.py, edge.py
claim     whose ids are new?                 repository/inbox.py
lock      clients whose history decides      repository/facts.py
facts     what must we know?                 repository/facts.py
decide    a priced order, or a rejection     domain/decide.py, pure
place     orders and all born with them      repository/orders.py
remember  replies and events                 repository/orders.py, in one statement with place
use up    stock, limited promotions          repository/orders.py
publish ─ ack                                consumer.py
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from repository import catalog as catalogue
from repository import facts, inbox, orders, recorded
from repository.database import AWAY_FAULTS, PASSING_FAULTS, Connection, Database
from repository.facts import Moment, Seen
from repository.inbox import Claim, Claimed
from repository.orders import OrderToPlace, UsedUp
from repository.revisions import check_migrated
from schemas import rejections
from schemas.catalog import Catalog
from schemas.order import OrderRequest, PricedOrder, Terms, Wanted
from schemas.rejections import Fault, Rejection
from worker import metrics
from worker.broker import headers
from worker.broker.messages import Delivery
from worker.domain.cart import rows_of
from worker.domain.decide import decide
from worker.domain.recall import recall
from worker.domain.wanted import wanted
from worker.intake.authentication import Caller
from worker.intake.edge import Edge, Reading
from worker.key_ring import KeyRing
from worker.pipeline import outcomes
from worker.pipeline.outcomes import Outcome

ROUNDS_MAX = 5  # of one batch: again when the catalogue has moved, or others took the last of something
MARKS_MIN = 20  # fewer wait for the sweeper, a second at most: light traffic has no statement to spare
# Services, addons, domains and renewals in one transaction: a fraction of a second. Orders that are larger go alone.
BATCH_ROWS_MAX = 2_000
TRIES_AT_ONCE = 3
TRY_WAIT_SECONDS = 0.05  # grows with each try, with jitter
TRY_WAIT_SECONDS_MAX = 1.0

log = structlog.get_logger()


class CatalogueMoved(Exception):
    """The catalogue that the batch was read with is not the database's any more."""


@dataclass(slots=True)
class Context:
    """What carrying out needs. `catalog` is there after the first reload, and replaced when its version moves."""

    database: Database
    edge: Edge
    keys: KeyRing
    terms: Terms
    catalog: Catalog = field(init=False)
    published: list[int] = field(default_factory=list)  # inbox rows to mark with the next transaction
    _ahead: timedelta = timedelta()  # how far the database's clock is ahead of this machine's

    async def open(self) -> None:
        """See that the database is there, takes work and has the tables that this program knows.

        Raises:
            AWAY_FAULTS: it does not answer, or takes no work.
            NotMigrated: the tables are missing, or older than this program.
        """
        async with self.database.connection() as connection:
            await check_migrated(connection)
        await self.database.probe()
        await self.reload()

    def take_marks(self) -> list[int]:
        """Take what is to be marked as published, if it is worth a statement. The sweeper takes the rest."""
        if len(self.published) < MARKS_MIN:
            return []
        marks, self.published = self.published, []
        return marks

    def now(self) -> datetime:
        """The database's time, where it cannot be asked: by how its clock stood to ours when it was asked last."""
        return datetime.now(UTC) + self._ahead

    async def see(self, connection: Connection, wanted: Wanted, catalog: Catalog) -> Seen:
        """Ask the database for facts, for its time, and whether its catalogue is still this one.

        Raises:
            CatalogueMoved: it is another.
        """
        seen = await facts.see(connection, wanted)
        self._ahead = seen.moment.now - datetime.now(UTC)
        if seen.moment.catalogue_version != catalog.version:
            raise CatalogueMoved
        return seen

    async def reload(self) -> None:
        async with self.database.transaction() as connection:
            self.catalog = await catalogue.read(connection)


@dataclass(frozen=True, slots=True)
class Command:
    """A request that may be judged: well-formed, and its caller known."""

    reading: Reading
    caller: Caller
    request: OrderRequest
    claim: Claim
    supersedes: tuple[Claim, ...] = ()  # requests that an operator made this one of


async def carry_out(batch: Sequence[Delivery], context: Context) -> list[Outcome]:
    """Bring the deliveries of a batch to their outcomes, in the order of the batch: the first, and as many as fit.

    Orders of very many items do not all fit into one transaction; what is left over is for another batch.
    What they publish is not sent yet. A passing fault is tried again at once; a batch that fails all the same is
    carried out one by one, so that the one at fault hurts no neighbour; one that fails alone has used up an attempt.

    Raises:
        AWAY_FAULTS: the database is away. Nothing is known to have happened, and no attempt is counted.
    """
    try:
        return await _at_once_again(batch, context)
    except AWAY_FAULTS:
        raise
    except Exception as error:  # noqa: BLE001  # where a bug becomes an outcome, and is logged
        if len(batch) > 1:
            return [outcome for delivery in batch for outcome in await carry_out([delivery], context)]
        return [_crashed(Reading(batch[0]), error, context.now())]


def _crashed(reading: Reading, error: Exception, now: datetime) -> Outcome:
    metrics.attempt_counted()
    log.error("order.crashed", message_id=reading.delivery.properties.message_id, exc_info=error)
    return outcomes.set_back(reading, error, now)


async def _at_once_again(batch: Sequence[Delivery], context: Context) -> list[Outcome]:
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(PASSING_FAULTS),
        stop=stop_after_attempt(TRIES_AT_ONCE),
        wait=wait_random_exponential(multiplier=TRY_WAIT_SECONDS, max=TRY_WAIT_SECONDS_MAX),
        reraise=True,
    ):
        with attempt:
            return await _carry_out_together(batch, context)
    raise AssertionError("the retrying above returns or raises")


async def _carry_out_together(batch: Sequence[Delivery], context: Context) -> list[Outcome]:
    is_contended = False
    for _ in range(ROUNDS_MAX):
        catalog = context.catalog
        readings = _as_many_as_fit(await context.edge.read(batch, catalog), catalog)
        commands = [command for reading in readings if (command := _command(reading))]
        try:
            if commands:
                settled = await _settle(commands, catalog, context, is_contended=is_contended)
            else:
                settled = await _settle_nothing(catalog, context)
        except CatalogueMoved:
            await context.reload()
            continue
        except UsedUp:
            is_contended = True
            continue
        now = context.now()
        return [
            outcomes.rejected(reading, reading.rejection, now) if reading.rejection else settled[reading.delivery.tag]
            for reading in readings
        ]
    raise CatalogueMoved


def _as_many_as_fit(readings: Sequence[Reading], catalog: Catalog) -> Sequence[Reading]:
    """Take what one transaction should hold, from the front, and at least one."""
    rows = 0
    for place, reading in enumerate(readings):
        rows += rows_of(reading.request, catalog) if reading.request else 0
        if rows > BATCH_ROWS_MAX and place:
            return readings[:place]
    return readings


def _command(reading: Reading) -> Command | None:
    message_id, fingerprint = reading.delivery.properties.message_id, reading.fingerprint
    if reading.request is None or reading.caller is None or fingerprint is None or message_id is None:
        return None
    claim = Claim(reading.caller.name, message_id, fingerprint.digest, fingerprint.version)
    superseded = headers.superseded(reading.delivery.properties.headers)
    supersedes = tuple(replace(claim, message_id=one, is_asked=False) for one in superseded if one != message_id)
    return Command(reading, reading.caller, reading.request, claim, supersedes)


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
        async with context.database.transaction() as connection:
            claims = [claim for command in commands for claim in (command.claim, *command.supersedes)]
            claimed = await inbox.claim(connection, claims)
            needed = wanted([command.request for command in commands], catalog)
            await facts.lock_clients(connection, needed)
            if is_contended:
                await facts.lock_totals(connection, needed)
            seen = await context.see(connection, needed, catalog)
            settled, pruned, to_judge = _sort_out(commands, claimed, context.keys, seen.moment)
            settled += await _recall(connection, pruned, catalog)
            await inbox.judge_anew(connection, [(row, command.claim) for command, row in to_judge])
            verdicts = _decide(to_judge, seen, catalog, context.terms)
            settled += await _place(connection, verdicts, seen.moment, catalog, context)
            await inbox.supersede(connection, _superseded(verdicts, claimed))
            await inbox.mark_published(connection, marks)
            await orders.use_up(connection, [verdict for *_, verdict in verdicts if isinstance(verdict, PricedOrder)])
    except BaseException:
        context.published += marks
        raise
    return {outcome.reading.delivery.tag: outcome for outcome in settled}


async def _settle_nothing(catalog: Catalog, context: Context) -> dict[int, Outcome]:
    """See that today's catalogue was asked, though nothing got past the edge: its credentials say who may ask.

    Raises:
        CatalogueMoved: it was an older one.
    """
    async with context.database.connection() as connection:
        await context.see(connection, wanted([], catalog), catalog)
    return {}


ToJudge = tuple[Command, Claimed]
Pruned = tuple[Command, Claimed]
Verdict = tuple[Command, Claimed, PricedOrder | Rejection | Exception]


def _sort_out(
    commands: Sequence[Command], claimed: Mapping[tuple[str, str], Claimed], keys: KeyRing, moment: Moment
) -> tuple[list[Outcome], list[Pruned], list[ToJudge]]:
    """Tell the requests that were answered before, and of them those whose order alone is left, from those to judge."""
    settled: list[Outcome] = []
    pruned: list[Pruned] = []
    to_judge: list[ToJudge] = []
    for command in commands:
        row, reading = claimed[command.claim.key], command.reading
        answer = row.answer
        is_known = row.is_placed or answer is not None
        same = is_known and keys.is_same(command.request, row.fingerprint, row.fingerprint_version)
        refusal = _refusal(command, claimed, is_repeat=same)
        if refusal is not None:
            settled.append(outcomes.rejected(reading, Rejection.of([refusal]), moment.now))
        elif row.is_placed and answer is None:
            pruned.append((command, row))
        elif answer is None or not same:
            to_judge.append((command, row))
        elif row.is_placed:
            settled.append(outcomes.repeated(reading, answer))
        elif _is_own_redelivery(reading.delivery, answer.replays):
            settled.append(outcomes.refused_again(reading, answer, moment.now))
        else:
            to_judge.append((command, row))
    return settled, pruned, to_judge


async def _recall(connection: Connection, pruned: Sequence[Pruned], catalog: Catalog) -> list[Outcome]:
    """Answer requests whose order was placed so long ago that its answer is not kept, from the order's own rows."""
    found = await recorded.read(connection, [row.order_id for _, row in pruned if row.order_id is not None])
    said: list[Outcome] = []
    for command, row in pruned:
        assert row.order_id is not None, "what is placed and has no answer has its order"
        order = found[row.order_id]
        said.append(
            outcomes.recalled(
                command.reading, row.request_id, *recall(command.request, order, catalog), order.placed_at
            )
        )
    return said


def _refusal(command: Command, claimed: Mapping[tuple[str, str], Claimed], *, is_repeat: bool) -> Fault | None:
    """Tell why a request must not be placed, whatever it asks for: it was already, or what it was edited from was."""
    row = claimed[command.claim.key]
    if row.is_placed:
        return None if is_repeat else rejections.message_id_reused()
    if row.superseded_by is not None:
        return rejections.superseded(row.superseded_by)
    for claim in command.supersedes:
        before = claimed[claim.key]
        # Placed as it was, or in the form of another edit.
        if before.order_id is not None or before.superseded_by is not None:
            return rejections.supersedes_placed(claim.message_id)
    return None


def _superseded(verdicts: Sequence["Verdict"], claimed: Mapping[tuple[str, str], Claimed]) -> Iterator[tuple[int, int]]:
    """Pair the requests that were edited with those that were placed in their stead, by inbox row."""
    for command, row, verdict in verdicts:
        if isinstance(verdict, PricedOrder):
            for claim in command.supersedes:
                yield claimed[claim.key].request_id, row.request_id


def _is_own_redelivery(delivery: Delivery, replays: int) -> bool:
    """Whether the broker hands over the very message again that was rejected: not one sent or replayed anew."""
    return delivery.redelivered and headers.count_of(delivery.properties.headers, headers.REPLAYS) == replays


def _decide(to_judge: Sequence[ToJudge], seen: Seen, catalog: Catalog, terms: Terms) -> list[Verdict]:
    """Judge requests one after the other: each sees what those before it took."""
    totals = seen.totals
    verdicts: list[Verdict] = []
    for command, row in to_judge:
        try:
            verdict, totals = decide(command.request, seen.facts, totals, catalog, terms)
        except PASSING_FAULTS:
            raise
        except Exception as error:  # noqa: BLE001  # a bug in a pure rule: the transaction is as it was; the others go on
            verdicts.append((command, row, error))
        else:
            verdicts.append((command, row, verdict))
    return verdicts


async def _place(
    connection: Connection, verdicts: Sequence[Verdict], moment: Moment, catalog: Catalog, context: Context
) -> list[Outcome]:
    """Write the priced orders; say no to the others; remember what was said."""
    said: list[Outcome] = []
    to_place: list[tuple[Reading, OrderToPlace]] = []
    for command, row, verdict in verdicts:
        if isinstance(verdict, Exception):
            said.append(_crashed(command.reading, verdict, moment.now))
        elif isinstance(verdict, Rejection):
            said.append(outcomes.rejected(command.reading, verdict, moment.now, row.request_id))
        else:
            to_place.append((command.reading, OrderToPlace(row.request_id, command.caller.asked_by, verdict)))
    orders_to_place = [one for _, one in to_place]
    placed = await orders.allocate(connection, orders_to_place, catalog.order_number_key)
    for (reading, one), ids in zip(to_place, placed, strict=True):
        said.append(outcomes.placed(reading, one.request_id, one.order, ids, moment.now))
    pairs = list(zip(orders_to_place, placed, strict=True))
    answers = [outcome.answer for outcome in said if outcome.answer]
    await orders.place(
        connection, pairs, answers, catalogue_version=catalog.version, terms=context.terms, seal=context.keys.seal
    )
    return said
