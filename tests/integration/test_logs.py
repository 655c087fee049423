"""A log that cannot be written stops no order; who cannot begin one does not begin at all (reliability.md 30)."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

from deploy.local.host import free_port
from tests.integration.test_health import Endpoints
from tests.shop import SECONDS_MAX, Shop

ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}
PIPE_BYTES = 65_536  # what Linux keeps of a pipe that nobody reads
ORDERS = 400  # whose lines are more than that


@contextmanager
def working(
    shop: Shop, stderr: "IO[Any] | int", *arguments: str, **settings: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a worker whose log goes where it goes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "worker", *arguments],
        env={**os.environ, **shop.worker_environment, **settings},
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(SECONDS_MAX)


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("kind", ["full", "gone", "closed"])
async def test_a_worker_that_cannot_write_its_first_line_says_so_elsewhere_and_consumes_nothing(
    shop: Shop, kind: str, processes: str
) -> None:
    await shop.publish(ORDER)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "worker", "worker", "--processes", processes]
    redirected = {"full": "2>/dev/full", "gone": f"2>&{writing}", "closed": "2>&-"}[kind]
    ended = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-c", f'exec "$@" {redirected}', "bash", *command],
        env={**os.environ, **shop.worker_environment},
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
        pass_fds=[writing],
    )
    os.close(writing)

    why = {"full": "standard error: No space left on device", "gone": "standard error: Broken pipe"}
    sentence = f"error: the log cannot be written: {why.get(kind, 'standard error is closed')}; nothing was consumed"
    assert ended.returncode == 1
    assert set(ended.stdout.splitlines()) == {sentence}
    assert await shop.waiting() == 1
    assert await shop.count("inbox") == 0


async def test_a_pipe_that_nobody_reads_stops_no_order_and_loses_no_line(shop: Shop) -> None:
    port = free_port(1)
    reading, writing = os.pipe()
    with working(shop, writing, ORDERS_HTTP_PORT=str(port)) as worker:
        os.close(writing)
        asked = [await shop.publish(ORDER) for _ in range(ORDERS)]
        replies = [json.loads(await shop.reply(one)) for one in asked]
        probes = [Endpoints(port).get(path) for path in ("/livez", "/readyz")]
        with open(reading, encoding="utf-8") as log:  # noqa: PTH123  # a pipe that is full
            lines = [log.readline() for _ in range(ORDERS)]
            worker.terminate()
            lines += log.readlines()
        status = await asyncio.to_thread(worker.wait, SECONDS_MAX)

    assert {reply["result"] for reply in replies} == {"success"}
    assert probes == [(200, "ok\n")] * 2
    assert sum(map(len, lines)) > PIPE_BYTES
    events = [json.loads(line)["event"] for line in lines]
    assert events.count("order.placed") == ORDERS
    assert events[-1] == "worker.stopped"
    assert status == 0


async def test_a_worker_ends_in_time_though_nobody_reads_its_log(shop: Shop) -> None:
    reading, writing = os.pipe()
    with working(shop, writing) as worker:
        os.close(writing)
        for one in [await shop.publish(ORDER) for _ in range(ORDERS)]:
            await shop.reply(one)
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, SECONDS_MAX) == 0
    os.close(reading)


async def test_a_reader_that_goes_away_stops_no_order_and_lines_are_counted(shop: Shop) -> None:
    port = free_port(1)
    reading, writing = os.pipe()
    with working(shop, writing, ORDERS_HTTP_PORT=str(port)) as worker:
        os.close(writing)
        await shop.ask(ORDER)
        os.close(reading)
        for _ in range(20):
            assert (await shop.ask(ORDER))["result"] == "success"
        await Endpoints(port).until(lambda seen: seen.samples()[("orders_log_lines_dropped_total",)] >= 20)
        probes = [Endpoints(port).get(path) for path in ("/livez", "/readyz")]
        worker.terminate()
        status = await asyncio.to_thread(worker.wait, SECONDS_MAX)

    assert probes == [(200, "ok\n")] * 2
    assert status == 0


async def test_a_disk_that_fills_up_stops_no_order(shop: Shop, tmp_path: Path) -> None:
    """A file that may grow no further stands for the disk."""
    log = tmp_path / "log"
    with log.open("wb") as file, working(shop, file) as worker:
        assert (await shop.ask(ORDER))["result"] == "success"
        size = log.stat().st_size
        subprocess.run(["prlimit", f"--pid={worker.pid}", f"--fsize={size}:{size}"], check=True)
        for _ in range(20):
            assert (await shop.ask(ORDER))["result"] == "success"
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, SECONDS_MAX) == 0
