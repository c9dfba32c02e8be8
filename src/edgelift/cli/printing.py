"""What a verb prints on stdout when it has ended: its stage, checks and findings, or JSON."""

from __future__ import annotations

import collections
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.markup import escape

import edgelift
from edgelift.cli.display import format_check, format_finding
from edgelift.model.findings import Check, Level, Status

if TYPE_CHECKING:
    from edgelift.verbs import Outcome


def show_plan(path: Path, until: str, *, as_json: bool) -> None:
    """Show for a dry run which stages would run and which are done already."""
    preview = edgelift.preview(path, until)
    if as_json:
        click.echo(msgspec.json.encode(preview).decode())
        return
    for step in preview:
        click.echo(f"{step.name:<8} {step.action:<9} {step.reason}")


def print_json(outcome: Outcome) -> None:
    """Print an outcome as one line of JSON."""
    click.echo(msgspec.json.encode(outcome).decode())


def finish(
    outcome: Outcome, *, as_json: bool, stage: str | None = None, summary: bool = False
) -> None:
    """Print what a verb ended with: that of one stage, with `summary` checks and findings too."""
    if as_json:
        print_json(outcome)
        return
    console = Console(highlight=False)
    if summary:
        _print_summary(console, outcome)
    for state in outcome.stages:
        if state.name == stage:
            console.print(escape(state.summary), soft_wrap=True)
    for upload in outcome.uploads:
        console.print(escape(upload.describe()), soft_wrap=True)
    if outcome.report:
        shown = Path(outcome.report)
        if shown.is_relative_to(Path.cwd()):
            shown = shown.relative_to(Path.cwd())
        console.print(f"Report: {escape(str(shown))}", soft_wrap=True)


def _print_summary(console: Console, outcome: Outcome) -> None:
    console.print("\n[bold]Checks[/]")
    for check in outcome.checks:
        console.print("  " + format_check(check), soft_wrap=True)
    console.print(f"\n{count_checks(outcome.checks)}")
    findings = [f for f in outcome.findings if f.level is not Level.NOTE]
    if findings:
        console.print("\n[bold]Findings[/]")
    for finding in findings:
        console.print("  " + format_finding(finding), soft_wrap=True)


def count_checks(checks: Sequence[Check]) -> str:
    """Return how many checks ended how: `21 of 23 checks PASS, 2 SKIPPED`."""
    counts = collections.Counter(check.status for check in checks)
    others = [f", {counts[s]} {s}" for s in Status if s is not Status.PASS and counts[s]]
    return f"{counts[Status.PASS]} of {len(checks)} checks PASS" + "".join(others)
