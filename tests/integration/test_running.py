"""How a run of tests goes (tests/running.py), seen from outside: a small run of its own."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from deploy.local.host import PORTS
from tests.running import PROCESSES, share_of

PROJECT = Path(__file__).parents[2]

CONFTEST = """
import os
import time
from contextlib import contextmanager
from pathlib import Path

from tests.running import Running

HERE = Path(__file__).parent


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: nothing else runs")
    config.pluginmanager.register(Running(config))


def running():
    return {path.name for path in HERE.glob("*.running")}


@contextmanager
def at_it(name):
    mark = HERE / f"{name}.running"
    mark.touch()
    try:
        yield
    finally:
        mark.rename(HERE / f"{name}.done")


def becomes(is_so, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if is_so():
            return True
        time.sleep(0.01)
    return False
"""
# Two of each, so that each process has one.
ALONE = """
import pytest
from conftest import HERE, at_it, becomes, running

pytestmark = pytest.mark.alone


def test_nothing_else_runs():
    assert {path.stem for path in HERE.glob("*.done")} >= {"one", "two"}
    with at_it(__name__):
        assert not becomes(lambda: len(running()) > 1, seconds=0.3)
"""
TOGETHER = """
from conftest import HERE, at_it, becomes


def test_another_runs_meanwhile():
    with at_it("{mine}"):
        assert becomes(lambda: list(HERE.glob("{others}.*")), seconds=20)
"""


def test_files_run_beside_each_other_and_those_that_are_alone_come_last_and_alone(tmp_path: Path) -> None:
    files = {
        "conftest": CONFTEST,
        "test_a_alone": ALONE,
        "test_b_alone": ALONE,
        "test_one": TOGETHER.format(mine="one", others="two"),
        "test_two": TOGETHER.format(mine="two", others="one"),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile",
         "--no-loadscope-reorder", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
             "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 passed" in ended.stdout


def test_processes_of_a_run_have_ports_of_their_own() -> None:
    shares = [share_of(PORTS, f"gw{number}", PROCESSES) for number in range(PROCESSES)]

    assert all(one.stop <= other.start for one, other in pairwise(shares))
    assert {len(share) for share in shares} == {len(PORTS) // PROCESSES}
    # A process that ended is replaced by one that counts on.
    assert share_of(PORTS, f"gw{PROCESSES}", PROCESSES) == shares[0]
