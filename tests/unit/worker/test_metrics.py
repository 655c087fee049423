"""What is counted, and under which names. Metrics are of the process: tests see growth."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from repository.unsent import Kind, Summary
from schemas.rejections import Code, Reason
from worker import metrics
from worker.pipeline.outcomes import OutcomeKind

NAMES = {
    "orders_processed", "orders_processing_seconds", "orders_end_to_end_seconds", "orders_batch_size",
    "orders_attempts", "orders_dead", "orders_in_flight", "orders_unpublished", "orders_unpublished_oldest_seconds",
    "orders_paused", "orders_consuming", "orders_dead_letters", "orders_dead_letters_waiting_seconds",
    "orders_loop_turned_seconds", "orders_build_info", "orders_unsent", "orders_replies_refused",
    "orders_binding_missing",
    "orders_log_lines_dropped",
}  # fmt: skip


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the monotonic clock."""
    return lambda seconds: monkeypatch.setattr(time, "monotonic", lambda: seconds)


def test_the_names_are_those_of_the_interface() -> None:
    assert {metric.name for metric in REGISTRY.collect() if metric.name.startswith("orders_")} == NAMES


def test_every_kind_of_ending_counts_from_zero() -> None:
    assert {*metrics.OVER, *metrics.NOT_OVER} == set(OutcomeKind)
    for kind in OutcomeKind:
        assert REGISTRY.get_sample_value("orders_processed_total", {"ending": kind}) is not None


@pytest.mark.parametrize(
    ("reason", "code", "counted"),
    [
        ("rejected", "client_not_found", ("rejected", "client_not_found")),
        ("rejected", "number_invalid", ("rejected", "number_invalid")),
        ("failed", "internal_error", ("failed", "internal_error")),
        ("rejected", "made-up-by-a-caller", ("rejected", "other")),
        ("made-up", "malformed", ("other", "malformed")),
        *((reason, code, (reason, code)) for reason in Reason for code in (Code.CLIENT_CLOSED, Code.INTERNAL_ERROR)),
    ],
)
def test_a_label_takes_our_own_words_only(reason: str, code: str, counted: tuple[str, str]) -> None:
    labels = dict(zip(("reason", "code"), counted, strict=True))
    before = value("orders_dead_total", **labels)

    metrics.dead_lettered(reason, code)

    assert value("orders_dead_total", **labels) == before + 1
    assert not {"made-up", "made-up-by-a-caller"} & {
        word for metric in REGISTRY.collect() for sample in metric.samples for word in sample.labels.values()
    }


@pytest.mark.parametrize(
    ("kind", "age", "seconds"),
    [
        (OutcomeKind.PLACED, timedelta(seconds=20), 20.0),
        (OutcomeKind.REJECTED, -timedelta(days=1), 0.0),  # the publisher's clock is ahead
        (OutcomeKind.REPEATED, None, None),
        (OutcomeKind.RETRIED, timedelta(seconds=20), None),  # it is not over
    ],
)
def test_an_ending_is_measured_end_to_end_if_it_is_one_and_tells_its_time(
    kind: OutcomeKind, age: timedelta | None, seconds: float | None
) -> None:
    def measured() -> tuple[float, float]:
        return value("orders_end_to_end_seconds_count"), value("orders_end_to_end_seconds_sum")

    counted = value("orders_processed_total", ending=kind)
    took = value("orders_processing_seconds_sum")
    count, total = measured()

    metrics.ended(kind, 0.5, None if age is None else datetime.now(UTC) - age)

    assert value("orders_processed_total", ending=kind) == counted + 1
    assert value("orders_processing_seconds_sum") == pytest.approx(took + 0.5)
    assert measured() == ((count, total) if seconds is None else (count + 1, pytest.approx(total + seconds, abs=1.0)))


def test_dead_letters_wait_from_the_first_look_that_found_some(at: Callable[[float], None]) -> None:
    waited = []

    for seconds, count in ((100, 0), (110, 3), (130, 1), (140, 0), (150, 2), (155, 2)):
        at(seconds)
        metrics.dead_letters(count)
        waited.append((value("orders_dead_letters"), value("orders_dead_letters_waiting_seconds")))

    assert waited == [(0, 0), (3, 0), (1, 20), (0, 0), (2, 0), (2, 5)]


def test_not_to_consume_is_to_be_paused() -> None:
    seen = []

    for is_so in (True, False):
        metrics.consuming(is_so)
        seen.append((value("orders_consuming"), value("orders_paused")))

    assert seen == [(1, 0), (0, 1)]


def test_why_a_process_is_paused_is_told_to_its_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(metrics.FOLDER_VARIABLE, str(tmp_path))
    team = metrics.Team(tmp_path, size=1)
    team.joined(os.getpid())

    metrics.consuming(is_so=False, why_not="the disk is full")
    paused = team.condition().paused_because
    metrics.consuming(is_so=True)

    assert paused == "the disk is full"
    assert team.condition().paused_because == ""
    team.left(os.getpid())
    assert list(tmp_path.glob("*.paused*")) == []


def test_what_is_told_is_shown() -> None:
    batches, attempts = value("orders_batch_size_count"), value("orders_attempts_total")

    metrics.batch_taken(7)
    metrics.attempt_counted()
    metrics.in_flight(12)
    metrics.unpublished(3, 4.5, [Summary(Kind.EVENT, "order.added", 2, 9.5)])

    assert value("orders_batch_size_count") == batches + 1
    assert value("orders_attempts_total") == attempts + 1
    assert value("orders_in_flight") == 12
    assert (value("orders_unpublished"), value("orders_unpublished_oldest_seconds")) == (5, 9.5)
    assert value("orders_unsent", kind="event", destination="order.added") == 2

    metrics.unpublished(0, 0.0, [])

    assert (value("orders_unpublished"), value("orders_unpublished_oldest_seconds")) == (0, 0)
    assert value("orders_unsent", kind="event", destination="order.added") == 0
