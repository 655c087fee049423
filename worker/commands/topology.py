"""`orders topology`: exchanges, queues and bindings, and who may use them."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, TypeVar

import typer
from rich.markup import escape
from rich.text import Text

from schemas import topology
from worker.broker.connection import BrokerConnection
from worker.broker.topology import check_topology
from worker.broker.users import NO_PASSWORDS, USERS, definitions
from worker.commands import display, err, fail, needed
from worker.commands.layout import Column, Table
from worker.commands.operating import actor_of, confirm
from worker.commands.options import Yes
from worker.operations import shop
from worker.operations.audit import Written
from worker.operations.bindings import checked
from worker.operations.findings import Finding, Level
from worker.operations.servers import archive, broker
from worker.operations.shop import Adoption
from worker.operations.topology import apply as apply_to
from worker.settings import Settings, SettingsError

# Not settings: no other command knows them.
PASSWORDS = {user.name: f"ORDERS_RABBITMQ_{user.name.upper()}_PASSWORD" for user in USERS}

Result = TypeVar("Result")

app = typer.Typer(help="Exchanges and queues: show, declare, verify, adopt, export.", no_args_is_help=True)


@app.command()
def show() -> None:
    """List what there is to declare."""
    rows = [
        (_named(exchange.name, f"{exchange.type} exchange"), _arguments(exchange.arguments))
        for exchange in topology.EXCHANGES
    ]
    for queue in topology.DECLARED:
        kind = "stream" if isinstance(queue, topology.Stream) else "quorum queue"
        bound = "".join(f"\nbound to {exchange} {key}".rstrip() for exchange, key in queue.bindings)
        rows.append((_named(queue.name, f"{kind}{bound}"), _arguments(queue.arguments)))
    display(Table([Column("what", text=True), Column("with")], rows))


def _named(name: str, what: str) -> Text:
    return Text.assemble((name, "bold"), f"\n{what}")


@app.command()
def apply() -> None:
    """Declare everything, compare what exists, say what was missing.

    A difference is named. Whether a binding was missing is known with ORDERS_MANAGEMENT_URL; without, those of
    commands are tried as `check` tries them. With ORDERS_POSTGRES_URL the broker is noted as that shop's; one that is
    another shop's is left as it is.
    """
    settings = Settings.read()
    applied = _run(settings, lambda connection: apply_to(connection, settings))
    for line in applied.fixed or ["nothing to do"]:
        err.print(line, markup=False)
    if applied.unknown:
        err.print(f"note: {applied.unknown}; all of them are there now", markup=False)
    if applied.unsaid:
        err.print(f"note: {applied.unsaid}", markup=False)
    err.print(f"{len(topology.EXCHANGES)} exchanges and {len(topology.DECLARED)} queues are as they should be")


@app.command()
def adopt(*, yes: Yes = False) -> None:
    """Make this broker that of our database's shop.

    It tells first whose the broker is. Workers of that shop end when they start or connect again. The operator's user
    may do it.
    """
    settings = Settings.read()
    amqp_url, postgres_url = needed(settings, "amqp_url", "postgres_url")
    actor = actor_of(settings)

    async def run() -> None:
        async with archive(postgres_url) as database, broker(amqp_url, "orders topology") as connection:
            adoption = await shop.look(connection, database)
            if adoption.is_done:
                err.print(f"this is the broker of the shop {adoption.ours} already")
                return
            if adoption.theirs is not None:
                _tell(adoption)
                if not yes:
                    await asyncio.to_thread(confirm, "is it to be this shop's from now on?", "nothing done")
            await shop.adopt(connection, adoption, actor, Written(database, actor))
        err.print(f"this is the broker of the shop {adoption.ours} now")

    asyncio.run(run())


def _tell(adoption: Adoption) -> None:
    consume = "worker consumes" if adoption.consumers == 1 else "workers consume"
    err.print(
        f"this is the broker of the shop {adoption.theirs}; ORDERS_POSTGRES_URL names the database of the shop "
        f"{adoption.ours}.\nWorkers of the other one will end when they start or connect again; {adoption.consumers} "
        f"{consume} now. What waits in the queues will be carried out for this shop.",
        markup=False,
    )


@app.command()
def check() -> None:
    """See that everything exists, and that requests arrive. Changes nothing.

    Whether they arrive is tried with a probe under each key, which is no request; that takes ORDERS_SECRET_KEYS and
    ORDERS_POSTGRES_URL. With ORDERS_MANAGEMENT_URL all bindings are looked at.
    """
    settings = Settings.read()
    findings = _run(settings, lambda connection: _checked(connection, settings))
    wrong = [f"{one.says}. {one.fix}" for one in findings if one.level is Level.WRONG]
    for one in findings:
        if one.level is not Level.WRONG:
            err.print(f"{'' if one.level is Level.OK else 'note: '}{one.check}: {one.says}", markup=False)
    if wrong:
        fail(escape("\n".join(wrong)))


async def _checked(connection: BrokerConnection, settings: Settings) -> list[Finding]:
    await check_topology(connection)
    exists = Finding("topology", Level.OK, "every exchange and queue exists")
    return [exists, *[one async for one in checked(connection, settings, may_probe=True)]]


@app.command()
def export(
    *,
    vhost: Annotated[str, typer.Option(metavar="NAME", help="The virtual host that all of it is for.")] = "/",
    passwords_from_environment: Annotated[
        bool,
        typer.Option("--passwords-from-environment", help="Give each user a password, ORDERS_RABBITMQ_…_PASSWORD."),
    ] = False,
) -> None:
    """Print RabbitMQ's definitions.json, with users and rights.

    With --passwords-from-environment, hashes of ORDERS_RABBITMQ_STOREFRONT_PASSWORD,
    ORDERS_RABBITMQ_WORKER_PASSWORD and ORDERS_RABBITMQ_OPERATOR_PASSWORD are in it.
    Without, nobody can log in, and importing it takes away the passwords that the users have.
    """
    passwords = _passwords(os.environ) if passwords_from_environment else NO_PASSWORDS
    typer.echo(json.dumps(definitions(vhost, passwords), indent=2))


def _passwords(environ: Mapping[str, str]) -> dict[str, str]:
    missing = [f"{variable} is not set: a password" for variable in PASSWORDS.values() if not environ.get(variable)]
    if missing:
        raise SettingsError("\n".join(missing))
    return {name: environ[variable] for name, variable in PASSWORDS.items()}


def _run(settings: Settings, step: Callable[[BrokerConnection], Awaitable[Result]]) -> Result:
    url = settings.require("amqp_url")

    async def run() -> Result:
        async with broker(url, "orders topology") as connection:
            return await step(connection)

    return asyncio.run(run())


def _arguments(arguments: Mapping[str, object]) -> Text:
    return Text("\n".join(f"{name}={value}" for name, value in arguments.items()))
