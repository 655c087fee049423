"""Where commands write: a reader that went away and a disk that is full are told as that, and as no fault of a server.

A fault of a file is an OSError, and so is one of a connection. Whatever a command writes to goes through here, where
the two can still be told apart.
"""

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, TextIO, cast

STANDARD_OUTPUT = "standard output"
SPOOLED_BYTES_MAX = 8 * 2**20  # in memory


class OutputFault(Exception):
    """What was to be written could not be. The text says where, and why."""

    def __init__(self, name: str, error: OSError) -> None:
        super().__init__(f"{name}: {error.strerror}")
        self.is_reader_gone = error.errno == errno.EPIPE


class Guarded:
    """A stream whose faults are OutputFaults. All else is the stream's own."""

    def __init__(self, stream: IO[Any], name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, written: Any) -> int:
        with told(self._name):
            return self._stream.write(written)

    def flush(self) -> None:
        with told(self._name):
            self._stream.flush()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._stream)

    @property
    def buffer(self) -> "Guarded":
        return Guarded(cast("TextIO", self._stream).buffer, self._name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Unheard:
    """A stream whose faults are nobody's to be told: standard error, by which they would be told."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, written: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(written)
        return len(written)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def told(name: str) -> Iterator[None]:
    """Tell what goes wrong with a file as that."""
    try:
        yield
    except OSError as error:
        raise OutputFault(name, error) from None


@contextmanager
def spooled() -> Iterator[BinaryIO]:
    """Lay by what is printed later: in memory, or on the disk where it is much."""
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES_MAX) as spool:
        yield cast("BinaryIO", Guarded(cast("IO[bytes]", spool), tempfile.gettempdir()))


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guard what is printed, and what of it is still to be written in the end."""
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", Guarded(out, STANDARD_OUTPUT)), cast("TextIO", Unheard(err))
    try:
        try:
            yield
        except SystemExit:
            sys.stdout.flush()  # every command ends so
            raise
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = out, err


def forget_output() -> None:
    """Let nothing more be written: Python would try once more when it ends, and say that it could not."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):
        os.dup2(nowhere, sys.stdout.fileno())
