"""A standby that was behind takes over, or a backup is restored: what is lost is told first (reliability.md, 31)."""

import asyncio
import json
import os
import re
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.local import start_postgres
from deploy.local.host import free_port
from deploy.local.postgres import ENVIRONMENT, Postgres, program_folder
from repository import catalog as catalogue
from repository import migrate
from repository.database import Database
from schemas import catalog_file
from tests.faults import standby
from tests.faults.conftest import SAMPLE
from tests.faults.load import Storefront
from tests.faults.proxy import Proxy
from tests.faults.scenes import is_ready, until
from tests.integration.test_operator_commands import Ended, level_of, orders, says_of, told
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker

pytestmark = pytest.mark.alone  # servers are killed

ORDER = {"clientid": 1, "pid": [7], "paymentmethod": "paypal"}
WORKERS = 2
RATE = 60.0  # orders a second
BEHIND_SECONDS = 6.0
NOT_THERE = "is not in the database"
RUNBOOK = Path("deploy/runbook.md").read_text(encoding="utf-8")


@dataclass
class Pair:
    """A primary with its standby, and the address at which workers find the one or the other."""

    primary: Postgres
    standby: Postgres
    proxy: Proxy

    @property
    def url(self) -> str:
        return self.proxy.url(self.primary.url)

    async def fail_over(self) -> None:
        """Lose the primary, and let the standby take over."""
        self.primary.kill()
        await self.promote()

    async def promote(self) -> None:
        await standby.promote(self.standby)
        self.proxy.lead_to(self.standby.url)


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Postgres]:
    server = start_postgres(tmp_path / "primary")
    yield server
    server.delete()


@pytest.fixture
async def pair(primary: Postgres, tmp_path: Path) -> AsyncIterator[Pair]:
    await fill(primary.url)
    following = standby.start_standby(primary, tmp_path / "standby")
    async with Proxy.to(primary.url) as proxy:
        yield Pair(primary, following, proxy)
    following.delete()


@pytest.fixture
async def paired_shop(pair: Pair, amqp_url: str) -> AsyncIterator[Shop]:
    async with Shop.open(pair.url, amqp_url) as shop:
        yield shop


async def fill(url: str) -> None:
    await migrate.migrate(url)
    async with Database(url) as database, database.transaction() as connection:
        await catalogue.load(connection, catalog_file.parse(SAMPLE.read_bytes()), by="tests")


async def placed_at(server: Postgres) -> set[int]:
    """Return the orders that a server has."""
    connection = await asyncpg.connect(server.url)
    try:
        return {row["id"] for row in await connection.fetch("SELECT id FROM orders")}
    finally:
        await connection.close()


def heard(shop: Shop) -> dict[int, set[str]]:
    """Return the orders that the world has heard of, and under which requests."""
    found: dict[int, set[str]] = defaultdict(set)
    for event in list(shop.events):
        if event.type == "order.added":
            found[event.data["orderid"]].add(event.data["request_id"])
    return found


def are_paused(*workers: Worker) -> bool:
    return all(any(line.get("fault") == "OrdersLost" for line in worker.log) for worker in workers)


async def lose_orders(shop: Shop, pair: Pair) -> None:
    """Leave the standby behind until much was placed that it does not have."""
    await until(lambda: len(heard(shop)) > RATE, SECONDS_MAX)
    await standby.catch_up(pair.primary)
    await standby.leave_behind(pair.standby)
    before = len(heard(shop))
    await until(lambda: len(heard(shop)) > before + RATE * BEHIND_SECONDS / 2, 4 * BEHIND_SECONDS)


def words_of(ended: Ended) -> str:
    return " ".join((ended.stdout + ended.stderr).split())


async def until_said(shop: Shop, command: str, words: str) -> str:
    """Run a command until it says these words: what workers tell of themselves they tell every ten seconds."""
    async with asyncio.timeout(2 * SECONDS_MAX):
        while words not in (said := words_of(await orders(shop, command))):
            await asyncio.sleep(POLL_SECONDS)
    return said


async def recover(shop: Shop, *arguments: str) -> list[dict[str, Any]]:
    """Run `orders recover`, and return the orders that it told."""
    ended = await orders(shop, "recover", "--yes", "--json", *arguments)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.timeout(300)  # two servers, six seconds of load, and what workers tell every ten
