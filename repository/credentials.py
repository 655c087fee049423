"""API credentials: made, listed, replaced, revoked. Workers read them with the catalogue; each change has a version."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from repository import catalog_versions, queries
from repository.database import Connection
from schemas import callers
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
    caller: str
    old_secret_until: datetime | None = None  # None: there is no older one, or it is refused already


@dataclass(frozen=True, slots=True)
class ListedCredential:
    identifier: str
    caller: str
    actions: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None  # None: in force
    old_secret_until: datetime | None  # None: one secret is taken, no other


async def add(
    connection: Connection, actions: Sequence[str], identifier: str | None = None, caller: str | None = None
) -> NewCredential:
    """Make a credential that may call `actions`; its identifier is random unless given.

    `caller` is whose keys it has, as schemas.callers.named() takes it. Unless given, it is the caller of the credential
    that had the same identifier before, else a new one. Whoever calls this holds the transaction.

    Raises:
        CredentialError: the identifier is taken, or a value is not valid.
    """
    assert connection.is_in_transaction()
    names = sorted({action.lower() for action in actions})
    if not names or not all(map(_ACTION.fullmatch, names)):
        raise CredentialError("name at least one action, such as addorder")
    if identifier is not None and (not identifier.isprintable() or not 0 < len(identifier) <= TEXT_CHARS_MAX):
        raise CredentialError(f"an identifier has 1 to {TEXT_CHARS_MAX} printable characters")
    identifier, secret = identifier or secrets.token_hex(_RANDOM_BYTES), secrets.token_hex(_RANDOM_BYTES)
    whose = None if caller is None else await _caller(connection, caller)
    await catalog_versions.move_credentials(connection)
    given = await connection.fetchval(SQL["add"], identifier, hash_of(secret), names, whose)
    if given is None:
        raise CredentialError(
            f"there is a credential {identifier} already: `orders credentials replace` gives it a new secret"
        )
    return NewCredential(identifier, secret, given)


async def _caller(connection: Connection, written: str) -> str:
    """Read whose keys a credential is to have."""
    try:
        caller = callers.named(written)
    except ValueError as error:
        raise CredentialError(str(error)) from None
    credential_id = callers.credential_of(caller)
    if credential_id is not None and not await connection.fetchval(SQL["is_there"], credential_id):
        raise CredentialError(f"there is no caller {caller}: see `orders credentials list --all`")
    return caller


async def list_(connection: Connection) -> tuple[ListedCredential, ...]:
    """Return every credential that there ever was, those in force first."""
    rows = await connection.fetch(SQL["list"])
    return tuple(ListedCredential(**{**row, "actions": tuple(row["actions"])}) for row in rows)


async def replace(connection: Connection, identifier: str, overlap: timedelta = timedelta()) -> NewCredential:
    """Give a credential a new secret; the old one is taken as well for `overlap`, and one before that no more.

    The caller is who it was. Whoever calls this holds the transaction.

    Raises:
        CredentialError: none with this identifier is in force.
    """
    assert connection.is_in_transaction()
    secret = secrets.token_hex(_RANDOM_BYTES)
    await catalog_versions.move_credentials(connection)
    row = await connection.fetchrow(SQL["replace"], identifier, hash_of(secret), overlap.total_seconds())
    if row is None:
        raise _not_in_force(identifier)
    return NewCredential(identifier, secret, row["caller"], row["old_secret_until"] if overlap else None)


async def revoke(connection: Connection, identifier: str) -> str:
    """End a credential: workers forget it with the next batch. Returns whose it was. The caller holds the transaction.

    Raises:
        CredentialError: none with this identifier is in force.
    """
    assert connection.is_in_transaction()
    await catalog_versions.move_credentials(connection)
    caller: str | None = await connection.fetchval(SQL["revoke"], identifier)
    if caller is None:
        raise _not_in_force(identifier)
    return caller


def _not_in_force(identifier: str) -> CredentialError:
    return CredentialError(f"there is no credential {identifier} in force: see `orders credentials list`")


def hash_of(secret: str) -> str:
    """Hash a secret with argon2id. Takes about 30 ms and 19 MiB."""
    return _HASHER.hash(secret)


def is_hash_of(secret_hash: str, secret: str) -> bool:
    """Verify a secret. Takes about 30 ms and 19 MiB."""
    try:
        return _HASHER.verify(secret_hash, secret)
    except (VerificationError, InvalidHashError):
        return False
