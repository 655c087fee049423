"""The versions of the catalogue and of its credentials: whoever changes one takes its turn by them, and moves it."""

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


async def move_credentials(connection: Connection) -> None:
    """Let workers read the credentials anew, with their next batch. Also takes the turn to change them."""
    assert connection.is_in_transaction()
    await connection.execute(SQL["move_credentials"])
