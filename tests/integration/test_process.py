"""A worker as a process of its machine: told to stop, stuck, with too little to live on."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shop import SECONDS_MAX, Shop, Worker

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
LATE_SECONDS_MAX = 10.0  # as worker/process.py has it
LOADED_EARLY = "pydantic_core"


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def run_limited(limits: str, shop: Shop) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", f'{limits}; exec "$@"', "bash", sys.executable, "-m", "worker", "worker"],
        env={**os.environ, **shop.worker_environment},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


async def test_a_team_with_a_stopped_process_ends_soon_after_its_time_to_finish(shop: Shop) -> None:
    team = await shop.start_worker("worker", "worker", "--processes", "2", ORDERS_DRAIN_SECONDS="1")
    stopped, _ = children_of(team.process.pid)
    asked = [await shop.publish(ORDER) for _ in range(20)]
    for one in asked:
        await shop.reply(one)

    os.kill(stopped, signal.SIGSTOP)
    team.process.terminate()
    status = await asyncio.to_thread(team.process.wait, 1 + LATE_SECONDS_MAX + SECONDS_MAX / 2)

    assert status == 1
    assert [line["pid"] for line in team.log if line["event"] == "worker.killed"] == [stopped]
    assert not Path(f"/proc/{stopped}").exists()
    assert await shop.waiting() == 0


async def test_too_few_files_are_told_as_that_and_not_as_a_server_that_is_away(shop: Shop) -> None:
    ended = await asyncio.to_thread(run_limited, "ulimit -n 16", shop)

    assert ended.returncode == 1
    assert ended.stderr == (
        "error: this process may have 16 files and connections open, and needs 128; "
        "fix: ulimit -n 1024, or LimitNOFILE=1024 for systemd\n"
    )


async def test_a_low_limit_of_files_is_raised_to_what_is_allowed(shop: Shop) -> None:
    worker = await shop.start_worker("tests.integration.limited_worker", LIMITED_TO="16")

    assert json.loads(await shop.reply(await shop.publish(ORDER)))["result"] == "success"
    assert worker.stop() == 0


def is_being_loaded(worker: Worker) -> bool:
    """Whether a part of the program is there that is loaded early, and long before all of it."""
    return LOADED_EARLY in Path(f"/proc/{worker.process.pid}/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_ctrl_c_while_a_worker_is_being_loaded_is_no_traceback(shop: Shop, processes: str) -> None:
    worker = await shop.spawn_worker("worker", "worker", "--processes", processes)
    await shop.until(lambda: is_being_loaded(worker))

    worker.process.send_signal(signal.SIGINT)

    status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)
    assert status in (-signal.SIGINT, 128 + signal.SIGINT)  # the other, where it was ready by then
    assert "Traceback" not in worker.words


async def test_ctrl_c_at_the_start_of_a_worker_is_no_traceback(shop: Shop) -> None:
    worker = await shop.spawn_worker(ORDERS_AMQP_URL="amqp://127.0.0.1:1/")
    await shop.until(lambda: any(line["event"] == "worker.paused" for line in worker.log))

    worker.process.send_signal(signal.SIGINT)

    assert await asyncio.to_thread(worker.process.wait, SECONDS_MAX) == 0
    assert "Traceback" not in worker.words
