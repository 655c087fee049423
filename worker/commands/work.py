"""`orders worker`: consume until SIGTERM."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, NoReturn

import structlog
import typer
import uvloop
from prometheus_client import REGISTRY

from repository.database import Database
from repository.processes import Kind
from worker import logs, metrics
from worker.bindings import watched
from worker.broker.management import Management
from worker.commands import fail, needed, out, person
from worker.commands.output import OutputFault, forget_output
from worker.intake.authentication import Authenticator
from worker.intake.edge import Edge
from worker.key_ring import KeyRing
from worker.operations.servers import postgres_in_words, rabbitmq_in_words
from worker.pipeline.consumer import Consumer
from worker.pipeline.context import Context
from worker.presence import identity_of, telling
from worker.process import (
    ProcessError,
    gathered,
    have_files,
    heartbeat,
    serving,
    spare_the_collector,
    stop_signal,
    supervise,
)
from worker.settings import CONNECTIONS, Settings

log = structlog.get_logger()


def work(
    processes: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="How many consume the same queue.")] = 1,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
) -> None:
    """Consume requests until SIGTERM, then finish what is in hand.

    With ORDERS_HTTP_PORT it answers there, for all processes: /livez, /readyz, and /metrics for Prometheus.
    """
    settings = Settings.read()
    needed(settings, "amqp_url", "postgres_url", "secret_keys")
    try:
        status = _run(settings, processes, supervised=supervised)
    except ProcessError as error:
        fail(str(error))
    except logs.LogFault as fault:
        _fail_without_a_log(fault)
    sys.exit(status)


def _run(settings: Settings, processes: int, *, supervised: bool) -> int:
    have_files()
    lines = logs.configure(settings.log_format)
    if processes > 1:
        return _run_several(processes, settings)
    return _run_one(settings, lines, supervised=supervised)


def _fail_without_a_log(fault: logs.LogFault) -> NoReturn:
    """Say on standard output why there is no log, for that is what is left."""
    try:
        out.print(f"[red]error:[/] the log cannot be written: {fault}; nothing was consumed")
    except OutputFault:
        forget_output()
    sys.exit(1)


def _run_several(processes: int, settings: Settings) -> int:
    with gathered(processes) as team, serving(settings, team.registry, team.condition):
        return uvloop.run(supervise(processes, team, settings.drain_seconds))


def _run_one(settings: Settings, lines: logs.Lines, *, supervised: bool) -> int:
    spare_the_collector()
    # Not by taking the variable out of the environment: the port may be written in ORDERS_ENV_FILE.
    served = settings.model_copy(update={"http_port": None}) if supervised else settings
    with serving(served, REGISTRY, metrics.condition), postgres_in_words(), rabbitmq_in_words():
        log.info("worker.started", **settings.shown())
        lines.check()  # before anything is consumed: nobody would know what becomes of it
        uvloop.run(consume(settings, supervisor=os.getppid() if supervised else None))
    return 0


async def consume(settings: Settings, supervisor: int | None = None) -> None:
    """Run one worker in this process. With the pid of a supervisor it ends when that is gone."""
    stopping = stop_signal()
    async with (
        heartbeat(stopping, supervisor),
        open_context(settings) as context,
        telling(context.database, identity_of(Kind.WORKER, settings), metrics.activity),
        watched(_management(settings)),
    ):
        await Consumer(settings, context).run(stopping)


def _management(settings: Settings) -> Management | None:
    if settings.management_url is None:
        return None
    return Management.of(settings.management_url.get_secret_value(), settings.require("amqp_url"))


@asynccontextmanager
async def open_context(settings: Settings) -> AsyncIterator[Context]:
    """Wire what carrying out needs. Nothing is connected yet: the servers may still be on their way."""
    keys = KeyRing(settings.keys())
    authenticator = Authenticator(keys.keyed_hash, settings.trusted_publishers, settings.callers)
    url = settings.require("postgres_url")
    async with Database(url, connections_max=CONNECTIONS) as database:
        yield Context(
            database=database,
            edge=Edge(keys, authenticator, settings.request_bytes_max),
            keys=keys,
            first_values=settings.first_values,
            run_by=person(),
            reply_queues=settings.reply_queues,
        )
