"""Processes that outlive us: found again by their pid file, ended to the last child."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local.host import User, unprivileged

POLL_SECONDS = 0.05
STOP_SECONDS_MAX = 30.0  # a broker with full queues writes for some seconds before it goes
KILL_SECONDS_MAX = 5.0  # the kernel takes milliseconds

_children: dict[int, subprocess.Popen[bytes]] = {}  # kept to be reaped, else they would stay as zombies


@dataclass(frozen=True, slots=True)
class Process:
    """A pid alone may come to mean another process; a pid and its birth may not."""

    pid: int
    born: int  # clock ticks after the machine's start


def spawn(
    command: Sequence[str | Path],
    environment: Mapping[str, str],
    pid_file: Path,
    log: Path,
    *,
    user: User | None = None,  # the unprivileged one, if none is named
) -> None:
    """Start a server in a session of its own, so that our Ctrl-C is not its Ctrl-C."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=log.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
            **(unprivileged() if user is None else user),
        )
    remember(child, pid_file)


def remember(child: "subprocess.Popen[bytes]", pid_file: Path) -> None:
    """Write down a process that we started, so that a later run finds it."""
    _children[child.pid] = child
    _state, _parent, born = _look(child.pid) or ("Z", 0, 0)
    pid_file.write_text(f"{child.pid} {born}\n", encoding="ascii")


def recall(pid_file: Path) -> Process | None:
    """Return the process of a pid file, or None if it is gone."""
    try:
        pid, born = pid_file.read_text(encoding="ascii").split()
    except (FileNotFoundError, ValueError):  # none, or one cut short as we were killed
        return None
    process = Process(int(pid), int(born))
    return process if is_alive(process) else None


def is_alive(process: Process) -> bool:
    state, _parent, born = _look(process.pid) or ("Z", 0, 0)
    if born != process.born:
        return False
    if child := _children.get(process.pid):
        # Its first thread may look like a zombie while others are still on their way out.
        return child.poll() is None
    return state != "Z"


def end(process: Process, polite: signal.Signals) -> None:
    """Ask a process to go; what is left of it and its children at the end of our patience is killed."""
    family = _family([process])
    _send(polite, [process])
    if not wait_until(lambda: not any(map(is_alive, family)), STOP_SECONDS_MAX):
        kill(family)


def kill(processes: Iterable[Process]) -> None:
    """Kill processes and all they begot, as a power cut would: no goodbye."""
    family = _family(processes)
    _send(signal.SIGKILL, family)
    wait_until(lambda: not any(map(is_alive, family)), KILL_SECONDS_MAX)


def wait_until(is_true: Callable[[], bool], seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while not is_true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _send(number: signal.Signals, processes: Iterable[Process]) -> None:
    for process in processes:
        if is_alive(process):
            with suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _family(processes: Iterable[Process]) -> list[Process]:
    """Return the processes and all their descendants."""
    children: dict[int, list[Process]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if seen := _look(int(entry.name)):
            _state, parent, born = seen
            children.setdefault(parent, []).append(Process(int(entry.name), born))
    family = list(processes)
    for member in family:  # grows as it goes
        family += children.get(member.pid, [])
    return family


def _look(pid: int) -> tuple[str, int, int] | None:
    """Return a process's state letter, parent and birth; None if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the name in brackets, which may hold blanks and brackets itself. See proc(5).
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[1]), int(fields[19])
