"""Messages as lines of JSON, to the byte: in the files of `orders dead export`, and where the archive keeps one."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from worker.broker.messages import Delivery, Properties

FORMAT = 1
_FIELDS = Properties.__dataclass_fields__.keys() - {"headers", "timestamp"}


class NotALine(Exception):
    """A line that was not written by `line_of`; the text says what is wrong with it."""


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
