"""Remembered replies and events go when they are old; what makes a repeat a repeat stays (messages.md)."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from repository import catalog as catalogue
from repository import placed_orders
from repository import prune as archive
from repository.database import Database
from schemas import add_order, placed_order, wire
from schemas.events import Cause
from tests.acceptance.expected import SUPERSEDING
from tests.acceptance.test_cases import CASES, body_of
from tests.integration.test_commands import orders
from tests.shop import POLL_SECONDS, SECONDS_MAX, Asked, Shop
from worker.domain.rebuild import rebuild_order

ORDER: dict[str, Any] = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
WRONG = {**ORDER, "paymentmethod": "bitcoin"}
PLACED_EVENTS = """
    SELECT message_id, event::json ->> 'type' AS type, event
    FROM answers
    JOIN inbox ON inbox.id = request_id
    CROSS JOIN unnest(events) AS event
    WHERE outcome = 'placed'
"""
TAXED = {"clientid": 7, "pid": 18, "paymentmethod": "paypal"}  # 100.00, to a client whose VAT is 20 %
TRACE = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}


async def told(shop: Shop, *options: str) -> dict[str, Any]:
    """Prune, and return what it says."""
    ended = await orders(shop, "prune", "--json", *options)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)  # type: ignore[no-any-return]  # one object


async def let_be_old(shop: Shop, *message_ids: str, days: int = 100) -> None:
    """Let so many days pass for requests, or for all that there are."""
    chosen = "SELECT id FROM inbox WHERE $1::text[] = '{}' OR message_id = ANY ($1)"
    for table, key, column in (("inbox", "id", "first_seen"), ("answers", "request_id", "answered_at")):
        await shop.database.execute(
            f"UPDATE {table} SET {column} = {column} - make_interval(days => $2) WHERE {key} IN ({chosen})",
            list(message_ids),
            days,
        )


async def placed(shop: Shop, count: int) -> list[Asked]:
    """Have so many orders placed one after the other, published and marked so. No worker is left."""
    worker = await shop.start_worker()
    asked = []
    for number in range(count):
        asked.append(await shop.publish(ORDER, message_id=f"order-{number}"))
        await shop.reply(asked[-1])
    worker.stop()
    return asked


# ---------------------------------------------------------------- what goes


async def test_what_is_old_goes_and_what_is_not_stays(shop: Shop) -> None:
    await placed(shop, 5)
    await let_be_old(shop, "order-0", "order-1", days=91)
    await let_be_old(shop, "order-2", days=89)

    said = await told(shop)

    assert (said["answers"], said["placed"], said["rejected"], said["unpublished"]) == (2, 2, 0, 0)
    left = await shop.fetch("SELECT message_id FROM inbox JOIN answers ON request_id = inbox.id ORDER BY message_id")
    assert [row["message_id"] for row in left] == ["order-2", "order-3", "order-4"]
    assert (await shop.count("inbox"), await shop.orders_placed()) == (5, 5)


@pytest.mark.parametrize(("age", "left"), [("30d", 0), ("4w", 0), ("41d", 1), ("6w", 1)])
async def test_how_old_is_the_operators_to_say(shop: Shop, age: str, left: int) -> None:
    await placed(shop, 1)
    await let_be_old(shop, days=40)

    await told(shop, "--older-than", age)

    assert await shop.count("answers") == left


@pytest.mark.parametrize("age", ["0d", "90", "-1d", "1.5d", "3m", "99999w", "", "٣d"])
async def test_what_is_no_age_is_wrong_use(shop: Shop, age: str) -> None:
    ended = await orders(shop, "prune", "--older-than", age)

    assert ended.returncode == 2
    assert "such as 90d or 12w" in ended.stderr


async def test_a_dry_run_counts_and_takes_nothing(shop: Shop) -> None:
    await placed(shop, 3)
    await let_be_old(shop)

    said, words = await told(shop, "--dry-run"), await orders(shop, "prune", "--dry-run")

    assert (said["dry_run"], said["answers"], await shop.count("answers")) == (True, 3, 3)
    assert "would be taken out: 3 of orders, 0 of rejections" in words.stderr
    assert words.stdout == ""


async def test_in_a_shop_without_orders_there_is_nothing_to_take(shop: Shop) -> None:
    assert (await told(shop))["answers"] == 0


async def test_an_answer_that_is_not_published_yet_stays_for_the_sweep(shop: Shop) -> None:
    await placed(shop, 3)
    await shop.database.execute(
        "UPDATE answers SET published_at = NULL WHERE request_id IN (SELECT min(id) FROM inbox)"
    )
    await let_be_old(shop)
    already = len(shop.events_of("order-0"))

    said, words = await told(shop), await orders(shop, "prune")
    await shop.start_worker()
    await shop.until(lambda: len(shop.events_of("order-0")) > already)

    assert (said["answers"], said["unpublished"]) == (2, 1)
    assert "1 more are as old and stay: the broker has not confirmed them yet" in " ".join(words.stderr.split())


# ---------------------------------------------------------------- what comes again


def envelope(raw: bytes) -> Mapping[str, Any]:
    return json.loads(raw)  # type: ignore[no-any-return]  # an object, by the format


async def test_a_request_whose_answer_is_gone_gets_the_same_reply_and_no_events_and_no_second_order(shop: Shop) -> None:
    worker = await shop.start_worker()
    body = {
        "clientid": 1,
        "paymentmethod": "quantumgateway",
        "pid": [1, 5],
        "domain": ["whmcs.com", "whmcs3.com"],
        "billingcycle": ["monthly", "annually"],
        "domaintype": ["register"],
        "regperiod": [2],
        "dnsmanagement": ["on"],
        "addons": ["1,3,9"],
        "promocode": "demopromo",
        "domainrenewals": {"domain1.com": 1},
    }
    first = await shop.publish(body, message_id="mine", headers=TRACE)
    reply = await shop.reply(first)
    await shop.until_events("mine", "order.added", "email.invoice-created", "email.order-confirmation")
    worker.stop()
    rows = await shop.count("answers")
    await let_be_old(shop)
    await told(shop)
    shop.events.clear()

    await shop.start_worker()
    again = await shop.publish(body, message_id="mine", headers=TRACE)

    assert (rows, await shop.reply(again)) == (1, reply)
    assert (await shop.orders_placed(), await shop.count("answers")) == (1, 0)
    await shop.ask(ORDER, message_id="another")
    await shop.until_events("another", "order.added")
    assert shop.events_of("mine") == []  # they were confirmed before it could be pruned


@pytest.mark.parametrize("written_by", ["this version", "the one before"])
async def test_it_says_the_same_though_the_shop_was_given_other_settings_since(shop: Shop, written_by: str) -> None:
    """Tax, days and dates are those of the order: of one without an invoice too, whose lines are written anew."""
    await let_settings_be(shop, tax="'inclusive'", invoice_grace_days="14", timezone="'Etc/GMT-14'")
    # At 20:00 UTC the day has changed there. The version before had the day of UTC.
    today = "2026-11-24" if written_by == "this version" else "2026-11-23"
    if written_by == "the one before":
        await let_settings_be(shop, timezone="NULL")
    await shop.stop_clock("2026-11-23T20:00Z")
    worker = await shop.start_worker()
    bodies = {"invoiced": TAXED, "not-invoiced": {**TAXED, "noinvoice": True}}
    types = {"invoiced": ("order.added", "email.invoice-created", "email.order-confirmation"),
             "not-invoiced": ("order.added", "email.order-confirmation")}  # fmt: skip

    async def ask_all() -> list[bytes]:
        return [await shop.reply(await shop.publish(bodies[name], message_id=name, headers=TRACE)) for name in bodies]

    replies = await ask_all()
    before = {name: [one.raw for one in await shop.until_events(name, *types[name])] for name in bodies}
    worker.stop()
    await shop.database.execute("UPDATE orders SET placed_at = '2026-11-23T20:00Z' WHERE request_id IS NOT NULL")
    if written_by == "the one before":
        await shop.database.execute("UPDATE orders SET placed_on = NULL")
    await let_be_old(shop)
    await told(shop)
    shop.events.clear()
    await let_settings_be(shop, tax="'exclusive'", invoice_grace_days="30", timezone="'America/Los_Angeles'")

    await shop.start_worker()
    again = await ask_all()
    after = {name: [one.raw for one in await shop.until_events(name, *types[name])] for name in bodies}

    assert again == replies
    assert after == before
    [confirmed] = [one for one in map(json.loads, after["not-invoiced"]) if one["type"] == "email.order-confirmation"]
    assert (confirmed["data"]["date"], confirmed["data"]["amount"]) == (today, "100.00")
    invoiced = map(json.loads, after["invoiced"])
    [mail] = [one["data"]["invoice"] for one in invoiced if one["type"] == "email.invoice-created"]
    assert (mail["total"], mail["taxes"][0]["amount"]) == ("100.00", "16.67")  # 100.00 x 20 / 120


async def let_settings_be(shop: Shop, **settings: str) -> None:
    """Change settings of the shop as a load does; each is SQL."""
    changes = ", ".join(f"{name} = {value}" for name, value in settings.items())
    await shop.database.execute(f"UPDATE catalogue SET version = version + 1, {changes}")


async def test_every_order_there_is_can_be_answered_from_its_own_rows(shop: Shop) -> None:
    """Every kind of order: what is said of it again is what was said, but for what was never written down."""
    worker = await shop.start_worker()
    cases = {case["id"]: case for case in CASES if "sequence" not in case and "message_id" not in case}

    async def ask_all() -> dict[str, bytes]:
        asked = {
            name: await shop.publish(
                body_of(case),
                message_id=name,
                content_type=case["content_type"],
                trusted=case["trusted"],
                headers=case.get("headers"),
            )
            for name, case in cases.items()
        }
        return {name: await shop.reply(one) for name, one in asked.items()}

    first = await ask_all()
    worker.stop()
    # Which older orders gave way is not told again: the rows of an order say nothing of others.
    told_then = [row for row in await shop.fetch(PLACED_EVENTS) if row["type"] not in SUPERSEDING]
    expected = {(row["message_id"], row["type"]): row["event"] for row in told_then}
    await let_be_old(shop)
    await told(shop)
    placed_before = await shop.orders_placed()

    await shop.start_worker()
    second = await ask_all()
    again = await rebuilt_events(shop, cases, {name for name, _ in expected})

    assert len(expected) > 1_000
    assert (await shop.orders_placed(), await shop.count("answers WHERE outcome = 'placed'")) == (placed_before, 0)
    assert {name: second[name] for name, _ in expected} == {name: first[name] for name, _ in expected}
    different = {key: differing(envelope(again[key]), json.loads(raw)) for key, raw in expected.items()}
    assert {key: paths for key, paths in different.items() if paths} == {}


async def test_what_an_order_is_made_of_may_be_another_since(shop: Shop) -> None:
    """Rows say every amount, tax and name that was said: whatever shop, taxes and clients are called by now."""
    seller = """'{"name": "Ltd", "address": "1 High Street", "country": "GB", "tax_id": "GB 1"}'"""
    settings = {"tax": "'inclusive'", "tax_exempt": "'deduct'", "tax_note": "'Reverse charge'", "seller": seller}
    await let_settings_be(shop, **settings, invoice_number="'{number}'", invoice_grace_days="14")
    worker = await shop.start_worker()
    taxed = {"promocode": "demopromo", "clientid": 7, "pid": [18, 7], "paymentmethod": "paypal"}
    cases = {
        "invoiced": taxed,
        "exempt": {**taxed, "clientid": 3},
        "not-invoiced": {**taxed, "noinvoice": True},
        "exempt-not-invoiced": {**taxed, "clientid": 3, "noinvoice": True},
        "paid": {**taxed, "priceoverride": ["0", "0"]},
        "two-taxes": {**taxed, "clientid": 10},
        "group": {**taxed, "clientid": 15, "promocode": "JUSTONE"},
        "yen": {"clientid": 9, "pid": 18, "paymentmethod": "paypal"},
        "setup": {"clientid": 7, "pid": 21, "paymentmethod": "paypal", "noinvoice": True},
    }
    for name, body in cases.items():
        await shop.publish(body, message_id=name, headers=TRACE)
        await shop.until_events(name, "order.added", "email.order-confirmation")
    worker.stop()
    expected = {(row["message_id"], row["type"]): row["event"] for row in await shop.fetch(PLACED_EVENTS)}

    await let_settings_be(
        shop, tax="'exclusive'", tax_exempt="'keep'", tax_note="'-'", seller="NULL", invoice_grace_days="0",
        invoice_number="''", date_format="'%Y-%m-%d'",
    )  # fmt: skip
    await shop.database.execute("UPDATE tax_rules SET name = 'Other tax', rate = 1.000, compound = NOT compound")
    await shop.database.execute("UPDATE config_options SET name = 'Other option'")
    bodies = {
        name: {"body": json.dumps(body), "content_type": wire.JSON, "credentials": {}, "headers": TRACE}
        for name, body in cases.items()
    }
    again = await rebuilt_events(shop, bodies, set(cases))

    assert len(expected) == 3 * len(cases) - 3  # of three no invoice
    different = {key: differing(envelope(again[key]), json.loads(raw)) for key, raw in expected.items()}
    assert {key: paths for key, paths in different.items() if paths} == {}


async def rebuilt_events(
    shop: Shop, cases: Mapping[str, Mapping[str, Any]], names: set[str]
) -> dict[tuple[str, str], bytes]:
    """Make the events of orders from their rows."""
    asked = await shop.fetch(
        "SELECT message_id, caller, orders.id FROM inbox JOIN orders ON orders.request_id = inbox.id"
    )
    said: dict[tuple[str, str], bytes] = {}
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database, database.snapshot() as connection:
        catalog = await catalogue.read(connection)
        orders_read = await placed_orders.read(connection, [row["id"] for row in asked])
    for row in asked:
        name = row["message_id"]
        if name in names:
            order = orders_read[row["id"]]
            request = add_order.parse(wire.decode(body_of(cases[name]), cases[name]["content_type"]))
            cause = Cause(row["caller"], name, (cases[name].get("headers") or {}).get("traceparent"), order.placed_at)
            for event in placed_order.events(*rebuild_order(request, order, catalog), cause):
                said[name, event.type] = event.body
    return said


async def test_the_same_id_with_other_content_is_refused_when_its_answer_is_gone_too(shop: Shop) -> None:
    await placed(shop, 1)
    await let_be_old(shop)
    await told(shop)

    await shop.start_worker()
    reply = await shop.ask({**ORDER, "pid": 1}, message_id="order-0")

    assert reply["code"] == "message_id_reused"
    assert await shop.orders_placed() == 1


async def test_under_a_new_key_any_content_counts_as_the_same_and_the_order_is_told_whole(shop: Shop) -> None:
    """Its rows are told even where the request that comes again does not name them."""
    worker = await shop.start_worker()
    first = await shop.ask({**ORDER, "pid": [7, 1], "addons": {"1": "1"}}, message_id="mine")
    worker.stop()
    await let_be_old(shop)
    await told(shop)

    await shop.start_worker(ORDERS_SECRET_KEYS="another-key-of-the-tests-and-no-secret")
    again = await shop.ask({**ORDER, "pid": [], "domain": ["a.com"], "domaintype": ["register"]}, message_id="mine")

    assert again == first
    assert len(first["serviceids"].split(",")) == 2


async def test_a_dead_letter_whose_request_was_placed_long_ago_can_be_replayed_and_changes_nothing(shop: Shop) -> None:
    await placed(shop, 1)
    await let_be_old(shop)
    await told(shop)
    shop.events.clear()

    await shop.start_worker()
    again = await shop.ask(ORDER, message_id="order-0", notes={"x-orders-replays": 1})

    assert again["result"] == "success"
    assert await shop.orders_placed() == 1


async def test_fifty_copies_of_it_at_once_are_all_answered_alike(shop: Shop) -> None:
    [first] = await placed(shop, 1)
    await let_be_old(shop)
    await told(shop)

    await asyncio.gather(shop.start_worker(), shop.start_worker())
    copies = await asyncio.gather(*(shop.publish(ORDER, message_id="order-0") for _ in range(50)))

    assert {await shop.reply(copy) for copy in copies} == {await shop.reply(first)}
    assert await shop.orders_placed() == 1


async def test_a_rejection_that_is_gone_is_judged_anew_and_what_is_placed_then_is_a_repeat_from_then_on(
    shop: Shop,
) -> None:
    worker = await shop.start_worker()
    assert (await shop.ask(WRONG, message_id="mine"))["code"] == "invalid_payment_method"
    worker.stop()
    await let_be_old(shop)
    said = await told(shop)

    await shop.start_worker()
    wrong_again = await shop.ask(WRONG, message_id="mine")
    right = await shop.ask(ORDER, message_id="mine")
    right_again = await shop.ask(ORDER, message_id="mine")

    assert (said["placed"], said["rejected"], wrong_again["code"]) == (0, 1, "invalid_payment_method")
    assert (right["result"], right_again) == ("success", right)
    assert await shop.orders_placed() == 1


async def test_of_an_edited_request_at_most_one_is_placed_when_the_answers_are_gone_too(shop: Shop) -> None:
    worker = await shop.start_worker()
    await shop.ask(WRONG, message_id="old")
    await shop.ask(ORDER, message_id="new", notes={"x-orders-supersedes": "old"})
    worker.stop()
    await let_be_old(shop)
    await told(shop)

    await shop.start_worker()
    old = await shop.ask(ORDER, message_id="old")
    new = await shop.ask(ORDER, message_id="new", notes={"x-orders-supersedes": "old"})
    third = await shop.ask(ORDER, message_id="third", notes={"x-orders-supersedes": "new"})

    assert (old["code"], new["result"], third["code"]) == ("superseded", "success", "supersedes_placed")
    assert await shop.orders_placed() == 1


async def test_orders_show_tells_what_there_is_when_the_answer_is_gone(shop: Shop) -> None:
    await placed(shop, 1)
    await let_be_old(shop)
    await told(shop)

    shown = await orders(shop, "show", "order-0")

    assert (shown.returncode, "what was answered is not kept any more" in shown.stdout) == (0, True)
    assert "4.00 USD by paypal" in shown.stdout


# ---------------------------------------------------------------- while others work

MANY = 12_000
REMEMBERED = """
    WITH requests AS (
        INSERT INTO inbox (caller, message_id, fingerprint, fingerprint_version, first_seen)
        SELECT 'publisher:somebody', 'old-' || n, '', '1:0', now() - interval '100 days'
        FROM generate_series(1, $1) AS n
        RETURNING id
    )
    INSERT INTO answers (request_id, outcome, replays, reply, events, answered_at, published_at)
    SELECT id, 'rejected', 0, '{"result": "error"}', '{}', now() - interval '100 days', now()
    FROM requests
