"""How a message that needs a person is laid out: in a line, or on a screen."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from worker.broker.dead_letters import DeadLetter
from worker.operations.groups import Groups
from worker.operations.letters import REASONS, headers_of, properties_of, readable_body
from worker.redaction import ReadableBody, Shown, escape_controls, redacted

PARAMETERS_MAX = 200  # shown of one request on a screen; --json prints them all
VALUE_CHARS_MAX = 300  # shown of one value, likewise
GROUPS_MAX = 20  # shown of all groups, likewise


def screen_of(letter: DeadLetter, bytes_max: int) -> Table:
    """Lay out everything of a message but its secrets, for 80 columns."""
    return grid(
        [
            ("message_id", Text(escape_controls(letter.message_id) or "(none)", style="bold")),
            ("publisher", letter.delivery.properties.user_id),
            ("reason", Text.assemble((letter.reason, "bold yellow"), f": {REASONS.get(letter.reason, 'see message')}")),
            ("code", letter.code),
            ("message", letter.message),
            ("attempts", None if letter.is_unrouted else f"{letter.attempts or 'none'} that failed"),
            ("first seen", moment(letter.first_seen)),
            ("died", moment(letter.died_at)),
            ("replays", f"{letter.replays} so far" if letter.replays else "none so far"),
            ("routing key", letter.routing_key),
            *((name.replace("_", " "), str(value)) for name, value in redacted(properties_of(letter)).items()),
            ("headers", _lines(redacted(headers_of(letter)))),
            ("left out", letter.dropped_headers and f"headers too large to be kept: {letter.dropped_headers}"),
            ("body", _body(readable_body(letter, bytes_max), letter.queue)),
        ]
    )


def grid(rows: Iterable[tuple[str, RenderableType | None]]) -> Table:
    """Lay out names and what there is to say of each; what is empty is left out. Text is what others wrote."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=14, style="dim", justify="right")
    table.add_column(overflow="fold")
    for name, content in rows:
        if content:
            table.add_row(name, Text(escape_controls(content)) if isinstance(content, str) else content)
    return table


def moment(written: str) -> str:
    """Write a time as a person reads it."""
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return written  # anybody may write a header


def table_of(letters: Iterable[DeadLetter]) -> Table:
    table = Table(
        Column("message_id", overflow="fold"), "died (UTC)", Column("why", overflow="fold"), "replays", box=SIMPLE
    )
    for letter in letters:
        died = letter.died_at[5:16].replace("T", " ")
        cells = (letter.message_id or "(none)", died, _why(letter), str(letter.replays))
        table.add_row(*(Text(escape_controls(cell)) for cell in cells))
    return table


def groups_table(groups: Groups) -> Table:
    table = Table(
        Column("count", justify="right"), *groups.by, "oldest (UTC)", Column("options", overflow="fold"), box=SIMPLE
    )
    rows = list(islice(groups.rows(), GROUPS_MAX + 1))
    for row in rows[:GROUPS_MAX]:
        oldest = row["oldest"][5:16].replace("T", " ")
        cells = (f"{row['count']:,}", *(row[by] for by in groups.by), oldest, row["options"])
        table.add_row(*(Text(escape_controls(cell)) for cell in cells))
    if len(rows) > GROUPS_MAX:
        table.caption = "the largest groups; --json prints them all"
    return table


def _why(letter: DeadLetter) -> str:
    return (
        letter.code
        if letter.reason in {"rejected", "malformed"}
        else f"{letter.reason}: {letter.code or letter.message}"
    )


def _body(body: ReadableBody, queue: str) -> RenderableType:
    size = Text(f"{body.size_bytes} bytes, sha256 {body.sha256}", style="dim")
    if body.parameters is not None:
        return Group(size, _lines(body.parameters) or Text("no parameters"))
    if body.head is not None:
        return Group(size, Text(f"{body.note}; it begins:"), Text(escape_controls(body.head)))
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
        grid.add_row(Text(escape_controls(name), style="cyan"), Text(escape_controls(cut)))
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
