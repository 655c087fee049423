"""Who may ask: External callers by credential, Internal ones by the publisher RabbitMQ vouches for (addorder.md 2)."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.catalog import Catalog, Credential
from schemas.wire import Tree
from worker.key_ring import KeyRing

VERIFY_THREADS = 2  # one verification takes about 30 ms and 19 MiB
REMEMBER_SECONDS = 300
REMEMBERED_MAX = 10_000

Asking = tuple[Tree, str | None]  # a request's parameters, and the publisher that RabbitMQ vouches for
Pair = tuple[str, str]  # identifier and secret

_PAIRS = (("identifier", "secret"), ("username", "password"))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is half of the idempotency key: credential:<id> or publisher:<user_id>."""

    name: str
    asked_by: str
    actions: frozenset[str] | None  # None: all

    def may(self, action: str) -> bool:
        return self.actions is None or action in self.actions


class Authenticator:
    """Tells who asks, a batch at a time, so that secrets it does not know yet are verified side by side."""

    def __init__(self, keys: KeyRing, trusted_publishers: frozenset[str]) -> None:
        self._keys = keys
        self._trusted = trusted_publishers
        self._hasher = PasswordHasher()
        # Verified against when there is no such identifier, so that the time taken does not tell.
        self._nobody = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash("nobody")
        self._threads = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="argon2")
        # Keyed hash of a pair → whether it is right, and until when that is remembered. Wrong ones are remembered as
        # well: one storefront with an outdated secret would else cost all others 30 ms a request. Holds as long as the
        # credentials are these, so that one that is made or revoked counts at once.
        self._known: dict[bytes, tuple[bool, float]] = {}
        self._known_by: Mapping[str, Credential] = {}

    async def authenticate(self, asking: Sequence[Asking], catalog: Catalog) -> list[Caller | None]:
        """Tell the callers of a batch; None for whoever must hear `authentication_failed`, whatever was wrong."""
        pairs = [_pair(tree) for tree, _ in asking]
        right = await self._right_among({pair for pair in pairs if pair is not None}, catalog)
        return [
            self._caller(tree, user_id, catalog.credentials[pair[0]] if pair in right else None)
            for (tree, user_id), pair in zip(asking, pairs, strict=True)
        ]

    def _caller(self, tree: Tree, user_id: str | None, credential: Credential | None) -> Caller | None:
        """Name the caller by credential, or by publisher where the body has no credentials, not even wrong ones."""
        if credential is not None:
            return Caller(f"credential:{credential.id}", credential.identifier, credential.actions)
        if user_id and user_id in self._trusted and not has_credentials(tree):
            asked_by = tree.get("adminuser")
            return Caller(f"publisher:{user_id}", asked_by if isinstance(asked_by, str) and asked_by else user_id, None)
        return None

    async def _right_among(self, pairs: Collection[Pair], catalog: Catalog) -> set[Pair]:
        """Verify what is not remembered. With an unknown identifier it takes as long, so that time tells nothing."""
        if not self._is_known_by(catalog):
            self._known.clear()
            self._known_by = catalog.credentials
        proofs = {pair: self._keys.keyed_hash(*pair) for pair in pairs}
        verdicts = {pair: self._remembered(proof) for pair, proof in proofs.items()}
        unknown = [pair for pair, verdict in verdicts.items() if verdict is None]
        loop = asyncio.get_running_loop()
        verifying = (loop.run_in_executor(self._threads, self._is_right, pair, catalog) for pair in unknown)
        for pair, is_right in zip(unknown, await asyncio.gather(*verifying), strict=True):
            verdicts[pair] = is_right
            # Another lane may have gone on to other credentials while we waited: then it is no verdict by those.
            if self._is_known_by(catalog):
                self._remember(proofs[pair], is_right=is_right)
        return {pair for pair, is_right in verdicts.items() if is_right}

    def _is_known_by(self, catalog: Catalog) -> bool:
        """Tell whether what is remembered was verified against these credentials, whatever else was loaded since."""
        return catalog.credentials is self._known_by or catalog.credentials == self._known_by

    def _remembered(self, proof: bytes) -> bool | None:
        is_right, until = self._known.get(proof, (False, 0.0))
        return is_right if until > time.monotonic() else None

    def _remember(self, proof: bytes, *, is_right: bool) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[proof] = (is_right, time.monotonic() + REMEMBER_SECONDS)

    def _is_right(self, pair: Pair, catalog: Catalog) -> bool:
        identifier, secret = pair
        credential = catalog.credentials.get(identifier)
        try:
            return self._hasher.verify(credential.secret_hash if credential else self._nobody, secret) and bool(
                credential
            )
        except (VerificationError, InvalidHashError):
            return False


def has_credentials(tree: Mapping[str, object]) -> bool:
    """Whether the body carries any part of a pair; an empty one is absent."""
    return any(tree.get(name) for pair in _PAIRS for name in pair)


def _pair(tree: Tree) -> Pair | None:
    """Find the one whole pair, under either names."""
    for name, secret_name in _PAIRS:
        identifier, secret = tree.get(name), tree.get(secret_name)
        if isinstance(identifier, str) and isinstance(secret, str) and identifier and secret:
            return identifier, secret
    return None
