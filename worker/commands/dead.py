"""`orders dead`: what waits for a person, and its way back or out."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

import structlog
import typer
from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from worker import copies, logs
from worker.broker import topology
from worker.broker.connection import connect
from worker.broker.dead_letters import AnotherOperator, DeadLetter, DeadLetters, Identity, is_routed, opened
from worker.commands import AsJson, broker_errors, echo, err, fail, out
from worker.redaction import ReadableBody, Shown, plain, readable, redacted
from worker.settings import Settings

PARAMETERS_MAX = 200  # shown of one request on a screen; --json prints them all
VALUE_CHARS_MAX = 300  # shown of one value, likewise

COUNTS_OF_LOOKS = ("x-delivery-count", "x-acquired-count")

# What each reason means to who has to mend it.
REASONS = {
    "rejected": "the caller's fault; nothing was placed",
    "malformed": "the caller's fault; it could not be read",
    "failed": "our fault, or a server's, at every attempt",
    "delivery_limit": "the broker gave up on it, and no worker got to say why",
    "unrouted": "not a command that anybody here carries out",
}

app = typer.Typer(help="Messages that need a person: list, show, replay or discard them.", no_args_is_help=True)
log = structlog.get_logger()


class Where(StrEnum):
    DEAD = "dead"
    UNROUTED = "unrouted"

    @property
    def queue(self) -> str:
        return {Where.DEAD: topology.DEAD, Where.UNROUTED: topology.UNROUTED}[self]

    @property
    def words(self) -> str:
        return {Where.DEAD: "dead letters", Where.UNROUTED: "unrouted messages"}[self]


WhichQueue = Annotated[
    Where, typer.Option("--queue", help="dead: requests that came to nothing. unrouted: commands that no queue takes.")
]
Reason = Annotated[str | None, typer.Option(help="Only this reason: rejected, malformed, failed or delivery_limit.")]
Code = Annotated[str | None, typer.Option(help="Only this code, such as invalid_payment_method.")]


@app.command("list")
def list_(reason: Reason = None, code: Code = None, queue: WhichQueue = Where.DEAD, as_json: AsJson = False) -> None:
    """Show what waits, oldest first. Takes nothing out of the queue."""
    chosen = _choice([], reason, code)
    letters = [letter for letter in _run(_browse, queue) if chosen(letter)]
    if as_json:
        for letter in letters:
            echo(summary_of(letter))
    else:
        out.print(_table(letters) if letters else f"no {queue.words}")


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="Which message.", show_default=False)],
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Show all there is to know of one message: why it is here, and what it asks for. Secrets are left out."""
    bytes_max = Settings.read().request_bytes_max
    letters = [letter for letter in _run(_browse, queue) if letter.message_id == message_id]
    for number, letter in enumerate(letters):
        if as_json:
            echo(whole(letter, bytes_max))
        else:
            if number:
                out.rule(style="dim")
            out.print(screen_of(letter, bytes_max))
    _check_found([message_id], letters, queue)


