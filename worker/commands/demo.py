"""`orders demo`: the whole way of a request, to look at."""

import asyncio
import json
import os
import shlex
import shutil
import sys
import uuid
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qsl

import typer
from rich.markup import escape
from rich.rule import Rule
from rich.text import Text

from deploy.local.host import LocalServerError
from deploy.local.servers import local_servers
from schemas import wire
from worker.client import Request
from worker.commands import display, err, fail, out
from worker.commands.demo_stage import Scene, Stage, at_stake, running_stage
from worker.commands.events import line_of
from worker.commands.layout import Content, Grid, Stack
from worker.commands.operating import confirm
from worker.commands.options import Yes
from worker.commands.show import parts_of_order

CREDENTIALS = {"username": "admin", "password": "fe01ce2a7fbac8fafaed7c982a04e229"}  # the sample catalogue's


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave servers and worker running, to play with.")] = False,
    yes: Yes = False,
) -> None:
    """Show five example requests on their way.

    They are sent, answered, written and announced. Starts all that it needs.
    """
    try:
        err.print("Postgres and RabbitMQ start: a few seconds, the first time a minute …")
        with local_servers(keep=keep) as servers:
            _ask_first(servers.postgres_url, servers.amqp_url, yes=yes)
            err.print("A database is made, the sample catalogue loaded, a worker started …")
            asyncio.run(_demo(servers.postgres_url, servers.amqp_url, keep=keep))
    except LocalServerError as error:
        fail(escape(str(error)))


def _ask_first(postgres_url: str, amqp_url: str, *, yes: bool) -> None:
    """Take nothing away that somebody kept, without a word."""
    stake = asyncio.run(at_stake(postgres_url, amqp_url))
    if stake:
        err.print(f"There is something already, perhaps of `orders demo --keep`: {stake}. The demo takes it away.")
        if not yes:
            confirm("Go on?", "nothing was touched")


async def _demo(postgres_url: str, amqp_url: str, *, keep: bool) -> None:
    async with running_stage(postgres_url, amqp_url, keep=keep) as stage:
        _say(
            "Postgres, RabbitMQ and a worker run; the sample catalogue is loaded. Every request below goes through the "
            "queue; what is shown came back."
        )
        await _five_requests(stage)
        await _rejected_and_replayed(stage)
        await _sent_twice(stage)
        out.print(Rule(style="dim"))
        if keep:
            out.print("Servers and worker go on. To play with them:\n")
            for line in _to_try(stage):
                out.print(Text(line, style="bold"))
        else:
            out.print("Everything that was started is stopped again. To have it go on:\n")
            out.print(Text(f"{_program()} demo --keep", style="bold"))


def _to_try(stage: Stage) -> Iterator[str]:
    """List what to type next: each line can be copied as it is."""
    program = _program()
    yield f"export ORDERS_ENV_FILE={shlex.quote(str(stage.env_file))}"
    yield f"{program} publish --wait --form 'clientid=1&pid=1&paymentmethod=paypal'"
    yield f"{program} events"
    yield f"{program} dead list"
    yield "make psql"
    yield "make rabbitmqctl ARGUMENTS='list_queues name messages'"
    yield "make down"


def _program() -> str:
    """Write how this program is called from here."""
    if shutil.which("orders"):
        return "orders"
    installed = Path(sys.executable).with_name("orders")
    return shlex.quote(os.path.relpath(installed) if installed.is_relative_to(Path.cwd()) else str(installed))


async def _five_requests(stage: Stage) -> None:
    requests = json.loads(files("deploy").joinpath("sample", "requests.json").read_text(encoding="utf-8"))
    for number, request in enumerate(requests, start=1):
        out.print(Rule(f"[bold]{number} of {len(requests)} · {request['title']}[/]", style="cyan"))
        _say(f"{request['about']}.", "italic")
        await _show(stage, "External API: form fields, username and password", _external(request["form"]))
        await _show(stage, "Internal API: JSON, from a publisher that is trusted", _internal(request["values"]))


