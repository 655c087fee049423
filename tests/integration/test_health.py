"""What probes and Prometheus see of a worker, over HTTP (interface.md)."""

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.host import free_port
from tests.shop import POLL_SECONDS, SECONDS_MAX, Shop, Worker

PAUSED = re.compile("paused: (Postgres|RabbitMQ) is away or in trouble: .")
ORDER = {"clientid": 1, "pid": 7, "paymentmethod": "paypal"}


@dataclass(frozen=True)
class Endpoints:
    """The three endpoints of one worker."""

    port: int

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        connection.request(method, path)
        response = connection.getresponse()
        try:
            return response.status, response.read().decode()
        finally:
            connection.close()

    def samples(self) -> dict[tuple[str, ...], float]:
        """Read the metrics: by name and labels' values."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}

    def pids(self) -> list[int]:
        return [int(key[1]) for key in self.samples() if key[0] == "orders_loop_turned_seconds"]

    async def until(self, is_so: Callable[["Endpoints"], bool]) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            while not await asyncio.to_thread(is_so, self):
                await asyncio.sleep(POLL_SECONDS)

    async def until_ready(self) -> None:
        await self.until(lambda seen: seen.get("/readyz") == (200, "ok\n"))

    async def until_paused(self) -> None:
        """Wait until it says which server it waits for."""
        await self.until(lambda seen: bool(PAUSED.match(seen.get("/readyz")[1])))


@asynccontextmanager
async def working(shop: Shop, *arguments: str, **settings: str) -> AsyncIterator[tuple[Worker, Endpoints]]:
    """A worker that serves its endpoints and consumes. Stopped rather than killed: it may have processes to end."""
    port = free_port(1)
    worker = await shop.start_worker("worker", "worker", *arguments, ORDERS_HTTP_PORT=str(port), **settings)
    try:
        endpoints = Endpoints(port)
        await endpoints.until_ready()
        yield worker, endpoints
    finally:
        await asyncio.to_thread(worker.stop)


class Line:
    """The line to a server, which can be cut: then nobody is there any more."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._port = free_port(1)
        self._ends: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["Line"]:
        line = cls(url)
        await line.connect()
        try:
            yield line
        finally:
            line.cut()

    @property
    def url(self) -> str:
        user, _, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)

    def cut(self) -> None:
        self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        with suppress(ConnectionError):
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        self._ends.add(target)
        try:
            while chunk := await source.read(2**16):
                target.write(chunk)
                await target.drain()
        finally:
            self._ends.discard(target)
            target.close()


async def test_a_worker_that_consumes_is_live_and_ready_and_tells_its_version(shop: Shop) -> None:
    async with working(shop) as (_, endpoints):
        assert endpoints.get("/livez") == (200, "ok\n")
        assert endpoints.get("/readyz", "HEAD") == (200, "")
        assert endpoints.get("/metrics", "POST")[0] == 405
        assert endpoints.get("/")[0] == 404
        samples = endpoints.samples()

    assert samples["orders_build_info", "0.1.0"] == 1
    assert (samples["orders_consuming",], samples["orders_paused",]) == (1, 0)


async def test_endings_are_counted_by_kind_and_measured(shop: Shop) -> None:
    async with working(shop) as (worker, endpoints):
        await shop.ask(ORDER)
        await shop.ask(ORDER)
        await shop.ask({**ORDER, "clientid": 99})
        await endpoints.until(lambda seen: seen.samples()["orders_processing_seconds_count",] == 3)
        samples = endpoints.samples()

    counts = {kind: samples["orders_processed_total", kind] for kind in ("placed", "repeated", "rejected", "failed")}
    assert counts == {"placed": 2, "repeated": 0, "rejected": 1, "failed": 0}
    assert 0 < samples["orders_processing_seconds_sum",] < 60
    assert "GET /metrics" not in worker.words


async def test_several_processes_are_seen_as_one_through_one_port(shop: Shop, tmp_path: Path) -> None:
    async with working(shop, "--processes", "2", TMPDIR=str(tmp_path)) as (worker, endpoints):
        for _ in range(6):
            await shop.ask(ORDER)
        await endpoints.until(lambda seen: seen.samples()["orders_processed_total", "placed"] == 6)
        samples = endpoints.samples()

        assert len(endpoints.pids()) == 2
        assert endpoints.get("/livez") == (200, "ok\n")
        assert (samples["orders_consuming",], samples["orders_paused",]) == (1, 0)
        assert samples["orders_processing_seconds_count",] == 6
        assert samples["orders_build_info", "0.1.0"] == 1

    assert worker.process.returncode == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_process_that_hangs_is_noticed(shop: Shop) -> None:
    async with working(shop, "--processes", "2") as (_, endpoints):
        hanging, _ = endpoints.pids()
        os.kill(hanging, signal.SIGSTOP)
        try:
            await endpoints.until(lambda seen: seen.get("/livez")[0] == 503)
            assert endpoints.get("/livez")[1].startswith("stuck: the event loop has not turned for 1")
        finally:
            os.kill(hanging, signal.SIGCONT)
        await endpoints.until(lambda seen: seen.get("/livez")[0] == 200)


