"""`orders dead`: what waits for a person, and its way back or out."""

import asyncio
from dataclasses import asdict
from typing import Annotated

import orjson
import typer

from worker.broker.dead_letters import DeadLetter
from worker.commands import AsJson, dead_edit, dead_file, dead_run, display, echo, err, out
from worker.commands.letters import groups_table, screen_of, table_of
from worker.commands.operating import check_found
from worker.commands.options import (
    Action,
    Client,
    Code,
    OneMessageId,
    Publisher,
    Reason,
    Since,
    Until,
    WhichQueue,
)
from worker.commands.output import spooled
from worker.operations.groups import Groups, Oldest
from worker.operations.letters import details, summary_of
from worker.operations.looks import Looked, Tell, look
from worker.operations.selection import By, Filter, Where, criteria
from worker.operations.trace import why_dead
from worker.settings import Settings

LISTED_MAX = 50  # on a screen, unless more are asked for

app = typer.Typer(help="Messages that need a person: look, replay, edit, discard.", no_args_is_help=True)


@app.command("list")
def list_(  # noqa: PLR0913  # an option is a parameter
    *,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help=f"Show so many at most, the oldest; {LISTED_MAX} unless given."),
    ] = None,
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Show what waits, oldest first.

    Takes nothing out of the queue. With --json and no --limit all of it, in no order.
    """
    chosen = Filter.of(None, criteria(reason, code, client, publisher, action), since, until)
    if as_json and limit is None:
        _print_all(queue, chosen)
        return
    limit = limit or LISTED_MAX
    oldest = Oldest[DeadLetter](limit)
    looked = _look(queue, chosen, lambda letter: oldest.put(letter.died_at, letter))
    if as_json:
        for letter in oldest.kept():
            echo(summary_of(letter))
    elif looked.count:
        display(table_of(oldest.kept()))
    else:
        out.print(f"no {queue.words}{' like that' if chosen.names_something else ''}")
    if looked.count > limit:
        err.print(f"… and {looked.count - limit:,} more; `orders dead groups` tells what they have in common")


@app.command()
def groups(  # noqa: PLR0913  # an option is a parameter
    *,
    by: Annotated[
        list[By] | None, typer.Option(metavar="WORD", help=f"What to group by; may be repeated: {', '.join(By)}.")
    ] = None,
    reason: Reason = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    queue: WhichQueue = Where.DEAD,
    as_json: AsJson = False,
) -> None:
    """Count what waits by what it has in common.

    That is reason and code, unless --by says otherwise. Each group comes with its oldest and newest, and with the
    options that pick it for all other commands.
    """
    chosen = Filter.of(None, criteria(reason, code, client, publisher, action), since, until)
    found = Groups(tuple(by or (By.REASON, By.CODE)))
    _look(queue, chosen, found.put)
    if as_json:
        for row in found.rows():
            echo(row)
    elif found.total:
        display(groups_table(found))
    else:
        out.print(f"no {queue.words}")


@app.command()
def show(
    message_id: OneMessageId,
    *,
    queue: WhichQueue = Where.DEAD,
    with_unknown: Annotated[
        bool,
        typer.Option("--unknown", help="Show the values of parameters and headers that are not known here, too."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show all there is to know of one message.

    Why it is here, and what it asks for. Secrets are left out, and values under names that are not known here:
    anybody may have written anything there.
    """
    settings = Settings.read()
    bytes_max = settings.request_bytes_max
    found: list[DeadLetter] = []
    _look(queue, Filter.of([message_id]), found.append)
    postgres_url = settings.postgres_url.get_secret_value() if settings.postgres_url else None
    faults, identifiers, unread = asyncio.run(why_dead(found, postgres_url, bytes_max))
    if unread:
        err.print(f"note: not all of its faults may be shown: {unread}", markup=False)
    for number, (letter, all_of_it) in enumerate(zip(found, faults, strict=True)):
        if as_json:
            told = details(letter, bytes_max, identifiers, with_unknown=with_unknown)
            echo({**told, "faults": [asdict(fault) for fault in all_of_it]})
        else:
            if number:
                out.print()
            display(screen_of(letter, bytes_max, all_of_it, identifiers, with_unknown=with_unknown))
    check_found([message_id], [letter.message_id for letter in found], queue)


app.command("replay")(dead_run.replay)
app.command("edit")(dead_edit.edit)
app.command("discard")(dead_run.discard)
app.command("export")(dead_file.export)
app.command("import")(dead_file.import_)


def _look(queue: Where, chosen: Filter, tell: Tell) -> Looked:
    """Look into a queue, and say what could not be seen."""
    looked = asyncio.run(look(Settings.read().require("amqp_url"), queue, chosen, tell))
    if looked.unseen:
        err.print(f"note: {looked.unseen}")
    return looked


def _print_all(queue: Where, chosen: Filter) -> None:
    """Print every message as JSON. It is laid by first: a look must not last as long as somebody reads."""
    with spooled() as lines:
        _look(queue, chosen, lambda letter: lines.write(orjson.dumps(summary_of(letter)) + b"\n"))
        lines.seek(0)
        for line in lines:
            typer.echo(line.decode(), nl=False)
