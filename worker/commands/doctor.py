"""`orders doctor`: is everything as it must be, and if not, what is the fix? Changes nothing."""

import asyncio
from dataclasses import asdict
from itertools import zip_longest
from typing import Annotated

import typer
from rich.text import Text

from worker.commands import display, echo
from worker.commands.layout import Column, Table
from worker.operations.checks import Role, examine
from worker.operations.findings import Finding, Level
from worker.redaction import escape_controls
from worker.settings import Settings, SettingsError


def doctor(
    role: Annotated[
        Role | None,
        typer.Option(
            "--as",
            metavar="ROLE",
            help="Whose work these settings are for: storefront, worker or operator. It decides which rights are "
            "needed. Unless given, that of the user in ORDERS_AMQP_URL if it has one of these names, else a worker's.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Check settings, servers, rights and clocks; name each fix.

    Changes nothing, and publishes nothing but probes, which are no requests. The status is 1 if anything is wrong.
    """
    findings = _findings(role)
    is_well = not any(finding.level is Level.WRONG for finding in findings)
    if as_json:
        echo({"ok": is_well, "checks": [asdict(finding) for finding in findings]})
    else:
        _show(findings)
    raise typer.Exit(0 if is_well else 1)


def _findings(role: Role | None) -> list[Finding]:
    try:
        settings = Settings.read()
    except SettingsError as error:
        return [
            Finding("settings", Level.WRONG, line, "Fix it; nothing else was checked.")
            for line in str(error).splitlines()
        ]
    return asyncio.run(examine(settings, role))


# ---------------------------------------------------------------- on a screen

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "bold red"}


def _show(findings: list[Finding]) -> None:
    rows = []
    for finding, following in zip_longest(findings, findings[1:]):
        words = Text(escape_controls(finding.says))
        if finding.fix and not (following and following.fix == finding.fix):
            words.append(f"\n{finding.fix}", style="italic")
        rows.append((Text(finding.level, style=_COLOURS[finding.level]), finding.check, words))
    display(Table([Column("level"), Column("check"), Column("finding", text=True)], rows, with_headings=False))
