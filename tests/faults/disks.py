"""A disk of a test's own, small enough to be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FILLING = "filling"
BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Disk:
    """A file system in memory, with nothing else on it than what is put into `folder`."""

    folder: Path

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.folder / FILLING).open("wb", buffering=0) as file:
            for size in (BLOCK_BYTES, 4096, 1):
                try:
                    while file.write(b"\0" * size) == size:
                        pass
                except OSError:  # no room for another one of this size
                    continue

    def make_room(self) -> None:
        (self.folder / FILLING).unlink()


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[Disk]:
    """Mount a disk of its own on a folder. Who may not is told so; in CI, where everybody may, that is a failure."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sentence = f"a disk cannot be mounted here ({done.stderr.strip()}); fix: be root, outside of a container"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(sentence)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
