"""The versions of the catalogue, what each of them changed, and that of its credentials.

Whoever changes what is sold, or who may ask, takes its turn by the catalogue's row, and moves one of its versions.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from repository import queries
from repository.database import Connection
from schemas.catalog_changes import EntryChange

SQL = queries.load("catalog_versions.sql")


class Act(StrEnum):
    """What made a version."""

    MIGRATE = "migrate"  # the one that was there when versions began to be recorded: what it changed is not known
    LOAD = "load"
    ROLLBACK = "rollback"
    FIRST_VALUES = "first_values"  # of settings, from an environment
    UNRECORDED = "unrecorded"  # a version of this program that kept no history


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it was made. `changes` are the first few that it made to entries, out of `count`."""

    version: int
    made_at: datetime | None  # None: it was not recorded
    made_by: str
    act: Act
    back_to: int | None  # of a rollback
    count: int
    changes: tuple[EntryChange, ...]


class VersionError(Exception):
    """Why nobody can tell what lies between two versions, in a sentence."""


async def lock(connection: Connection) -> int:
    """Take the turn to change the catalogue, until the transaction ends; return its version."""
    assert connection.is_in_transaction()
    version: int = await connection.fetchval(SQL["lock"])
    return version


async def record(
    connection: Connection, changes: Sequence[EntryChange], *, by: str, act: Act, back_to: int | None = None
) -> int:
    """Move the version, note what was changed, when and by whom, and return it. No changes: it stays as it is.

    Workers read the catalogue anew then, with their next batch.
    """
    assert connection.is_in_transaction()
    if not changes:
        return await lock(connection)
    version: int = await connection.fetchval(SQL["record"], by, act, back_to, [asdict(change) for change in changes])
    return version


async def move_credentials(connection: Connection) -> None:
    """Let workers read the credentials anew, with their next batch. Also takes the turn to change them."""
    assert connection.is_in_transaction()
    await connection.execute(SQL["move_credentials"])


async def history(connection: Connection, *, most: int, changes_most: int | None) -> list[Version]:
    """List versions, the newest first, each with its first changes; None: with all of them."""
    rows = await connection.fetch(SQL["history"], most)
    return [
        Version(
            **{**row, "act": Act(row["act"])},
            changes=await _changes(connection, "changes_of", row["version"], changes_most),
        )
        for row in rows
    ]


async def between(connection: Connection, older: int, newer: int | None = None) -> tuple[EntryChange, ...]:
    """Tell what changed from the state of one version to that of a later one; None: to the present one.

    Raises:
        VersionError: there is no such version, or one between them was not recorded.
    """
    present = await connection.fetchval(SQL["present"])
    newer = present if newer is None else newer
    for version in (older, newer):
        if not 1 <= version <= present:
            raise VersionError(f"there is no version {version}: the catalogue is at {present}")
    unknown = await connection.fetchval(SQL["first_unknown"], older, newer)
    if unknown is not None:
        raise VersionError(
            f"what version {unknown} changed was not recorded: a version of this program made it that kept no history"
        )
    return await _changes(connection, "between", older, newer)


async def _changes(connection: Connection, query: str, *arguments: int | None) -> tuple[EntryChange, ...]:
    return tuple(EntryChange(**row) for row in await connection.fetch(SQL[query], *arguments))
