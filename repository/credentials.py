"""API credentials: made, listed, revoked. Workers read them with the catalogue; each change moves their own version."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from repository import catalog_versions, queries
from repository.database import Connection
from schemas.catalog_entries import TEXT_CHARS_MAX

SQL = queries.load("credentials.sql")

_RANDOM_BYTES = 16  # shown as 32 hex characters, as WHMCS makes them
# The least that OWASP recommends for argon2id: 19 MiB and two passes, about 30 ms.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_ACTION = re.compile("[a-z]{1,64}", re.ASCII)


class CredentialError(Exception):
    """What can not be done, in a sentence."""


@dataclass(frozen=True, slots=True)
class NewCredential:
    """`secret` is known now and never again."""

    identifier: str
    secret: str


@dataclass(frozen=True, slots=True)
class ListedCredential:
    identifier: str
    actions: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None  # None: in force


async def add(connection: Connection, actions: Sequence[str], identifier: str | None = None) -> NewCredential:
    """Make a credential that may call `actions`; its identifier is random unless given.

    The caller holds the transaction.

    Raises:
        CredentialError: the identifier is taken, or a value is not valid.
    """
    assert connection.is_in_transaction()
    names = sorted({action.lower() for action in actions})
    if not names or not all(map(_ACTION.fullmatch, names)):
        raise CredentialError("name at least one action, such as addorder")
    if identifier is not None and (not identifier.isprintable() or not 0 < len(identifier) <= TEXT_CHARS_MAX):
        raise CredentialError(f"an identifier has 1 to {TEXT_CHARS_MAX} printable characters")
    made = NewCredential(identifier or secrets.token_hex(_RANDOM_BYTES), secrets.token_hex(_RANDOM_BYTES))
    await catalog_versions.move_credentials(connection)
    if await connection.fetchval(SQL["add"], made.identifier, hash_of(made.secret), names) is None:
        raise CredentialError(f"there is a credential {made.identifier} already: revoke it first")
    return made


async def list_(connection: Connection) -> tuple[ListedCredential, ...]:
    """Return every credential that there ever was, those in force first."""
    rows = await connection.fetch(SQL["list"])
    return tuple(ListedCredential(**{**row, "actions": tuple(row["actions"])}) for row in rows)


async def revoke(connection: Connection, identifier: str) -> None:
    """End a credential: workers forget it with the next batch. The caller holds the transaction.

    Raises:
        CredentialError: none with this identifier is in force.
    """
    assert connection.is_in_transaction()
    await catalog_versions.move_credentials(connection)
    if await connection.fetchval(SQL["revoke"], identifier) is None:
        raise CredentialError(f"there is no credential {identifier} in force: see `orders credentials list`")


def hash_of(secret: str) -> str:
    """Hash a secret with argon2id. Takes about 30 ms and 19 MiB."""
    return _HASHER.hash(secret)


def is_hash_of(secret_hash: str, secret: str) -> bool:
    """Verify a secret. Takes about 30 ms and 19 MiB."""
    try:
        return _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
