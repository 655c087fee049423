"""What may be wrong with the database beside us: who waits for whom, who sits on what, and how much room is left."""

from dataclasses import dataclass

from repository import queries
from repository.database import APPLICATION, Connection

SQL = queries.load("trouble.sql")

SESSIONS_MAX = 10  # that are named
IDLE_SECONDS = 10.0  # in a transaction, doing nothing: longer than any of ours
PREPARED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the server. `pid` is its process; 0: a prepared transaction, which has none."""

    pid: int
    user: str
    application: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session that waits for a lock which another one holds."""

    session: Session
    seconds: float
    holder: Session


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that was prepared and never ended: it holds what it has locked, over restarts too."""

    gid: str
    user: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Lacking:
    """A table or a sequence of ours, and the rights that this user lacks there."""

    name: str
    kind: str
    lacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence of ours that comes to its end."""

    name: str
    last_value: int
    max_value: int


@dataclass(frozen=True, slots=True)
class Standbys:
    """Which standbys a commit waits for, empty: none; how many there are, and how many of them it could wait for."""

    wanted: str
    there: int
    waited_for: int

    @property
    def are_missing(self) -> bool:
        """Whether a commit waits for nobody, and so for ever."""
        return bool(self.wanted) and not self.waited_for


@dataclass(frozen=True, slots=True)
class Room:
    """How many sessions a limit allows, which is the narrowest, and how many of them others than us have."""

    name: str
    most: int
    others: int


@dataclass(frozen=True, slots=True)
class Trouble:
    waiting: tuple[Waiting, ...]
    idle: tuple[tuple[Session, float], ...]  # in a transaction, doing nothing, for so many seconds
    prepared: tuple[Prepared, ...]
    transaction_ids: int  # since the oldest row that is not frozen
    rights: tuple[Lacking, ...]
    sequences: tuple[Sequence, ...]
    standbys: Standbys


async def look(connection: Connection) -> Trouble:
    """Look what is wrong at this moment; nothing is locked, and nothing is waited for."""
    [standbys] = await connection.fetch(SQL["standbys"])
    return Trouble(
        waiting=tuple(
            Waiting(
                Session(row["pid"], row["user"], row["application"]),
                row["seconds"],
                Session(row["by_pid"], row["by_user"], row["by_application"]),
            )
            for row in await connection.fetch(SQL["locks"], SESSIONS_MAX)
        ),
        idle=tuple(
            (Session(row["pid"], row["user"], row["application"]), row["seconds"])
            for row in await connection.fetch(SQL["idle"], IDLE_SECONDS, SESSIONS_MAX)
        ),
        prepared=tuple(Prepared(**row) for row in await connection.fetch(SQL["prepared"], PREPARED_SECONDS)),
        transaction_ids=await connection.fetchval(SQL["transaction_ids"]),
        rights=tuple(
            Lacking(row["name"], row["kind"], tuple(row["lacks"])) for row in await connection.fetch(SQL["rights"])
        ),
        sequences=tuple(Sequence(**row) for row in await connection.fetch(SQL["sequences"])),
        standbys=Standbys(**standbys),
    )


async def room(connection: Connection) -> Room:
    """Tell how many sessions of ours there may be, by the narrowest limit."""
    [row] = await connection.fetch(SQL["room"], APPLICATION)
    return Room(**row)
