"""The probes, and what the endpoints answer."""

import time
from collections.abc import Callable
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client import REGISTRY

from schemas.topology import Binding
from worker import health, metrics
from worker.metrics import Condition


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the monotonic clock."""
    return lambda seconds: monkeypatch.setattr(time, "monotonic", lambda: seconds)


def test_a_loop_that_turns_is_live_and_one_that_is_stuck_is_not(at: Callable[[float], None]) -> None:
    at(1_000.0)
    metrics.loop_turned()
    at(1_000.0 + health.LIVE_SECONDS_MAX)
    turned = health.why_not_live(metrics.condition())
    at(1_000.0 + health.LIVE_SECONDS_MAX + 2)
    stuck = health.why_not_live(metrics.condition())

    assert turned is None
    assert stuck == "stuck: the event loop has not turned for 12 seconds"


@pytest.mark.parametrize(
    ("is_consuming", "is_paused", "why"),
    [
        (True, False, None),
        (False, True, "paused: waiting for Postgres or RabbitMQ"),
        (False, False, "starting: not consuming yet"),
        (True, True, None),
    ],
)
def test_who_consumes_is_ready(is_consuming: bool, is_paused: bool, why: str | None) -> None:  # noqa: FBT001
    assert health.why_not_ready(Condition(0.0, is_consuming, is_paused)) == why


def test_who_is_paused_says_why_as_its_log_does() -> None:
    now = Condition(0.0, is_consuming=False, is_paused=True, paused_because="Postgres is away: no; fix: it")

    assert health.why_not_ready(now) == "paused: Postgres is away: no; fix: it"


def test_who_consumes_and_misses_a_binding_is_not_ready_and_says_which() -> None:
    metrics.consuming(is_so=True)
    binding = Binding("orders.requests", "orders", "order.add")

    metrics.bindings_missing([binding])
    missing = health.why_not_ready(metrics.condition())
    metrics.bindings_missing([])

    assert missing == "a binding is missing: orders.requests to orders under order.add; fix: orders topology apply"
    assert health.why_not_ready(metrics.condition()) is None


def call(path: str, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
    environ: dict[str, str] = {"PATH_INFO": path, "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    said: list[tuple[str, dict[str, str]]] = []

    def start(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
        said.append((status, dict(headers)))
        return lambda _: None

    body = b"".join(health.application(REGISTRY, metrics.condition)(environ, start))
    [(status, headers)] = said
    return status, headers, body


def test_the_endpoints_answer() -> None:
    metrics.loop_turned()
    metrics.consuming(is_so=False)

    assert call("/livez")[0::2] == ("200 OK", b"ok\n")
    assert call("/readyz")[0::2] == ("503 Service Unavailable", b"paused: waiting for Postgres or RabbitMQ\n")
    status, headers, body = call("/metrics")
    assert status == "200 OK"
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert b"\norders_paused 1.0\n" in body


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_head_is_get_without_the_body(path: str) -> None:
    metrics.loop_turned()

    status, headers, body = call(path, "HEAD")

    assert (status, headers["Content-Type"]) == (call(path)[0], call(path)[1]["Content-Type"])
    assert int(headers["Content-Length"]) > 0
    assert body == b""


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/livez", "POST", "405 Method Not Allowed"),
        ("/metrics", "OPTIONS", "405 Method Not Allowed"),
        ("/metrics/", "GET", "404 Not Found"),
        ("/", "HEAD", "404 Not Found"),
        ("/elsewhere", "DELETE", "404 Not Found"),
    ],
)
def test_everything_else_is_refused(path: str, method: str, status: str) -> None:
    assert call(path, method)[0] == status
