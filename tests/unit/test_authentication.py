"""What is remembered of credentials, while the catalogue that says which there are changes."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from schemas.catalog import Catalog, Credential
from schemas.wire import Tree
from tests.unit.domain.builders import a_catalog
from worker.intake.authentication import Authenticator, Pair, Stranger
from worker.key_ring import KeyRing

ASKING = [({"identifier": "shop", "secret": "planted"}, None)]
CREDENTIAL = Credential(7, "shop", PasswordHasher(1, 8, 1).hash("planted"), frozenset({"addorder"}))


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
    authenticator = Authenticator(KeyRing([b"a-key-of-the-tests-which-is-no-secret"]), frozenset({"trusted"}))

    assert await authenticator.authenticate([(tree, user_id)], catalog(1, has_it=True)) == [Stranger(why)]


class SlowInTheOldCatalogue(Authenticator):
    """Finishes what it verifies against the catalogue of version 1 when it is told to."""

    def __init__(self) -> None:
        super().__init__(KeyRing([b"a-key-of-the-tests-which-is-no-secret"]), frozenset())
        self.may_finish = threading.Event()

    def _is_right(self, pair: Pair, catalog: Catalog) -> bool:
        if catalog.version == 1:
            assert self.may_finish.wait(10)
        return super()._is_right(pair, catalog)


def catalog(version: int, *, has_it: bool) -> Catalog:
    return replace(a_catalog(), version=version, credentials={"shop": CREDENTIAL} if has_it else {})


@pytest.mark.parametrize("has_it", [True, False])
async def test_a_verdict_by_an_older_catalogue_is_not_remembered_for_a_newer_one(*, has_it: bool) -> None:
    before, after = catalog(1, has_it=not has_it), catalog(2, has_it=has_it)
    authenticator = SlowInTheOldCatalogue()

    async def callers(known: Catalog) -> Any:
        return [getattr(one, "name", None) for one in await authenticator.authenticate(ASKING, known)]

    late = asyncio.create_task(callers(before))
    await asyncio.sleep(0)  # it has begun
    first = await callers(after)
    authenticator.may_finish.set()
    await late

    expected = ["credential:7"] if has_it else [None]
    assert (first, await callers(after)) == (expected, expected)
