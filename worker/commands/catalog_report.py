"""What `orders catalog` says of a file and of changes: bounded on a screen, whole as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

import typer

from repository.catalog import CatalogError, LoadReport
from repository.catalog_versions import Act, Version
from schemas.catalog_changes import EntryChange, in_detail, sentence
from schemas.catalog_file import FAULTS_SHOWN_MAX, shown
from schemas.catalog_offers import StrangeStates
from worker.commands import display, echo, err, fail, out
from worker.commands.layout import Column, Table
from worker.operations.catalog_advice import Finding
from worker.redaction import escape_controls

CHANGES_SHOWN_MAX = 40
STATES_SHOWN_MAX = 20
VERSION_CHANGES_SHOWN_MAX = 5  # of one version, where several are listed


def fail_for(error: CatalogError, *, as_json: bool = False) -> NoReturn:
    if as_json:
        echo([_refused(fault) for fault in error.faults])
        raise typer.Exit(1)
    err.print(str(error), markup=False)
    things = "one thing" if len(error.faults) == 1 else f"{len(error.faults)} things"
    fail(f"{things} to fix in the file first")


def _refused(fault: str) -> Finding:
    """Take a line apart: its path, unless the fault is the whole file's, stands before a colon."""
    path, _, message = fault.partition(": ")
    return Finding(path, "refused", message) if message else Finding("the file", "refused", fault)


def tell_findings(findings: Sequence[Finding]) -> None:
    for finding in findings[:FAULTS_SHOWN_MAX]:
        out.print(f"{finding.path}: {finding.message}", markup=False)
    more = len(findings) - FAULTS_SHOWN_MAX
    if more > 0:
        out.print(f"… and {more} more; --json prints them all")
    if findings:
        things = "one thing" if len(findings) == 1 else f"{len(findings)} things"
        err.print(f"{things} in the file will hurt later, though `load` takes it")
    else:
        err.print("the file is in order")


def tell_elsewhere(count: int) -> None:
    if count:
        things = "one thing that is not" if count == 1 else f"{count:,} things that are not"
        err.print(f"it refers to {things} in it: `load` looks into the database for that")


def tell_strange_states(places: Sequence[StrangeStates]) -> None:
    """Name states of clients for a person to look over: one may be misspelt, and one may have no tax of its own."""
    for place in places:
        counted = [f"{shown(state)} ({count:,})" for state, count in place.states.items()]
        more = len(counted) - STATES_SHOWN_MAX
        names = ", ".join((*counted[:STATES_SHOWN_MAX], *[f"… and {more} more"] * (more > 0)))
        err.print(
            f"note: no tax rule of {place.country} names these states of clients, who pay the country's tax: {names}; "
            "where one is meant, give it state_aliases",
            markup=False,
        )


def tell_report(report: LoadReport, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        sections = {section: asdict(count) for section, count in report.sections.items()}
        changes = [asdict(change) for change in in_detail(report.changes)]
        echo(
            {
                "version": report.version,
                "moved": report.moved,
                "dry_run": dry_run,
                "sections": sections,
                "changes": changes,
                "notes": report.notes,
            }
        )
        return
    if report.sections:
        counts = [Column(name, right=True) for name in ("new", "updated", "unchanged")]
        rows = [
            (section, f"{count.new:,}", f"{count.updated:,}", f"{count.unchanged:,}")
            for section, count in report.sections.items()
        ]
        display(Table([Column("section"), *counts], rows))
    _show_changes(report.changes)
    for note in report.notes[:FAULTS_SHOWN_MAX]:
        err.print(f"note: {note}", markup=False)
    if len(report.notes) > FAULTS_SHOWN_MAX:
        err.print(f"… and {len(report.notes) - FAULTS_SHOWN_MAX} more notes; --json prints them all")
    is_ = "would be" if dry_run else "is"
    out.print(f"the catalogue {is_} at version {report.version}{'' if report.moved else ', as before'}")


def tell_changes(changes: Sequence[EntryChange], *, as_json: bool) -> None:
    if as_json:
        for change in in_detail(changes):
            echo(change)
        return
    _show_changes(changes)
    if not changes:
        err.print("nothing differs")


def _show_changes(changes: Sequence[EntryChange], most: int = CHANGES_SHOWN_MAX, indent: str = "") -> None:
    """Show values that changed, before entries that are new: those are counted above, and seldom a mistake."""
    values = sorted(in_detail(changes), key=lambda change: change.before is None and not change.path)
    for change in values[:most]:
        out.print(f"{indent}{sentence(change)}", markup=False)
    if len(values) > most:
        out.print(f"{indent}… and {len(values) - most:,} more; --json prints them all")


def show_version(version: Version) -> None:
    acts = {
        Act.MIGRATE: "here the history begins",
        Act.LOAD: "a load",
        Act.ROLLBACK: f"back to version {version.back_to}",
        Act.FIRST_VALUES: "first values of settings, from an environment",
    }
    if version.made_at is None:
        out.print(f"{version.version}  not recorded: made by a version of this program that kept no history")
        return
    when = f"{version.made_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"{version.version}  {when}  {acts[version.act]}, by {escape_controls(version.made_by)}", markup=False)
    _show_changes(version.changes, most=VERSION_CHANGES_SHOWN_MAX, indent="    ")
    more = version.count - len(version.changes)
    if more:
        out.print(f"    … and {more:,} more entries; `orders catalog diff` tells all")
