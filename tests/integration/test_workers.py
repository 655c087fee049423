"""`orders workers`: who runs, and what it says where that cannot be known."""

import asyncio
import re
import socket
from typing import Any

from tests.integration.test_operator_commands import NO_DATABASE, NOBODY, orders, told
from tests.integration.test_widths import WIDTHS
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop
from tests.terminal import at_terminal


async def test_workers_are_shown_with_where_and_since_when_they_run_whole_at_every_width(shop: Shop) -> None:
    worker = await shop.start_worker()
    [row] = await shop.fetch("SELECT * FROM processes")
    since = f"{row['started_at']:%Y-%m-%d %H:%M}"

    shown = await orders(shop, "workers")

    whole = (row["run_id"], socket.gethostname(), str(worker.process.pid), "0.1.0", since, row["settings_hash"])
    assert shown.returncode == 0
    assert all(one in shown.stdout for one in whole)
    assert shown.stdout.splitlines()[-1] == "  works; 0 in hand"
    for width in WIDTHS:
        seen = await asyncio.to_thread(at_terminal, width, "workers", environment=shop.environment)
        assert all(any(one in line for line in seen.lines) for one in whole), seen.text


async def put_process(shop: Shop, run_id: str, *, paused: str | None = None, silent_seconds: float = 0) -> None:
    """Let a process be there that says nothing more."""
    await shop.database.execute(
        """
        INSERT INTO processes (run_id, kind, host, pid, version, settings_hash, knows, paused, seen_at)
        VALUES ($1, 'worker', 'elsewhere', 7, '0.1.0', 'abc', '{}', $2, now() - make_interval(secs => $3))
        """,
        run_id,
        paused,
        silent_seconds,
    )


async def test_one_that_is_silent_and_one_that_is_paused_are_shown_so(shop: Shop) -> None:
    await put_process(shop, "gone", silent_seconds=3_000)
    await put_process(shop, "waits", paused="RabbitMQ is away")

    shown, found = await orders(shop, "workers"), await told(shop, "workers")

    [gone, silence, waits, pause] = shown.stdout.splitlines()[1:]
    assert (gone.split()[0], waits.split()[0]) == ("gone", "waits")
    assert re.fullmatch(r"  silent for 3,0\d\d s", silence)
    assert pause == "  paused: RabbitMQ is away; 0 in hand"
    so = {one["run_id"]: (one["is_silent"], one["paused"]) for one in found["workers"]}
    assert so == {"gone": (True, None), "waits": (False, "RabbitMQ is away")}


async def test_workers_that_differ_in_settings_or_version_are_named_beneath(shop: Shop) -> None:
    other = await shop.start_worker()
    await shop.start_worker(ORDERS_PREFETCH="7")
    await shop.start_worker(ORDERS_PREFETCH="7")
    rows = await shop.fetch("SELECT settings_hash, count(*) FROM processes GROUP BY 1 ORDER BY 2 DESC")

    differing = await orders(shop, "workers")
    other.stop()
    alike = await orders(shop, "workers")

    sentence = ", ".join(f"{row['count']} with {row['settings_hash']}" for row in rows)
    assert differing.stderr == f"note: the workers' settings differ: {sentence}\n"
    assert [row["count"] for row in rows] == [2, 1]
    assert alike.stderr == ""


async def test_who_has_ended_is_not_shown(shop: Shop) -> None:
    worker = await shop.start_worker()
    worker.stop()

    shown = await orders(shop, "workers")

    assert (shown.returncode, shown.stdout) == (0, "nobody runs: start one with `orders worker`\n")


async def named(shop: Shop, **settings: str) -> Any:
    """Ask until the broker names consumers: it collects what it tells every five seconds."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = await told(shop, "workers", ORDERS_POSTGRES_URL=NO_DATABASE, **settings)
            if any(one["user"] != "?" for one in found["consumers"]):
                return found
            await asyncio.sleep(POLL_SECONDS)


async def test_where_postgres_is_away_the_broker_names_the_consumers(shop: Shop, management_url: str) -> None:
    await shop.start_worker()

    found = await named(shop, ORDERS_MANAGEMENT_URL=management_url)

    assert found["error"].startswith("Postgres at ORDERS_POSTGRES_URL does not answer")
    [consumer] = found["consumers"]
    assert consumer["user"] == "worker"
    assert consumer["address"].startswith("127.0.0.1:")


async def test_where_nobody_can_name_them_it_says_what_it_does_not_know(shop: Shop) -> None:
    await shop.start_worker()

    counted = await orders(shop, "workers", ORDERS_POSTGRES_URL=NO_DATABASE)
    nothing = await orders(shop, "workers", ORDERS_POSTGRES_URL=NO_DATABASE, ORDERS_AMQP_URL=NOBODY)

    assert counted.returncode == nothing.returncode == 1
    assert (
        "RabbitMQ counts 1 on orders.requests; who they are is not known: ORDERS_MANAGEMENT_URL is not set"
        in counted.stderr
    )
    assert "RabbitMQ at ORDERS_AMQP_URL does not answer" in nothing.stderr
