"""Secrets that are wrong cost those who sent them, not everybody (addorder.md 2)."""

import asyncio
import json
import time

import pytest

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


@pytest.mark.parametrize(
    ("body", "trusted", "note"),
    [
        ({**ORDER, "identifier": "nobody's", "secret": "hunter2"}, True, "no credential in force has this identifier"),
        ({**ORDER, **CREDENTIALS, "secret": "hunter2"}, True, "a wrong secret for IDENT"),
        ({**ORDER, "identifier": "hunter2"}, True, "half a pair of credentials: only identifier"),
        (ORDER, False, "no credentials, and no user_id"),
        (b"", True, "an empty body"),
    ],
)
async def test_the_operator_is_told_what_the_caller_is_not(
    shop: Shop,
    body: dict[str, object] | bytes,
    trusted: bool,  # noqa: FBT001  # of a table
    note: str,
) -> None:
    worker = await shop.start_worker()

    asked = await shop.publish(body, trusted=trusted)
    reply = json.loads(await shop.reply(asked))
    [event] = await shop.until_events(asked.message_id or "", "order.rejected")
    [letter] = await shop.dead_letters()
    shown = await asyncio.to_thread(run, "dead", "show", str(asked.message_id), "--json", **shop.environment)

    assert (reply["message"], reply["code"]) == ("Authentication Failed", "authentication_failed")
    assert [fault["message"] for fault in event.data["faults"]] == ["Authentication Failed"]
    assert note not in event.raw.decode()
    assert (letter.code, letter.message) == ("authentication_failed", f"Authentication Failed: {note}")
    assert json.loads(shown.stdout)["message"] == f"Authentication Failed: {note}"
    [line] = [line for line in worker.log if line["event"] == "order.rejected"]
    assert line["note"] == note
    assert "hunter2" not in worker.words + letter.message


async def test_a_publisher_that_is_not_trusted_is_named_to_the_operator(shop: Shop) -> None:
    worker = await shop.start_worker(ORDERS_TRUSTED_PUBLISHERS="somebody-else")

    reply = await shop.ask(ORDER)
    [letter] = await shop.dead_letters()

    note = f"no credentials, and the publisher {shop.user} is not one of ORDERS_TRUSTED_PUBLISHERS"
    assert reply["message"] == "Authentication Failed"
    assert letter.message == f"Authentication Failed: {note}"
    assert [line["note"] for line in worker.log if line["event"] == "order.rejected"] == [note]
