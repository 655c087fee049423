"""Messages as lines of JSON, to the byte: what `orders dead export` writes and `orders dead import` reads."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

import orjson

from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.broker.messages import Delivery, Properties
from worker.operations.selection import Filter

FORMAT = 1
_FIELDS = Properties.__dataclass_fields__.keys() - {"headers", "timestamp"}


class NotALine(Exception):
    """A line that was not written by an export; the text says what is wrong with it."""


def line_of(body: bytes, properties: Properties) -> dict[str, Any]:
    """Write a message. AMQP types that JSON has not are tagged: {"$time": …}."""
    told = asdict(properties)
    return {
        "format": FORMAT,
        "body": base64.b64encode(body).decode(),
        "headers": _written(told.pop("headers")),
        "timestamp": told.pop("timestamp"),
        **told,
    }


def message_in(line: str | bytes) -> tuple[bytes, Properties]:
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
        return base64.b64decode(told["body"], validate=True), Properties(
            headers=_read(told["headers"]),
            timestamp=datetime.fromisoformat(timestamp) if timestamp else None,
            **fields,
        )
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
            return {"$bytes": base64.b64encode(value).decode()}
    return value


_TAGS: Mapping[str, Callable[[Any], Any]] = {
    "$time": datetime.fromisoformat,
    "$decimal": Decimal,
    "$bytes": lambda packed: base64.b64decode(packed, validate=True),
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


async def exported(letters: DeadLetters, chosen: Filter, lines: BinaryIO) -> tuple[set[str], int]:
    """Write the chosen ones, a line each; return their ids, and how many there were."""
    written, count = set[str](), 0
    async for letter in letters.browse():
        if chosen(letter):
            line = line_of(letter.delivery.body, letter.delivery.properties)
            lines.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            written.add(letter.message_id)
            count += 1
    return written, count


async def imported(letters: DeadLetters, messages: Iterable[tuple[bytes, Properties]], queue: str) -> int:
    """Put messages into the queue that do not lie there already; return how many."""
    there = {letter.digest async for letter in letters.browse()}
    count = 0
    for body, properties in messages:
        letter = DeadLetter(Delivery(body, properties, "", redelivered=False, tag=0), queue)
        if letter.digest not in there:
            await letters.put(body, properties)
            there.add(letter.digest)
            count += 1
    return count
