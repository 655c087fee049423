"""Whether a fault is the whole database's or one request's: the order that was placed last is written once more.

It is written by the very statements of the line, under a key and ids of its own, and rolled back. Where that fails in
the same way, no request would fare better: the worker pauses, and nothing is counted against anybody. Where it goes
through, the fault is the request's (docs/decisions/attempts-and-pauses.md).
"""

import contextlib
import uuid
from dataclasses import dataclass, field, replace

import structlog

from repository import facts, inbox, invoice_numbers, orders
from repository.database import Connection, Database
from repository.faults import POSTGRES_FAULTS, Blame, blame_of, is_same_fault, says, sqlstate_of
from repository.inbox import Answer, Claim
from repository.orders import Encrypt, OrderToPlace, UsedUp
from schemas.catalog import Catalog
from schemas.order import FactsNeeded
from schemas.replies import Reply
from worker.actions.asked import Change

log = structlog.get_logger()

NOBODY = Claim("publisher:trial", "", bytes(32), "trial")


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written last, and what had to be known for it."""

    needed: FactsNeeded = field(default_factory=FactsNeeded)
    asked_by: str = ""
    changes: tuple[Change, ...] = ()  # none: nothing was placed yet; the statements are the same, and write no order


class Trial:
    """Remembers what was placed last, and tries it again when somebody asks whose fault a fault is."""

    def __init__(self, database: Database, encrypt: Encrypt) -> None:
        self._database = database
        self._encrypt = encrypt
        self.sample = Sample()  # of what was committed last

    async def is_the_servers(self, error: BaseException, catalog: Catalog) -> bool:
        """Whether a batch failed for a fault that any other would fail for as well."""
        if blame_of(error) is not Blame.UNKNOWN:
            return False
        try:
            await self.run(catalog)
        except POSTGRES_FAULTS as told:
            return blame_of(told) is Blame.SERVER or is_same_fault(told, error)
        return False

    async def check(self, catalog: Catalog) -> None:
        """See before anything is consumed that the database takes orders.

        Raises:
            POSTGRES_FAULTS: it would take none. What may be the sample's own fault does not stop the shop.
        """
        try:
            await self.run(catalog)
        except POSTGRES_FAULTS as told:
            if blame_of(told) in {Blame.SERVER, Blame.UNKNOWN}:
                raise
            log.warning("trial.failed", fault=type(told).__name__, sqlstate=sqlstate_of(told), says=says(told))

    async def run(self, catalog: Catalog) -> None:
        """Write the sample, and roll it back.

        Raises:
            POSTGRES_FAULTS: what Postgres says to it.
        """
        async with self._database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._write(connection, catalog)
            finally:
                if not connection.is_closed():
                    await transaction.rollback()

    async def _write(self, connection: Connection, catalog: Catalog) -> None:
        sample = self.sample
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
