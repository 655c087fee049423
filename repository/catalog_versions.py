"""The catalogue's version: whoever changes what is sold takes its turn by it, and moves it."""

from repository import queries
from repository.database import Connection

SQL = queries.load("catalog_versions.sql")


async def lock(connection: Connection) -> int:
    """Take the turn to change the catalogue, until the transaction ends; return its version."""
    assert connection.is_in_transaction()
    version: int = await connection.fetchval(SQL["lock"])
    return version


async def move(connection: Connection) -> int:
    """Let workers read the catalogue anew, with their next batch; return its new version."""
    version: int = await connection.fetchval(SQL["move"])
    return version
