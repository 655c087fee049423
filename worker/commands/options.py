"""Options that several commands take, and what a person may write in them."""

import difflib
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Annotated

import typer

from worker.operations.letters import REASONS
from worker.operations.selection import Where
from worker.operations.times import EXAMPLES, Moment, NoTime, read_time


def moment(written: str) -> Moment:
    """Read a time."""
    try:
        return read_time(written, datetime.now(UTC))
    except NoTime as error:
        raise typer.BadParameter(str(error)) from None


def fixed(what: str, words: Collection[str]) -> Callable[[str], str]:
    """Make a reader of fixed words: a misspelt one is refused with a suggestion."""

    def read(written: str) -> str:
        if written not in words:
            close = difflib.get_close_matches(written, words, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(words)}"
            raise typer.BadParameter(f"{written} is no {what}; {hint}")
        return written

    return read


known_reason = fixed("reason", REASONS)


MessageIds = Annotated[list[str] | None, typer.Argument(metavar="MESSAGE_ID", help="Which messages.")]
OneMessageId = Annotated[str, typer.Argument(metavar="MESSAGE_ID", help="Which message.", show_default=False)]

Reason = Annotated[
    str | None,
    typer.Option(parser=known_reason, metavar="WORD", help=f"Only what died of this: {', '.join(REASONS)}."),
]
Code = Annotated[str | None, typer.Option(metavar="CODE", help="Only this code, such as invalid_payment_method.")]
Client = Annotated[str | None, typer.Option(metavar="ID", help="Only requests of this client, by clientid.")]
Publisher = Annotated[
    str | None, typer.Option(metavar="USER", help="Only what this user of the broker published: its user_id.")
]
Action = Annotated[str | None, typer.Option(metavar="ACTION", help="Only requests for this, such as addorder.")]
Since = Annotated[
    Moment | None,
    typer.Option(parser=moment, metavar="TIME", help=f"Only from then on: {EXAMPLES}; UTC."),
]
Until = Annotated[
    Moment | None, typer.Option(parser=moment, metavar="TIME", help="Only up to then, that day or minute included.")
]

WhichQueue = Annotated[
    Where,
    typer.Option("--queue", help="dead: requests that came to nothing. unrouted: commands that no queue takes."),
]
Everything = Annotated[bool, typer.Option("--all", help="Every message there is.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="So many at most, the oldest.")]
DryRun = Annotated[
    bool | None,
    typer.Option(
        "--dry-run/--no-dry-run", help="Only tell what would be done. The default when more than one message matches."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Why = Annotated[str | None, typer.Option("--why", metavar="TEXT", help="Why you do it. It is written down.")]
ReasonOrWhy = Annotated[
    str | None,
    typer.Option("--reason", metavar="WORD", help=f"Only what died of this: {', '.join(REASONS)}."),
]


def why_and_reason(why: str | None, reason: str | None) -> tuple[str, str | None]:
    """Tell why something is done from what is picked by why it died.

    --reason was once the word for why one does it: a text that is no reason of a death, nor like one, is taken so.
    """
    if reason is not None and why is None and not difflib.get_close_matches(reason, REASONS, n=1):
        why, reason = reason, None
    if reason is not None:
        reason = known_reason(reason)
    if not (why or "").strip():
        raise typer.BadParameter("say why you do it; it is written down", param_hint="--why")
    return str(why), reason
