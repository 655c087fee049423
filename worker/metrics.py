"""What a worker counts and measures (interface.md), and what its probes go by. Serving it is health.py's.

With `--processes N` each process writes its numbers into files of a folder that its supervisor shares with it, and the
supervisor puts them together: `Team`.
"""

import contextlib
import os
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from repository.unsent import Summary
from schemas.rejections import Code, Reason
from schemas.topology import Binding

# Names the folder; prometheus_client looks for it when it is imported.
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

SENTENCE_SUFFIX = ".paused"  # of a file there, in which a process says why it is paused
MISSING = "orders_binding_missing"
OTHER = "other"
OVER = ("placed", "repeated", "rejected", "failed", "perhaps_placed")
NOT_OVER = ("retried", "suspected")  # endings of a delivery, not yet of its request
# A code that a message brings along must not make a new time series: what is not listed counts as "other".
_REASONS = frozenset[str](Reason)
_CODES = frozenset[str](Code)

# Seconds. One commit and two confirmed hops take about 10 ms, a full batch on a busy machine some 100 ms; what waits
# for a server that is away takes as long as that is away.
_PROCESSING_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
# AMQP counts the time of publishing in whole seconds: finer buckets would hold noise.
_END_TO_END_BUCKETS = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400)
_BATCH_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500)

# When a counter came to be: doubles the number of series, and no reset needs it.
disable_created_metrics()  # type: ignore[no-untyped-call]

_processed = Counter("orders_processed_total", "Deliveries brought to an ending, by its kind", ["ending"])
_processing = Histogram(
    "orders_processing_seconds",
    "From taking a request in hand to the broker's confirm of all that it caused",
    buckets=_PROCESSING_BUCKETS,
)
_end_to_end = Histogram(
    "orders_end_to_end_seconds",
    "From publishing a request, by its timestamp property, to its ending: whole seconds, two machines' clocks, and "
    "of a replay since its first publish; requests without a timestamp are not in it",
    buckets=_END_TO_END_BUCKETS,
)
_batches = Histogram("orders_batch_size", "Requests in one transaction", buckets=_BATCH_BUCKETS)
_attempts = Counter("orders_attempts_total", "Failures of a request alone, each of which counts against its attempts")
_dead = Counter("orders_dead_total", "Requests set aside in orders.dead, by reason and code", ["reason", "code"])

# How several processes make one number. `live`: of those that run; a process that ended is in no hand, on no pause.
_in_flight = Gauge(
    "orders_in_flight", "Deliveries in hand: received and not acknowledged yet", multiprocess_mode="livesum"
)
# One that pauses is worth an alarm, whatever its neighbours do.
_paused = Gauge(
    "orders_paused",
    "1 while a worker waits for Postgres or RabbitMQ (with several processes: while any does)",
    multiprocess_mode="livemax",
)
_consuming = Gauge(
    "orders_consuming",
    "1 while a worker consumes requests (with several processes: while all do)",
    multiprocess_mode="livemin",
)
# Every process sees the same table and the same queue: the latest look is the truth.
_unpublished = Gauge(
    "orders_unpublished",
    "Answers that are committed and not known to be confirmed by the broker, and messages that it did not take in time",
    multiprocess_mode="livemostrecent",
)
_unpublished_oldest = Gauge(
    "orders_unpublished_oldest_seconds", "Age of the oldest of orders_unpublished", multiprocess_mode="livemostrecent"
)
_unsent = Gauge(
    "orders_unsent",
    "Messages that the broker did not take in time, kept until it does: by type of event, or queue of dead letters",
    ["kind", "destination"],
    multiprocess_mode="livemostrecent",
)
_replies_refused = Counter(
    "orders_replies_refused_total", "Replies that were asked to go where ORDERS_REPLY_QUEUES lets none"
)
_log_lines_dropped = Counter(
    "orders_log_lines_dropped_total", "Log lines that could not be written: disk full, reader gone, or nobody reads"
)
_dead_letters = Gauge("orders_dead_letters", "Messages in the queue orders.dead", multiprocess_mode="livemostrecent")
_dead_letters_waiting = Gauge(
    "orders_dead_letters_waiting_seconds",
    "How long orders.dead has not been seen empty. A worker may not read dead letters, and knows nothing of the time "
    "before its start: a lower bound of how long an operator has been needed",
    multiprocess_mode="livemostrecent",
)
_binding_missing = Gauge(
    MISSING,
    "1 while a binding of ours is missing; looked at only where ORDERS_MANAGEMENT_URL is set",
    Binding._fields,
    multiprocess_mode="livemostrecent",
)
_build = Gauge("orders_build_info", "1, and the version that runs", ["version"], multiprocess_mode="livemax")
# Monotonic, since a clock that is set must not look like a loop that is stuck. `liveall` labels it with the pid, by
# which a supervisor tells its processes apart.
_turned = Gauge(
    "orders_loop_turned_seconds",
    "When the event loop last turned, by this machine's monotonic clock: what /livez goes by",
    multiprocess_mode="liveall",
)