@app.command()
def replay(  # noqa: PLR0913  # an option is a parameter
    *,
    message_ids: Annotated[list[str] | None, typer.Argument(metavar="MESSAGE_ID", help="Which messages.")] = None,
    reason: Reason = None,
    code: Code = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message there is.")] = False,
    queue: WhichQueue = Where.DEAD,
    routing_key: Annotated[
        str | None, typer.Option(help="Send them under this one, such as order.add, and not under the one they had.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send messages back to be judged anew, once their cause is mended."""
    if not (message_ids or reason or code or everything):
        raise typer.BadParameter("say which: message ids, --reason, --code, or --all")
    _check_routing_key(queue, routing_key)
    chosen = _choice(message_ids or [], reason, code)

    async def run(letters: DeadLetters) -> list[DeadLetter]:
        return [letter async for letter in letters.replay(chosen, routing_key)]

    replayed = _run(run, queue)
    _tell("replayed", replayed, as_json=as_json)
    _check_found(message_ids or [], replayed, queue)


@app.command()
def discard(
    message_ids: Annotated[list[str], typer.Argument(metavar="MESSAGE_ID", help="Which messages.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why nobody needs them any more.", show_default=False)],
    queue: WhichQueue = Where.DEAD,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take messages out of the queue for good. Shows them and asks first."""
    if not reason.strip():
        raise typer.BadParameter("say why nobody needs them any more", param_hint="--reason")
    settings = Settings.read()
    logs.configure(settings.log_format)
    chosen = _choice(message_ids)
    shown = [letter for letter in _run(_browse, queue) if chosen(letter)]
    if shown:
        err.print(_table(shown))
        if not yes:
            _confirm(len(shown))
    # What came meanwhile has not been seen by anybody.
    discarded = _discard({letter.identity for letter in shown}, queue, reason) if shown else []
    _tell("discarded", discarded, as_json=as_json)
    _check_found(message_ids, discarded, queue)


def _confirm(count: int) -> None:
    err.print(f"Discard {'this message' if count == 1 else f'these {count} messages'}? y/N", end=" ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        fail("nothing was discarded: answer y, or give --yes")


def _discard(identities: set[Identity], queue: Where, reason: str) -> list[DeadLetter]:
    operator = unquote(urlsplit(Settings.read().require("amqp_url")).username or "guest")

    async def record(letter: DeadLetter) -> None:
        """Note what is about to go: whatever must outlive the message is written here, before it is taken out."""
        about = {**summary_of(letter), "body_sha256": readable_body(letter, bytes_max=0).sha256}
        log.info("dead_letter.discarded", **about, because=reason, operator=operator)

    async def run(letters: DeadLetters) -> list[DeadLetter]:
        return [letter async for letter in letters.discard(lambda letter: letter.identity in identities, record)]

    return _run(run, queue)


# ---------------------------------------------------------------- reaching the queue


async def _browse(letters: DeadLetters) -> list[DeadLetter]:
    return [letter async for letter in letters.browse()]


def _run(step: Callable[[DeadLetters], Coroutine[None, None, list[DeadLetter]]], where: Where) -> list[DeadLetter]:
    url = Settings.read().require("amqp_url")

    async def run() -> list[DeadLetter]:
        async with connect(url, "orders dead") as connection, opened(connection, where.queue) as letters:
            return await step(letters)

    with broker_errors():
        try:
            return asyncio.run(run())
        except AnotherOperator as error:
            fail(str(error))


def _choice(message_ids: list[str], reason: str | None = None, code: str | None = None) -> Callable[[DeadLetter], bool]:
    def chosen(letter: DeadLetter) -> bool:
        return (
            (not message_ids or letter.message_id in message_ids)
            and (reason is None or letter.reason == reason)
            and (code is None or letter.code == code)
        )

    return chosen


def _check_routing_key(queue: Where, routing_key: str | None) -> None:
    if routing_key is None and queue is Where.UNROUTED:
        raise typer.BadParameter(
            "no queue takes the one they have: say which they are meant to have, such as order.add",
            param_hint="--routing-key",
        )
    if routing_key is not None and not is_routed(routing_key):
        raise typer.BadParameter(
            "no queue takes it: they would only lie in orders.unrouted", param_hint="--routing-key"
        )


def _check_found(message_ids: list[str], found: list[DeadLetter], queue: Where) -> None:
    missing = sorted(set(message_ids) - {letter.message_id for letter in found})
    if missing:
        elsewhere = "" if queue is Where.UNROUTED else ". Another queue to look into: --queue unrouted"
        fail(escape(plain(f"not among the {queue.words}: {', '.join(missing)}")) + elsewhere)


# ---------------------------------------------------------------- what is printed


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


def _tell(what: str, letters: list[DeadLetter], *, as_json: bool) -> None:
    for letter in letters:
        if as_json:
            echo(summary_of(letter))
        else:
            out.print(Text(plain(letter.message_id) or "(no message_id)"))
    err.print(f"{len(letters)} {what}")


def _table(letters: list[DeadLetter]) -> Table:
    table = Table(
        Column("message_id", overflow="fold"), "died (UTC)", Column("why", overflow="fold"), "replays", box=SIMPLE
    )
    for letter in letters:
        died = letter.died_at[5:16].replace("T", " ")
        cells = (letter.message_id or "(none)", died, _why(letter), str(letter.replays))
        table.add_row(*(Text(plain(cell)) for cell in cells))
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
    headers = letter.delivery.properties.headers
    return {name: value for name, value in headers.items() if not name.startswith((copies.OURS, *COUNTS_OF_LOOKS))}


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
