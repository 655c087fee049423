"""`orders dead`: what waits in the dead-letter queue, and its way back."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.table import Column, Table

from worker.broker.connection import connect
from worker.broker.dead_letters import AnotherOperator, DeadLetter, opened
from worker.commands import broker_errors, err, fail, out
from worker.settings import Settings

app = typer.Typer(help="Requests that need a person: list them, replay them.", no_args_is_help=True)

Reason = Annotated[str | None, typer.Option(help="Only this reason: rejected, malformed, failed or delivery_limit.")]
Code = Annotated[str | None, typer.Option(help="Only this code, such as invalid_payment_method.")]


@app.command("list")
def list_(
    reason: Reason = None,
    code: Code = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show what waits, oldest first. Takes nothing out of the queue."""
    chosen = _choice([], reason, code)
    letters = [letter for letter in _run(_browse) if chosen(letter)]
    if as_json:
        for letter in letters:
            out.print(json.dumps(_summary(letter), ensure_ascii=False), markup=False)
        return
    table = Table(
        Column("message_id", no_wrap=True), "died (UTC)", Column("why", overflow="fold"), "replays", box=SIMPLE
    )
    for letter in letters:
        table.add_row(letter.message_id, letter.died_at[5:16].replace("T", " "), _why(letter), str(letter.replays))
    out.print(table if letters else "no dead letters")


@app.command()
def replay(
    message_ids: Annotated[list[str] | None, typer.Argument(help="Which messages, by their message_id.")] = None,
    reason: Reason = None,
    code: Code = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter there is.")] = False,
) -> None:
    """Send dead letters back to be judged anew, once their cause is mended."""
    if not (message_ids or reason or code or everything):
        raise typer.BadParameter("say which: message ids, --reason, --code, or --all")
    chosen = _choice(message_ids or [], reason, code)

    async def run(url: str) -> list[DeadLetter]:
        async with connect(url, "orders dead replay") as connection, opened(connection) as dead_letters:
            return [letter async for letter in dead_letters.replay(chosen)]

    replayed = _run(run)
    for letter in replayed:
        out.print(letter.message_id or "(no message_id)", markup=False)
    err.print(f"{len(replayed)} replayed")
    missing = set(message_ids or []) - {letter.message_id for letter in replayed}
    if missing:
        fail(f"not among the dead letters: {', '.join(sorted(missing))}")


async def _browse(url: str) -> list[DeadLetter]:
    async with connect(url, "orders dead list") as connection, opened(connection) as dead_letters:
        return [letter async for letter in dead_letters.browse()]


def _run(step: Callable[[str], Coroutine[None, None, list[DeadLetter]]]) -> list[DeadLetter]:
    url = Settings.read().require("amqp_url")
    with broker_errors():
        try:
            return asyncio.run(step(url))
        except AnotherOperator as error:
            fail(str(error))


def _choice(message_ids: list[str], reason: str | None, code: str | None) -> Callable[[DeadLetter], bool]:
    def chosen(letter: DeadLetter) -> bool:
        return (
            (not message_ids or letter.message_id in message_ids)
            and (reason is None or letter.reason == reason)
            and (code is None or letter.code == code)
        )

    return chosen


def _why(letter: DeadLetter) -> str:
    return letter.code if letter.reason == "rejected" else f"{letter.reason}: {letter.code or letter.message}"


_COLUMNS = ("message_id", "died_at", "reason", "code", "message", "replays")


def _summary(letter: DeadLetter) -> dict[str, str | int]:
    return {column: getattr(letter, column) for column in _COLUMNS}
