"""`orders dead`: what waits for a person, and its way back or out."""

import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated

import structlog
import typer
from rich.progress import Progress
from rich.text import Text

from repository.audit import Operation
from worker import logs
from worker.broker.dead_letters import DeadLetter, DeadLetters, is_routed
from worker.commands import AsJson, dead_edit, dead_file, display, echo, err, fail, out
from worker.commands.letters import groups_table, screen_of, table_of
from worker.commands.operating import actor_of, check_found, check_why, run_on
from worker.commands.options import Action, Client, Code, Reason, Since, Until, WhichQueue, Why
from worker.operations.audit import discarded
from worker.operations.groups import Groups, Oldest
from worker.operations.letters import details, summary_of
from worker.operations.replay import survey
from worker.operations.selection import By, Filter, Where, criteria, iso_time
from worker.operations.servers import archive
from worker.redaction import escape_controls
from worker.settings import Settings

LISTED_MAX = 50  # on a screen, unless more are asked for
PROGRESS_FROM = 100  # messages: fewer are done before a bar could be read

app = typer.Typer(
    help="Messages that need a person: list, group, show, replay, edit or discard them.", no_args_is_help=True
)
log = structlog.get_logger()


MessageIds = Annotated[list[str] | None, typer.Argument(metavar="MESSAGE_ID", help="Which messages.")]


# ---------------------------------------------------------------- looking


@app.command("list")
def list_(  # noqa: PLR0913  # an option is a parameter
    *,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most, the oldest.")] = LISTED_MAX,
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Show what waits, oldest first. Takes nothing out of the queue. With --json all of it, in no order."""
    chosen = Filter.of(None, criteria(reason, code, client, action), since, until)
    if as_json:
        run_on(queue, lambda letters: _each(letters, chosen, lambda letter: echo(summary_of(letter))))
        return
    oldest = Oldest[DeadLetter](limit)
    count = run_on(queue, lambda letters: _each(letters, chosen, lambda one: oldest.put(one.died_at, one)))
    if count:
        display(table_of(oldest.kept()))
    else:
        out.print(f"no {queue.words}{' like that' if chosen.names_something else ''}")
    if count > limit:
        err.print(f"… and {count - limit:,} more; `orders dead groups` tells what they have in common")


@app.command()
def groups(  # noqa: PLR0913  # an option is a parameter
    *,
    by: Annotated[list[By] | None, typer.Option(help="What to group by; may be repeated.")] = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Count what waits by what it has in common: by reason and code, unless --by says otherwise.

    Each group comes with its oldest and newest, and with the options that pick it for list, replay or export.
    """
    chosen = Filter.of(None, criteria(reason, code, client, action), since, until)
    found = Groups(tuple(by or (By.REASON, By.CODE)))
    run_on(queue, lambda letters: _each(letters, chosen, found.put))
    if as_json:
        for row in found.rows():
            echo(row)
    elif found.total:
        display(groups_table(found))
    else:
        out.print(f"no {queue.words}")


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="Which message.", show_default=False)],
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Show all there is to know of one message: why it is here, and what it asks for. Secrets are left out."""
    bytes_max = Settings.read().request_bytes_max
    found: list[DeadLetter] = []
    run_on(queue, lambda letters: _each(letters, Filter.of([message_id], {}), found.append))
    for number, letter in enumerate(found):
        if as_json:
            echo(details(letter, bytes_max))
        else:
            if number:
                out.print()
            display(screen_of(letter, bytes_max))
    check_found([message_id], [letter.message_id for letter in found], queue)


# ---------------------------------------------------------------- sending back


@app.command()
def replay(  # noqa: PLR0913  # an option is a parameter
    *,
    message_ids: MessageIds = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Every message there is.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="So many at most, the oldest.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.01, help="So many a second at most.")] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--no-dry-run", help="Only tell what would be sent; so it is for more than one."),
    ] = None,
    queue: WhichQueue = Where.DEAD,
    routing_key: Annotated[
        str | None, typer.Option(help="Send them under this one, such as order.add, and not under the one they had.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send messages back to be judged anew, once their cause is fixed.

    Each leaves the queue when the broker has confirmed it: an interruption can send one twice, which changes nothing,
    and loses none. What dies again meanwhile is not sent again in the same run.
    """
    chosen = Filter.of(message_ids, criteria(reason, code, client, action), since, until)
    if not (chosen.names_something or everything):
        raise typer.BadParameter("say which: message ids, --reason, --code, --client, --action, --since, or --all")
    _check_routing_key(queue, routing_key)

    async def run(letters: DeadLetters) -> set[str]:
        began = datetime.now(UTC)
        found = await survey(letters, chosen, limit)
        if found.count == found.total > 1 and not (everything or chosen.message_ids):
            fail(f"that is every one of the {found.total:,} {queue.words}: add --all if it is meant")
        if dry_run or (dry_run is None and found.count > 1):
            display(groups_table(found.groups), err)
            err.print(f"{found.due:,} would be sent; nothing was. Add [bold]--no-dry-run[/] to send them.")
            return found.message_ids
        if found.due > 1:
            err.print(f"if this is interrupted, the same command with --until {iso_time(began)} goes on")
        sending = letters.replay(found.is_due, routing_key, rate=rate)
        return await _follow("replayed", sending, found.due, as_json=as_json)

    check_found(message_ids or [], run_on(queue, run), queue)