_missed: set[Binding] = set()  # that were missing since the start
_destinations: set[tuple[str, str]] = set()  # for which something was kept since the start
_paused_because = ""  # in a sentence; empty: not paused
_dead_letters_since: float | None = None  # monotonic seconds; None: orders.dead was empty, or not looked at yet


def _version() -> str:
    try:
        return version("order-processor")
    except PackageNotFoundError:  # run from a checkout that is not installed: no reason not to work
        return "unknown"


VERSION = _version()

_build.labels(VERSION).set(1)
for _kind in (*OVER, *NOT_OVER):
    _processed.labels(_kind)  # at zero, or the first of a kind would not show as an increase


# ---------------------------------------------------------------- what consumer.py tells


def batch_taken(size: int) -> None:
    _batches.observe(size)


def ended(kind: str, seconds: float, published_at: datetime | None) -> None:
    """Count a delivery whose messages are all confirmed. `published_at` is its timestamp property."""
    _processed.labels(kind).inc()
    _processing.observe(seconds)
    if published_at is not None and kind in OVER:
        # A publisher whose clock is ahead published in our future.
        _end_to_end.observe(max(0.0, time.time() - published_at.timestamp()))


def attempt_counted() -> None:
    _attempts.inc()


def dead_lettered(reason: str, code: str) -> None:
    _dead.labels(reason if reason in _REASONS else OTHER, code if code in _CODES else OTHER).inc()


def in_flight(count: int) -> None:
    _in_flight.set(count)


def consuming(is_so: bool, why_not: str = "") -> None:  # noqa: FBT001  # the one thing that is said
    """Tell whether requests are consumed. Not consuming is being paused: a worker that ends is soon not seen at all."""
    global _paused_because  # noqa: PLW0603  # metrics are of the process, and so is the sentence beside them
    _paused_because = "" if is_so else why_not
    if folder := os.environ.get(FOLDER_VARIABLE):
        _tell_supervisor(Path(folder), _paused_because)
    _consuming.set(is_so)
    _paused.set(not is_so)


def _tell_supervisor(folder: Path, sentence: str) -> None:
    """Leave the sentence where the supervisor's probes find it: numbers have no room for it."""
    with contextlib.suppress(OSError):  # no room for it there: then the probes say the rest
        unfinished = folder / f"{os.getpid()}{SENTENCE_SUFFIX}.new"
        unfinished.write_text(sentence, encoding="utf-8")
        unfinished.replace(_sentence_file(folder, os.getpid()))


def _sentence_file(folder: Path, pid: int) -> Path:
    return folder / f"{pid}{SENTENCE_SUFFIX}"


def unpublished(count: int, oldest_seconds: float, kept: Sequence[Summary]) -> None:
    """Tell what is committed and not published: answers, with the age of the oldest, and what is kept."""
    _unpublished.set(count + sum(one.count for one in kept))
    _unpublished_oldest.set(max((oldest_seconds, *(one.oldest_seconds for one in kept))))
    counts = {(one.kind.value, one.destination): one.count for one in kept}
    for labels in _destinations | counts.keys():
        _unsent.labels(*labels).set(counts.get(labels, 0))
    _destinations.update(counts)


