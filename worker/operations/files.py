"""Messages as lines of JSON, to the byte: what `orders dead export` writes and `orders dead import` reads."""

import base64
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.broker.messages import Delivery, Properties
from worker.operations.actor import Role
from worker.operations.audit import Run
from worker.operations.audit import line_of as audit_line
from worker.operations.looks import Looked, look
from worker.operations.replay import AT_ONCE, Fate, Step, outcome_of
from worker.operations.selection import Filter, Where

FORMAT = 1
_FIELDS = Properties.__dataclass_fields__.keys() - {"headers", "timestamp"}


class NotALine(Exception):
    """A line that was not written by an export; the text says what is wrong with it."""


def line_of(delivery: Delivery) -> dict[str, Any]:
    """Write a message. AMQP types that JSON has not are tagged: {"$time": …}."""
    told = asdict(delivery.properties)
    return {
        "format": FORMAT,
        "routing_key": delivery.routing_key,
        "body": base64.b64encode(delivery.body).decode(),
        "headers": _written(told.pop("headers")),
        "timestamp": told.pop("timestamp"),
        **told,
    }


def message_in(line: str | bytes) -> Delivery:
    """Read a message.

    Raises:
        NotALine: it is none.
    """
    try:
        told = json.loads(line)
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise NotALine(f"not a message of format {FORMAT}")
        timestamp = told["timestamp"]
        fields = {name: told[name] for name in _FIELDS}
        properties = Properties(
            headers=_read(told["headers"]),
            timestamp=datetime.fromisoformat(timestamp) if timestamp else None,
            **fields,
        )
        body = base64.b64decode(told["body"], validate=True)
        # Files of the version before do not say under which key it came.
        return Delivery(body, properties, told.get("routing_key", ""), redelivered=False, tag=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotALine(f"not as it was written ({type(error).__name__}: {error})") from None


def _written(value: Any) -> Any:
    match value:
        case Mapping():
            table = {name: _written(member) for name, member in value.items()}
            return {"$table": table} if any(name.startswith("$") for name in table) else table
        case list() | tuple():
            return [_written(member) for member in value]
        case datetime():
            return {"$time": value.isoformat()}
        case Decimal():
            return {"$decimal": str(value)}
        case bytes() | bytearray():
            # pamqp reads text that is not UTF-8 as bytes.
            return {"$bytes" if isinstance(value, bytearray) else "$text": base64.b64encode(value).decode()}
    return value


_TAGS: Mapping[str, Callable[[Any], Any]] = {
    "$time": datetime.fromisoformat,
    "$decimal": Decimal,
    "$bytes": lambda packed: bytearray(base64.b64decode(packed, validate=True)),
    "$text": lambda packed: base64.b64decode(packed, validate=True),
    "$table": lambda table: {name: _read(member) for name, member in table.items()},
}


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(member) for member in value]
    if not isinstance(value, dict):
        return value
    tags = value.keys() & _TAGS.keys()
    if len(value) == 1 and tags:
        [tag] = tags
        return _TAGS[tag](value[tag])
    return {name: _read(member) for name, member in value.items()}


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
