"""Whoever reads what a command prints may go away, and a disk may be full: neither is a fault of a server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.test_dead_letters import left, numbered, put
from tests.shop import Shop

QUIET = 128 + 13  # as a shell shows who ends by SIGPIPE
LINE = '{"clientid": 1, "pid": 7, "paymentmethod": "paypal"}'


def piped(command: str, environment: Mapping[str, str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a pipeline; the status is that of its first command."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    script = command.replace("orders ", f"{sys.executable} -m worker ", 1)
    return subprocess.run(
        ["bash", "-c", f"{script}; exit ${{PIPESTATUS[0]}}"],
        env={**inherited, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        "orders dead list --json | head -1",
        "orders dead list --limit 3000 | head -1",
        "orders dead export - | head -1",
        "orders dead replay --all --no-dry-run --no-wait | head -1",
        "orders status --json | true",
        "orders show 1 | true",
        "orders --help | true",
    ],
)
async def test_a_reader_that_goes_away_ends_a_command_quietly(shop: Shop, command: str) -> None:
    await put(shop, *numbered(3_000))

    ended = await asyncio.to_thread(piped, command, shop.environment)

    notes = ("if this is interrupted", "note:", "3,000 exported")
    assert [line for line in ended.stderr.splitlines() if not line.startswith(notes)] == []
    assert ended.returncode in (QUIET, 0)  # 0: it had written all before the reader went
    assert len(await left(shop)) + await shop.waiting() >= 3_000


async def test_a_reader_that_goes_away_ends_publish_quietly(shop: Shop) -> None:
    await shop.start_worker()
    lines = f"{LINE}\n" * 2_000

    ended = await asyncio.to_thread(piped, "orders publish --wait | head -1", shop.storefront_environment, lines)

    assert ended.stderr == ""
    assert ended.returncode == QUIET


@pytest.mark.parametrize(
    "command", ["orders dead list --json", "orders dead export -", "orders status", "orders show 1"]
)
async def test_a_full_disk_is_told_as_that(shop: Shop, command: str) -> None:
    await put(shop, *numbered(300))

    ended = await asyncio.to_thread(piped, f"{command} > /dev/full", shop.environment)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "error: standard output: No space left on device"


async def test_a_file_that_could_not_be_written_whole_is_not_left_behind(shop: Shop, tmp_path: Path) -> None:
    await put(shop, *numbered(300))
    file = tmp_path / "letters.jsonl"

    ended = await asyncio.to_thread(piped, f"ulimit -f 8; orders dead export {file}", shop.environment)

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"error: {file}: File too large"]
    assert not file.exists()
