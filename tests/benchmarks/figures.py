"""Figures: what was measured, round by round, what was aimed at; as a table, as JSON, and held against earlier ones."""

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

# Beyond the spread of both runs: what five rounds have seen is not all that a machine can do.
TOLERANCE = 0.05

COLUMNS = 150  # of the table in a file

TIMES = "×"  # noqa: RUF001  # a ratio


@dataclass(frozen=True, slots=True)
class Aim:
    bound: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `rounds` are ratios within a round, or what `unit` says; empty: not measured, see note."""

    name: str
    rounds: tuple[float, ...]
    aim: Aim | None = None
    unit: str = TIMES
    note: str = ""  # what was set against what, in this machine's absolute numbers
    more_is_better: bool = True
    is_compared: bool = True  # whether a worse one than before counts as a regression

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def is_met(self) -> bool | None:
        """None: nothing was aimed at, or nothing measured."""
        return self.aim.is_met(self.median) if self.aim and self.rounds else None

    def json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "aim": str(self.aim) if self.aim else None,
            "unit": self.unit,
            "rounds": [round(value, 4) for value in self.rounds],
            "median": round(self.median, 4) if self.rounds else None,
            "met": self.is_met,
            "more_is_better": self.more_is_better,
            "is_compared": self.is_compared,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            name=told["name"],
            rounds=tuple(told["rounds"]),
            unit=told["unit"],
            note=told["note"],
            more_is_better=told["more_is_better"],
            is_compared=told["is_compared"],
        )


@dataclass(slots=True)
class Report:
    """All figures of a run, and the series that the plots show."""

    is_quick: bool
    figures: list[Figure] = field(default_factory=list)
    courses: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # program → seconds, orders a second
    latencies: dict[str, list[float]] = field(default_factory=dict)  # what → milliseconds

    def write(self, file: Path, *, seconds: float) -> None:
        told = {
            "is_quick": self.is_quick,
            "seconds": round(seconds),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "figures": [figure.json() for figure in self.figures],
        }
        file.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(file: Path) -> list[Figure]:
    return [Figure.from_json(told) for told in json.loads(file.read_text(encoding="utf-8"))["figures"]]


def show(figures: Sequence[Figure]) -> None:
    table = Table("figure", "aim", "median", "rounds", "met", "on this machine", title="How fast")
    for figure in figures:
        measured = bool(figure.rounds)
        table.add_row(
            figure.name,
            _with_unit(str(figure.aim), figure.unit) if figure.aim else "",
            _with_unit(_short(figure.median), figure.unit) if measured else "",
            f"{_short(min(figure.rounds))} to {_short(max(figure.rounds))} ({len(figure.rounds)})" if measured else "",
            {True: "yes", False: "[bold]no[/bold]", None: ""}[figure.is_met],
            figure.note,
        )
    console = Console()
    if not console.is_terminal:
        console = Console(width=COLUMNS)
    console.print(table)


def regressions(before: Sequence[Figure], now: Sequence[Figure]) -> list[str]:
    """Name what became worse by more than the spread: the best round of now is worse than the worst of before."""
    known = {figure.name: figure for figure in before if figure.rounds}
    return [
        f"{figure.name}: {_short(figure.median)} {figure.unit}, was {_short(known[figure.name].median)}"
        for figure in now
        if figure.is_compared and figure.rounds and figure.name in known and _is_worse(known[figure.name], figure)
    ]


def _is_worse(before: Figure, now: Figure) -> bool:
    if now.more_is_better:
        return max(now.rounds) < min(before.rounds) * (1 - TOLERANCE)
    return min(now.rounds) > max(before.rounds) * (1 + TOLERANCE)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"
