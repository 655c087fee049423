"""Whether a fault is the whole database's or one request's: orders that were placed last are written once more.

They are written by the very statements of the line, under a key and ids of their own, and rolled back. Where that fails
in the same way, no request would fare better: the worker pauses, and nothing is counted against anybody. Where one goes
through, the fault is the request's (docs/decisions/attempts-and-pauses.md).
"""

import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import structlog

from repository import catalog as catalogue
from repository import facts, inbox, invoice_numbers, orders
from repository.database import Connection, Database
from repository.faults import POSTGRES_FAULTS, Blame, blame_of, is_same_fault, says, sqlstate_of
from repository.inbox import Answer, Claim
from repository.orders import Encrypt, OrderToPlace, UsedUp
from schemas.catalog import Catalog
from schemas.order import FactsNeeded
from schemas.replies import Reply
from worker.actions.asked import Change

NOBODY = Claim("publisher:trial", "", bytes(32), "trial")
# Of one alone nobody could tell whether the database is at fault, or what it was written for: its client may be gone,
# or what an administrator forbids since then may be what it has.
SAMPLES_MAX = 3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written, and what had to be known for it."""

    needed: FactsNeeded = field(default_factory=FactsNeeded)
    asked_by: str = ""
    changes: tuple[Change, ...] = ()  # none: nothing was placed yet; the statements are the same, and write no order


NOTHING_PLACED = Sample()


class Trial:
    """Remembers what was placed last, and tries it again when somebody asks whose fault a fault is."""

    def __init__(self, database: Database, encrypt: Encrypt) -> None:
        self._database = database
        self._encrypt = encrypt
        self._samples: OrderedDict[object, Sample] = OrderedDict()  # by what they may have in common; the oldest first

    def placed(self, samples: Iterable[tuple[int | None, Sample]]) -> None:
        """Remember what was committed: of each client the last, of so many clients."""
        for client, sample in samples:
            self._samples[client] = sample
            self._samples.move_to_end(client)
        while len(self._samples) > SAMPLES_MAX:
            self._samples.popitem(last=False)

    async def is_the_servers(self, error: BaseException, catalog: Catalog) -> bool:
        """Whether a batch failed for a fault that any other would fail for as well."""
        if blame_of(error) is not Blame.UNKNOWN:
            return False
        told = await self._run_until_one_is_written(catalog)
        return told is not None and (blame_of(told) is Blame.SERVER or is_same_fault(told, error))

    async def check(self, catalog: Catalog) -> None:
        """See before anything is consumed that the database takes orders.

        Raises:
            POSTGRES_FAULTS: it would take none. What may be the samples' own fault does not stop the shop.
        """
        told = await self._run_until_one_is_written(catalog)
        if told and blame_of(told) is Blame.UNKNOWN and len(self._samples) == 1:
            # A worker that believed one sample alone might never work again: if it was wrong, it is told by what comes.
            await self.run(NOTHING_PLACED, catalog)
        elif told:
            raise told

    async def _run_until_one_is_written(self, catalog: Catalog) -> BaseException | None:
        """Try the samples. Returns what is wrong with the database; None: one went through, or none could tell.

        What is a sample's own fault, or somebody's lock, tells nothing of others.
        """
        told: BaseException | None = None
        for sample in (*reversed(self._samples.values()), NOTHING_PLACED):
            if sample is NOTHING_PLACED and told is not None:
                break  # what writes no order would acquit a database that takes none
            try:
                await self.run(sample, catalog)
            except POSTGRES_FAULTS as error:
                match blame_of(error):
                    case Blame.SERVER:
                        return error
                    case Blame.UNKNOWN:
                        told = error
                    case Blame.REQUEST | Blame.LOCK:
                        fault = {"fault": type(error).__name__, "sqlstate": sqlstate_of(error), "says": says(error)}
                        log.warning("trial.failed", **fault)
            else:
                return None
        return told

    async def run(self, sample: Sample, catalog: Catalog) -> None:
        """Write a sample, and roll it back.

        Raises:
            POSTGRES_FAULTS: what Postgres says to it.
        """
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._write(connection, sample, catalog)
            finally:
                if not connection.is_closed():
                    await transaction.rollback()

    async def _write(self, connection: Connection, sample: Sample, catalog: Catalog) -> None:
        claim = replace(NOBODY, message_id=str(uuid.uuid4()))
        [row] = (await inbox.claim(connection, [claim])).values()
        await facts.lock_clients(connection, sample.needed)
        found = await facts.read(connection, sample.needed)
        to_place = [OrderToPlace(row.request_id, sample.asked_by, change) for change in sample.changes]
        written = await orders.allocate(connection, to_place, catalog.order_number_key)
        answer = Answer(row.request_id, "placed" if to_place else "rejected", 0, Reply(b"{}"), (), found.as_of.now)
        pairs = list(zip(to_place, written, strict=True))
        await orders.place(connection, pairs, [answer], catalog=catalog, encrypt=self._encrypt)
        with contextlib.suppress(UsedUp):  # others bought the last: the statement went through
            await orders.use_up(connection, sample.changes)
            paid = [ids.invoice_id for change, ids in zip(sample.changes, written, strict=True) if change.takes_number]
            await invoice_numbers.give(connection, paid, catalog.settings.numbers, found.as_of.today)


async def write_nothing(database: Database) -> None:
    """Run the statements by which an order is placed, as a worker does that has placed none, and roll back.

    Raises:
        POSTGRES_FAULTS: what Postgres says to them: no order could be placed.
    """
    async with database.transaction() as connection:
        catalog = await catalogue.read(connection)
    await Trial(database, encrypt=str.encode).run(NOTHING_PLACED, catalog)
