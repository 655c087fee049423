"""Who may ask: External callers by credential, Internal ones by the publisher RabbitMQ vouches for (addorder.md 2)."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas import callers
from schemas.catalog import Catalog, Credential
from schemas.wire import Tree
from worker.key_ring import KeyRing
from worker.publishers import Actions

VERIFY_THREADS = 2  # one verification takes about 30 ms and 19 MiB
REMEMBER_SECONDS = 300
REMEMBERED_MAX = 10_000

Asking = tuple[Tree, str | None]  # a request's parameters, and the publisher that RabbitMQ vouches for
Pair = tuple[str, str]  # identifier and secret

_PAIRS = (("identifier", "secret"), ("username", "password"))
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `name` is half of the idempotency key, as schemas/callers.py writes it."""

    name: str
    asked_by: str
    actions: Actions

    def may(self, action: str) -> bool:
        return self.actions is None or action in self.actions


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who must hear `authentication_failed`, whatever was wrong.

    `why` tells operators what was. It holds no secret, and an identifier only where there is such a credential: people
    type passwords in its place.
    """

    why: str


class Verdict(Enum):
    """What became of a pair that was verified."""

    RIGHT = auto()
    REPLACED = auto()  # right, for as long as the old secret is taken as well
    WRONG = auto()


class Authenticator:
    """Tells who asks, a batch at a time, so that secrets it does not know yet are verified side by side."""

    def __init__(
        self, keys: KeyRing, trusted_publishers: Mapping[str, Actions], names: Mapping[str, str] = _NO_NAMES
    ) -> None:
        """`names` are the callers of publishers that were given one."""
        self._keys = keys
        self._trusted = trusted_publishers
        self._names = names
        self._hasher = PasswordHasher()
        # Verified against when there is no such identifier, so that the time taken does not tell.
        self._nobody = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash("nobody")
        self._threads = ThreadPoolExecutor(VERIFY_THREADS, thread_name_prefix="argon2")
        # Keyed hash of a pair → what became of it, and until when that is remembered. Wrong ones are remembered as
        # well: one storefront with an outdated secret would else cost all others 30 ms a request. Holds as long as the
        # credentials are these, so that one that is made or revoked counts at once.
        self._known: dict[bytes, tuple[Verdict, float]] = {}
        self._known_by: Mapping[str, Credential] = {}

    async def authenticate(self, asking: Sequence[Asking], catalog: Catalog, now: datetime) -> list[Caller | Stranger]:
        """Tell who asks the requests of a batch. `now` is the database's: it says whether an old secret is taken."""
        pairs = [_pair(tree) for tree, _ in asking]
        verdicts = await self._verdicts({pair for pair in pairs if pair is not None}, catalog, now)
        return [
            self._publisher(tree, user_id) if pair is None else _holder(pair, verdicts[pair], catalog, now)
            for (tree, user_id), pair in zip(asking, pairs, strict=True)
        ]

    def _publisher(self, tree: Tree, user_id: str | None) -> Caller | Stranger:
        """Name who publishes, where the body has no credentials, not even a part of them."""
        given = _credentials_in(tree)
        if given:
            return Stranger(f"half a pair of credentials: only {' and '.join(given)}")
        if not user_id:
            return Stranger("no credentials, and no user_id")
        if user_id not in self._trusted:
            return Stranger(f"no credentials, and the publisher {user_id} is not one of ORDERS_TRUSTED_PUBLISHERS")
        asked_by = tree.get("adminuser")
        return Caller(
            self._names.get(user_id) or callers.of_publisher(user_id),
            asked_by if isinstance(asked_by, str) and asked_by else user_id,
            self._trusted[user_id],
        )

    async def _verdicts(self, pairs: Collection[Pair], catalog: Catalog, now: datetime) -> dict[Pair, Verdict]:
        """Verify what is not remembered. With an unknown identifier it takes as long, so that time tells nothing."""
        if not self._is_known_by(catalog):
            self._known.clear()
            self._known_by = catalog.credentials
        proofs = {pair: self._keys.keyed_hash(*pair) for pair in pairs}
        found = {pair: self._remembered(proof) for pair, proof in proofs.items()}
        verdicts = {pair: verdict for pair, verdict in found.items() if verdict is not None}
        unknown = [pair for pair in pairs if pair not in verdicts]
        # Where any credential has two secrets, whatever comes is verified twice: the time taken tells of none.
        rounds = max((len(one.secret_hashes(now)) for one in catalog.credentials.values()), default=1) if unknown else 0
        loop = asyncio.get_running_loop()
        verifying = (loop.run_in_executor(self._threads, self._verify, pair, catalog, now, rounds) for pair in unknown)
        for pair, verdict in zip(unknown, await asyncio.gather(*verifying), strict=True):
            verdicts[pair] = verdict
            # Another lane may have gone on to other credentials while we waited: then it is no verdict by those.
            if self._is_known_by(catalog):
                self._remember(proofs[pair], verdict)
        return verdicts

    def _is_known_by(self, catalog: Catalog) -> bool:
        """Tell whether what is remembered was verified against these credentials, whatever else was loaded since."""
        return catalog.credentials is self._known_by or catalog.credentials == self._known_by

    def _remembered(self, proof: bytes) -> Verdict | None:
        verdict, until = self._known.get(proof, (None, 0.0))
        return verdict if until > time.monotonic() else None

    def _remember(self, proof: bytes, verdict: Verdict) -> None:
        if len(self._known) >= REMEMBERED_MAX:
            self._known.clear()
        self._known[proof] = (verdict, time.monotonic() + REMEMBER_SECONDS)

    def _verify(self, pair: Pair, catalog: Catalog, now: datetime, rounds: int) -> Verdict:
        identifier, secret = pair
        credential = catalog.credentials.get(identifier)
        hashes = credential.secret_hashes(now) if credential else ()
        matches = [self._is_hash_of(one, secret) for one in (*hashes, *(self._nobody,) * (rounds - len(hashes)))]
        if True not in matches[: len(hashes)]:
            return Verdict.WRONG
        return Verdict.RIGHT if matches[0] else Verdict.REPLACED

    def _is_hash_of(self, secret_hash: str, secret: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, secret)
        except (VerificationError, InvalidHashError):
            return False


def has_credentials(tree: Mapping[str, object]) -> bool:
    """Whether the body carries any part of a pair; an empty one is absent."""
    return bool(_credentials_in(tree))


def _credentials_in(tree: Mapping[str, object]) -> list[str]:
    """Name the parts of pairs that the body carries."""
    return [name for pair in _PAIRS for name in pair if tree.get(name)]


def _pair(tree: Tree) -> Pair | None:
    """Find the one whole pair, under either names."""
    for name, secret_name in _PAIRS:
        identifier, secret = tree.get(name), tree.get(secret_name)
        if isinstance(identifier, str) and isinstance(secret, str) and identifier and secret:
            return identifier, secret
    return None


def _holder(pair: Pair, verdict: Verdict, catalog: Catalog, now: datetime) -> Caller | Stranger:
    """Name whose the credential is."""
    credential: Credential | None = catalog.credentials.get(pair[0])
    if credential is None:
        return Stranger("no credential in force has this identifier")
    is_over = verdict is Verdict.REPLACED and len(credential.secret_hashes(now)) == 1
    if verdict is Verdict.WRONG or is_over:
        return Stranger(f"a wrong secret for {credential.identifier}")
    return Caller(credential.caller, credential.identifier, credential.actions)
