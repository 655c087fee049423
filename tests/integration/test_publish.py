"""`orders publish` on many requests: in order, each with its key and what came of it, and to be gone on with."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schemas import topology
from tests.integration.test_commands import orders, run
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
WRONG = {**ORDER, "paymentmethod": "bitcoin"}


def lines_of(*requests: object) -> str:
    return "".join(f"{json.dumps(request)}\n" for request in requests)


async def test_several_are_answered_in_order_with_number_and_key(shop: Shop) -> None:
    await shop.start_worker()
    requests = [WRONG if number == 3 else {**ORDER, "notes": str(number)} for number in range(1, 31)]

    ended = await orders(shop, "publish", "--wait", "--key-prefix", "cart-", stdin=lines_of(*requests))

    told = [line.split("\t") for line in ended.stdout.splitlines()]
    assert [(number, key) for number, key, _ in told] == [(str(n), f"cart-{n}") for n in range(1, 31)]
    results = [json.loads(reply)["result"] for *_, reply in told]
    assert results == ["error" if number == 3 else "success" for number in range(1, 31)]
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "29 placed, 1 rejected, 0 without a reply"


async def test_an_error_reply_ends_with_status_1(shop: Shop) -> None:
    await shop.start_worker()

    for encoding in ("json", "xml", "nvp"):
        request = json.dumps({**WRONG, "responsetype": encoding})
        ended = await orders(shop, "publish", "--wait", stdin=request)
        assert (ended.returncode, "Invalid Payment Method" in ended.stdout) == (1, True), encoding
    placed = await orders(shop, "publish", "--wait", stdin=json.dumps(ORDER))
    assert placed.returncode == 0


async def test_a_broken_line_is_named_and_nothing_is_sent(shop: Shop) -> None:
    broken = lines_of(ORDER, ORDER) + '{"clientid": 1, "pid": 7\n' + lines_of(ORDER)

    ended = await orders(shop, "publish", stdin=broken)
    listed = await orders(shop, "publish", stdin=lines_of(ORDER, [ORDER]))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: standard input, line 3: not JSON (")
    assert ended.stderr.endswith("); nothing was sent\n")
    assert "standard input, line 2: not a JSON object; nothing was sent" in listed.stderr
    assert await shop.waiting() == 0


async def test_one_request_over_several_lines_is_one(shop: Shop) -> None:
    ended = await orders(shop, "publish", stdin=json.dumps(ORDER, indent=1))

    assert (ended.returncode, len(ended.stdout.splitlines()), await shop.waiting()) == (0, 1, 1)


async def test_the_key_may_be_in_a_field_of_each(shop: Shop) -> None:
    await shop.start_worker()
    requests = lines_of(*({**ORDER, "cart": cart} for cart in ("a", "b", "a", 17)))

    ended = await orders(shop, "publish", "--wait", "--json", "--key-field", "cart", stdin=requests)
    missing = await orders(shop, "publish", "--key-field", "basket", stdin=requests)

    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [one["message_id"] for one in told] == ["a", "b", "a", "17"]
    assert told[0]["reply"] == told[2]["reply"]
    assert await shop.orders_placed() == 3
    assert "standard input, line 1: it has no field basket; nothing was sent" in missing.stderr


async def test_what_was_interrupted_is_gone_on_with_and_orders_nothing_twice(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(lines_of(*([ORDER] * 300)), encoding="utf-8")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "worker", "publish", "--wait", str(file)],
        env={**inherited, **shop.storefront_environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    async with asyncio.timeout(SECONDS_MAX):
        while await shop.waiting(topology.REQUESTS) < 100:  # as many as are in flight: the first is not answered
            await asyncio.sleep(POLL_SECONDS)
    process.send_signal(signal.SIGINT)
    _, said = await asyncio.to_thread(process.communicate)
    options = re.search(
        r"^0 of 300 are done; the same command goes on with (--key-prefix \S+ --resume 1)$", said, re.MULTILINE
    )
    assert options, said
    await shop.start_worker()

    ended = await orders(shop, "publish", "--wait", str(file), *options[1].split())

    assert (ended.returncode, len(ended.stdout.splitlines())) == (0, 300)
    assert process.returncode == 130
    assert await shop.orders_placed() == 300


async def test_resuming_leaves_out_what_was_done_and_keeps_its_numbers(shop: Shop) -> None:
    ended = await orders(shop, "publish", "--key-prefix", "p-", "--resume", "3", stdin=lines_of(*([ORDER] * 4)))

    assert ended.stdout.split() == ["p-3", "p-4"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--message-id", ""], "it has 1 to 128 characters"),
        (["--message-id", "x" * 129], "it has 1 to 128 characters"),
        (["--key-prefix", ""], "it has 1 to 100 characters"),
        (["--message-id", "a", "--key-prefix", "b"], "only one of"),
    ],
)
def test_a_key_that_is_none_is_refused(options: list[str], words: str) -> None:
    ended = run("publish", "--form", "clientid=1", *options, ORDERS_AMQP_URL="amqp://127.0.0.1:1/")

    assert (ended.returncode, words in " ".join(ended.stderr.split())) == (2, True), ended.stderr
