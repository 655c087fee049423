"""What `orders dead export` writes and `orders dead import` reads: a line a message."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import BinaryIO

import orjson

from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.broker.message_lines import NotALine, line_of, message_in
from worker.broker.messages import Delivery
from worker.operations.actor import Role
from worker.operations.audit import Run
from worker.operations.audit import line_of as audit_line
from worker.operations.looks import Looked, look
from worker.operations.replay import AT_ONCE, Fate, Step, outcome_of
from worker.operations.selection import Filter, Where


async def exported(amqp_url: str, where: Where, chosen: Filter, lines: BinaryIO) -> tuple[set[str], Looked]:
    """Write the chosen messages, a line each; return their ids."""
    written = set[str]()

    def write(letter: DeadLetter) -> None:
        line = line_of(letter.delivery)
        lines.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        written.add(letter.message_id)

    return written, await look(amqp_url, where, chosen, write)


def messages_in(lines: Iterable[bytes]) -> Iterator[Delivery]:
    """Read the messages of a file.

    Raises:
        NotALine: one of its lines is none; the text says which.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield message_in(line)
            except NotALine as error:
                raise NotALine(f"line {number}: {error}") from None


async def imported(letters: DeadLetters, messages: Iterable[Delivery], where: Where, run: Run) -> AsyncGenerator[Step]:
    """Put messages into the queue that do not lie there already; those that do are doubles."""
    run.actor.check(Role.ADMIN)
    there = {letter.digest async for letter in letters.browse()}
    new: list[DeadLetter] = []
    for message in messages:
        letter = DeadLetter(message, where.queue)
        if letter.digest in there:
            run.doubles += 1
            yield Step(letter, Fate.DOUBLE)
            continue
        there.add(letter.digest)
        new.append(letter)
        if len(new) == AT_ONCE:
            for step in await _put(letters, new, run):
                yield step
            new = []
    for step in await _put(letters, new, run):
        yield step


async def _put(letters: DeadLetters, new: Sequence[DeadLetter], run: Run) -> list[Step]:
    begun = await run.begin([audit_line(letter, "import", run.why) for letter in new])
    whys = await letters.put([letter.delivery for letter in new])
    steps = [
        Step(letter, Fate.DONE if why is None else Fate.SKIPPED, why or "")
        for letter, why in zip(new, whys, strict=True)
    ]
    run.done += sum(step.fate is Fate.DONE for step in steps)
    run.skipped += sum(step.fate is Fate.SKIPPED for step in steps)
    await run.end([(id_, outcome_of(step)) for id_, step in zip(begun, steps, strict=True)])
    return steps
