"""Who asks; and what is remembered of credentials, while they change."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from schemas.catalog import Credential
from schemas.wire import Tree
from worker.intake import authentication
from worker.intake.authentication import Asking, Authenticator, Caller, Credentials, Pair, Stranger
from worker.intake.verifications import Verdict
from worker.key_ring import KeyRing

ASKING = [({"identifier": "shop", "secret": "planted"}, None)]
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
KEYS = KeyRing([b"a-key-of-the-tests-which-is-no-secret"])
HASHER = PasswordHasher(1, 8, 1)
ADD_ORDER = frozenset({"addorder"})
CREDENTIAL = Credential(7, "shop", HASHER.hash("planted"), ADD_ORDER, "credential:7")


@pytest.mark.parametrize(
    ("tree", "user_id", "why"),
    [
        ({}, None, "no credentials, and no user_id"),
        (
            {"adminuser": "ann"},
            "shop",
            "no credentials, and the publisher shop is not one of ORDERS_TRUSTED_PUBLISHERS",
        ),
        ({"identifier": "hunter2", "secret": "planted"}, None, "no credential in force has this identifier"),
        ({"identifier": "shop", "secret": "hunter2"}, "trusted", "a wrong secret for shop"),
        ({"username": "shop", "password": "hunter2"}, None, "a wrong secret for shop"),
        ({"username": "hunter2"}, "trusted", "half a pair of credentials: only username"),
        ({"secret": ["hunter2"]}, None, "half a pair of credentials: only secret"),
        (
            {"identifier": "shop", "password": "hunter2"},
            None,
            "half a pair of credentials: only identifier and password",
        ),
        ({"identifier": "", "secret": ""}, "", "no credentials, and no user_id"),
    ],
)
async def test_operators_are_told_what_was_wrong_and_never_what_was_typed(
    tree: Tree, user_id: str | None, why: str
) -> None:
    authenticator = Authenticator(KEYS.keyed_hash, {"trusted": None})

    assert await authenticator.authenticate([(tree, user_id)], credentials(has_it=True), NOW) == [Stranger(why)]


async def test_an_old_secret_is_taken_until_its_end_by_the_databases_clock_and_no_longer() -> None:
    until = NOW + timedelta(hours=1)
    replaced = replace(
        CREDENTIAL, secret_hash=HASHER.hash("new"), old_secret_hash=HASHER.hash("planted"), old_secret_until=until
    )
    known = {"shop": replaced}
    authenticator = Authenticator(KEYS.keyed_hash, {})

    async def callers(now: datetime) -> list[Caller | Stranger]:
        asking: list[Asking] = [
            ({"identifier": "shop", "secret": secret}, None) for secret in ("planted", "new", "else")
        ]
        return await authenticator.authenticate(asking, known, now)

    shop, stranger = Caller("credential:7", "shop", ADD_ORDER), Stranger("a wrong secret for shop")
    assert await callers(NOW) == [shop, shop, stranger]
    assert await callers(until - timedelta(seconds=1)) == [shop, shop, stranger]  # from what is remembered
    assert await callers(until) == [stranger, shop, stranger]
    assert await Authenticator(KEYS.keyed_hash, {}).authenticate(ASKING, known, until) == [stranger]


async def test_a_credential_and_a_publisher_may_be_one_caller() -> None:
    named = replace(CREDENTIAL, caller="caller:shop")
    known = {"shop": named}
    authenticator = Authenticator(
        KEYS.keyed_hash, {"storefront": ADD_ORDER, "other": None}, {"storefront": "caller:shop"}
    )

    found = await authenticator.authenticate([*ASKING, ({}, "storefront"), ({"adminuser": "ann"}, "other")], known, NOW)

    assert found == [
        Caller("caller:shop", "shop", ADD_ORDER),
        Caller("caller:shop", "storefront", ADD_ORDER),
        Caller("publisher:other", "ann", None),
    ]


class SlowByTheOld(Authenticator):
    """Finishes what it verifies by the old credentials when it is told to."""

    def __init__(self, old: Credentials) -> None:
        super().__init__(KEYS.keyed_hash, {})
        self._old = old
        self.may_finish = threading.Event()

    def _verify(self, pair: Pair, known: Credentials, now: datetime) -> Verdict:
        if known is self._old:
            assert self.may_finish.wait(10)
        return super()._verify(pair, known, now)


def credentials(*, has_it: bool) -> Credentials:
    return {"shop": CREDENTIAL} if has_it else {}


class Counting(Authenticator):
    """Counts what it verifies."""

    def __init__(self) -> None:
        super().__init__(KEYS.keyed_hash, {})
        self.verified = 0

    def _verify(self, pair: Pair, known: Credentials, now: datetime) -> Verdict:
        self.verified += 1
        return super()._verify(pair, known, now)


async def test_a_verdict_is_remembered_as_long_as_the_credentials_are_the_same() -> None:
    authenticator = Counting()
    others = {"shop": CREDENTIAL, "other": replace(CREDENTIAL, id=8)}

    counts = []
    for known in (credentials(has_it=True), credentials(has_it=True), others, credentials(has_it=False)):
        await authenticator.authenticate(ASKING, known, NOW)
        counts.append(authenticator.verified)

    assert counts == [1, 1, 2, 3]  # what is sold is another matter


@pytest.mark.parametrize("has_it", [True, False])
async def test_a_verdict_by_older_credentials_is_not_remembered_for_newer_ones(*, has_it: bool) -> None:
    before, after = credentials(has_it=not has_it), credentials(has_it=has_it)
    authenticator = SlowByTheOld(before)

    async def callers(known: Credentials) -> Any:
        return [getattr(one, "name", None) for one in await authenticator.authenticate(ASKING, known, NOW)]

    late = asyncio.create_task(callers(before))
    await asyncio.sleep(0)  # it has begun
    first = await callers(after)
    authenticator.may_finish.set()
    await late

    expected = ["credential:7"] if has_it else [None]
    assert (first, await callers(after)) == (expected, expected)


async def test_no_number_of_guesses_pushes_a_right_secret_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "REMEMBERED_MAX", 3)
    authenticator, known = Counting(), credentials(has_it=True)
    await authenticator.authenticate(ASKING, known, NOW)

    for number in range(5):
        await authenticator.authenticate([({"identifier": "shop", "secret": f"guess {number}"}, None)], known, NOW)
    await authenticator.authenticate(ASKING, known, NOW)

    assert authenticator.verified == 6


async def test_who_is_not_known_yet_is_told_by_what_to_wait_for_and_copies_wait_for_the_same() -> None:
    authenticator, known = Authenticator(KEYS.keyed_hash, {"trusted": None}), credentials(has_it=True)

    trusted, first, copy = authenticator.identify([({}, "trusted"), *ASKING, *ASKING], known, NOW)

    assert trusted == Caller("publisher:trusted", "trusted", None)
    assert first is copy
    assert isinstance(first, asyncio.Future)
    assert await first is Verdict.RIGHT
    assert authenticator.identify(ASKING, known, NOW) == [Caller("credential:7", "shop", ADD_ORDER)]
