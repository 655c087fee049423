"""Unit tests mirror modules: whoever changes one finds its tests, and whoever writes one knows where they go."""

from pathlib import Path

import pytest

UNIT = Path(__file__).parent
PROJECT = UNIT.parents[1]
FILES = sorted(file.relative_to(UNIT) for file in UNIT.glob("*/**/test_*.py"))


def modules_of(room: Path) -> set[str]:
    """Name the modules of a room, which lies in the project itself, in the worker, or is of the tests."""
    folders = (PROJECT / room, PROJECT / "worker" / room, PROJECT / "tests" / room)
    return {module.stem.strip("_") for folder in folders for module in folder.glob("*.py")}


@pytest.mark.parametrize("file", FILES, ids=map(str, FILES))
def test_a_file_is_named_for_the_module_it_is_of_and_perhaps_for_what_of_it(file: Path) -> None:
    about = file.stem.removeprefix("test_")

    assert any(about == name or about.startswith(f"{name}_") for name in modules_of(file.parent))


def test_no_file_lies_outside_the_rooms() -> None:
    assert [file.name for file in UNIT.glob("test_*.py")] == [Path(__file__).name]
