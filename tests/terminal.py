"""A command at a terminal of some width, as a person sees it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass

SECONDS_MAX = 60
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Seen:
    status: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def at_terminal(columns: int, *arguments: str, environment: Mapping[str, str]) -> Seen:
    """Run a command of ours whose output is a terminal with so many columns."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORDERS_")}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        inherited.pop(name, None)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", *arguments],
        env={**inherited, **environment, "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = bytearray()
    try:
        while piece := _read(ours):
            written += piece
        status = process.wait(SECONDS_MAX)
    finally:
        process.kill()
        os.close(ours)
    return Seen(status, _STYLE.sub("", written.decode()).replace("\r\n", "\n"))


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # nobody writes to it any more
        return b""
