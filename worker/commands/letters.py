"""What is told of a message that needs a person: in a line, on a screen, or whole as JSON; never its secrets."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from worker.broker import headers
from worker.broker.dead_letters import DeadLetter
from worker.operations.groups import Groups
from worker.redaction import ReadableBody, Shown, plain, readable, redacted

PARAMETERS_MAX = 200  # shown of one request on a screen; --json prints them all
VALUE_CHARS_MAX = 300  # shown of one value, likewise
GROUPS_MAX = 20  # shown of all groups, likewise

COUNTS_OF_LOOKS = ("x-delivery-count", "x-acquired-count")

# What each reason means to who has to mend it.
REASONS = {
    "rejected": "the caller's fault; nothing was placed",
    "malformed": "the caller's fault; it could not be read",
    "failed": "our fault, or a server's, at every attempt",
    "delivery_limit": "the broker gave up on it, and no worker got to say why",
    "unrouted": "not a command that anybody here carries out",
}


def summary_of(letter: DeadLetter) -> dict[str, Shown]:
    """Tell what became of a message, in a line and without its content."""
    told = {column: getattr(letter, column) for column in _COLUMNS}
    return {"queue": letter.queue, "publisher": letter.delivery.properties.user_id, **told}


_COLUMNS = (
    "message_id", "reason", "code", "message", "attempts", "first_seen", "died_at", "routing_key", "replays",
)  # fmt: skip


def whole(letter: DeadLetter, bytes_max: int) -> dict[str, Shown]:
    """Tell everything of a message but its secrets."""
    body = readable_body(letter, bytes_max)
    return {
        **summary_of(letter),
        "properties": redacted(_properties(letter)),
        "headers": redacted(_headers(letter)),
        "dropped_headers": letter.dropped_headers or None,
        "body": {
            "bytes": body.size_bytes,
            "sha256": body.sha256,
            "parameters": body.parameters,
            "head": body.head,
            "note": body.note or None,
        },
    }


def screen_of(letter: DeadLetter, bytes_max: int) -> Table:
    """Lay out everything of a message but its secrets, for 80 columns."""
    return facts(
        [
            ("message_id", Text(plain(letter.message_id) or "(none)", style="bold")),
            ("publisher", letter.delivery.properties.user_id),
            ("reason", Text.assemble((letter.reason, "bold yellow"), f": {REASONS.get(letter.reason, 'see message')}")),
            ("code", letter.code),
            ("message", letter.message),
            ("attempts", None if letter.is_unrouted else f"{letter.attempts or 'none'} that failed"),
            ("first seen", moment(letter.first_seen)),
            ("died", moment(letter.died_at)),
            ("replays", f"{letter.replays} so far" if letter.replays else "none so far"),
            ("routing key", letter.routing_key),
            *((name.replace("_", " "), str(value)) for name, value in redacted(_properties(letter)).items()),
            ("headers", _lines(redacted(_headers(letter)))),
            ("left out", letter.dropped_headers and f"headers too large to be kept: {letter.dropped_headers}"),
            ("body", _body(readable_body(letter, bytes_max), letter.queue)),
        ]
    )


def facts(rows: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Lay out names and what there is to say of each; what is empty is left out. Text is what others wrote."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=14, style="dim", justify="right")
    grid.add_column(overflow="fold")
    for name, content in rows:
        if content:
            grid.add_row(name, Text(plain(content)) if isinstance(content, str) else content)
    return grid


def moment(written: str) -> str:
    """Write a time as a person reads it."""
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return written  # anybody may write a header


def readable_body(letter: DeadLetter, bytes_max: int) -> ReadableBody:
    return readable(letter.delivery.body, letter.delivery.properties.content_type, bytes_max=bytes_max)


def table_of(letters: Iterable[DeadLetter]) -> Table:
    table = Table(
        Column("message_id", overflow="fold"), "died (UTC)", Column("why", overflow="fold"), "replays", box=SIMPLE
    )
    for letter in letters:
        died = letter.died_at[5:16].replace("T", " ")
        cells = (letter.message_id or "(none)", died, _why(letter), str(letter.replays))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def groups_table(groups: Groups) -> Table:
    table = Table(
        Column("count", justify="right"), *groups.by, "oldest (UTC)", Column("options", overflow="fold"), box=SIMPLE
    )
    rows = list(islice(groups.rows(), GROUPS_MAX + 1))
    for row in rows[:GROUPS_MAX]:
        oldest = row["oldest"][5:16].replace("T", " ")
        cells = (f"{row['count']:,}", *(row[by] for by in groups.by), oldest, row["options"])
        table.add_row(*(Text(plain(cell)) for cell in cells))
    if len(rows) > GROUPS_MAX:
        table.caption = "the largest groups; --json prints them all"
    return table


def _why(letter: DeadLetter) -> str:
    return (
        letter.code
        if letter.reason in {"rejected", "malformed"}
        else f"{letter.reason}: {letter.code or letter.message}"
    )


def _properties(letter: DeadLetter) -> dict[str, Any]:
    properties = asdict(letter.delivery.properties)
    shown_apart = ("message_id", "user_id", "headers")
    return {name: value for name, value in properties.items() if value is not None and name not in shown_apart}


def _headers(letter: DeadLetter) -> dict[str, Any]:
    """Return the publisher's headers; ours are told in words, and the broker counts every look into the queue."""
    written = letter.delivery.properties.headers
    return {name: value for name, value in written.items() if not name.startswith((headers.OURS, *COUNTS_OF_LOOKS))}


def _body(body: ReadableBody, queue: str) -> RenderableType:
    size = Text(f"{body.size_bytes} bytes, sha256 {body.sha256}", style="dim")
    if body.parameters is not None:
        return Group(size, _lines(body.parameters) or Text("no parameters"))
    if body.head is not None:
        return Group(size, Text(f"{body.note}; it begins:"), Text(plain(body.head)))
    hint = f"To see it all the same, get it from {queue} with the broker's own tools."
    return Group(size, Text(body.note), Text(hint, style="dim"))


def _lines(tree: Mapping[str, Shown]) -> Table | None:
    """Lay out names and values, arrays as PHP writes them: pid[0]."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    pairs = list(_pairs(tree))
    for name, value in pairs[:PARAMETERS_MAX]:
        cut = f"{value[:VALUE_CHARS_MAX]} … ({len(value)} characters)" if len(value) > VALUE_CHARS_MAX else value
        grid.add_row(Text(plain(name), style="cyan"), Text(plain(cut)))
    if len(pairs) > PARAMETERS_MAX:
        grid.add_row("…", f"{len(pairs) - PARAMETERS_MAX} more; --json shows them all")
    return grid if pairs else None


def _pairs(tree: Mapping[str, Shown] | list[Shown], prefix: str = "") -> Iterator[tuple[str, str]]:
    named = tree.items() if isinstance(tree, Mapping) else ((str(index), value) for index, value in enumerate(tree))
    for key, value in named:
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict | list) and value:
            yield from _pairs(value, name)
        else:
            yield name, "" if value is None or value == {} else str(value)
