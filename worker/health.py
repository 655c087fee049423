"""`/livez`, `/readyz`, `/metrics` on ORDERS_HTTP_PORT. What is counted, and how a worker is, is in metrics.py.

Served by a thread: an event loop that is stuck could not tell so itself.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socket import socket
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import structlog
from prometheus_client import CollectorRegistry, make_wsgi_app

from worker.metrics import Condition

# Longer than any honest work between two turns: reading a large catalogue takes a second or two.
LIVE_SECONDS_MAX = 10.0
REQUEST_SECONDS_MAX = 5.0  # for a client to send its request, and to take the answer
STOP_SECONDS = 0.1  # after so long at most the thread sees that it is to end
REQUESTS_AT_ONCE_MAX = 16  # probes and scrapers are a handful; each request has a thread
METHODS = ("GET", "HEAD")

log = structlog.get_logger()


def why_not_live(now: Condition) -> str | None:
    """Say in a line what a restart would mend; None: nothing."""
    still = time.monotonic() - now.turned_at
    return None if still <= LIVE_SECONDS_MAX else f"stuck: the event loop has not turned for {still:.0f} seconds"


def why_not_ready(now: Condition) -> str | None:
    """Say in a line why no requests are consumed; None: they are. Nobody is ready who is not live."""
    if why := why_not_live(now):
        return why
    if now.is_consuming:
        return None
    return "paused: waiting for Postgres or RabbitMQ" if now.is_paused else "starting: not consuming yet"


Page = Callable[[WSGIEnvironment], tuple[str, list[tuple[str, str]], bytes]]


def application(registry: CollectorRegistry, condition: Callable[[], Condition]) -> WSGIApplication:
    """Make the WSGI application of the three endpoints."""
    pages: dict[str, Page] = {
        "/livez": lambda _: _probe(why_not_live(condition())),
        "/readyz": lambda _: _probe(why_not_ready(condition())),
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


def _probe(why_not: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
    return _text("503 Service Unavailable", why_not) if why_not else _text("200 OK", "ok")


def _text(status: str, line: str) -> tuple[str, list[tuple[str, str]], bytes]:
    # A probe's answer is of this moment: no proxy may keep it.
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    return status, headers, f"{line}\n".encode()


def _captured(app: WSGIApplication) -> Page:
    """Take the answer of another application, which is to see a GET: prometheus_client's knows no HEAD."""

    def page(environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
            started.append((status, headers))
            return lambda _: None  # a way of writing that nobody uses

        body = b"".join(app({**environ, "REQUEST_METHOD": "GET"}, start))
        [(status, headers)] = started
        return status, headers, body

    return page


class Server(ThreadingMixIn, WSGIServer):
    """Listens from the moment it is made, and answers while `running`.

    Raises OSError when the port cannot be had.
    """

    daemon_threads = True  # an answer that a client is slow to take does not keep the worker from ending
    block_on_close = False
    request_queue_size = REQUESTS_AT_ONCE_MAX

    def __init__(self, port: int, app: WSGIApplication) -> None:
        self._places = threading.BoundedSemaphore(REQUESTS_AT_ONCE_MAX)
        super().__init__(("0.0.0.0", port), _Handler)  # noqa: S104  # probes come from outside of the container
        self.set_app(app)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Answer requests in threads."""
        thread = threading.Thread(target=self.serve_forever, args=(STOP_SECONDS,), name="health", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the name service for our name, which may take half a minute.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "", self.server_address[1]
        self.setup_environ()

    def process_request(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  # the base's signature
        # A client that left, or sent nothing in time: nothing that a worker could mend.
        log.warning("health.request_failed", fault=type(sys.exception()).__name__)


class _Handler(WSGIRequestHandler):
    timeout = REQUEST_SECONDS_MAX

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base's name
        """Write no line for every probe."""
