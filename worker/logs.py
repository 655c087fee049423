"""How the process logs: one structured line an event, to standard error, without locals or bodies.

A line never raises, and nobody waits for it: a thread writes. What it cannot write in time, or at all, is dropped and
counted; a log that is in trouble is no reason to stop orders.
"""

import atexit
import logging
import os
import select
import sys
import threading
from queue import SimpleQueue
from typing import Literal, TextIO, cast

import structlog

from worker import metrics
from worker.redaction import escape_controls

LINES_MAX = 10_000  # that wait to be written: some megabytes
FIRST_LINE_SECONDS_MAX = 5.0
DRAIN_SECONDS_MAX = 2.0  # at the end, for what still waits
READY_SECONDS = 1.0  # between two looks at a file that somebody made non-blocking, and that takes nothing

log = structlog.get_logger()


class LogFault(Exception):
    """Not even the first line can be written. The text says why."""


class Lines:
    """A stream that takes lines from any thread, and writes them from one of its own."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._dropped = 0  # since that was told last
        self._counting = threading.Lock()
        self.fault: OSError | None = None  # of the last line
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def write(self, line: str) -> int:
        if self._waiting.qsize() < LINES_MAX:
            self._waiting.put(line.encode(errors="backslashreplace"))
        else:
            self._drop()
        return len(line)

    def flush(self) -> None:
        """Do nothing: nobody waits for a line."""

    def drain(self, seconds: float) -> bool:
        """Wait until all that was logged so far is written, or dropped; tells whether it is."""
        is_done = threading.Event()
        self._waiting.put(is_done)
        return is_done.wait(seconds)

    def check(self) -> None:
        """See that what was logged so far is written.

        Raises:
            LogFault: it is not.
        """
        if not self.drain(FIRST_LINE_SECONDS_MAX):
            raise LogFault("nobody reads standard error")
        if self.fault is not None:
            raise LogFault(f"standard error: {self.fault.strerror}")

    def _drop(self) -> None:
        with self._counting:
            self._dropped += 1
        metrics.log_line_dropped()

    def _run(self) -> None:
        while True:
            match self._waiting.get():
                case bytes() as line:
                    self._write(line)
                case is_done:
                    is_done.set()

    def _write(self, line: bytes) -> None:
        try:
            # A line in one write: the processes of `--processes N` share the pipe.
            while line := line[self._written(line) :]:
                pass
        except OSError as error:
            self.fault = error
            self._drop()
            return
        self.fault = None
        if self._dropped and self._waiting.qsize() < LINES_MAX // 2:
            with self._counting:
                dropped, self._dropped = self._dropped, 0
            log.warning("log.lines_dropped", count=dropped)

    def _written(self, line: bytes) -> int:
        while True:
            try:
                return os.write(self._file, line)
            except BlockingIOError:
                select.select([], [self._file], [], READY_SECONDS)


def _without_controls(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Write out what others wrote and a terminal would obey. As JSON it is written out anyway."""
    return {name: escape_controls(value) if isinstance(value, str) else value for name, value in event.items()}


def configure(log_format: Literal["json", "console"]) -> Lines:
    """Send our own lines and those of libraries through one renderer.

    Raises:
        LogFault: there is no standard error.
    """
    try:
        lines = Lines(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):
        raise LogFault("standard error is closed") from None
    atexit.register(lines.drain, DRAIN_SECONDS_MAX)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [
            # Locals of a frame may hold a client's password.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
        if log_format == "json"
        else [
            _without_controls,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    # At DEBUG aiormq logs whole frames, bodies and passwords included; of a lost connection we tell ourselves.
    for name in ("aiormq", "aio_pika"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return lines
