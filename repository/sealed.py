"""What is encrypted at rest, gone through in stretches, so that a new key can take over."""

from collections.abc import AsyncIterator, Callable

import orjson

from repository import queries
from repository.database import Connection, Database

SQL = queries.load("secrets.sql")

AT_ONCE = 500  # rows of one transaction
SAMPLED_ROWS = 10_000  # that are looked at for something encrypted, among the first and among the last
SAMPLED = 20  # of each kind

EncryptAnew = Callable[[bytes], bytes]


async def rotate(database: Database, encrypt_anew: EncryptAnew) -> AsyncIterator[int]:
    """Encrypt anew all that is encrypted, a stretch a transaction; yields how many rows each stretch had.

    It may be interrupted and run again: what is under the new key already is encrypted under it once more.
    """
    kinds: tuple[tuple[str, int | str, EncryptAnew], ...] = (
        ("root_passwords", 0, encrypt_anew),
        ("epp_codes", 0, encrypt_anew),
        ("custom_fields", 0, lambda fields: _fields(fields, encrypt_anew)),
        ("letters", "", encrypt_anew),
    )
    for kind, first, anew in kinds:
        last = first  # an id, behind which all of them are
        while True:
            async with database.transaction() as connection:
                rows = await connection.fetch(SQL[kind], last, AT_ONCE)
                if not rows:
                    break
                ids = [row["id"] for row in rows]
                await connection.execute(SQL[f"replace_{kind}"], ids, [anew(row["sealed"]) for row in rows])
            last = ids[-1]
            yield len(rows)


async def sample(connection: Connection) -> list[bytes]:
    """Take some of what is encrypted, old and new, to see whether it can be opened."""
    return [row["sealed"] for row in await connection.fetch(SQL["sample"], SAMPLED_ROWS, SAMPLED)]


async def newest_signature(connection: Connection) -> str | None:
    """Tell the version of the newest fingerprint; None: there is no request yet."""
    version: str | None = await connection.fetchval(SQL["newest_signature"])
    return version


def seal_field(value: str, encrypt: Callable[[str], bytes]) -> dict[str, str]:
    """Write the value of a secret custom field as it stands among the others."""
    return {"sealed": encrypt(value).decode()}


def _fields(fields: bytes, encrypt_anew: EncryptAnew) -> bytes:
    return orjson.dumps(
        {
            name: {"sealed": encrypt_anew(value["sealed"].encode()).decode()} if isinstance(value, dict) else value
            for name, value in orjson.loads(fields).items()
        }
    )
