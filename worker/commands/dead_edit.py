"""`orders dead edit`: fix a request, or all that a filter picks, and send what comes of each in its stead."""

import asyncio
import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from worker.broker.dead_letters import DeadLetter
from worker.commands import AsJson, display, err, fail, needed, out
from worker.commands.layout import Column, Table
from worker.commands.operating import (
    Told,
    actor_of,
    check_found,
    check_named,
    follow,
    is_dry,
    keys_of,
    sum_up,
    tell_plan,
)
from worker.commands.options import (
    Action,
    Client,
    Code,
    DryRun,
    Everything,
    Limit,
    MessageIds,
    Publisher,
    ReasonOrWhy,
    Since,
    Until,
    Why,
    why_and_reason,
)
from worker.operations.audit import run, written
from worker.operations.editing import Change, Draft, Edited, NotEdited, edited
from worker.operations.looks import acting_on
from worker.operations.replay import Step, Survey, run_line, survey
from worker.operations.selection import Filter, Where, criteria
from worker.redaction import Shown, escape_controls
from worker.settings import Settings

NOTE_MARK = "//"  # of a line in the editor that is no part of the request
TRIED_MAX = 1_000  # letters of a dry run of which it is tried what they would become


def edit(  # noqa: PLR0913  # an option is a parameter
    *,
    message_ids: MessageIds = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Give a parameter, such as pid[0]=7.")
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take a parameter out.")] = None,
    why: Why = None,
    reason: ReasonOrWhy = None,
    code: Code = None,
    client: Client = None,
    publisher: Publisher = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    everything: Everything = False,
    limit: Limit = None,
    dry_run: DryRun = None,
    as_json: AsJson = False,
) -> None:
    """Change requests, and send each in place of the one that failed.

    Each goes under a message_id of its own. Without --set and --unset it opens $EDITOR, for one message. Of the two
    requests at most one can ever be placed. Who changed what, and why, is kept in the database (`orders audit`);
    secrets are not shown, and stay as they are.
    """
    why, reason = why_and_reason(why, reason)
    chosen = Filter.of(message_ids, criteria(reason, code, client, publisher, action), since, until)
    check_named(chosen, everything=everything)
    settings = Settings.read()
    amqp_url, postgres_url = needed(settings, "amqp_url", "postgres_url")
    keys = keys_of(settings)
    given = {**dict(map(_pair, set_ or ())), **dict.fromkeys(unset or ())}
    found: list[DeadLetter] = []

    def keep(letter: DeadLetter) -> None:
        if len(found) < TRIED_MAX:
            found.append(letter)

    async def look_first() -> Survey:
        async with acting_on(amqp_url, Where.DEAD, postgres_url, keys) as letters:
            return await survey(letters, chosen, limit, keep, remember=True)

    async def act(plan: Survey, change: Change) -> tuple[Told, int]:
        line = run_line("edit", Where.DEAD, why, plan.due, plan.chosen.words)
        async with (
            written(postgres_url, actor_of(settings)) as ledger,
            acting_on(amqp_url, Where.DEAD, postgres_url, keys) as letters,
            run(actor_of(settings), ledger, line, of_many=plan.due > 1) as going,
        ):
            steps = edited(letters, plan, going, change)
            told = await follow(steps, plan.due, "edited", as_json=as_json, tell=None if as_json else _tell)
            return told, letters.unseen

    plan = asyncio.run(look_first())
    if not plan.count:
        check_found(message_ids or [], plan.message_ids, Where.DEAD)
    if given:
        change: Change = lambda draft: draft.set(given)  # noqa: E731  # as short as it is
        if is_dry(plan, chosen, Where.DEAD, dry_run=dry_run, everything=everything):
            tell_plan(plan, Where.DEAD, "edited")
            _tell_trial([letter for letter in found if plan.is_due(letter)], change)
            check_found(message_ids or [], plan.message_ids, Where.DEAD)
            return
        _check_one_changes(plan, found, change)
    else:
        change = _by_hand(plan, found)
    told, unseen = asyncio.run(act(plan, change))
    check_found(message_ids or [], told.message_ids, Where.DEAD)
    sum_up(told, "edited", unseen)


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        fail(f"nothing was changed: --set takes NAME=VALUE, and not {escape(escape_controls(written))}")
    return name, value


def _draft_of(letter: DeadLetter) -> Draft:
    return Draft.of(letter.delivery.body, letter.delivery.properties.content_type)


def _by_hand(plan: Survey, found: list[DeadLetter]) -> Change:
    """Let a person edit the one request that is meant."""
    if plan.count > 1:
        fail(f"{plan.count:,} messages are meant: $EDITOR is for one of them; give --set or --unset")
    result = _checked(lambda: _in_editor(_draft_of(found[0])))
    return lambda _: result


def _check_one_changes(plan: Survey, found: list[DeadLetter], change: Change) -> None:
    """Of one message it is told at once why nothing comes of it, and nothing is done."""
    if plan.count == 1:
        result = _checked(lambda: change(_draft_of(found[0])))
        display(_changes(result.changes), err)


def _checked(make: Callable[[], Edited]) -> Edited:
    try:
        result = make()
    except NotEdited as error:
        fail(f"nothing was changed: {escape(escape_controls(str(error)))}")
    if not result.changes:
        fail("nothing was changed")
    return result


def _tell_trial(letters: list[DeadLetter], change: Change) -> None:
    """Tell how many would become something else, what the first of them would, and why others would not."""
    shown = False
    why_not: dict[str, int] = {}
    for letter in letters:
        try:
            result = change(_draft_of(letter))
            says = "" if result.changes else "nothing would change"
        except NotEdited as error:
            says = str(error)
        if says:
            why_not[says] = why_not.get(says, 0) + 1
        elif not shown:
            err.print(f"the first of them, {escape(escape_controls(letter.message_id))}:")
            display(_changes(result.changes), err)
            shown = True
    for says, count in sorted(why_not.items(), key=lambda pair: -pair[1]):
        err.print(Text(f"{count:,} would be skipped: {escape_controls(says)}"))


def _in_editor(draft: Draft) -> Edited:
    """Let a person edit until it is a request, or they give up."""
    text = draft.text
    while True:
        written_ = _edited(text)
        text = "\n".join(line for line in written_.splitlines() if not line.startswith(NOTE_MARK))
        try:
            return draft.read(text)
        except NotEdited as error:
            err.print(str(error), markup=False)
            if not typer.confirm("Edit it again?", default=True, err=True):
                raise
            notes = "\n".join(f"{NOTE_MARK} {line}" for line in str(error).splitlines())
            text = f"{notes}\n{text}\n"


def _edited(text: str) -> str:
    """Let $VISUAL or $EDITOR change a text, in a file that only we may read."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="orders-edit-") as folder:
        file = Path(folder, "request.json")
        file.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(file)], check=False)  # noqa: S603  # the operator's own
        except (OSError, ValueError) as error:
            raise NotEdited(f"$EDITOR, {editor}, does not start: {error}") from None
        if ended.returncode:
            raise NotEdited(f"the editor ended with {ended.returncode}")
        return file.read_text(encoding="utf-8")


def _tell(step: Step) -> None:
    out.print(Text(str(step.new_message_id)))


def _changes(changes: list[dict[str, Shown]]) -> Table:
    rows = [(str(change["parameter"]), *(_written(change[side]) for side in ("before", "after"))) for change in changes]
    return Table([Column("parameter"), Column("before", text=True), Column("after", text=True)], rows)


def _written(value: Shown) -> str:
    return "(none)" if value is None else str(value)
