"""What carrying out needs: the database, the edge, the keys, and the catalogue as it was last read."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from repository import catalog as catalogue
from repository import facts
from repository.database import Connection, Database, now
from repository.facts import Seen
from repository.inbox import Mark
from repository.revisions import check_migrated
from schemas.catalog import Catalog
from schemas.order import Terms, Wanted
from worker.broker.reply_queues import ReplyQueues
from worker.intake.edge import Edge
from worker.key_ring import KeyRing

MARKS_MIN = 20  # fewer wait for the sweeper, a second at most: light traffic has no statement to spare


class CatalogueMoved(Exception):
    """The catalogue that the batch was read with is not the database's any more."""


@dataclass(slots=True)
class Context:
    """What carrying out needs. `catalog` is there after the first reload, and replaced when its version moves."""

    database: Database
    edge: Edge
    keys: KeyRing
    terms: Terms
    reply_queues: ReplyQueues
    catalog: Catalog = field(init=False)
    published: list[Mark] = field(default_factory=list)  # answers to mark with the next transaction
    arrived: list[str] = field(default_factory=list)  # ids of events that are kept, and were confirmed after all
    _ahead: timedelta = timedelta()  # how far the database's clock is ahead of this machine's

    async def open(self) -> None:
        """See that the database is there, takes work and has the tables that this program knows.

        Raises:
            AWAY_FAULTS: it does not answer, or takes no work.
            NotMigrated: the tables are missing, or older than this program.
        """
        await self.database.check_sessions()
        async with self.database.connection() as connection:
            await check_migrated(connection)
        await self.database.probe()
        await self.reload()

    def take_marks(self) -> list[Mark]:
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
            self._ahead = await now(connection) - datetime.now(UTC)