async def test_what_a_standby_that_was_behind_has_lost_is_told_before_anything_is_written(
    paired_shop: Shop, pair: Pair
) -> None:
    shop, port = paired_shop, free_port(1)
    workers = [await shop.start_worker(ORDERS_HTTP_PORT=str(port)), await shop.start_worker()]
    async with Storefront([shop.logins.storefront]) as storefront:
        load = asyncio.create_task(storefront.send(600, rate=RATE))
        await lose_orders(shop, pair)

        await pair.fail_over()
        await until(lambda: are_paused(*workers), SECONDS_MAX)
        fresh = await shop.spawn_worker()
        await until(lambda: are_paused(fresh), SECONDS_MAX)
        left, known = await placed_at(pair.standby), heard(shop)
        running = await until_said(shop, "workers", NOT_THERE)
        findings, status, ready = await told(shop, "doctor"), await orders(shop, "status"), await is_ready(port)
        assert await placed_at(pair.standby) == left

        lost = await recover(shop)
        await until(lambda: len(heard(shop)) > len(known), SECONDS_MAX)
        await load
        await all_are_placed(pair.standby, storefront, {one["message_id"] for one in lost})

    assert {one["order_id"] for one in lost} >= known.keys() - left
    assert len(lost) > RATE
    assert not {one["order_id"] for one in lost} & left
    assert [order_id for order_id, requests in heard(shop).items() if len(requests) > 1] == []
    new = await placed_at(pair.standby) - left
    assert min(new) > max(*known, *(one["order_id"] for one in lost))
    assert not ready
    assert level_of(findings, "lost") == {"wrong"}
    assert NOT_THERE in says_of(findings, "workers")
    assert NOT_THERE in words_of(status)
    assert "OrdersLost" not in running  # a sentence, and no name of ours


async def all_are_placed(server: Postgres, storefront: Storefront, lost: set[str]) -> None:
    """Wait until every request that can be placed, and is not lost, is."""
    ledger = storefront.ledger
    wanted = {one for one in ledger.confirmed if ledger.is_right(one)} - lost
    connection = await asyncpg.connect(server.url)
    query = "SELECT message_id FROM inbox JOIN orders ON orders.request_id = inbox.id"
    async with asyncio.timeout(2 * SECONDS_MAX):
        while wanted - {row["message_id"] for row in await connection.fetch(query)}:
            await asyncio.sleep(POLL_SECONDS)
    await connection.close()


async def test_where_no_worker_has_lived_through_it_the_next_ones_know(paired_shop: Shop, pair: Pair) -> None:
    shop = paired_shop
    worker = await shop.start_worker()
    await shop.ask(ORDER)
    await standby.catch_up(pair.primary)
    await standby.leave_behind(pair.standby)
    told_last = [(await shop.ask(ORDER))["orderid"] for _ in range(3)]

    worker.kill()
    await pair.fail_over()
    left = await placed_at(pair.standby)
    others = [await shop.spawn_worker(), await shop.spawn_worker()]
    asked = await shop.publish(ORDER)
    await until(lambda: are_paused(*others), SECONDS_MAX)
    before = await placed_at(pair.standby)
    lost = await recover(shop)
    answer = json.loads(await shop.reply(asked))

    assert before == left
    assert [one["order_id"] for one in lost] == told_last
    assert answer["orderid"] > max(told_last)


async def test_what_another_worker_has_placed_is_missed_as_well(paired_shop: Shop, pair: Pair) -> None:
    shop = paired_shop
    idle = await shop.start_worker()
    await shop.ask(ORDER)
    other = await shop.start_worker()
    await standby.catch_up(pair.primary)
    await standby.leave_behind(pair.standby)
    idle.process.send_signal(signal.SIGSTOP)
    asked = [await shop.publish(ORDER) for _ in range(4)]  # some of them to the one that is stopped
    await shop.until(lambda: any(one.replies for one in asked))

    other.kill()
    await pair.fail_over()
    left = await placed_at(pair.standby)
    idle.process.send_signal(signal.SIGCONT)
    await until(lambda: are_paused(idle), SECONDS_MAX)
    before = await placed_at(pair.standby)
    lost = {one["order_id"] for one in await recover(shop)}
    answers = [json.loads(await shop.reply(one)) for one in asked]

    assert before == left
    assert lost
    assert not lost & await placed_at(pair.standby)
    assert all(answer["result"] == "success" for answer in answers)


async def test_a_failover_that_loses_nothing_is_nobodys_to_recover(paired_shop: Shop, pair: Pair) -> None:
    shop = paired_shop
    workers = [await shop.start_worker() for _ in range(WORKERS)]
    first = await shop.ask(ORDER)
    await standby.catch_up(pair.primary)

    await pair.fail_over()
    second = await shop.ask(ORDER)
    nothing = await orders(shop, "recover")

    assert second["orderid"] > first["orderid"]
    assert not any(line.get("fault") == "OrdersLost" for worker in workers for line in worker.log)
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "nothing is missing of 2 orders" in nothing.stderr


