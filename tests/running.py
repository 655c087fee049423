"""How a run of tests goes: in several processes, each with servers of its own, and some tests alone (make test)."""

import fcntl
import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.local import host
from deploy.local.servers import VARIABLES

ALONE = "alone"
FOLDER = "folder"  # of the lock that the tests of a run share, but those that are alone
PROCESSES = 3  # most of a test is waiting, so three keep two cores busy; each takes the memory of two servers


class Running:
    """Lets a test that is marked `alone` run after all others, and while no other process of the run is at one."""

    def __init__(self, config: pytest.Config) -> None:
        self._closing = ExitStack()
        # The process that hands the tests out makes it; those that run them are told where it is.
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self._folder = given.get(FOLDER) or self._closing.enter_context(TemporaryDirectory(prefix="orders-tests-"))
        self._lock = self._closing.enter_context(Path(self._folder, "lock").open("w"))  # noqa: SIM115  # as all the others
        if given:
            host.PORTS = share_of(host.PORTS, given["workerid"], given["workercount"])

    def pytest_unconfigure(self) -> None:
        self._closing.close()

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[FOLDER] = self._folder

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=_is_alone)

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # around pytest-timeout's, which shall not count the wait
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        fcntl.flock(self._lock, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


class FailuresAtOnce:
    """Names each test that fails when it does: the others may take minutes."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._terminal.ensure_newline()
            self._terminal.write_line(f"{report.nodeid}: {report.when} failed after {report.duration:.1f} s", red=True)


def processes() -> int:
    """Tell how many processes `-n auto` is. At a broker that is given, tests would empty each other's queues."""
    return 1 if os.environ.get(VARIABLES["RabbitMQ"]) else PROCESSES


def share_of(ports: range, worker: str, count: int) -> range:
    """Return the ports of one process of a run: two whose servers start at once shall not choose the same ones."""
    size = len(ports) // count
    first = int(worker.removeprefix("gw")) % count * size  # one that takes the place of another has a higher number
    return ports[first : first + size]


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker(ALONE) is not None
