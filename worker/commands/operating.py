"""What the commands share that act on dead letters: who acts, and how it is told what came of it."""

import sys
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, field

import typer
from rich.markup import escape
from rich.text import Text

from worker.broker.addresses import user_of
from worker.commands import display, echo, err, fail, out, person
from worker.commands.bars import progress
from worker.commands.letters import groups_table
from worker.key_ring import KeyRing
from worker.operations.actor import Actor, Role
from worker.operations.letters import summary_of
from worker.operations.replay import Fate, Step, Survey
from worker.operations.selection import Filter, Where
from worker.redaction import escape_controls
from worker.settings import Settings

PROGRESS_FROM = 100  # messages: fewer are done before a bar could be read


def actor_of(settings: Settings) -> Actor:
    """Say who operates: the person at the machine, by their broker's user, who may do everything."""
    return Actor(person(), user_of(settings.require("amqp_url")), Role.ADMIN)


def keys_of(settings: Settings) -> KeyRing:
    """Return the keys, without which nothing can be sent back: what we note on it must be sealed."""
    return KeyRing(settings.keys())


def check_named(chosen: Filter, *, everything: bool) -> None:
    """See that it is said which messages are meant."""
    if not (chosen.names_something or everything):
        raise typer.BadParameter(
            "say which: message ids, --reason, --code, --client, --publisher, --action, --since, or --all"
        )


def is_dry(plan: Survey, chosen: Filter, queue: Where, *, dry_run: bool | None, everything: bool) -> bool:
    """Decide whether it is only told what would be done: so it is for more than one message that nobody named."""
    if not plan.count:
        return True
    if plan.takes_everything and not (everything or chosen.message_ids):
        fail(f"that is every one of the {plan.total:,} {queue.words}: add --all if it is meant")
    return dry_run if dry_run is not None else plan.count > 1


def tell_plan(plan: Survey, queue: Where, done: str, note: str = "") -> None:
    """Tell what would be done."""
    if not plan.count:
        if not plan.chosen.message_ids:
            err.print(f"no {queue.words} like that")
        return
    display(groups_table(plan.groups), err)
    err.print(f"{plan.due:,} would be {done}; nothing was. Add [bold]--no-dry-run[/] to have it done.")
    if note:
        err.print(note)


def confirm(question: str, otherwise: str) -> None:
    err.print(f"{question} y/N", end=" ")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        fail(f"{otherwise}: answer y, or give --yes")


@dataclass(slots=True)
class Told:
    """What a run came to."""

    message_ids: set[str] = field(default_factory=set)
    done: int = 0
    doubles: int = 0
    skipped: int = 0


async def follow(
    steps: AsyncGenerator[Step], total: int, what: str, *, as_json: bool, tell: Callable[[Step], object] | None = None
) -> Told:
    """Name each message as it is done, and each that was skipped, with why."""
    told = Told()
    with progress(total, PROGRESS_FROM) as bars:
        bar = bars.add_task(what, total=total)
        async with aclosing(steps):
            async for step in steps:
                told.message_ids.add(step.letter.message_id)
                match step.fate:
                    case Fate.DONE:
                        told.done += 1
                        (tell or (_as_json if as_json else _as_line))(step)
                    case Fate.DOUBLE:
                        told.doubles += 1
                    case Fate.SKIPPED:
                        told.skipped += 1
                        err.print(Text(f"skipped {_name(step)}: {escape_controls(step.why)}"))
                bars.advance(bar)
    return told


def sum_up(told: Told, what: str, unseen: int = 0, came_of_it: str = "") -> None:
    """Say how many of what, and end with status 1 where something was left."""
    if told.doubles:
        lay = "lay there twice and was" if told.doubles == 1 else "lay there twice and were"
        err.print(f"{told.doubles:,} more {lay} taken out")
    if told.skipped:
        err.print(f"{told.skipped:,} skipped: {'it lies' if told.skipped == 1 else 'they lie'} there as before")
    if unseen:
        err.print(f"{unseen:,} were in somebody else's hand: run it again")
    err.print(f"{told.done:,} {what}{came_of_it}", markup=False)
    if told.skipped or unseen:
        raise typer.Exit(1)


def _as_line(step: Step) -> None:
    out.print(Text(_name(step)))


def _as_json(step: Step) -> None:
    new = {"new_message_id": step.new_message_id} if step.new_message_id else {}
    echo({**summary_of(step.letter), **new})


def _name(step: Step) -> str:
    return escape_controls(step.letter.message_id) or "(no message_id)"


def check_found(message_ids: Collection[str], found: Collection[str], queue: Where) -> None:
    missing = sorted(set(message_ids) - set(found))
    if missing:
        elsewhere = "" if queue is Where.UNROUTED else ". Another queue to look into: --queue unrouted"
        fail(escape(escape_controls(f"not among the {queue.words}: {', '.join(missing)}")) + elsewhere)
