"""`orders workers`: who runs, where, as which version, and whether it is paused."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from repository.processes import Process
from worker.broker.management import SeenConsumer
from worker.commands import display, echo, err, out
from worker.commands.layout import Column, Table
from worker.operations.workers import Unknown, differences, who_runs
from worker.redaction import escape_controls
from worker.settings import Settings, SettingsError


def workers(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show who runs, where, since when, and what keeps it.

    One that has said nothing for half a minute is shown as silent. Where Postgres is away, the consumers are shown
    that the broker names, and the status is 1.
    """
    settings = Settings.read()
    if settings.postgres_url is None and settings.amqp_url is None:
        raise SettingsError("ORDERS_POSTGRES_URL and ORDERS_AMQP_URL are not set: at least one of them is needed")
    postgres_url, amqp_url, management_url = (
        url.get_secret_value() if url else None
        for url in (settings.postgres_url, settings.amqp_url, settings.management_url)
    )
    found = asyncio.run(who_runs(postgres_url, amqp_url, management_url))
    if as_json:
        echo(_json(found))
    elif isinstance(found, Unknown):
        _show_instead(found)
    else:
        _show(found)
    raise typer.Exit(1 if isinstance(found, Unknown) else 0)


def _json(found: list[Process] | Unknown) -> Mapping[str, object]:
    if isinstance(found, Unknown):
        instead = found.instead
        return {
            "error": found.why,
            "note": instead.says or None,
            "workers": [],
            "differences": [],
            "consumers": [asdict(one) for one in instead.consumers],
        }
    return {
        "error": None,
        "note": None,
        "workers": [_process_json(one) for one in found],
        "differences": list(differences(found)),
        "consumers": [],
    }


def _process_json(process: Process) -> Mapping[str, object]:
    told = asdict(process)
    return {
        **told.pop("identity"),
        **told,
        "paused": process.paused or None,
        "silent_seconds": round(process.silent_seconds, 3),
        "is_silent": process.is_silent,
    }


def _show(found: list[Process]) -> None:
    if not found:
        out.print("nobody runs: start one with `orders worker`", markup=False)
        return
    display(
        Table(
            [
                Column("run"),
                Column("kind"),
                Column("host"),
                Column("pid", right=True),
                Column("version"),
                Column("since (UTC)"),
                Column("settings"),
            ],
            [_row(one) for one in found],
            tails=[_now(one) for one in found],
        )
    )
    for sentence in differences(found):
        err.print(f"note: {sentence}", markup=False)


def _row(process: Process) -> tuple[str, ...]:
    identity = process.identity
    return (
        identity.run_id,
        identity.kind,
        identity.host,
        str(identity.pid),
        identity.version,
        f"{process.started_at:%Y-%m-%d %H:%M}",
        identity.settings_hash,
    )


def _now(process: Process) -> Text:
    if process.is_silent:
        return Text(f"silent for {process.silent_seconds:,.0f} s", style="red")
    if process.paused:
        return Text(f"paused: {escape_controls(process.paused)}; {process.in_hand:,} in hand", style="yellow")
    return Text(f"works; {process.in_hand:,} in hand")


def _show_instead(found: Unknown) -> None:
    err.print(f"error: who runs is not known: {found.why}", markup=False)
    if found.instead.says:
        err.print(f"note: {found.instead.says}", markup=False)
    elif found.instead.consumers:
        err.print("consumers of orders.requests that RabbitMQ names:")
        display(_consumers(found.instead.consumers))
    else:
        err.print("RabbitMQ names no consumer of orders.requests")


def _consumers(consumers: list[SeenConsumer]) -> Table:
    return Table([Column("user"), Column("address")], [(one.user, one.address) for one in consumers])
