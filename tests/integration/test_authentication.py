"""Secrets that are wrong cost those who sent them, not everybody (addorder.md 2)."""

import asyncio
import json
import time
from typing import Any

import pytest

from tests.integration.test_commands import run
from tests.shop import CREDENTIALS, Shop
from tests.shop import SECONDS_MAX as PATIENCE_SECONDS

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
FLOOD = 300
REPEATS = 1_000

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


# ---------------------------------------------------------------- a caller outlives its secrets


async def credentials(shop: Shop, command: str, *arguments: str) -> dict[str, Any]:
    """Run `orders credentials`, and return what it shows as JSON."""
    ended = await asyncio.to_thread(run, "credentials", command, *arguments, "--json", **shop.environment)
    assert ended.returncode == 0, ended.stderr
    return dict(json.loads(ended.stdout))


async def ask_all(shop: Shop, count: int, secret: str) -> list[dict[str, Any]]:
    """Ask for so many orders by the credential IDENT, each under a key of its own: the same keys every time."""
    body = {**ORDER, **CREDENTIALS, "secret": secret}
    asked = [await shop.publish(body, message_id=f"cart-{number}", trusted=False) for number in range(count)]
    return [json.loads(await shop.reply(one)) for one in asked]


async def test_a_thousand_repeats_after_a_replaced_secret_place_nothing(shop: Shop) -> None:
    await shop.start_worker()
    first = await ask_all(shop, REPEATS, CREDENTIALS["secret"])

    made = await credentials(shop, "replace", CREDENTIALS["identifier"])
    again = await ask_all(shop, REPEATS, made["secret"])

    assert {reply["result"] for reply in first} == {"success"}
    assert again == first
    assert await shop.orders_placed() == REPEATS


async def test_a_secret_replaced_as_before_by_revoking_and_making_anew_keeps_the_keys_too(shop: Shop) -> None:
    await shop.start_worker()
    first = await ask_all(shop, 20, CREDENTIALS["secret"])

    await asyncio.to_thread(run, "credentials", "revoke", CREDENTIALS["identifier"], **shop.environment)
    made = await credentials(shop, "add", "--identifier", CREDENTIALS["identifier"])
    again = await ask_all(shop, 20, made["secret"])

    assert again == first
    assert await shop.orders_placed() == 20


async def test_a_replaced_secret_is_refused_at_once_or_after_the_overlap(shop: Shop) -> None:
    await shop.start_worker()
    secrets = [CREDENTIALS["secret"]]
    for overlap in ("1h", "2s", "0s"):
        secrets.append((await credentials(shop, "replace", "IDENT", "--overlap", overlap))["secret"])
        if overlap == "1h":
            replies = [await shop.ask({**ORDER, **CREDENTIALS, "secret": secret}) for secret in secrets]
            assert [reply["result"] for reply in replies] == ["success", "success"]
        if overlap == "2s":
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await shop.ask({**ORDER, **CREDENTIALS, "secret": secrets[-2]}))["result"] == "success":
                    await asyncio.sleep(0.1)

    replies = [await shop.ask({**ORDER, **CREDENTIALS, "secret": secret}) for secret in secrets]
    assert [reply["result"] for reply in replies] == ["error", "error", "error", "success"]
    assert {reply.get("code") for reply in replies[:3]} == {"authentication_failed"}


async def test_several_credentials_and_a_publisher_may_share_a_callers_keys(shop: Shop) -> None:
    one = await credentials(shop, "add", "--caller", "shop")
    other = await credentials(shop, "add", "--caller", "shop")
    await shop.start_worker(ORDERS_CALLERS=f"{shop.user}:shop")

    pairs = [{"identifier": made["identifier"], "secret": made["secret"]} for made in (one, other)]
    replies = [await shop.ask({**ORDER, **pair}, message_id="cart-1", trusted=False) for pair in pairs]
    replies += [await shop.ask(ORDER, message_id="cart-1")]

    assert replies == [replies[0]] * 3
    assert await shop.fetch("SELECT caller FROM inbox") == [{"caller": "caller:shop"}]
    [event, *_] = await shop.until_events("cart-1", "order.added")
    assert event.data["caller"] == "caller:shop"


async def test_a_storefront_that_moves_from_publisher_to_credential_keeps_its_keys(shop: Shop) -> None:
    await shop.start_worker()
    before = await shop.ask(ORDER, message_id="cart-1")

    made = await credentials(shop, "add", "--caller", f"publisher:{shop.user}")
    pair = {"identifier": made["identifier"], "secret": made["secret"]}
    after = await shop.ask({**ORDER, **pair}, message_id="cart-1", trusted=False)

    assert after == before
    assert await shop.orders_placed() == 1


async def test_credentials_are_listed_with_their_callers_and_revoked_with_what_becomes_of_them(shop: Shop) -> None:
    await credentials(shop, "replace", "IDENT", "--overlap", "1h")
    listed = await asyncio.to_thread(run, "credentials", "list", "--json", **shop.environment)
    revoked = await asyncio.to_thread(run, "credentials", "revoke", "IDENT", **shop.environment)

    rows = {row["identifier"]: row for row in map(json.loads, listed.stdout.splitlines())}
    assert rows["IDENT"]["caller"] == "credential:1"
    assert rows["IDENT"]["old_secret_until"] is not None
    said = " ".join(revoked.stderr.split())
    assert "Requests of it that wait, and repeats, are refused from the next batch on" in said
    assert "`orders credentials add --caller credential:1` lets somebody go on with them." in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", "--caller", "credential:99"], "there is no caller credential:99"),
        (["add", "--caller", "the shop"], "a name has letters, digits"),
        (["add", "--identifier", "IDENT"], "`orders credentials replace` gives it a new secret"),
        (["replace", "GONE"], "there is no credential GONE in force"),
        (["replace", "IDENT", "--overlap", "1w"], "a time such as 90s, 30m, 1h or 2d"),
        (["replace", "IDENT", "--overlap", "31d"], "of 30 days at most"),
    ],
)
async def test_what_cannot_be_done_about_a_credential_is_said(shop: Shop, arguments: list[str], words: str) -> None:
    ended = await asyncio.to_thread(run, "credentials", *arguments, **shop.environment)

    assert ended.returncode > 0
    assert words in " ".join(ended.stderr.replace("│", " ").split())
    assert "Traceback" not in ended.stderr


async def test_a_publisher_may_ask_what_it_is_trusted_with_and_no_more(shop: Shop) -> None:
    await shop.start_worker(ORDERS_TRUSTED_PUBLISHERS=f"{shop.user}=addinvoicepayment")

    reply = await shop.ask(ORDER)

    assert reply["code"] == "permission_denied"
    assert reply["message"] == 'Invalid Permissions: API action "addorder" is not allowed'


@pytest.mark.parametrize("rights", ["", "=*", "=addorder+addinvoicepayment"])
async def test_a_publisher_may_order_by_its_name_alone_and_by_what_it_is_trusted_with(shop: Shop, rights: str) -> None:
    await shop.start_worker(ORDERS_TRUSTED_PUBLISHERS=f"{shop.user}{rights}")

    assert (await shop.ask(ORDER))["result"] == "success"
