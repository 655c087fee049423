"""What messages have in common: counted by groups, and which of them died first."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from worker.broker.dead_letters import DeadLetter
from worker.operations.selection import By, group_key, options_of

Kept = TypeVar("Kept")


class Oldest(Generic[Kept]):
    """Keeps what died first of any number, and of those only so many; None: all."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._kept: list[tuple[str, Kept]] = []

    def put(self, died_at: str, what: Kept) -> None:
        self._kept.append((died_at, what))
        if self._most is not None and len(self._kept) > 2 * self._most:
            self._cut()

    def kept(self) -> list[Kept]:
        self._cut()
        return [what for _, what in self._kept]

    def _cut(self) -> None:
        self._kept.sort(key=lambda pair: pair[0])
        if self._most is not None:
            del self._kept[self._most :]


class Groups:
    """Counts messages by what they have in common."""

    def __init__(self, by: tuple[By, ...]) -> None:
        self.by = by
        self.total = 0
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._died: dict[tuple[str, ...], tuple[str, str]] = {}

    def put(self, letter: DeadLetter) -> None:
        key = tuple(group_key(letter, by) for by in self.by)
        self.total += 1
        self._counts[key] += 1
        oldest, newest = self._died.get(key, (letter.died_at, letter.died_at))
        self._died[key] = (min(oldest, letter.died_at), max(newest, letter.died_at))

    def count_of(self, reason: str) -> int:
        """Count what died of this."""
        at = self.by.index(By.REASON)
        return sum(count for key, count in self._counts.items() if key[at] == reason)

    def rows(self) -> Iterator[dict[str, Any]]:
        """List the groups, the largest first."""
        for key, count in self._counts.most_common():
            group: dict[By, str] = dict(zip(self.by, key, strict=True))
            oldest, newest = self._died[key]
            told = {"count": count, "oldest": oldest, "newest": newest, "options": options_of(group)}
            yield {**{by.value: value for by, value in group.items()}, **told}