async def test_the_doctor_warns_of_a_standby_that_no_commit_waits_for(paired_shop: Shop, pair: Pair) -> None:
    before = await told(paired_shop, "doctor")
    await standby.execute(pair.primary, "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
    await standby.catch_up(pair.primary)
    after = await told(paired_shop, "doctor")

    assert says_of(before, "standby") == "1 standby streams, and no commit waits for it: a failover loses orders"
    assert level_of(after, "standby") == set()


async def test_events_that_somebody_kept_tell_what_workers_have_not_noted(
    paired_shop: Shop, pair: Pair, tmp_path: Path
) -> None:
    shop, kept = paired_shop, tmp_path / "events.jsonl"
    worker = await shop.start_worker()
    await standby.leave_behind(pair.standby)
    asked = await shop.ask(ORDER)
    await shop.until(lambda: len(shop.events) >= 3)
    kept.write_bytes(b"\n".join(event.raw for event in shop.events))
    worker.kill()
    await pair.fail_over()
    async with Shop.open(pair.url, shop.logins.administrator):  # begins the streams anew: nothing is noted
        unknown = await orders(shop, "recover")
        lost = await recover(shop, "--events", str(kept))

    assert "nothing is missing of 0 orders" in unknown.stderr
    assert [one["order_id"] for one in lost] == [asked["orderid"]]


# ---------------------------------------------------------------- the runbook


def commands_of(heading: str) -> list[str]:
    """Return the commands of a chapter of the runbook."""
    [chapter] = [one for one in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE) if one.startswith(f"{heading}\n")]
    blocks = re.findall(r"^```\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


async def walk(shop: Shop, server: Postgres, commands: Iterable[str], folder: Path, workers: Sequence[Worker]) -> None:
    """Do what the runbook says, with the programs of this machine for those in containers."""
    for command in commands:
        if command == "docker compose stop worker":
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
        elif command == "docker compose up --detach --wait":
            await shop.start_worker()
        elif command.startswith("orders "):
            ended = await orders(shop, *command.partition(" > ")[0].split()[1:])
            assert ended.returncode == 0, ended.stderr
        else:
            await pg(server, command, folder)


async def pg(server: Postgres, command: str, folder: Path) -> None:
    """Run one of Postgres' programs, which the runbook runs in its container."""
    inside = re.sub(r"^docker compose exec (-T )?postgres ", "", command)
    assert inside != command, f"nobody knows how to do this here: {command}"
    path = os.pathsep.join((str(program_folder()), ENVIRONMENT["PATH"]))
    environment = {**ENVIRONMENT, "PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(server.port)}
    running = await asyncio.create_subprocess_shell(inside, cwd=folder, env=environment)
    assert await running.wait() == 0, command


def dump() -> str:
    return next(command for command in commands_of("Upgrade") if "pg_dump" in command)


@pytest.fixture
async def shop_with_dumps(primary: Postgres, amqp_url: str) -> AsyncIterator[Shop]:
    """A shop in the database that the runbook names."""
    await fill(primary.url)
    async with Shop.open(primary.url, amqp_url) as shop:
        yield shop


async def test_the_runbook_restores_a_dump_and_gives_no_id_twice(
    shop_with_dumps: Shop, primary: Postgres, tmp_path: Path
) -> None:
    shop = shop_with_dumps
    workers = [await shop.start_worker() for _ in range(WORKERS)]
    kept = (await shop.ask(ORDER))["orderid"]
    await pg(primary, dump(), tmp_path)
    lost = [(await shop.ask(ORDER, message_id=f"lost-{number}"))["orderid"] for number in range(3)]

    await walk(shop, primary, commands_of("Restore"), tmp_path, workers)
    again = (await shop.ask(ORDER, message_id="lost-0"))["orderid"]

    there = await placed_at(primary)
    assert kept in there
    assert not set(lost) & there
    assert again > max(lost)


async def test_where_nobody_recovers_after_a_dump_was_restored_workers_pause(
    shop_with_dumps: Shop, primary: Postgres, tmp_path: Path
) -> None:
    shop = shop_with_dumps
    worker = await shop.start_worker()
    await shop.ask(ORDER)
    await pg(primary, dump(), tmp_path)
    lost = [(await shop.ask(ORDER))["orderid"] for _ in range(4)]

    await walk(shop, primary, [one for one in commands_of("Restore") if "recover" not in one][:-1], tmp_path, [worker])
    others = [await shop.spawn_worker() for _ in range(WORKERS)]
    await until(lambda: are_paused(*others), SECONDS_MAX)
    told_lost = [one["order_id"] for one in await recover(shop)]

    assert told_lost == lost
    assert (await shop.ask(ORDER))["orderid"] > max(lost)


async def test_the_runbook_fails_over_and_gives_no_id_twice(paired_shop: Shop, pair: Pair, tmp_path: Path) -> None:
    shop = paired_shop
    workers = [await shop.start_worker() for _ in range(WORKERS)]
    await standby.catch_up(pair.primary)
    await standby.leave_behind(pair.standby)
    lost = [(await shop.ask(ORDER))["orderid"] for _ in range(3)]

    pair.primary.kill()
    commands = commands_of("Failover")
    promoting = [one for one in commands if one.startswith("docker compose exec")]
    await walk(shop, pair.standby, promoting, tmp_path, workers)
    pair.proxy.lead_to(pair.standby.url)
    await until(lambda: are_paused(*workers), SECONDS_MAX)
    await walk(shop, pair.standby, [one for one in commands if "recover" in one], tmp_path, workers)

    assert (await shop.ask(ORDER))["orderid"] > max(lost)