async def test_when_one_process_is_killed_all_end(shop: Shop) -> None:
    async with working(shop, "--processes", "2") as (worker, endpoints):
        os.kill(endpoints.pids()[0], signal.SIGKILL)
        status = await asyncio.to_thread(worker.process.wait, SECONDS_MAX)

    assert status == 1
    assert [line["event"] for line in worker.log].count("worker.stopped") == 1


async def test_processes_whose_supervisor_was_killed_end_too(shop: Shop, tmp_path: Path) -> None:
    async with working(shop, "--processes", "2", TMPDIR=str(tmp_path)) as (worker, _):
        worker.kill()
        await shop.until(lambda: [line["event"] for line in worker.log].count("worker.stopped") == 2)


@pytest.mark.parametrize("name", ["ORDERS_AMQP_URL", "ORDERS_POSTGRES_URL"])
async def test_a_worker_is_not_ready_but_live_while_a_server_is_away(shop: Shop, name: str) -> None:
    async with Line.to(shop.worker_environment[name]) as line, working(shop, **{name: line.url}) as (_, endpoints):
        line.cut()
        asked = await shop.publish(ORDER)
        await endpoints.until_paused()
        assert endpoints.get("/livez") == (200, "ok\n")
        samples = endpoints.samples()

        await line.connect()
        await shop.reply(asked)
        await endpoints.until_ready()

    assert (samples["orders_consuming",], samples["orders_paused",]) == (0, 1)


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_a_port_that_is_taken_is_said_in_a_line(shop: Shop, processes: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "worker", "worker", "--processes", processes],
            env={**os.environ, **shop.worker_environment, "ORDERS_HTTP_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )

    assert ended.returncode == 1
    assert (
        ended.stderr == f"error: cannot listen on port {port}, which ORDERS_HTTP_PORT names: Address already in use\n"
    )


async def test_the_port_may_be_named_in_the_env_file(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.env"
    port = free_port(1)
    file.write_text(f"ORDERS_HTTP_PORT={port}\n", encoding="utf-8")

    worker = await shop.start_worker("worker", "worker", "--processes", "2", ORDERS_ENV_FILE=str(file))
    try:
        await Endpoints(port).until_ready()
    finally:
        status = await asyncio.to_thread(worker.stop)

    assert status == 0


SILENT = 200  # connections on which nothing comes
PROBES = 60


@pytest.mark.parametrize("processes", ["1", "2"])
async def test_two_hundred_silent_connections_fail_no_probe(shop: Shop, processes: str) -> None:
    async with working(shop, "--processes", processes) as (worker, endpoints):
        with ExitStack() as silent:
            for number in range(SILENT):
                connection = silent.enter_context(socket.create_connection(("127.0.0.1", endpoints.port)))
                if number % 2:
                    connection.sendall(b"GET /livez HTTP/1.1\r\n")  # and no more
            probes = [endpoints.get(path) for _ in range(PROBES) for path in ("/livez", "/readyz")]
            samples = endpoints.samples()
            open_files = len(list(Path(f"/proc/{worker.process.pid}/fd").iterdir()))

    assert probes == [(200, "ok\n")] * 2 * PROBES
    assert samples[("orders_consuming",)] == 1
    assert open_files < SILENT


async def test_what_is_no_request_is_refused_and_ends_nothing(shop: Shop) -> None:
    async with working(shop) as (worker, endpoints):
        for junk in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET /livez\r\n\r\n", b"x" * 100_000, b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", endpoints.port), timeout=SECONDS_MAX) as connection:
                connection.sendall(junk)
                with suppress(ConnectionError):
                    assert b" 200 " not in connection.recv(1_000)
        assert endpoints.get("/livez?from=probe") == (200, "ok\n")

    assert "Traceback" not in worker.words


async def test_the_address_to_listen_on_may_be_chosen(shop: Shop) -> None:
    async with working(shop, ORDERS_HTTP_ADDRESS="127.0.0.1") as (_, endpoints):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", endpoints.port))
    async with working(shop) as (_, endpoints):
        socket.create_connection(("127.0.0.2", endpoints.port)).close()


@pytest.mark.parametrize(
    ("address", "status", "sentence"),
    [
        ("192.0.2.1", 1, "cannot listen on the address 192.0.2.1, which ORDERS_HTTP_ADDRESS names: Cannot assign"),
        ("everywhere", 2, "ORDERS_HTTP_ADDRESS: it is an IP address such as 127.0.0.1"),
    ],
)
async def test_an_address_that_cannot_be_had_is_said_in_a_line(
    shop: Shop, address: str, status: int, sentence: str
) -> None:
    worker = await shop.spawn_worker(ORDERS_HTTP_PORT=str(free_port(1)), ORDERS_HTTP_ADDRESS=address)

    assert await asyncio.to_thread(worker.process.wait, SECONDS_MAX) == status
    assert sentence in worker.words
    assert "Traceback" not in worker.words
