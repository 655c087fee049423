"""`orders dead edit`: fix a request, and send what comes of it in its stead."""

import os
import shlex
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Annotated

import typer

from worker.broker.dead_letters import DeadLetter, DeadLetters
from worker.commands import AsJson, display, echo, err, fail, out
from worker.commands.layout import Column, Table
from worker.commands.operating import actor_of, check_found, check_why, run_on
from worker.commands.options import Why
from worker.operations.editing import Draft, Edited, NotEdited, send_edited
from worker.operations.selection import Filter, Where
from worker.operations.servers import archive
from worker.redaction import Shown, escape_controls
from worker.settings import Settings

NOTE_MARK = "//"  # of a line in the editor that is no part of the request


def edit(
    message_id: Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="Which message.", show_default=False)],
    reason: Why,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Give a parameter, such as pid[0]=7.")
    ] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take a parameter out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a request, and send it under a message_id of its own, in place of the one that failed.

    Without --set and --unset it opens $EDITOR. Of the two requests at most one can ever be placed. Who changed what,
    and why, is kept in the database; secrets are not shown, and stay as they are.
    """
    check_why(reason)
    letter = _the_one(message_id)
    try:
        draft = Draft.of(letter.delivery.body, letter.delivery.properties.content_type)
        given = {**dict(_pair(one) for one in set_ or ()), **dict.fromkeys(unset or ())}
        edited = draft.set(given) if given else _in_editor(draft)
    except NotEdited as error:
        fail(f"nothing was changed: {escape_controls(str(error))}")
    if not edited.changes:
        fail("nothing was changed")
    new_id = str(uuid.uuid4())
    done = run_on(Where.DEAD, lambda letters: _send(letters, letter, edited, new_id, reason))
    if not done:
        fail(f"{escape_controls(message_id)} is not among the dead letters any more: nothing was sent")
    if as_json:
        echo({"message_id": new_id, "supersedes": message_id, "changes": edited.changes})
    else:
        display(_changes(edited.changes), err)
        out.print(new_id)


def _the_one(message_id: str) -> DeadLetter:
    async def find(letters: DeadLetters) -> list[DeadLetter]:
        chosen = Filter.of([message_id], {})
        return [letter async for letter in letters.browse() if chosen(letter)]

    found = run_on(Where.DEAD, find)
    check_found([message_id], [letter.message_id for letter in found], Where.DEAD)
    if len(found) > 1:
        fail(f"{len(found)} dead letters have this message_id: look at them with `orders dead show`, and discard one")
    return found[0]


def _pair(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        raise NotEdited(f"--set takes NAME=VALUE, and not {written}")
    return name, value


def _in_editor(draft: Draft) -> Edited:
    """Let a person edit until it is a request, or they give up."""
    text = draft.text
    while True:
        written = _edited(text)
        text = "\n".join(line for line in written.splitlines() if not line.startswith(NOTE_MARK))
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


async def _send(letters: DeadLetters, letter: DeadLetter, edited: Edited, new_id: str, why: str) -> bool:
    settings = Settings.read()
    async with archive(settings.require("postgres_url")) as database:
        return await send_edited(
            letters, letter, edited, new_id=new_id, why=why, actor=actor_of(settings), database=database
        )


def _changes(changes: list[dict[str, Shown]]) -> Table:
    rows = [(str(change["parameter"]), *(_written(change[side]) for side in ("before", "after"))) for change in changes]
    return Table([Column("parameter"), Column("before", text=True), Column("after", text=True)], rows)


def _written(value: Shown) -> str:
    return "(none)" if value is None else str(value)
