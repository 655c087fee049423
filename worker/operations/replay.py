"""What a run would take, and the runs: send messages back on their way, or take them out for good."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from repository.audit import Line
from worker.broker.dead_letters import DeadLetter, DeadLetters, Held, is_routed
from worker.operations.actor import Role
from worker.operations.audit import Run, line_of
from worker.operations.faults import OperationFault
from worker.operations.groups import Groups, Oldest
from worker.operations.pace import Pace
from worker.operations.selection import By, Filter, Seen, Where, iso_time

AT_ONCE = 100  # messages in hand between two lines in the audit, before their confirms


class Fate(Enum):
    """What a run did about a message."""

    DONE = auto()
    DOUBLE = auto()  # taken out: it lay there twice, and the other one was done
    SKIPPED = auto()  # it lies there as before


@dataclass(frozen=True, slots=True)
class Step:
    """One message of a run. `why` says why it was skipped, `new_message_id` under which id it went after an edit."""

    letter: DeadLetter
    fate: Fate
    why: str = ""
    new_message_id: str | None = None


@dataclass(slots=True)
class Survey:
    """What a first look into the queue found. Of a limit the oldest count."""

    chosen: Filter
    total: int
    groups: Groups
    only: frozenset[bytes] | None  # digests of those that are meant; None: all that are chosen
    message_ids: set[str]  # those that were asked for and are there
    began: str  # as headers write times: what dies from then on is not of it

    @property
    def count(self) -> int:
        return self.groups.total

    @property
    def due(self) -> int:
        return self.count if self.only is None else len(self.only)

    @property
    def takes_everything(self) -> bool:
        return self.count == self.total > 1

    def is_due(self, letter: DeadLetter) -> bool:
        return self.chosen(letter) and (self.only is None or letter.digest in self.only)


async def survey(
    letters: DeadLetters,
    chosen: Filter,
    limit: int | None = None,
    tell: Callable[[DeadLetter], object] | None = None,
    *,
    remember: bool = False,
) -> Survey:
    """Look what a filter picks, and tell each of it. To `remember` is to mean these and none that comes later.

    Raises:
        OperationFault: a word of it is misspelt: nobody has it, and somebody has one like it.
    """
    began = iso_time(datetime.now(UTC))
    found, total, seen = Groups((By.REASON, By.CODE)), 0, Seen(chosen)
    only, message_ids = Oldest[bytes](limit), set[str]()
    async with aclosing(letters.browse()) as browsed:
        async for letter in browsed:
            total += 1
            seen.put(letter)
            if not chosen(letter):
                continue
            found.put(letter)
            if limit or remember:
                only.put(letter.died_at, letter.digest)
            if chosen.message_ids:
                message_ids.add(letter.message_id)
            if tell:
                tell(letter)
    if not found.total and (sentence := seen.misspelt()):
        raise OperationFault(sentence)
    return Survey(chosen, total, found, frozenset(only.kept()) if limit or remember else None, message_ids, began)


def run_line(act: str, where: Where, why: str, planned: int, chosen: str = "") -> Line:
    """Say what a run is about to do: to how many, and by which options they were chosen."""
    return Line(act, where.queue, why, details={"chosen": chosen, "planned": planned})


async def replayed(
    letters: DeadLetters, plan: Survey, run: Run, *, routing_key: str | None = None, rate: float | None = None
) -> AsyncGenerator[Step]:
    """Publish the messages back to `orders`, and only then take each from the queue.

    Each goes under the routing key that it came with, or under the one given, at most `rate` a second. What dies again
    during the run waits for the next one: it stands behind all that the queue had. A duplicate after a crash changes
    nothing.
    """
    run.actor.check(Role.OPERATOR)
    pace = Pace(rate)
    async with aclosing(letters.batches(plan.is_due, pace.at_once(AT_ONCE))) as batches:
        async for batch in batches:
            await pace.wait(len(batch))
            begun = await run.begin([line_of(held.letter, "replay", run.why) for held in batch])
            whys = await _sent_again(letters, batch, routing_key)
            steps = [_step(held, why_not) for held, why_not in zip(batch, whys, strict=True)]
            await finish(letters, batch, steps, run)
            await run.end([(id_, outcome_of(step)) for id_, step in zip(begun, steps, strict=True)])
            for step in steps:
                yield step


async def _sent_again(letters: DeadLetters, batch: Sequence[Held], routing_key: str | None) -> list[str | None]:
    """Send a batch; for each message None, or why it was not sent. A double is not."""
    whys: list[str | None] = [None] * len(batch)
    sending = []
    for n, held in enumerate(batch):
        key = routing_key or held.letter.routing_key
        if held.is_double:
            continue
        if held.letter.is_unrouted and not is_routed(key):
            # Which action was meant, its publisher has yet to be asked. What died was one's, whatever it came under.
            whys[n] = f"no queue takes its routing key, {key}"
            continue
        sending.append((n, letters.republisher.replay(held.letter.delivery, held.letter.trail, key)))
    for (n, _), why in zip(sending, await letters.send([again for _, again in sending]), strict=True):
        whys[n] = why
    return whys


async def discarded(letters: DeadLetters, plan: Survey, run: Run) -> AsyncGenerator[Step]:
    """Take messages out of the queue for good."""
    run.actor.check(Role.OPERATOR)
    async with aclosing(letters.batches(plan.is_due, AT_ONCE)) as batches:
        async for batch in batches:
            begun = await run.begin([line_of(held.letter, "discard", run.why) for held in batch])
            steps = [_step(held, None) for held in batch]
            await finish(letters, batch, steps, run)
            await run.end([(id_, outcome_of(step)) for id_, step in zip(begun, steps, strict=True)])
            for step in steps:
                yield step


async def finish(letters: DeadLetters, batch: Sequence[Held], steps: Sequence[Step], run: Run) -> None:
    """Take out of the queue what was done, and count."""
    for held, step in zip(batch, steps, strict=True):
        if step.fate is not Fate.SKIPPED:
            await letters.take_out(held)
    run.done += sum(step.fate is Fate.DONE for step in steps)
    run.doubles += sum(step.fate is Fate.DOUBLE for step in steps)
    run.skipped += sum(step.fate is Fate.SKIPPED for step in steps)


def _step(held: Held, why_not: str | None) -> Step:
    if why_not is not None:
        return Step(held.letter, Fate.SKIPPED, why_not)
    return Step(held.letter, Fate.DOUBLE if held.is_double else Fate.DONE)


def outcome_of(step: Step) -> dict[str, str]:
    return {"fate": step.fate.name.lower(), **({"why": step.why} if step.why else {})}
