"""`orders dead` on many messages: groups, filters, replays in parts, edits, and a file there and back."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from schemas import topology
from tests.integration.test_commands import orders
from tests.shop import PASSWORD, Shop
from worker.broker.connection import connect
from worker.broker.dead_letters import AnotherOperator

ORDER: dict[str, Any] = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
SECRET = "hunter2-planted"


async def put(shop: Shop, *letters: Mapping[str, Any]) -> None:
    """Lay messages among the dead letters. What is not said of one is ordinary."""
    async with (
        connect(shop.logins.administrator, "orders tests") as connection,
        connection.channel(publisher_confirms=True) as channel,
    ):
        exchange = await channel.get_exchange(topology.DEAD, ensure=False)
        await asyncio.gather(*(exchange.publish(message_of(shop, **letter), "order.add") for letter in letters))


def message_of(
    shop: Shop,
    *,
    message_id: str,
    body: Mapping[str, Any] | bytes = ORDER,
    content_type: str = "application/json",
    reason: str = "rejected",
    code: str = "x",
    died_at: str = "2026-11-23T10:00:00.000Z",
    headers: Mapping[str, Any] | None = None,
) -> aio_pika.Message:
    return aio_pika.Message(
        body if isinstance(body, bytes) else json.dumps(body).encode(),
        content_type=content_type,
        message_id=message_id,
        user_id=shop.user,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers={
            "x-orders-reason": reason,
            "x-orders-code": code,
            "x-orders-died-at": died_at,
            "x-orders-routing-key": "order.add",
            "x-orders-replays": 0,
            **(headers or {}),
        },
    )


def numbered(count: int, **letter: Any) -> list[dict[str, Any]]:
    return [{"message_id": f"m-{number:05}", **letter} for number in range(count)]


async def left(shop: Shop) -> set[str]:
    async with shop.operating() as letters:
        return {letter.message_id async for letter in letters.browse()}


# ---------------------------------------------------------------- looking


async def test_messages_are_counted_by_what_they_have_in_common(shop: Shop) -> None:
    await put(
        shop,
        {"message_id": "a", "code": "out_of_stock", "died_at": "2026-11-22T10:00:00.000Z"},
        {"message_id": "b", "code": "out_of_stock", "body": {**ORDER, "clientid": 2}},
        {"message_id": "c", "reason": "failed", "code": "internal_error"},
        {"message_id": "d", "reason": "malformed", "code": "malformed", "body": b"{"},
    )

    ended = await orders(shop, "dead", "groups", "--json")
    by_client = await orders(shop, "dead", "groups", "--json", "--by", "client", "--by", "day")
    screen = await orders(shop, "dead", "groups")

    first, *others = map(json.loads, ended.stdout.splitlines())
    assert first == {
        "reason": "rejected",
        "code": "out_of_stock",
        "count": 2,
        "oldest": "2026-11-22T10:00:00.000Z",
        "newest": "2026-11-23T10:00:00.000Z",
        "options": "--reason rejected --code out_of_stock",
    }
    assert [(group["reason"], group["count"]) for group in others] == [("failed", 1), ("malformed", 1)]
    groups = {
        (group["client"], group["day"]): group["count"] for group in map(json.loads, by_client.stdout.splitlines())
    }
    assert groups == {("1", "2026-11-22"): 1, ("2", "2026-11-23"): 1, ("1", "2026-11-23"): 1, ("?", "2026-11-23"): 1}
    assert "--reason failed --code internal_error" in screen.stdout


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--reason", "failed"], {"c"}),
        (["--code", "x"], {"a", "b"}),
        (["--client", "2"], {"b"}),
        (["--action", "addorder"], {"b"}),
        (["--since", "2026-11-23"], {"b", "c"}),
        (["--until", "2026-11-22T23:59:59"], {"a"}),
        (["--since", "2026-11-22", "--until", "2026-11-23T10:00:00", "--code", "x"], {"a", "b"}),
    ],
)
async def test_filters_pick_what_is_so_in_every_respect(shop: Shop, options: list[str], chosen: set[str]) -> None:
    await put(
        shop,
        {"message_id": "a", "died_at": "2026-11-22T10:00:00.000Z"},
        {"message_id": "b", "body": {**ORDER, "clientid": "2", "action": "AddOrder"}},
        {"message_id": "c", "reason": "failed", "code": "internal_error"},
    )

    listed = await orders(shop, "dead", "list", "--json", *options)

    assert {json.loads(line)["message_id"] for line in listed.stdout.splitlines()} == chosen


async def test_a_screen_shows_the_oldest_and_says_how_many_more_there_are(shop: Shop) -> None:
    await put(shop, *(({**one, "died_at": f"2026-11-23T10:00:{n:02}.000Z"}) for n, one in enumerate(numbered(9))))

    ended = await orders(shop, "dead", "list", "--limit", "2")

    assert [word for word in ended.stdout.split() if word.startswith("m-")] == ["m-00000", "m-00001"]
    assert "… and 7 more" in ended.stderr


# ---------------------------------------------------------------- sending back


async def test_more_than_one_is_sent_only_when_it_is_said_so(shop: Shop) -> None:
    await put(shop, *numbered(3), {"message_id": "other", "code": "y"})

    dry = await orders(shop, "dead", "replay", "--code", "x")
    untouched = await left(shop)
    sent = await orders(shop, "dead", "replay", "--code", "x", "--no-dry-run")

    assert "3 would be sent; nothing was" in dry.stderr
    assert (dry.stdout, len(untouched)) == ("", 4)
    assert sorted(sent.stdout.split()) == ["m-00000", "m-00001", "m-00002"]
    assert await left(shop) == {"other"}


async def test_a_filter_that_takes_everything_needs_to_be_meant(shop: Shop) -> None:
    await put(shop, *numbered(2))

    refused = await orders(shop, "dead", "replay", "--reason", "rejected", "--no-dry-run")
    meant = await orders(shop, "dead", "replay", "--reason", "rejected", "--no-dry-run", "--all")

    assert refused.returncode == 1
    assert "that is every one of the 2 dead letters: add --all if it is meant" in refused.stderr
    assert meant.stderr.splitlines()[-1] == "2 replayed"


async def test_of_a_limit_the_oldest_go_and_the_rate_is_kept(shop: Shop) -> None:
    await put(shop, *({**one, "died_at": f"2026-11-23T10:00:{9 - n:02}.000Z"} for n, one in enumerate(numbered(10))))

    began = asyncio.get_running_loop().time()
    sent = await orders(shop, "dead", "replay", "--all", "--no-dry-run", "--limit", "4", "--rate", "2")

    assert sorted(sent.stdout.split()) == ["m-00006", "m-00007", "m-00008", "m-00009"]
    assert asyncio.get_running_loop().time() - began > 1.5  # the fourth goes a second and a half after the first
    assert await shop.waiting() == 4


async def test_what_dies_again_is_not_sent_again_by_the_command_that_goes_on(shop: Shop) -> None:
    await put(shop, {"message_id": "before"}, {"message_id": "after", "died_at": "2099-01-01T00:00:00.000Z"})

    await orders(shop, "dead", "replay", "--all", "--no-dry-run", "--until", "2026-11-24")

    assert await left(shop) == {"after"}


async def test_a_replay_that_is_killed_loses_nothing_and_can_be_gone_on_with(shop: Shop) -> None:
    await put(shop, *numbered(400))
    command = [sys.executable, "-m", "worker", "dead", "replay", "--all", "--no-dry-run", "--rate", "200"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    process = await asyncio.to_thread(
        subprocess.Popen, command, env={**inherited, **shop.environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(30):
        while not 20 < await shop.waiting() < 380:
            await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, said = await asyncio.to_thread(process.communicate)
    until = said.decode().split("--until ")[1].split()[0]
    sent = await shop.waiting()

    again = await orders(shop, "dead", "replay", "--all", "--no-dry-run", "--until", until)

    assert 20 < sent < 400
    assert again.returncode == 0
    assert await left(shop) == set()
    # Nothing is lost; what was sent and not taken out yet goes twice.
    assert 400 <= await shop.waiting() <= 400 + 200


async def test_twenty_thousand_are_gone_through_in_little_memory(shop: Shop) -> None:
    for start in range(0, 20_000, 2_000):
        await put(shop, *({"message_id": f"m-{n}", "code": str(n % 3)} for n in range(start, start + 2_000)))

    peak = await asyncio.to_thread(peak_of, shop, "dead", "groups", "--json")
    few = await asyncio.to_thread(peak_of, shop, "dead", "list", "--json", "--code", "none")

    # Sixteen bytes and an entry of a set for each, and two hundred messages at a time.
    assert peak < 160 * 1024
    assert few < 160 * 1024


def peak_of(shop: Shop, *arguments: str) -> int:
    """Run a command, and return the most memory that it had, in KiB."""
    script = (
        "import re, runpy, sys\n"
        "try:\n    runpy.run_module('worker', run_name='__main__', alter_sys=True)\n"
        # Not ru_maxrss: that begins with what the process had from which it was forked.
        "finally:\n    print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1], file=sys.stderr)\n"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    ended = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**inherited, **shop.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    if arguments[1] == "groups":
        assert sum(json.loads(line)["count"] for line in ended.stdout.splitlines()) == 20_000
    return int(ended.stderr.splitlines()[-1])


# ---------------------------------------------------------------- what came of it


async def test_a_replay_says_what_came_of_it(shop: Shop) -> None:
    await shop.start_worker()
    await shop.publish({**ORDER, "paymentmethod": "oldgateway"}, message_id="good")
    await shop.publish({**ORDER, "clientid": 99}, message_id="bad")
    await shop.dead_letters(2)
    await shop.database.execute("UPDATE payment_methods SET active = true WHERE name = 'oldgateway'")
    await shop.database.execute("UPDATE catalogue SET version = version + 1")

    ended = await orders(shop, "dead", "replay", "--all", "--no-dry-run")
    [added] = [event for event in await shop.until_events("good", "order.added") if event.type == "order.added"]
    again = await orders(shop, "dead", "replay", "bad", "--json")

    assert "bad died again: client_not_found" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "2 replayed: 1 placed, 1 died again"
    [told] = map(json.loads, again.stdout.splitlines())
    assert (told["message_id"], told["outcome"], told["says"]) == ("bad", "died again", "client_not_found")
    assert added.data["orderid"] > 5


async def test_what_was_placed_before_is_told_though_nothing_is_announced(shop: Shop) -> None:
    await shop.start_worker()
    reply = await shop.ask(ORDER, message_id="placed")
    await put(shop, {"message_id": "placed"})
    await shop.database.execute("UPDATE answers SET events = '{}'")

    ended = await orders(shop, "dead", "replay", "placed", "--json")

    [told] = map(json.loads, ended.stdout.splitlines())
    assert (told["outcome"], told["says"]) == ("placed", str(reply["orderid"]))


async def test_without_a_worker_nobody_waits_for_what_comes_of_it(shop: Shop) -> None:
    await put(shop, {"message_id": "mine"})

    began = asyncio.get_running_loop().time()
    ended = await orders(shop, "dead", "replay", "mine")

    assert ended.stderr.splitlines()[-1] == "1 replayed"
    assert asyncio.get_running_loop().time() - began < 8


async def test_a_dry_run_prices_what_it_would_send(shop: Shop) -> None:
    await put(
        shop,
        {"message_id": "would-pass", "body": {**ORDER, "pid": 1}},
        {"message_id": "would-pass-too", "body": {**ORDER, "pid": 1}},
        {"message_id": "would-not", "body": {**ORDER, "clientid": 99}},
    )

    dry = await orders(shop, "dead", "replay", "--all", "--price")
    as_json = await orders(shop, "dead", "replay", "--all", "--price", "--json")

    # The product is 9.95 a month, and no tax is raised where client 1 lives.
    assert "2 would pass now, for 19.90 USD; 1 would be rejected: 1 client_not_found" in dry.stderr
    told = {one["message_id"]: one for one in map(json.loads, as_json.stdout.splitlines())}
    assert told["would-pass"]["amount"] == "9.95"
    assert told["would-not"]["code"] == "client_not_found"
    assert await shop.waiting(topology.REQUESTS) == 0


async def test_where_postgres_is_away_a_replay_goes_on_and_says_that_nobody_wrote_it_down(shop: Shop) -> None:
    await put(shop, {"message_id": "one"}, {"message_id": "two"})

    ended = await orders(
        shop, "dead", "replay", "--all", "--no-dry-run", ORDERS_POSTGRES_URL="postgresql://127.0.0.1:1/x"
    )

    assert (ended.returncode, sorted(ended.stdout.split())) == (0, ["one", "two"])
    assert "note: who did this is not written down: Postgres at ORDERS_POSTGRES_URL does not answer" in ended.stderr


# ---------------------------------------------------------------- what was done


async def test_a_run_is_one_line_of_the_audit_and_each_message_has_its_own(shop: Shop) -> None:
    await put(shop, *numbered(3), {"message_id": "other", "code": "y"})

    await orders(shop, "dead", "replay", "--code", "x", "--no-dry-run", "--why", "the gateway is back")
    told = await orders(shop, "audit", "--json")
    of_one = await orders(shop, "audit", "m-00001", "--json")
    shown = await orders(shop, "audit")

    [run] = map(json.loads, told.stdout.splitlines())
    assert (run["act"], run["thing"], run["why"]) == ("replay", "orders.dead", "the gateway is back")
    assert (run["details"], run["outcome"]) == ({"chosen": "--code x", "planned": 3}, {"done": 3})
    [act] = map(json.loads, of_one.stdout.splitlines())
    assert (act["act"], act["thing"], act["outcome"]) == ("replay", "m-00001", {"fate": "done"})
    assert "the gateway is back; chosen by --code x" in shown.stdout


async def test_a_misspelt_word_is_refused_with_a_suggestion(shop: Shop) -> None:
    await put(shop, {"message_id": "mine", "code": "client_not_found"})

    for arguments, status, words in (
        (("list", "--reason", "rejectd"), 2, "rejectd is no reason; did you mean rejected?"),
        (("list", "--code", "client_notfound"), 1, "no message has the code client_notfound; did you mean client_not_"),
        (("groups", "--action", "addordr"), 1, "no message has the action addordr; did you mean addorder?"),
        (("replay", "--publisher", "storefrnt"), 1, f"did you mean {shop.user}?"),
        (("discard", "--reason", "rejectd", "--yes"), 2, "rejectd is no reason; did you mean rejected?"),
        (
            ("edit", "mine", "--why", "x", "--set", "clienttid=1"),
            1,
            "clienttid: no parameter of a request; did you mean",
        ),
        (("list", "--since", "yesterday"), 2, "yesterday is no time, such as 2026-11-23"),
        (("export", "-", "--reason", "rejectd"), 2, "did you mean rejected?"),
    ):
        ended = await orders(shop, "dead", *arguments)
        assert words in " ".join(ended.stderr.replace("│", " ").split()), (arguments, ended.stderr)
        assert ended.returncode == status, arguments
    assert await left(shop) == {"mine"}


async def test_every_time_that_is_printed_is_taken(shop: Shop) -> None:
    await put(shop, {"message_id": "mine"}, {"message_id": "later", "died_at": "2026-11-23T11:00:00.000Z"})

    for time in ("2026-11-23 10:00", "2026-11-23 10:00:00 UTC", "2026-11-23T10:00:00.000Z", "2026-11-23T10:00"):
        until = await orders(shop, "dead", "list", "--json", "--since", time, "--until", time)
        assert [json.loads(line)["message_id"] for line in until.stdout.splitlines()] == ["mine"], time
    day = await orders(shop, "dead", "list", "--json", "--until", "2026-11-23")
    assert len(day.stdout.splitlines()) == 2


async def test_groups_and_filters_know_the_publisher(shop: Shop) -> None:
    await put(shop, *numbered(2))

    groups = await orders(shop, "dead", "groups", "--by", "publisher", "--json")
    [group] = map(json.loads, groups.stdout.splitlines())
    listed = await orders(shop, "dead", "list", "--json", *group["options"].split())

    assert (group["publisher"], group["options"]) == (shop.user, f"--publisher {shop.user}")
    assert [json.loads(line)["client"] for line in listed.stdout.splitlines()] == ["1", "1"]


# ---------------------------------------------------------------- many at once


async def test_a_filter_discards_with_a_dry_run_first(shop: Shop) -> None:
    await put(shop, *numbered(3), {"message_id": "other", "code": "y"})

    dry = await orders(shop, "dead", "discard", "--code", "x", "--why", "a test of theirs")
    untouched = await left(shop)
    asked = await orders(
        shop, "dead", "discard", "--code", "x", "--why", "a test of theirs", "--no-dry-run", stdin="n\n"
    )
    done = await orders(shop, "dead", "discard", "--code", "x", "--why", "a test of theirs", "--no-dry-run", "--yes")

    assert "3 would be discarded; nothing was" in dry.stderr
    assert len(untouched) == 4
    assert (asked.returncode, "nothing was discarded" in asked.stderr) == (1, True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "3 discarded")
    assert await left(shop) == {"other"}


async def test_a_filter_edits_each_into_a_request_of_its_own_and_skips_what_would_not_change(shop: Shop) -> None:
    await put(
        shop,
        *({**one, "body": {**ORDER, "paymentmethod": "bitcoin"}} for one in numbered(2)),
        {"message_id": "fine"},
        {"message_id": "unreadable", "body": b"{"},
        {"message_id": "other", "code": "y"},
    )
    command = ("dead", "edit", "--code", "x", "--set", "paymentmethod=paypal", "--why", "renamed")

    dry = await orders(shop, *command)
    done = await orders(shop, *command, "--no-dry-run")
    await shop.start_worker()

    assert "4 would be edited; nothing was" in dry.stderr
    assert "1 would be skipped: nothing would change" in dry.stderr
    assert "paymentmethod" in dry.stderr
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "2 edited")
    assert "skipped fine: nothing would change" in done.stderr
    assert await left(shop) == {"fine", "unreadable", "other"}
    for new_id in done.stdout.split():
        await shop.until_events(new_id, "order.added")
    assert await shop.orders_placed() == 2


async def test_an_export_by_filter_can_be_tried(shop: Shop) -> None:
    await put(shop, *numbered(3), {"message_id": "other", "code": "y"})

    dry = await orders(shop, "dead", "export", "/nowhere/file", "--code", "x", "--dry-run")

    assert (dry.returncode, dry.stderr) == (0, "3 would be exported\n")


async def test_an_edit_is_shown_both_ways_with_what_it_was_placed_as(shop: Shop) -> None:
    await shop.start_worker()
    await shop.publish({**ORDER, "paymentmethod": "bitcoin"}, message_id="mine")
    await shop.dead_letters()
    edited = await orders(shop, "dead", "edit", "mine", "--set", "paymentmethod=paypal", "--why", "renamed")
    new_id = edited.stdout.strip()
    [added] = [event for event in await shop.until_events(new_id, "order.added") if event.type == "order.added"]
    await put(shop, {"message_id": "gone"})
    await orders(shop, "dead", "discard", "gone", "--why", "asked again", "--yes")

    of_old, of_new, of_gone = [await orders(shop, "show", name) for name in ("mine", new_id, "gone")]

    sentence = (
        rf"mine was edited into {new_id} 20\S+ \S+ UTC by \S+ as operator, placed as order {added.data['orderid']}"
    )
    for shown in (of_old, of_new):
        assert re.search(f"{sentence}, because: renamed", shown.stdout), shown.stdout
    assert re.search(r"gone was discarded 20\S+ \S+ UTC by \S+ as operator, because: asked again", of_gone.stdout)


async def test_all_that_was_wrong_with_a_request_is_named(shop: Shop) -> None:
    await shop.start_worker()
    body = {**ORDER, "pid": [1, 77], "billingcycle": ["triennially"]}
    await shop.ask(body, message_id="several")
    await shop.ask({"clientid": "x", "pid": "y", "paymentmethod": "paypal"}, message_id="shapeless")
    await shop.dead_letters(2)

    shown = await orders(shop, "show", "several")
    dead = await orders(shop, "dead", "show", "several")
    shapeless = await orders(shop, "dead", "show", "shapeless", "--json")

    for ended in (shown, dead):
        assert "product_not_found: " in ended.stdout
        assert "cycle_not_offered" in ended.stdout
    assert [fault["message"].split(":")[0] for fault in json.loads(shapeless.stdout)["faults"]] == [
        "clientid",
        "pid[0]",
    ]


# ---------------------------------------------------------------- editing


async def test_an_edited_request_is_placed_in_place_of_the_one_that_failed(shop: Shop) -> None:
    await shop.start_worker()
    wrong = {**ORDER, "paymentmethod": "bitcoin", "rootpw": SECRET}
    asked = await shop.publish(wrong, message_id="mine")
    await shop.until_events("mine", "order.rejected")
    await shop.dead_letters()

    edited = await orders(shop, "dead", "edit", "mine", "--set", "paymentmethod=paypal", "--reason", "no such gateway")
    new_id = edited.stdout.strip()
    await shop.until_events(new_id, "order.added")
    old = await shop.ask(ORDER, message_id="mine")

    assert asked.message_id == "mine"
    assert await left(shop) == {"mine"}  # the one that was just refused
    assert old["code"] == "superseded"
    assert await shop.orders_placed() == 1
    [service] = await shop.fetch("SELECT root_password_encrypted IS NOT NULL AS kept FROM services WHERE order_id > 5")
    assert service["kept"]
    begun, ended = await shop.fetch("SELECT * FROM audit ORDER BY id")
    for line in (begun, ended):
        assert (line["act"], line["thing"], line["new_message_id"], line["why"]) == (
            "edit",
            "mine",
            new_id,
            "no such gateway",
        )
    details = json.loads(begun["details"])
    assert details["changes"] == [{"parameter": "paymentmethod", "before": "bitcoin", "after": "paypal"}]
    assert (ended["begun_id"], json.loads(ended["details"])) == (begun["id"], {"fate": "done"})
    assert SECRET not in edited.stdout + edited.stderr + str(begun) + str(ended)


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/vnd.php.serialized"])
async def test_what_was_not_changed_keeps_its_meaning_in_every_encoding(shop: Shop, content_type: str) -> None:
    form = b"clientid=1&paymentmethod=bitcoin&pid=1&customfields=YToxOntpOjE7czo2OiJHb29nbGUiO30%3D&addons=1"
    php = (
        b'a:4:{s:8:"clientid";i:1;s:13:"paymentmethod";s:7:"bitcoin";s:3:"pid";a:1:{i:0;i:1;}'
        b's:6:"addons";a:1:{i:0;s:1:"1";}}'
    )
    body = form if "form" in content_type else php
    await put(shop, {"message_id": "mine", "body": body, "content_type": content_type})

    edited = await orders(shop, "dead", "edit", "mine", "--set", "paymentmethod=paypal", "--reason", "mended")
    await shop.start_worker()
    [added] = [
        one for one in await shop.until_events(edited.stdout.strip(), "order.added") if one.type == "order.added"
    ]

    assert [item["kind"] for item in added.data["items"]] == ["service", "addon"]
    assert added.data["amount"] == "11.95"
    if body is form:
        assert await shop.fetch("SELECT custom_fields FROM services WHERE order_id > 5") == [
            {"custom_fields": '{"1": "Google"}'}
        ]


async def test_an_editor_changes_what_a_person_reads_and_never_sees_a_secret(shop: Shop, tmp_path: Path) -> None:
    await put(shop, {"message_id": "mine", "body": {**ORDER, "pid": [7], "paymentmethod": "x", "rootpw": [SECRET]}})
    script = tmp_path / "editor"
    seen = tmp_path / "seen"
    script.write_text(f'#!/bin/sh\ncp "$1" {seen}\nsed -i \'s/"x"/"paypal"/\' "$1"\n', encoding="utf-8")
    script.chmod(0o755)

    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "worker", "dead", "edit", "mine", "--reason", "mended"],
        env={**os.environ, **shop.environment, "EDITOR": str(script)},
        capture_output=True,
        text=True,
        check=False,
    )
    await shop.start_worker()
    await shop.until_events(ended.stdout.strip(), "order.added")

    assert json.loads(seen.read_text()) == {
        "clientid": "1",
        "pid": {"0": "7"},
        "paymentmethod": "x",
        "rootpw": "•••",
    }
    assert await left(shop) == set()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "pid=x"], "pid[0]: must be a whole number such as 7"),
        (["--set", "pid"], "--set takes NAME=VALUE"),
        (["--set", "clientid=1"], "nothing was changed"),
        (["--unset", "clientid"], "clientid: required"),
        (["--set", "rootpw=•••"], "a secret can stay as it is"),
    ],
)
async def test_an_edit_that_comes_to_nothing_leaves_the_message_where_it_is(
    shop: Shop, options: list[str], words: str
) -> None:
    await put(shop, {"message_id": "mine"})

    ended = await orders(shop, "dead", "edit", "mine", "--reason", "mended", *options)

    assert (ended.returncode, words in ended.stderr) == (1, True), ended.stderr
    assert "Traceback" not in ended.stderr
    assert await left(shop) == {"mine"}
    assert await shop.count("audit") == 0


async def test_an_edit_that_is_killed_after_it_was_sent_can_be_made_again_and_places_one_order(shop: Shop) -> None:
    await put(shop, {"message_id": "mine", "body": {**ORDER, "paymentmethod": "bitcoin"}})
    killed = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "tests.faults.killed_edit", "mine"],
        env={**os.environ, **shop.environment},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    # Until the broker has noticed, the one that was killed has the dead letters open, and holds this one.
    async with asyncio.timeout(20):
        while not await is_back(shop):
            await asyncio.sleep(0.05)

    again = await orders(shop, "dead", "edit", "mine", "--set", "paymentmethod=mailin", "--reason", "once more")
    await shop.start_worker()
    await shop.until(lambda: sum(one.type in ("order.added", "order.rejected") for one in shop.events) == 2)

    assert again.returncode == 0
    assert await shop.orders_placed() == 1
    # The one that was killed has begun; nobody knows its end.
    begun = await shop.fetch("SELECT id FROM audit WHERE begun_id IS NULL ORDER BY id")
    assert await shop.fetch("SELECT begun_id AS id FROM audit WHERE begun_id IS NOT NULL") == begun[1:]
    assert len(begun) == 2
    codes = [one.data["code"] for one in shop.events if one.type == "order.rejected"]
    assert codes == ["supersedes_placed"]


async def is_back(shop: Shop) -> bool:
    try:
        return await left(shop) == {"mine"}
    except AnotherOperator:
        return False


# ---------------------------------------------------------------- a file there and back


async def test_messages_go_into_a_file_and_back_to_the_byte(shop: Shop, tmp_path: Path) -> None:
    headers = {"mine": 7, "deep": {"list": [1, "two", 3.5, True, None]}, "$time": "no time", "bytes": "ü"}
    await put(
        shop,
        {"message_id": "a", "body": b"\x00\xff not text", "headers": headers},
        {"message_id": "b", "content_type": "text/plain; charset=utf-8"},
    )
    file = tmp_path / "letters.jsonl"
    async with shop.operating() as letters:
        before = {one.message_id: one.delivery async for one in letters.browse()}

    exported = await orders(shop, "dead", "export", str(file))
    again = await orders(shop, "dead", "export", str(file))
    there = await orders(shop, "dead", "import", str(file))
    await shop.purge(topology.DEAD)
    back = await orders(shop, "dead", "import", "-", stdin=file.read_text())

    async with shop.operating() as letters:
        after = {one.message_id: one.delivery async for one in letters.browse()}
    assert "2 exported" in exported.stderr
    assert (again.returncode, "File exists" in again.stderr) == (1, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "0 imported, 2 were there already" in there.stderr
    assert "2 imported, 0 were there already" in back.stderr
    assert {one: (said.body, plain(said.properties)) for one, said in before.items()} == {
        one: (said.body, plain(said.properties)) for one, said in after.items()
    }


def plain(properties: Any) -> tuple[Any, ...]:
    """What matters of properties: all but what the broker counts."""
    headers = {
        name: value for name, value in properties.headers.items() if not name.startswith(("x-delivery", "x-acq"))
    }
    return properties.message_id, properties.content_type, properties.user_id, headers


async def test_a_file_with_a_line_that_is_none_puts_nothing_back(shop: Shop) -> None:
    ended = await orders(shop, "dead", "import", "-", stdin='{"format": 1}\n')

    assert (ended.returncode, "line 1: not as it was written" in ended.stderr) == (1, True)
    assert await left(shop) == set()


@pytest.mark.parametrize(
    ("name", "url", "server"),
    [
        ("ORDERS_AMQP_URL", "amqp://127.0.0.1:1/", "RabbitMQ at ORDERS_AMQP_URL"),
        ("ORDERS_POSTGRES_URL", "postgresql://127.0.0.1:1/x", "Postgres at ORDERS_POSTGRES_URL"),
    ],
)
async def test_the_server_that_is_away_is_named_and_not_the_other(shop: Shop, name: str, url: str, server: str) -> None:
    await put(shop, {"message_id": "one"})

    ended = await orders(shop, "dead", "discard", "one", "--reason", "not needed", "--yes", **{name: url})

    assert ended.returncode == 1
    assert f"error: {server} does not answer" in ended.stderr
    assert await shop.waiting(topology.DEAD) == 1


async def test_a_wrong_password_for_the_broker_is_told_as_that(shop: Shop) -> None:
    url = shop.logins.operator.replace(PASSWORD, "of-somebody-else")

    ended = await orders(shop, "dead", "list", ORDERS_AMQP_URL=url)

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: RabbitMQ at ORDERS_AMQP_URL")
    assert "of-somebody-else" not in ended.stderr