"""
OLD = "answers WHERE answered_at < now() - interval '90 days'"


async def test_two_at_once_share_the_work_while_a_worker_goes_on(shop: Shop) -> None:
    await shop.database.execute(REMEMBERED, MANY)
    await shop.start_worker()
    asked = [await shop.publish(ORDER, message_id=f"order-{number}") for number in range(100)]

    first, second = await asyncio.gather(told(shop), told(shop))
    replies = [json.loads(await shop.reply(one)) for one in asked]

    assert first["answers"] + second["answers"] == MANY
    assert (await shop.count(OLD), await shop.count("inbox")) == (0, MANY + 100)
    assert {reply["result"] for reply in replies} == {"success"}
    assert await shop.orders_placed() == 100


async def test_killed_in_the_middle_it_is_simply_run_again(shop: Shop) -> None:
    await shop.database.execute(REMEMBERED, MANY)
    command = [sys.executable, "-m", "worker", "prune", "--rate", "4000"]
    process = subprocess.Popen(command, env={**os.environ, **shop.environment}, stderr=subprocess.DEVNULL)

    async with asyncio.timeout(SECONDS_MAX):
        while await shop.count(OLD) == MANY:
            await asyncio.sleep(POLL_SECONDS)
    process.kill()
    process.wait(SECONDS_MAX)
    left = await shop.count(OLD)
    said = await told(shop)

    assert 0 < left < MANY
    assert (said["answers"], await shop.count(OLD)) == (left, 0)


async def test_what_somebody_is_at_is_not_waited_for(shop: Shop) -> None:
    await placed(shop, 3)
    await let_be_old(shop)
    async with shop.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM answers WHERE request_id = (SELECT min(id) FROM inbox) FOR UPDATE")
        meanwhile = await told(shop)

    assert (meanwhile["answers"], (await told(shop))["answers"]) == (2, 1)


async def test_a_rejection_that_is_judged_anew_meanwhile_stays(shop: Shop) -> None:
    """Its answer was old when the step looked, and is new by the time it would be taken."""
    await shop.database.execute(REMEMBERED, 3)
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database:
        where = await archive.range_of(database, 90)
        await shop.database.execute("UPDATE answers SET answered_at = now(), published_at = NULL")
        steps = [step async for step in archive.prune(database, where)]

    assert sum(step.answers for step in steps) == 0
    assert await shop.count("answers") == 3


async def test_no_step_takes_more_than_its_bound_or_than_the_rate(shop: Shop) -> None:
    await shop.database.execute(REMEMBERED, 2 * archive.AT_ONCE + 1)
    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database:
        where = await archive.range_of(database, 90)
        counted = [step.answers async for step in archive.prune(database, where, dry_run=True)]
        slowly = [step.answers async for step in archive.prune(database, where, rate=1_800)]
        again = [step.answers async for step in archive.prune(database, where)]

    assert counted == [1_000, 1_000, 1]
    assert slowly == [1_000, 1_000, 1]
    assert sum(again) == 0


@pytest.mark.parametrize("gap", [0, 1, 1_000_003])
async def test_the_range_ends_where_the_first_request_is_that_is_too_young(shop: Shop, gap: int) -> None:
    await shop.database.execute(REMEMBERED, 7)
    await shop.database.execute("SELECT setval('inbox_id_seq', nextval('inbox_id_seq') + $1)", gap)
    await shop.database.execute(REMEMBERED.replace("100 days", "10 days").replace("old-", "new-"), 5)
    ids = [row["id"] for row in await shop.fetch("SELECT id FROM inbox ORDER BY id")]

    async with Database(shop.environment["ORDERS_POSTGRES_URL"]) as database:
        [all_, old, none] = [await archive.range_of(database, days) for days in (1, 90, 1_000)]

    assert ids[6] < old.end_id <= ids[7]
    assert (old.first_id, all_.end_id, none.length) == (ids[0], ids[-1] + 1, 0)


def differing(one: Any, other: Any, path: str = "") -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for key in one for found in differing(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for key, pair in enumerate(zip(one, other, strict=True))
            for found in differing(*pair, f"{path}[{key}]")
        ]
    return [] if one == other else [f"{path}: {one!r} {other!r}"]
