"""`orders publish`: send requests, and wait for their replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

import typer
from rich.progress import Progress

from worker.client import Request, Storefront
from worker.commands import err, fail, out
from worker.commands.requests import Files, Forms, requests_in
from worker.operations.servers import rabbitmq_in_words
from worker.settings import Settings

IN_FLIGHT_MAX = 100


def publish(
    files: Files = None,
    form: Forms = None,
    message_id: Annotated[
        str | None, typer.Option(help="Idempotency key of a single request; give the same one to send it again.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for each reply and print it.")] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long to wait for a reply.")] = 30.0,
) -> None:
    """Send AddOrder requests. Prints each message_id as soon as the broker has it, or with --wait the reply."""
    requests = list(requests_in(files, form))
    if message_id and len(requests) != 1:
        raise typer.BadParameter("it is the key of one request, but there are several", param_hint="--message-id")
    if message_id:
        requests = [replace(requests[0], message_id=message_id)]
    url = Settings.read().require("amqp_url")
    unanswered = asyncio.run(_publish(url, requests, seconds if wait else None))
    if unanswered:
        fail(f"{unanswered} without a reply: their outcome is unknown; send them again with the same --message-id")


async def _publish(url: str, requests: list[Request], reply_seconds: float | None) -> int:
    """Send everything, at most IN_FLIGHT_MAX at a time; returns how many replies did not come."""
    unanswered = 0
    room = asyncio.Semaphore(IN_FLIGHT_MAX)
    async with _storefront(url) as storefront:
        with Progress(console=err, transient=True, disable=len(requests) < IN_FLIGHT_MAX) as progress:
            bar = progress.add_task("publishing", total=len(requests))

            async def one(request: Request) -> None:
                nonlocal unanswered
                async with room:
                    await storefront.send(request, wants_reply=reply_seconds is not None)
                    if reply_seconds is None:
                        out.print(request.message_id)
                    else:
                        try:
                            out.print((await storefront.reply_to(request, reply_seconds)).decode(), markup=False)
                        except TimeoutError:
                            unanswered += 1
                            err.print(f"{request.message_id}: no reply in {reply_seconds:g} s")
                    progress.advance(bar)

            async with asyncio.TaskGroup() as sending:
                for request in requests:
                    sending.create_task(one(request))
    return unanswered


@asynccontextmanager
async def _storefront(url: str) -> AsyncIterator[Storefront]:
    with rabbitmq_in_words():
        async with Storefront.open(url) as storefront:
            yield storefront
