"""Who may ask: External callers by credential, Internal ones by the publisher RabbitMQ vouches for (addorder.md 2)."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas import rejections
from schemas.catalog import Catalog, Credential
from schemas.rejections import Rejected
from schemas.wire import Tree
from worker.key_ring import KeyRing

VERIFY_THREADS = 2  # one verification takes about 30 ms and 19 MiB
REMEMBER_SECONDS = 300
REMEMBERED_MAX = 10_000

_PAIRS = (("identifier", "secret"), ("username", "password"))
# Verified against when there is no such identifier, so that the time taken does not tell.
_NOBODY = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash("nobody")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is half of the idempotency key: credential:<id> or publisher:<user_id>."""

    name: str
    asked_by: str
    actions: frozenset[str] | None  # None: all

    def may(self, action: str) -> bool:
        return self.actions is None or action in self.actions


class Authenticator:
    def __init__(self, keys: KeyRing, trusted_publishers: frozenset[str]) -> None:
        self._keys = keys
        self._trusted = trusted_publishers
        self._hasher = PasswordHasher()
        self._threads = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="argon2")
        # Keyed hash of a verified pair → when that ends. Holds for one version of the catalogue, so that a credential
        # that is revoked is forgotten with the next one.
        self._verified: dict[bytes, float] = {}
        self._verified_version = 0

    async def authenticate(self, tree: Tree, user_id: str | None, catalog: Catalog) -> Caller:
        """Tell who asks.

        Raises:
            Rejected: `authentication_failed`; the same words whatever was wrong.
        """
        if has_credentials(tree):
            credential = await self._verify(_pair(tree), catalog)
            return Caller(f"credential:{credential.id}", credential.identifier, credential.actions)
        if user_id and user_id in self._trusted:
            asked_by = tree.get("adminuser")
            return Caller(f"publisher:{user_id}", asked_by if isinstance(asked_by, str) and asked_by else user_id, None)
        raise Rejected(rejections.authentication_failed())

    async def _verify(self, pair: tuple[str, str] | None, catalog: Catalog) -> Credential:
        if pair is None:
            raise Rejected(rejections.authentication_failed())
        identifier, secret = pair
        credential = catalog.credentials.get(identifier)
        if catalog.version != self._verified_version:
            self._verified.clear()
            self._verified_version = catalog.version
        proof = self._keys.keyed_hash(identifier, secret)
        if credential is not None and self._verified.get(proof, 0.0) > time.monotonic():
            return credential
        secret_hash = credential.secret_hash if credential else _NOBODY
        is_right = await asyncio.get_running_loop().run_in_executor(self._threads, self._check, secret_hash, secret)
        if credential is None or not is_right:
            raise Rejected(rejections.authentication_failed())
        if len(self._verified) >= REMEMBERED_MAX:
            self._verified.clear()
        self._verified[proof] = time.monotonic() + REMEMBER_SECONDS
        return credential

    def _check(self, secret_hash: str, secret: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, secret)
        except (VerificationError, InvalidHashError):
            return False


def has_credentials(tree: Mapping[str, object]) -> bool:
    """Whether the body carries any part of a pair; an empty one is absent."""
    return any(tree.get(name) for pair in _PAIRS for name in pair)


def _pair(tree: Tree) -> tuple[str, str] | None:
    """Find the one whole pair, under either names."""
    for name, secret_name in _PAIRS:
        identifier, secret = tree.get(name), tree.get(secret_name)
        if isinstance(identifier, str) and isinstance(secret, str) and identifier and secret:
            return identifier, secret
    return None
