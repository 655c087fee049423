"""Several people at the dead letters at once: who looks, who acts, and what each is told of the others."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas import topology
from tests.integration.test_commands import orders
from tests.integration.test_dead_letters import numbered, put
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop


@asynccontextmanager
async def replaying(shop: Shop, *options: str) -> AsyncIterator["subprocess.Popen[bytes]"]:
    """Have somebody replay, slowly, and wait until they have begun."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "worker", "dead", "replay", "--no-dry-run", "--no-wait", *options],
        env={**inherited, **shop.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while not await shop.waiting(topology.REQUESTS):
                await asyncio.sleep(POLL_SECONDS)
        yield process
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)


async def test_while_somebody_replays_others_look_at_what_they_have_not_in_hand_and_are_told_so(shop: Shop) -> None:
    await put(shop, *numbered(400, code="slow"), {"message_id": "mine", "code": "other"})

    async with replaying(shop, "--code", "slow", "--rate", "2", "--why", "the gateway is back"):
        listed = await orders(shop, "dead", "list", "--json")
        counted = await orders(shop, "dead", "groups", "--json")
        acting = await orders(shop, "dead", "discard", "mine", "--why", "not needed", "--yes")
        sent = await shop.waiting(topology.REQUESTS)

    # What is seen is what is not among the 200 that a window has, of which some are sent.
    assert 150 < len(listed.stdout.splitlines()) <= 401 - 200
    assert sum(json.loads(line)["count"] for line in counted.stdout.splitlines()) > 150
    note = "note: somebody works on the dead letters: what they have in hand is not shown\n"
    assert (listed.returncode, listed.stderr, counted.stderr) == (0, note, note)
    assert acting.returncode == 1
    assert " as operator (replay, since 20" in acting.stderr
    assert sent < 400


async def test_who_looks_beside_does_not_make_a_replay_miss_anything(shop: Shop) -> None:
    await put(shop, *numbered(600))

    async with replaying(shop, "--all", "--rate", "60") as process:
        looks = [await orders(shop, "dead", "groups") for _ in range(2)]
        status = await asyncio.to_thread(process.wait, 60)

    assert [look.returncode for look in looks] == [0, 0]
    assert status == 0
    assert (await shop.waiting(topology.REQUESTS), await shop.waiting(topology.DEAD)) == (600, 0)


async def test_of_two_who_look_at_once_each_sees_everything(shop: Shop) -> None:
    await put(shop, *numbered(3_000))

    looks = await asyncio.gather(*(orders(shop, "dead", "groups", "--json") for _ in range(3)))

    assert [look.stderr for look in looks] == ["", "", ""]
    assert [json.loads(look.stdout)["count"] for look in looks] == [3_000] * 3


async def test_who_acts_waits_for_a_look_to_end(shop: Shop) -> None:
    await put(shop, *numbered(3_000))

    looked, dry = await asyncio.gather(
        orders(shop, "dead", "groups", "--json"), orders(shop, "dead", "replay", "--code", "x", "--all")
    )

    assert json.loads(looked.stdout)["count"] == 3_000
    assert "3,000 would be sent; nothing was" in dry.stderr


async def test_a_look_is_over_however_slowly_it_is_read(shop: Shop) -> None:
    await put(shop, *numbered(2_000))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "worker", "dead", "list", "--json"],
        env={**inherited, **shop.environment},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout
        await asyncio.to_thread(process.stdout.readline)  # and no further
        replayed = await orders(shop, "dead", "replay", "m-00001")
    finally:
        process.kill()
        await asyncio.to_thread(process.communicate)

    assert replayed.stdout == "m-00001\n"
