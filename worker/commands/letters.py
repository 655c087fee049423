"""How a message that needs a person is laid out: in a line, or on a screen."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from rich.text import Text

from schemas.rejections import Reason
from worker.broker.dead_letters import DeadLetter
from worker.commands.layout import Column, Grid, Stack, Table
from worker.operations.groups import Groups
from worker.operations.letters import (
    REASONS,
    client_of,
    has_unknown,
    properties_of,
    readable_body,
    readable_headers,
)
from worker.operations.trace import Fault
from worker.redaction import ReadableBody, Shown, escape_controls, redacted

PARAMETERS_MAX = 200  # shown of one request on a screen; --json prints them all
VALUE_CHARS_MAX = 300  # shown of one value, likewise
HIDDEN = "values under names that are not known here: anybody may have written anything; --unknown shows them"
GROUPS_MAX = 20  # shown of all groups, likewise


def screen_of(
    letter: DeadLetter,
    bytes_max: int,
    faults: Sequence[Fault],
    identifiers: Collection[str],
    *,
    with_unknown: bool = False,
) -> Grid:
    """Lay out everything of a message but its secrets; `identifiers` of credentials are those that may be shown."""
    body = readable_body(letter, bytes_max, identifiers, with_unknown=with_unknown)
    others = [f"{fault.code}: {fault.message}" for fault in faults[1:]]
    return Grid(
        [
            ("message_id", Text(escape_controls(letter.message_id) or "(none)", style="bold")),
            ("publisher", letter.delivery.properties.user_id),
            ("reason", Text.assemble((letter.reason, "bold yellow"), f": {REASONS.get(letter.reason, 'see message')}")),
            ("code", letter.code),
            ("message", letter.message),
            ("also", Stack(others) if others else None),
            ("attempts", None if letter.is_unrouted else f"{letter.attempts or 'none'} that failed"),
            ("first seen", moment(letter.first_seen)),
            ("died", moment(letter.died_at)),
            ("replays", f"{letter.replays} so far" if letter.replays else "none so far"),
            ("routing key", letter.routing_key),
            *((name.replace("_", " "), str(value)) for name, value in redacted(properties_of(letter)).items()),
            ("headers", _lines(readable_headers(letter, with_unknown=with_unknown))),
            ("left out", letter.dropped_headers and f"headers too large to be kept: {letter.dropped_headers}"),
            ("body", _body(body, letter.queue)),
            ("hidden", None if with_unknown or not has_unknown(letter, body) else HIDDEN),
        ]
    )


def moment(written: str) -> str:
    """Write a time as a person reads it."""
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return written  # anybody may write a header


def minute(written: str) -> str:
    """Write a time as it stands in a table."""
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M}"
    except ValueError:
        return written


def table_of(letters: Sequence[DeadLetter]) -> Table:
    return Table(
        [
            Column("message_id"),
            Column("died (UTC)"),
            Column("client", right=True),
            Column("publisher"),
            Column("replays", right=True),
        ],
        [
            (
                one.message_id or "(none)",
                minute(one.died_at),
                client_of(one) or "",
                one.publisher,
                str(one.replays or ""),
            )
            for one in letters
        ],
        tails=[why_of(one) for one in letters],
    )


def groups_table(groups: Groups) -> Stack:
    rows = list(islice(groups.rows(), GROUPS_MAX + 1))
    table = Table(
        [Column("count", right=True), *map(Column, groups.by), Column("oldest (UTC)"), Column("options")],
        [
            (f"{row['count']:,}", *(row[by] for by in groups.by), minute(row["oldest"]), row["options"])
            for row in rows[:GROUPS_MAX]
        ],
    )
    more = ["the largest groups; --json prints them all"] if len(rows) > GROUPS_MAX else []
    return Stack([table, *more])


def why_of(letter: DeadLetter) -> str:
    """Say in a sentence why it is here."""
    says = ": ".join(filter(None, (letter.code, letter.message)))
    if letter.reason in {Reason.REJECTED, Reason.MALFORMED} and says:
        return says
    return f"{letter.reason}: {says or REASONS.get(letter.reason, 'see message')}"


def _body(body: ReadableBody, queue: str) -> Stack:
    size = Text(f"{body.size_bytes} bytes, sha256 {body.sha256}", style="dim")
    if body.parameters is not None:
        return Stack([size, _lines(body.parameters) or "no parameters"])
    if body.head is not None:
        return Stack([size, f"{body.note}; it begins:", body.head])
    hint = f"To see it all the same, get it from {queue} with the broker's own tools."
    return Stack([size, body.note, Text(hint, style="dim")])


def _lines(tree: Mapping[str, Shown]) -> Stack | None:
    """Lay out names and values, arrays as PHP writes them: pid[0]."""
    pairs = list(_pairs(tree))
    rows = []
    for name, value in pairs[:PARAMETERS_MAX]:
        cut = f"{value[:VALUE_CHARS_MAX]} … ({len(value)} characters)" if len(value) > VALUE_CHARS_MAX else value
        rows.append((Text(escape_controls(name), style="cyan"), cut))
    more = len(pairs) - PARAMETERS_MAX
    notes = [f"… {more} more; --json shows them all"] if more > 0 else []
    return Stack([Table([Column(""), Column("", text=True)], rows, with_headings=False), *notes]) if pairs else None


def _pairs(tree: Mapping[str, Shown] | list[Shown], prefix: str = "") -> Iterator[tuple[str, str]]:
    named = tree.items() if isinstance(tree, Mapping) else ((str(index), value) for index, value in enumerate(tree))
    for key, value in named:
        name = f"{prefix}[{key}]" if prefix else key
        if isinstance(value, dict | list) and value:
            yield from _pairs(value, name)
        else:
            yield name, "" if value is None or value == {} else str(value)
