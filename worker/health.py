"""`/livez`, `/readyz`, `/metrics` on ORDERS_HTTP_PORT. What is counted, and how a worker is, is in metrics.py.

Served by a thread with a loop of its own: one that is stuck could not tell so itself. Whoever connects and is silent
costs no thread, and gives way to who comes later.
"""

import asyncio
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from worker.metrics import Condition

# Longer than any honest work between two turns: reading a large catalogue takes a second or two.
LIVE_SECONDS_MAX = 10.0
REQUEST_SECONDS_MAX = 5.0  # for a client to send its request, and to take the answer
STOP_SECONDS_MAX = 1.0  # for the thread to end
CONNECTIONS_MAX = 64  # probes and scrapers are a handful, and take milliseconds
HEAD_BYTES_MAX = 16 * 1024  # of a request
END_OF_HEAD = b"\r\n\r\n"
METHODS = ("GET", "HEAD")


def why_not_live(now: Condition) -> str | None:
    """Say in a line what a restart would mend; None: nothing."""
    still = time.monotonic() - now.turned_at
    return None if still <= LIVE_SECONDS_MAX else f"stuck: the event loop has not turned for {still:.0f} seconds"


def why_not_ready(now: Condition) -> str | None:
    """Say in a line why requests are not consumed, or do not all arrive; None: they are, and do."""
    if now.is_consuming and now.missing_bindings:
        missing = ", ".join(map(str, now.missing_bindings))
        return f"a binding is missing: {missing}; fix: orders topology apply"
    if now.is_consuming:
        return None
    if now.is_paused:
        return f"paused: {now.paused_because or 'waiting for Postgres or RabbitMQ'}"
    return "starting: not consuming yet"


Page = Callable[[WSGIEnvironment], tuple[str, list[tuple[str, str]], bytes]]


def application(registry: CollectorRegistry, condition: Callable[[], Condition]) -> WSGIApplication:
    """Make the WSGI application of the three endpoints."""
    pages: dict[str, Page] = {
        "/livez": lambda _: _probe(why_not_live(condition())),
        "/readyz": lambda _: _ready(condition()),
        "/metrics": _captured(make_wsgi_app(registry)),
    }

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        if page is None:
            status, headers, body = _text("404 Not Found", f"there are {', '.join(pages)}")
        elif environ["REQUEST_METHOD"] not in METHODS:
            status, headers, body = _text("405 Method Not Allowed", f"only {' and '.join(METHODS)}")
            headers.append(("Allow", ", ".join(METHODS)))
        else:
            status, headers, body = page(environ)
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    return answer


def _ready(now: Condition) -> tuple[str, list[tuple[str, str]], bytes]:
    return _probe(why_not_live(now) or why_not_ready(now))  # nobody is ready who is not live


def _probe(why_not: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
    return _text("503 Service Unavailable", why_not) if why_not else _text("200 OK", "ok")


def _text(status: str, line: str) -> tuple[str, list[tuple[str, str]], bytes]:
    # A probe's answer is of this moment: no proxy may keep it.
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    return status, headers, f"{line}\n".encode()


def _captured(app: WSGIApplication) -> Page:
    """Take the answer of another application, which is to see a GET: prometheus_client's knows no HEAD."""
    return lambda environ: _asked(app, {**environ, "REQUEST_METHOD": "GET"})


def _asked(app: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
    """Ask an application, and take its answer whole."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return lambda _: None  # a way of writing that nobody uses

    body = b"".join(app(environ, start))
    [(status, headers)] = started
    return status, headers, body


class Server:
    """Listens from the moment it is made, and answers while `running`.

    Raises OSError when the port or the address cannot be had.
    """

    def __init__(self, address: str, port: int, app: WSGIApplication) -> None:
        self._app = app
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.create_server((address, port), family=family, backlog=CONNECTIONS_MAX)
        self._open: OrderedDict[asyncio.StreamWriter, None] = OrderedDict()  # the oldest first

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer requests in a thread."""
        loop = asyncio.new_event_loop()  # not uvloop's, which is the worker's
        over = asyncio.Event()
        thread = threading.Thread(target=self._run, args=(loop, over), name="health", daemon=True)
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(over.set)
            thread.join(STOP_SECONDS_MAX)

    def _run(self, loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self._serve(over))

    async def _serve(self, over: asyncio.Event) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket, limit=HEAD_BYTES_MAX)
        async with server:
            await over.wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request. Whoever has been here longest without an end gives way to who comes."""
        self._open[writer] = None
        if len(self._open) > CONNECTIONS_MAX:
            oldest, _ = self._open.popitem(last=False)
            oldest.transport.abort()
        writer.transport.set_write_buffer_limits(0)  # to wait until all of the answer is taken
        try:
            async with asyncio.timeout(REQUEST_SECONDS_MAX):
                writer.write(_answer(await reader.readuntil(END_OF_HEAD), self._app))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # It left, or sent nothing in time, or no request: nothing that a worker could mend. Not a line in the log
            # for each, for whoever can connect could fill it.
            writer.transport.abort()
        finally:
            self._open.pop(writer, None)
            writer.close()


def _answer(head: bytes, app: WSGIApplication) -> bytes:
    """Answer the head of a request as HTTP has it."""
    line, *fields = head.decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    target, _, version = rest.partition(" ")
    if not version.startswith("HTTP/1."):
        status, headers, body = _text("400 Bad Request", "no request of HTTP/1")
        headers.append(("Content-Length", str(len(body))))
    else:
        path, _, query = target.partition("?")
        environ = {"REQUEST_METHOD": method, "PATH_INFO": unquote(path, "latin-1"), "QUERY_STRING": query}
        for field in fields:
            name, _, value = field.partition(":")
            environ[f"HTTP_{name.strip().upper().replace('-', '_')}"] = value.strip()
        status, headers, body = _asked(app, environ)
    told = "".join(f"{name}: {value}\r\n" for name, value in [*headers, ("Connection", "close")])
    return f"HTTP/1.1 {status}\r\n{told}\r\n".encode("latin-1") + body
