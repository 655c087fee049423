"""What is remembered of credentials, while the catalogue that says which there are changes."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from schemas.catalog import Catalog, Credential
from tests.unit.domain.builders import a_catalog
from worker.intake.authentication import Authenticator, Pair
from worker.key_ring import KeyRing

ASKING = [({"identifier": "shop", "secret": "planted"}, None)]
CREDENTIAL = Credential(7, "shop", PasswordHasher(1, 8, 1).hash("planted"), frozenset({"addorder"}))


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


class Counting(Authenticator):
    """Counts what it verifies."""

    def __init__(self) -> None:
        super().__init__(KeyRing([b"a-key-of-the-tests-which-is-no-secret"]), frozenset())
        self.verified = 0

    def _is_right(self, pair: Pair, catalog: Catalog) -> bool:
        self.verified += 1
        return super()._is_right(pair, catalog)


async def test_a_verdict_is_remembered_as_long_as_the_credentials_are_the_same() -> None:
    authenticator = Counting()
    others = replace(catalog(3, has_it=True), credentials={"shop": CREDENTIAL, "other": replace(CREDENTIAL, id=8)})

    counts = []
    for known in (catalog(1, has_it=True), catalog(2, has_it=True), others, catalog(3, has_it=False)):
        await authenticator.authenticate(ASKING, known)
        counts.append(authenticator.verified)

    assert counts == [1, 1, 2, 3]  # what is sold is another matter


@pytest.mark.parametrize("has_it", [True, False])
async def test_a_verdict_by_an_older_catalogue_is_not_remembered_for_a_newer_one(*, has_it: bool) -> None:
    before, after = catalog(1, has_it=not has_it), catalog(2, has_it=has_it)
    authenticator = SlowInTheOldCatalogue()

    async def callers(known: Catalog) -> Any:
        return [caller and caller.name for caller in await authenticator.authenticate(ASKING, known)]

    late = asyncio.create_task(callers(before))
    await asyncio.sleep(0)  # it has begun
    first = await callers(after)
    authenticator.may_finish.set()
    await late

    expected = ["credential:7"] if has_it else [None]
    assert (first, await callers(after)) == (expected, expected)
