"""Who may ask: External callers by credential, Internal ones by the publisher RabbitMQ vouches for (addorder.md 2)."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas import callers
from schemas.catalog import Credential
from schemas.wire import Tree
from worker.intake.verifications import Verdict, Verification, Verifications
from worker.publishers import Actions

REMEMBERED_MAX = 10_000  # pairs, of the right ones and of the wrong ones

Asking = tuple[Tree, str | None]  # a request's parameters, and the publisher that RabbitMQ vouches for
Pair = tuple[str, str]  # identifier and secret
Credentials = Mapping[str, Credential]  # by identifier

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


class _Remembered:
    """What became of the pairs that were asked for last, by keyed hash."""

    def __init__(self) -> None:
        self._verdicts: OrderedDict[bytes, Verdict] = OrderedDict()

    def get(self, proof: bytes) -> Verdict | None:
        verdict = self._verdicts.get(proof)
        if verdict is not None:
            self._verdicts.move_to_end(proof)
        return verdict

    def note(self, proof: bytes, verdict: Verdict) -> None:
        self._verdicts[proof] = verdict
        if len(self._verdicts) > REMEMBERED_MAX:
            self._verdicts.popitem(last=False)


class Authenticator:
    """Verifies each pair of identifier and secret once, beside the batches, and remembers what became of it."""

    def __init__(
        self,
        keyed_hash: Callable[[str, str], bytes],
        trusted_publishers: Mapping[str, Actions],
        names: Mapping[str, str] = _NO_NAMES,
    ) -> None:
        """`keyed_hash` stands for a pair without telling it; `names` are callers that publishers were given."""
        self._keyed_hash = keyed_hash
        self._trusted = trusted_publishers
        self._names = names
        self._hasher = PasswordHasher()
        # Verified against when there is no such identifier, so that the time taken does not tell.
        self._nobody = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash("nobody")
        self._verifications = Verifications()
        self._known_by: Mapping[str, Credential] = {}
        self._forget()

    def _forget(self) -> None:
        # Wrong ones are remembered as well: one storefront with an outdated secret would else be verified with each of
        # its requests. Apart from the right ones, so that no number of guesses pushes those out. What is remembered
        # holds as long as the credentials are these, so that one that is made or revoked counts at once.
        self._right, self._wrong = _Remembered(), _Remembered()
        self._verifying: dict[bytes, Verification] = {}
        self._verifications.forget()

    async def authenticate(
        self, asking: Sequence[Asking], credentials: Credentials, now: datetime
    ) -> list[Caller | Stranger]:
        """Tell who asks, as `identify`, and wait for whatever that takes."""
        while True:
            found = self.identify(asking, credentials, now)
            unknown = [one for one in found if isinstance(one, asyncio.Future)]
            if not unknown:
                return [one for one in found if not isinstance(one, asyncio.Future)]
            await asyncio.wait(unknown)
            for verification in unknown:
                verification.result()  # raises what went wrong with it

    def identify(
        self, asking: Sequence[Asking], credentials: Credentials, now: datetime
    ) -> list[Caller | Stranger | Verification]:
        """Tell who asks the requests of a batch; of pairs that are not known yet, what they are waited for by.

        `now` is the database's: it says whether an old secret is taken.
        """
        if not self._is_known_by(credentials):
            self._forget()
            self._known_by = credentials
        return [self._one(tree, user_id, credentials, now) for tree, user_id in asking]

    def _one(
        self, tree: Tree, user_id: str | None, credentials: Credentials, now: datetime
    ) -> Caller | Stranger | Verification:
        pair = _pair(tree)
        if pair is None:
            return self._publisher(tree, user_id)
        proof = self._keyed_hash(*pair)
        verdict = self._right.get(proof) or self._wrong.get(proof)
        return (
            _holder(pair, verdict, credentials, now)
            if verdict
            else self._verification(proof, pair, user_id, credentials, now)
        )

    def _verification(
        self, proof: bytes, pair: Pair, user_id: str | None, credentials: Credentials, now: datetime
    ) -> Verification:
        """Let a pair be verified, once for all who come with it meanwhile."""
        begun = self._verifying.get(proof)
        if begun is not None:
            if begun.done():
                begun.result()  # raises what went wrong with it
            return begun
        identifier = pair[0] if pair[0] in credentials else None
        begun = self._verifications.add((user_id, identifier), partial(self._verify, pair, credentials, now))
        self._verifying[proof] = begun
        begun.add_done_callback(partial(self._remember, proof))
        return begun

    def _remember(self, proof: bytes, verification: Verification) -> None:
        # With other credentials meanwhile, all was forgotten that was begun: it is no verdict by these.
        if verification.exception() is None and self._verifying.get(proof) is verification:
            del self._verifying[proof]
            if verdict := verification.result():
                (self._wrong if verdict is Verdict.WRONG else self._right).note(proof, verdict)

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

    def _is_known_by(self, credentials: Credentials) -> bool:
        """Tell whether what is remembered was verified against these credentials, whatever else was loaded since."""
        return credentials is self._known_by or credentials == self._known_by

    def _verify(self, pair: Pair, credentials: Credentials, now: datetime) -> Verdict:
        """Verify a pair. With an unknown identifier it takes as long, so that time tells nothing."""
        identifier, secret = pair
        # Where any credential has two secrets, whatever comes is verified twice: the time taken tells of none.
        rounds = max((len(one.secret_hashes(now)) for one in credentials.values()), default=1)
        credential = credentials.get(identifier)
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


def _holder(pair: Pair, verdict: Verdict, credentials: Credentials, now: datetime) -> Caller | Stranger:
    """Name whose the credential is."""
    credential: Credential | None = credentials.get(pair[0])
    if credential is None:
        return Stranger("no credential in force has this identifier")
    is_over = verdict is Verdict.REPLACED and len(credential.secret_hashes(now)) == 1
    if verdict is Verdict.WRONG or is_over:
        return Stranger(f"a wrong secret for {credential.identifier}")
    return Caller(credential.caller, credential.identifier, credential.actions)
