"""What carrying out needs: the database, the edge, the keys, and the catalogue as it was last read."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from repository import catalog as catalogue
from repository import facts, shop, shop_settings
from repository.database import Connection, Database, now
from repository.facts import FactsRead
from repository.inbox import Mark
from repository.revisions import check_migrated
from schemas.catalog import Catalog
from schemas.order import FactsNeeded
from schemas.shop_settings import Given, ShopSettings
from worker.broker.reply_queues import ReplyQueues
from worker.intake.edge import Edge
from worker.key_ring import KeyRing
from worker.pipeline.known import Known
from worker.pipeline.locks import Locks
from worker.settings import SettingsError
from worker.shop_settings import overruled
from worker.trial import Trial

MARKS_MIN = 20  # fewer wait for the sweeper, a second at most: light traffic has no statement to spare

log = structlog.get_logger()


class CatalogueMoved(Exception):
    """The catalogue that the batch was read with is not the database's any more."""


@dataclass(slots=True)
class Context:
    """What carrying out needs. `catalog` is there after the first reload, and replaced when its version moves."""

    database: Database
    edge: Edge
    keys: KeyRing
    first_values: Given  # of the shop's settings: what this worker's environment says
    run_by: str  # the user of the operating system
    reply_queues: ReplyQueues
    trial: Trial = field(init=False)
    locks: Locks = field(default_factory=Locks)
    known: Known = field(default_factory=Known)
    shop_id: str = field(init=False)  # whose database it is; there after the first opening
    catalog: Catalog = field(init=False)
    published: list[Mark] = field(default_factory=list)  # answers to mark with the next transaction
    arrived: list[str] = field(default_factory=list)  # ids of events that are kept, and were confirmed after all
    _ahead: timedelta = timedelta()  # how far the database's clock is ahead of this machine's
    _connections_told: int = 0
    _told: ShopSettings | None = None  # the settings that the log told last; None: not opened yet

    def __post_init__(self) -> None:
        self.trial = Trial(self.database, self.keys.encrypt)
        self.database.on_connect = self.known.look

    async def open(self) -> None:
        """See that the database is there, takes work and has the tables that this program knows.

        Raises:
            POSTGRES_FAULTS: it does not answer, or takes no work.
            OrdersLost: it does not have what this process has placed in it.
            NotMigrated: the tables are missing, or older than this program.
            SettingsError: at the start, this worker's environment says otherwise than the shop.
        """
        await self.database.check_sessions()
        async with self.database.connection() as connection:
            await check_migrated(connection)
        await self.database.probe()
        async with self.database.connection() as connection:
            self.shop_id = await shop.shop_id(connection)
            await self.known.begin(connection)
        await self._open_connections()
        if self._told is None:
            await self._agree_on_settings()
        await self.reload()
        await self.trial.check(self.catalog)

    async def _open_connections(self) -> None:
        """Have what we work with before anything is consumed; with fewer than we would have, work as it goes."""
        found, wanted = await self.database.open_connections(), self.database.connections_max
        if found < wanted and found != self._connections_told:
            fix = "raise max_connections of Postgres, or run fewer workers"
            log.warning("worker.connections", found=found, wanted=wanted, fix=fix)
        self._connections_told = found

    async def _agree_on_settings(self) -> None:
        """Set what nobody has set yet, and see that the environment says what the shop says.

        Two workers must not price differently (docs/decisions/shop-settings.md). One that runs goes by the shop: else a
        load of the catalogue could end all workers at once.
        """
        async with self.database.transaction() as connection:
            given = await shop_settings.fill(connection, self.first_values, by=self.run_by)
        if faults := list(overruled(self.first_values, given)):
            raise SettingsError("\n".join(faults))

    async def see_noted(self, order_ids: Collection[int]) -> None:
        """See that the database has orders that workers noted in the broker.

        Raises:
            OrdersLost: it does not, and nobody was told yet.
        """
        async with self.database.connection() as connection:
            await self.known.see(connection, order_ids)

    def take_marks(self) -> list[Mark]:
        """Take what is to be marked as published, if it is worth a statement. The sweeper takes the rest."""
        if len(self.published) < MARKS_MIN:
            return []
        marks, self.published = self.published, []
        return marks

    def now(self) -> datetime:
        """The database's time, where it cannot be asked: by how its clock stood to ours when it was asked last."""
        return datetime.now(UTC) + self._ahead

    async def read(self, connection: Connection, needed: FactsNeeded, catalog: Catalog) -> FactsRead:
        """Ask the database for facts, for its time, and whether its catalogue and credentials are still these.

        Raises:
            CatalogueMoved: they are others.
        """
        found = await facts.read(connection, needed)
        self._ahead = found.as_of.now - datetime.now(UTC)
        as_of = found.as_of
        if (as_of.catalogue_version, as_of.credentials_version) != (catalog.version, catalog.credentials_version):
            raise CatalogueMoved
        return found

    async def reload(self) -> None:
        async with self.database.transaction() as connection:
            self.catalog = await catalogue.read(connection)
            self._ahead = await now(connection) - datetime.now(UTC)
        self._tell_settings()

    def _tell_settings(self) -> None:
        settings = self.catalog.settings
        if settings != self._told:
            log.info("shop.settings", catalogue_version=self.catalog.version, **asdict(settings))
            for sentence in overruled(self.first_values, asdict(settings)):
                log.warning("shop.settings_overruled", why=sentence)
        self._told = settings