async def _follow(what: str, done: AsyncIterator[DeadLetter], total: int, *, as_json: bool) -> set[str]:
    """Name each message as it is done, and return their ids."""
    message_ids, count = set[str](), 0
    with Progress(console=err, transient=True, disable=total < PROGRESS_FROM) as progress:
        bar = progress.add_task(what, total=total)
        async for letter in done:
            count += 1
            message_ids.add(letter.message_id)
            if as_json:
                echo(summary_of(letter))
            else:
                out.print(Text(escape_controls(letter.message_id) or "(no message_id)"))
            progress.advance(bar)
    err.print(f"{count:,} {what}")
    return message_ids


app.command("edit")(dead_edit.edit)
app.command("export")(dead_file.export)
app.command("import")(dead_file.import_)


# ---------------------------------------------------------------- taking out


@app.command()
def discard(
    message_ids: Annotated[list[str], typer.Argument(metavar="MESSAGE_ID", help="Which messages.", show_default=False)],
    reason: Why,
    queue: WhichQueue = Where.DEAD,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take messages out of the queue for good. Shows them and asks first.

    Who did it, and why, is kept in the database.
    """
    check_why(reason)
    settings = Settings.read()
    logs.configure(settings.log_format)
    shown: list[DeadLetter] = []
    run_on(queue, lambda letters: _each(letters, Filter.of(message_ids, {}), shown.append))
    gone: set[str] = set()
    if shown:
        display(table_of(shown), err)
        if not yes:
            _confirm(len(shown))
        # What came meanwhile has not been seen by anybody.
        seen = {letter.digest for letter in shown}
        gone = run_on(queue, lambda letters: _discard(letters, seen, reason, settings, as_json=as_json))
    check_found(message_ids, gone, queue)


def _confirm(count: int) -> None:
    err.print(f"Discard {'this message' if count == 1 else f'these {count} messages'}? y/N", end=" ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        fail("nothing was discarded: answer y, or give --yes")


async def _discard(
    letters: DeadLetters, digests: set[bytes], why: str, settings: Settings, *, as_json: bool
) -> set[str]:
    async with archive(settings.require("postgres_url")) as database:

        def tell(letter: DeadLetter, operation: Operation) -> None:
            about = {**summary_of(letter), "body_sha256": operation.body_sha256}
            log.info("dead_letter.discarded", **about, because=why, operator=operation.operator)

        done = discarded(letters, digests, why=why, actor=actor_of(settings), database=database, tell=tell)
        return await _follow("discarded", done, len(digests), as_json=as_json)


# ---------------------------------------------------------------- what these commands share


async def _each(letters: DeadLetters, chosen: Filter, tell: Callable[[DeadLetter], object]) -> int:
    count = 0
    async for letter in letters.browse():
        if chosen(letter):
            count += 1
            tell(letter)
    return count


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
