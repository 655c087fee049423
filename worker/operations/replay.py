"""What a replay would send, before it sends."""

from dataclasses import dataclass

from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.operations.groups import Groups, Oldest
from worker.operations.selection import By, Filter


@dataclass(slots=True)
class Survey:
    """What a first look into the queue found."""

    chosen: Filter
    total: int
    groups: Groups
    oldest: frozenset[bytes] | None  # digests; None: without a limit all that are chosen
    message_ids: set[str]  # those that were asked for and are there

    @property
    def count(self) -> int:
        return self.groups.total

    @property
    def due(self) -> int:
        return self.count if self.oldest is None else len(self.oldest)

    def is_due(self, letter: DeadLetter) -> bool:
        return self.chosen(letter) and (self.oldest is None or letter.digest in self.oldest)


async def survey(letters: DeadLetters, chosen: Filter, limit: int | None) -> Survey:
    found, total = Groups((By.REASON, By.CODE)), 0
    oldest, message_ids = Oldest[bytes](limit or 0), set[str]()
    async for letter in letters.browse():
        total += 1
        if chosen(letter):
            found.put(letter)
            oldest.put(letter.died_at, letter.digest)
            if chosen.message_ids:
                message_ids.add(letter.message_id)
    return Survey(chosen, total, found, frozenset(oldest.kept()) if limit else None, message_ids)
