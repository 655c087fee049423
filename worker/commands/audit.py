"""`orders audit`: who did what, to which message, and why."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from repository import audit as archive
from repository.audit import Act
from repository.database import Database
from worker.commands import AsJson, display, echo, err, out
from worker.commands.database import with_database
from worker.commands.layout import Column, Table
from worker.commands.options import Since, Until, fixed

LISTED_MAX = 50

# What is said of an act in a sentence about the thing it was done to.
PAST = {
    "replay": "replayed",
    "discard": "discarded",
    "edit": "edited",
    "import": "put back from a file",
    "events": "sent events again",
}


def audit(  # noqa: PLR0913  # an option is a parameter
    *,
    things: Annotated[
        list[str] | None,
        typer.Argument(metavar="MESSAGE_ID", help="Only what was done to these, or what they were made of."),
    ] = None,
    actor: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this person did.")] = None,
    act: Annotated[
        str | None, typer.Option(parser=fixed("act", PAST), metavar="WORD", help=f"Only this: {', '.join(PAST)}.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show so many at most, the newest.")] = LISTED_MAX,
    as_json: AsJson = False,
) -> None:
    """Show who did what, to which message, and why.

    The newest first. A run over many messages is one line; give a message to see what was done to it. Where there
    is no end, the act was begun, and nobody knows whether it was done.
    """

    async def run(database: Database) -> list[Act]:
        async with database.connection() as connection:
            if things:
                return [one for one in await archive.about(connection, things) if act in (None, one.act)]
            return await archive.acts(
                connection,
                since=since.first if since else None,
                until=until.last if until else None,
                actor=actor,
                act=act,
                most=limit,
            )

    found = with_database(run)
    if as_json:
        for one in found:
            echo(asdict(one))
    elif found:
        display(_table(found))
        if len(found) == limit:
            err.print(f"the newest {limit}; --limit shows more")
    else:
        out.print("nothing was done" + (" like that" if things or actor or act or since or until else ""))


def _table(acts: list[Act]) -> Table:
    return Table(
        [Column("when (UTC)"), Column("who"), Column("did"), Column("to"), Column("end", text=True)],
        [(_time(one.began_at), f"{one.actor} as {one.by}", one.act, one.thing, end_of(one)) for one in acts],
        tails=[about(one) for one in acts],
    )


def about(act: Act) -> str:
    """Say why it was done, and to which."""
    chosen = act.details.get("chosen")
    became = f"into {act.new_message_id}" if act.new_message_id else ""
    return "; ".join(filter(None, (act.why, became, f"chosen by {chosen}" if chosen else "")))


def end_of(act: Act) -> str:
    """Say how an act ended, in a few words."""
    if act.ended_at is None or act.outcome is None:
        return "not known"
    outcome = act.outcome
    if "fate" in outcome:
        return ": ".join(filter(None, (str(outcome["fate"]), str(outcome.get("why", "")))))
    counts = [f"{outcome[name]:,} {name}" for name in ("done", "skipped", "doubles") if name in outcome]
    return ", ".join([*counts, *([f"stopped: {outcome['stopped']}"] if "stopped" in outcome else [])])


def sentence_of(act: Act, order_id: int | None) -> str:
    """Say what was done, by whom and why."""
    did = PAST.get(act.act, act.act)
    became = f" into {act.new_message_id}" if act.new_message_id else ""
    placed = f", placed as order {order_id}" if order_id is not None else ""
    why = f", because: {act.why}" if act.why else ""
    end = end_of(act)
    how = "" if end == "done" else f" ({'its end is not known' if act.ended_at is None else end})"
    return f"{act.thing} was {did}{became} {_time(act.began_at)} UTC by {act.actor} as {act.by}{how}{placed}{why}"


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S}"
