"""Secrets that are wrong cost those who sent them, not everybody (addorder.md 2)."""

import asyncio
import json
import time

from tests.integration.test_commands import run
from tests.shop import CREDENTIALS, Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
FLOOD = 300

# One verification takes some 30 ms of a processor: three hundred of them, one after the other, nine seconds.
SECONDS_MAX = 3.0


async def test_a_storefront_with_an_outdated_secret_keeps_nobody_waiting(shop: Shop) -> None:
    await shop.start_worker()

    wrong = [await shop.publish({**ORDER, **CREDENTIALS, "secret": "outdated"}) for _ in range(FLOOD)]
    began = time.monotonic()
    right = await shop.ask({**ORDER, **CREDENTIALS})

    assert time.monotonic() - began < SECONDS_MAX
    assert right["result"] == "success"
    assert {json.loads(await shop.reply(one))["code"] for one in wrong} == {"authentication_failed"}


async def test_a_credential_counts_for_the_first_request_after_it_was_made(shop: Shop) -> None:
    await shop.start_worker()
    body = {**ORDER, "identifier": "NEW-SHOP", "secret": "a guess"}
    before = await shop.ask(body)

    made = await asyncio.to_thread(run, "credentials", "add", "--identifier", "NEW-SHOP", "--json", **shop.environment)
    after = [await shop.ask({**body, "secret": secret}) for secret in ("a guess", json.loads(made.stdout)["secret"])]

    assert before["message"] == "Authentication Failed"
    assert (after[0], after[1]["result"]) == (before, "success")


async def test_a_credential_counts_no_more_for_the_first_request_after_it_was_revoked(shop: Shop) -> None:
    await shop.start_worker()
    before = await shop.ask({**ORDER, **CREDENTIALS})

    await asyncio.to_thread(run, "credentials", "revoke", CREDENTIALS["identifier"], **shop.environment)
    after = await shop.ask({**ORDER, **CREDENTIALS})

    assert (before["result"], after["code"]) == ("success", "authentication_failed")
    assert await shop.fetch("SELECT version, credentials_version FROM catalogue") == [
        {"version": 2, "credentials_version": 3}
    ]


async def test_requests_of_many_callers_in_one_batch_are_each_their_own(shop: Shop) -> None:
    secrets = [CREDENTIALS["secret"], "wrong", "", "wronger", CREDENTIALS["secret"]]
    asked = [await shop.publish({**ORDER, **CREDENTIALS, "secret": secret}) for secret in secrets]
    trusted = await shop.publish(ORDER)
    nobody = await shop.publish(ORDER, trusted=False)

    await shop.start_worker()
    replies = await asyncio.gather(*(shop.reply(one) for one in (*asked, trusted, nobody)))

    results = [json.loads(reply)["result"] for reply in replies]
    assert results == ["success", "error", "error", "error", "success", "success", "error"]
    callers = await shop.fetch("SELECT DISTINCT caller FROM inbox ORDER BY caller")
    assert [row["caller"].partition(":")[0] for row in callers] == ["credential", "publisher"]