async def _rejected_and_replayed(stage: Stage) -> None:
    out.print(Rule("[bold]A rejected request, its cause fixed, and replayed[/]", style="cyan"))
    _say("The shop has switched this payment method off: an honest mistake of the storefront.", "italic")
    request = _internal({"clientid": 1, "pid": 7, "paymentmethod": "oldgateway"})
    await _show(stage, "Internal API: JSON, from a publisher that is trusted", request)
    letter = await stage.dead_letter(request.message_id)
    _part("dead letter", _facts({"message_id": letter.message_id, "reason": letter.reason, "code": letter.code}))

    _say("\nThe shop switches it on again, and an operator replays the dead letter.", "italic")
    await stage.load_catalogue(
        {"payment_methods": [{"name": "oldgateway", "display_name": "Old Gateway", "active": True, "order": 3}]}
    )
    _command("orders catalog load fixed.json")
    _command(f"orders dead replay {request.message_id}")
    await _show_scene(await stage.play(request, lambda: stage.replay(request.message_id)), stage)
    left = await stage.count_dead_letters()
    _part("dead letters", _verdict(left == 0, "none left", f"{left} LEFT"))


async def _sent_twice(stage: Stage) -> None:
    out.print(Rule("[bold]The same request, sent twice[/]", style="cyan"))
    _say("The storefront saw no answer in time and sends again, under the same message_id.", "italic")
    before = await stage.count_orders()
    request = _internal({"clientid": 1, "pid": 7, "paymentmethod": "paypal"})
    first = await stage.play(request, lambda: stage.send(request))
    second = await stage.play(request, lambda: stage.send(request))
    _part("sent", _sent(request))
    _part("1st reply", _json(first.reply))
    _part("2nd reply", _json(second.reply))
    _part("replies", _verdict(first.reply == second.reply, "the very same bytes", "DIFFERENT"))
    _part("events", _verdict(first.event_ids == second.event_ids, "the same ids twice", "DIFFERENT IDS"))
    written = await stage.count_orders() - before
    _part("orders", _verdict(written == 1, "one was written", f"{written} WERE WRITTEN"))


# ---------------------------------------------------------------- what is sent


def _external(form: str) -> Request:
    credentials = "&".join(f"{name}={value}" for name, value in CREDENTIALS.items())
    return Request(f"{credentials}&{form}".encode(), wire.FORM, str(uuid.uuid4()))


def _internal(values: Mapping[str, Any]) -> Request:
    return Request(json.dumps(values).encode(), wire.JSON, str(uuid.uuid4()))


# ---------------------------------------------------------------- what is shown


async def _show(stage: Stage, how: str, request: Request) -> None:
    out.print(f"\n[bold cyan]{how}[/]")
    _part("sent", _sent(request))
    await _show_scene(await stage.play(request, lambda: stage.send(request)), stage)


async def _show_scene(scene: Scene, stage: Stage) -> None:
    reply = json.loads(scene.reply)
    _part("reply", _json(scene.reply))
    if reply["result"] == "success":
        for name, content in parts_of_order(await stage.order(reply["orderid"])):
            _part(name, content)
    for event in scene.events:
        _part("follow-up" if b'"type":"email.' in event else "event", line_of(event, with_request=False))


def _say(words: str, style: str = "") -> None:
    display(Stack([Text(words, style=style)]))


def _part(name: str, content: Content) -> None:
    display(Grid([(name, content)]))


def _sent(request: Request) -> Text:
    """Show a body as a person reads it; the password is nobody's business."""
    if request.content_type == wire.FORM:
        pairs = parse_qsl(request.body.decode(), keep_blank_values=True)
        fields = "  ".join(f"{name}={'•••' if name == 'password' else value}" for name, value in pairs)
        return Text(fields)
    return Text(request.body.decode())


def _json(raw: bytes) -> Text:
    """Show JSON with room to break its lines."""
    return Text(json.dumps(json.loads(raw)))


def _verdict(is_right: bool, right: str, wrong: str) -> Text:  # noqa: FBT001  # what is judged
    return Text(right, style="bold green") if is_right else Text(wrong, style="bold red")


def _facts(values: Mapping[str, str]) -> Text:
    return Text("  ".join(f"{name}={value}" for name, value in values.items()))


def _command(line: str) -> None:
    _part("$", Text(line, style="bold"))
