"""Options that several commands of `orders dead` take."""

from datetime import datetime
from typing import Annotated

import typer

from worker.operations.selection import Where

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ"]
Reason = Annotated[str | None, typer.Option(help="Only this reason: rejected, malformed, failed or delivery_limit.")]
Code = Annotated[str | None, typer.Option(help="Only this code, such as invalid_payment_method.")]
Client = Annotated[str | None, typer.Option(help="Only requests of this client, by clientid.")]
Action = Annotated[str | None, typer.Option(help="Only requests for this action, such as addorder.")]
Since = Annotated[
    datetime | None, typer.Option(formats=TIMES, metavar="TIME", help="Only what died then (UTC) or later.")
]
Until = Annotated[
    datetime | None, typer.Option(formats=TIMES, metavar="TIME", help="Only what died then (UTC) or before.")
]
WhichQueue = Annotated[
    Where, typer.Option("--queue", help="dead: requests that came to nothing. unrouted: commands that no queue takes.")
]
Why = Annotated[str, typer.Option("--reason", help="Why; it is written down.", show_default=False)]