def reply_refused() -> None:
    _replies_refused.inc()


def log_line_dropped() -> None:
    _log_lines_dropped.inc()


def dead_letters(count: int) -> None:
    """Tell how many messages a look at orders.dead found."""
    global _dead_letters_since  # noqa: PLW0603  # metrics are of the process, and so is what this one is made from
    now = time.monotonic()
    if count == 0:
        _dead_letters_since = None
    elif _dead_letters_since is None:
        _dead_letters_since = now
    _dead_letters.set(count)
    _dead_letters_waiting.set(0.0 if _dead_letters_since is None else now - _dead_letters_since)


def bindings_missing(missing: Collection[Binding]) -> None:
    """Tell which bindings a look has missed."""
    _missed.update(missing)
    for binding in _missed:
        _binding_missing.labels(*binding).set(binding in missing)


def loop_turned() -> None:
    """Tell that the event loop is not stuck."""
    _turned.set(time.monotonic())


# ---------------------------------------------------------------- what the probes ask


@dataclass(frozen=True, slots=True)
class Condition:
    """How a worker is; of several processes, the worst of them."""

    turned_at: float  # monotonic seconds
    is_consuming: bool
    is_paused: bool
    missing_bindings: tuple[Binding, ...] = ()
    paused_because: str = ""  # in a sentence; empty: not known


def condition() -> Condition:
    """Tell how this process is."""
    return Condition(
        _value(_turned),
        _value(_consuming) == 1,
        _value(_paused) == 1,
        _missing_in(_binding_missing.collect()),
        _paused_because,
    )


def _missing_in(collected: Iterable[Metric]) -> tuple[Binding, ...]:
    samples = [sample for metric in collected for sample in metric.samples if sample.name == MISSING and sample.value]
    return tuple(sorted(Binding(**{name: sample.labels[name] for name in Binding._fields}) for sample in samples))


@dataclass(frozen=True, slots=True)
class Activity:
    """What a process does at the moment. `paused` says why it does nothing, in a sentence; empty: it works."""

    in_hand: int  # deliveries
    paused: str


def activity() -> Activity:
    """Tell what this process does."""
    return Activity(int(_value(_in_flight)), _paused_because)


def _value(gauge: Gauge) -> float:
    [metric] = gauge.collect()
    return metric.samples[0].value


class Team:
    """The processes of one supervisor, as far as they have told in the files of their folder."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self._collector = MultiProcessCollector(self.registry, str(folder))  # type: ignore[no-untyped-call]
        self._size = size
        self._started: dict[int, float] = {}  # monotonic seconds by pid; read by the threads of the server

    def joined(self, pid: int) -> None:
        self._started[pid] = time.monotonic()

    def left(self, pid: int) -> None:
        """Forget a process that ended; what it counted stays counted."""
        del self._started[pid]
        mark_process_dead(pid, str(self.folder))  # type: ignore[no-untyped-call]
        _sentence_file(self.folder, pid).unlink(missing_ok=True)

    def condition(self) -> Condition:
        """Tell how the processes are. One that has not told anything yet is live since its start, and not ready."""
        started = dict(self._started)
        metrics: list[Metric] = list(self._collector.collect())  # type: ignore[no-untyped-call]
        told = {
            (sample.name, sample.labels.get("pid")): sample.value for metric in metrics for sample in metric.samples
        }
        turned = {pid: told.get(("orders_loop_turned_seconds", str(pid)), 0.0) for pid in started}
        return Condition(
            turned_at=min((max(turned[pid], since) for pid, since in started.items()), default=time.monotonic()),
            is_consuming=len(started) == self._size
            and all(turned.values())
            and told.get(("orders_consuming", None)) == 1,
            is_paused=told.get(("orders_paused", None)) == 1,
            missing_bindings=_missing_in(metrics),
            paused_because=next(filter(None, map(self._sentence_of, started)), ""),
        )

    def _sentence_of(self, pid: int) -> str:
        """Read why a process is paused; empty: it is not, or has not said."""
        try:
            return _sentence_file(self.folder, pid).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
