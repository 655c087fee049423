"""Which schema this program needs, and which one a database has. For every start: it knows nothing of alembic."""

from importlib.resources import files

import asyncpg

from repository import queries
from repository.database import ACCESS_FAULTS, Connection

SQL = queries.load("migrate.sql")

# The server is there, but the URL's user, password or database, or the user's rights are not what we need.
PERMISSION_FAULTS = (*ACCESS_FAULTS, asyncpg.InsufficientPrivilegeError)

# Oldest first. A revision is a file, whose name begins with it.
REVISIONS = tuple(
    sorted(
        file.name.partition("_")[0]
        for file in files("repository").joinpath("migrations", "versions").iterdir()
        if file.name[0].isdigit()
    )
)


class NotMigrated(Exception):
    """The schema is missing, or older than this program."""


async def check_migrated(connection: Connection) -> None:
    """See that the schema is there and not older than this program; a newer one is made to serve older programs too.

    Raises:
        NotMigrated: in words for the operator.
    """
    version = await schema_version(connection)
    if version is None:
        raise NotMigrated("the database has no tables yet: run `orders migrate`")
    if version in REVISIONS and version != REVISIONS[-1]:
        raise NotMigrated(
            f"the database's schema is {version}, this program needs {REVISIONS[-1]}: run `orders migrate`"
        )


async def schema_version(connection: Connection) -> str | None:
    """Return the revision that the database stands at; None: it was never migrated.

    The caller holds no transaction: one would not survive that the table is missing.
    """
    try:
        version: str | None = await connection.fetchval(SQL["schema_version"])
    except asyncpg.UndefinedTableError:
        return None
    return version
