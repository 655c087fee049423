"""The machine: who runs the servers, where that user can go, which ports are free."""

import hashlib
import os
import pwd
import random
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict


def digest(path: Path) -> str:
    return hashlib.sha256(bytes(path.resolve())).hexdigest()[:12]


PROJECT = Path(__file__).resolve().parents[2]
STAND_INS = Path("/var/tmp") / f"orders-{digest(PROJECT)}"  # noqa: S108 - stand_in() makes sure that it is ours
COMMAND_SECONDS_MAX = 120.0  # initdb, the slowest, takes about 2
LINES_SHOWN = 20  # of a log or of a command's output, when something went wrong
LINE_CHARS_MAX = 300  # Erlang puts a page into one line

# Below the range the kernel takes for outgoing connections (32768 and up): there, a client that tries again and again
# to reach a stopped server may be given the server's own port, connect to itself, and keep the server out.
PORTS = range(20_000, 30_000)
TRIES_MAX = 1_000


class LocalServerError(Exception):
    """A person must do something; the sentence says what."""


class User(TypedDict, total=False):
    user: str
    group: int
    extra_groups: tuple[int, ...]


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def unprivileged() -> User:
    """Return whom to run as: Postgres refuses root, and so do we for the broker. Anyone else runs as themselves."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": ()}


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    *,
    entered: str = "",
    user: User | None = None,  # the unprivileged one, if none is named
    seconds_max: float = COMMAND_SECONDS_MAX,
) -> str:
    """Run a command that is expected to end and return what it printed."""
    spoken = shlex.join(map(str, command))
    try:
        done = subprocess.run(
            command,
            cwd="/",  # ours may be closed to that user
            env=environment,
            input=entered,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds_max,
            check=False,
            **(unprivileged() if user is None else user),
        )
    except subprocess.TimeoutExpired:
        raise LocalServerError(f"`{spoken}` did not end in {seconds_max:.0f} s; mend: see what it waits for") from None
    if done.returncode != 0:
        raise LocalServerError(f"`{spoken}` failed; mend: what it says\n{last_lines(done.stdout)}")
    return done.stdout


def last_lines(text: str) -> str:
    return "\n".join(f"  | {line[:LINE_CHARS_MAX]}" for line in text.splitlines()[-LINES_SHOWN:])


def reachable(path: Path) -> bool:
    """Tell whether the unprivileged user can walk to `path`, as far as it exists, and into it."""
    places = [place for place in (path.resolve(), *path.resolve().parents) if place.exists()]
    return os.geteuid() != 0 or all(place.stat().st_mode & 0o001 for place in places)


def servable(folder: Path) -> Path:
    """Return `folder`, or a stand-in for it if the unprivileged user cannot get there.

    A clone in /root (mode 700) is the ordinary case. Nobody's folders are opened up for the sake of a server.
    """
    return folder if reachable(folder) else stand_in(f"{folder.name}-{digest(folder)}")


def stand_in(name: str) -> Path:
    make_own_folder(STAND_INS)  # anyone may write to /var/tmp: what is there under our name need not be ours
    return STAND_INS / name


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, that others can walk through and only we can write to."""
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(missing):
        place.mkdir(exist_ok=True)
        place.chmod(0o755)  # whatever the umask says


def make_own_folder(folder: Path) -> None:
    make_folder(folder)
    if folder.lstat().st_uid != os.geteuid():
        raise LocalServerError(f"{folder} was made by another user; mend: be that user, or remove it")


def make_private_folder(folder: Path) -> None:
    """Make a folder for the server alone."""
    folder.mkdir(mode=0o700)
    if user := unprivileged():
        shutil.chown(folder, user["user"], user["group"])


def write_readable(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)  # whatever the umask says


def free_port(count: int) -> int:
    """Pick a port such that it and those after it, `count` in all, are free on the loopback."""
    for port in random.sample(PORTS, k=min(TRIES_MAX, len(PORTS))):
        if is_free(port, count):
            return port
    raise LocalServerError(f"no free ports from {PORTS.start} to {PORTS.stop}; mend: stop what occupies them")


def is_free(port: int, count: int) -> bool:
    try:
        for candidate in range(port, port + count):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free to a server
                probe.bind(("127.0.0.1", candidate))
    except OSError:
        return False
    return True
