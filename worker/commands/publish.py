"""`orders publish`: send requests, and wait for their replies."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated

import orjson
import typer
from rich.text import Text

from worker.broker.messages import is_message_id
from worker.client import Request
from worker.commands import AsJson, echo, err, fail, needed
from worker.commands.bars import progress
from worker.commands.requests import Files, Forms, requests_in
from worker.operations.faults import OperationFault
from worker.operations.publishing import IN_FLIGHT_MAX, Answered, Given, published, with_keys
from worker.redaction import escape_controls
from worker.settings import Settings

PREFIX_CHARS_MAX = 100  # a number comes behind it


def publish(  # noqa: PLR0913  # an option is a parameter
    *,
    files: Files = None,
    form: Forms = None,
    message_id: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Idempotency key of a single request; give the same one to send it again."),
    ] = None,
    key_prefix: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Keys of several: this, and the number of each. A made up one otherwise."),
    ] = None,
    key_field: Annotated[
        str | None, typer.Option(metavar="NAME", help="The key of each is in this field of its JSON object.")
    ] = None,
    resume: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Go on with this one; those before it were sent.")
    ] = 1,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for each reply and print it.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, metavar="S", help="How long to wait for a reply.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Send AddOrder requests, in order. A line that is none is named, and nothing is sent.

    Prints each message_id when the broker has it; with --wait the reply, of several with its number and message_id.
    The status is 1 if a reply says no, or does not come. Sent again under the same keys, nothing is ordered twice.
    """
    given = requests_in(files, form)
    _check_keys(given, message_id, key_prefix, key_field)
    prefix = key_prefix if key_prefix is not None else f"{uuid.uuid4()}-"
    if message_id is not None:
        requests = [(1, Request(given[0].body, given[0].content_type, message_id))]
    elif len(given) == 1 and key_prefix is None and key_field is None:
        requests = [(1, Request(given[0].body, given[0].content_type))]
    else:
        requests = with_keys(given, prefix, key_field)
    [url] = needed(Settings.read(), "amqp_url")
    sent = _Sent(len(given), how=f"--key-field {key_field}" if key_field else f"--key-prefix {prefix}")
    try:
        asyncio.run(_publish(url, requests[resume - 1 :], sent, seconds if wait else None, as_json=as_json))
    except (KeyboardInterrupt, OperationFault):
        if sent.total > 1:
            done = f"{sent.last:,} of {sent.total:,} are done"
            err.print(f"{done}; the same command goes on with {sent.go_on}", markup=False)
        raise
    _sum_up(sent, waited=wait)


@dataclass(slots=True)
class _Sent:
    """What was told so far."""

    total: int
    how: str  # the option that gives the same keys again
    last: int = 0
    said_yes: int = 0
    said_no: int = 0
    unanswered: int = 0

    @property
    def go_on(self) -> str:
        return f"{self.how} --resume {self.last + 1}"


async def _publish(
    url: str, requests: Sequence[tuple[int, Request]], sent: _Sent, reply_seconds: float | None, *, as_json: bool
) -> None:
    with progress(len(requests), IN_FLIGHT_MAX) as bars:
        bar = bars.add_task("publishing", total=len(requests))
        async with aclosing(published(url, requests, reply_seconds)) as answers:
            async for answer in answers:
                _tell(answer, sent, reply_seconds, as_json=as_json)
                sent.last = answer.number
                bars.advance(bar)


def _tell(answer: Answered, sent: _Sent, reply_seconds: float | None, *, as_json: bool) -> None:
    sent.said_no += answer.is_error
    sent.said_yes += answer.reply is not None and not answer.is_error
    key = escape_controls(answer.message_id)
    if as_json:
        echo({"number": answer.number, "message_id": answer.message_id, "reply": _reply(answer)})
    elif reply_seconds is None:
        typer.echo(key)
    elif answer.reply is not None:
        reply = answer.reply.decode(errors="replace").rstrip("\n")
        if sent.total == 1:
            typer.echo("\n".join(map(escape_controls, reply.split("\n"))))
        else:
            typer.echo(f"{answer.number}\t{key}\t{escape_controls(reply)}")
    if reply_seconds is not None and answer.reply is None:
        sent.unanswered += 1
        err.print(Text(f"{answer.number}: {key}: no reply in {reply_seconds:g} s"))


def _reply(answer: Answered) -> object:
    """Return a reply as JSON where it is JSON, else as text."""
    if answer.reply is None:
        return None
    try:
        return orjson.loads(answer.reply)
    except ValueError:
        return answer.reply.decode(errors="replace")


def _sum_up(sent: _Sent, *, waited: bool) -> None:
    if waited and sent.total > 1:
        err.print(f"{sent.said_yes:,} placed, {sent.said_no:,} rejected, {sent.unanswered:,} without a reply")
    if sent.unanswered:
        keys = "the same --message-id" if sent.total == 1 else sent.how
        fail(f"{sent.unanswered} without a reply: their outcome is unknown; send them again with {keys}")
    if sent.said_no:
        raise typer.Exit(1)


def _check_keys(given: Sequence[Given], message_id: str | None, prefix: str | None, field: str | None) -> None:
    if sum(option is not None for option in (message_id, prefix, field)) > 1:
        raise typer.BadParameter("only one of --message-id, --key-prefix and --key-field tells the keys")
    if message_id is not None and not is_message_id(message_id):
        raise typer.BadParameter("it has 1 to 128 characters", param_hint="--message-id")
    if message_id is not None and len(given) != 1:
        raise typer.BadParameter(f"it is the key of one request, and there are {len(given)}", param_hint="--message-id")
    if prefix is not None and not 0 < len(prefix) <= PREFIX_CHARS_MAX:
        raise typer.BadParameter(f"it has 1 to {PREFIX_CHARS_MAX} characters", param_hint="--key-prefix")
