"""Keeps what became of the suites on the Worker's sqlite3, and makes docs/reference/sqlite-suites.md of it."""

from __future__ import annotations

import json
import re
from typing import Any, TypedDict

from filelock import FileLock

from tests.shared_venv import CACHE
from tests.suites.drivers import HERE, ROOT

RESULTS = HERE / "sqlite_results.json"
REASONS = HERE / "sqlite_reasons.json"
HEAD = HERE / "sqlite_page_head.md"
PAGE = ROOT / "docs" / "reference" / "sqlite-suites.md"
UNEXPLAINED = "not explained yet"
# What SQLAlchemy adds to the names of classes: "_sqlite+pysqlite_3_54_1".
_DRIVER = re.compile(r"_sqlite\+\w+?_\d+_\d+_\d+")


class Found(TypedDict):
    """What became of a module's tests; `failed` has the error by the test's name."""

    passed: int
    skipped: int
    failed: dict[str, str]
    seconds: int


Runs = dict[str, dict[str, Found]]


def read_runs() -> Runs:
    """Return what is recorded: by run, then by module or file."""
    runs: Runs = json.loads(RESULTS.read_text())
    return runs


def record(key: str, found: dict[str, Found]) -> None:
    """Keep what became of some parts of a run in place of what was known of them."""
    with FileLock(CACHE / "sqlite-suites.lock"):
        runs = read_runs()
        runs[key] = dict(sorted({**runs.get(key, {}), **found}.items()))
        RESULTS.write_text(_write_runs(dict(sorted(runs.items()))))


def _write_runs(runs: Runs) -> str:
    """Return the JSON text with one line for each module."""
    blocks = []
    for key, parts in runs.items():
        lines = [
            f"  {json.dumps(name)}: {json.dumps(found, ensure_ascii=False)}"
            for name, found in parts.items()
        ]
        blocks.append(f" {json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def read_reasons() -> list[dict[str, str]]:
    """Return why tests fail: patterns of their names, of their errors, of runs, and a sentence."""
    reasons: list[dict[str, str]] = json.loads(REASONS.read_text())
    return reasons


def find_reason(reasons: list[dict[str, str]], key: str, name: str, error: str) -> str | None:
    """Return why a test of a run fails; a reason holds where all its patterns are found."""
    asked = {"run": key, "test": name, "error": error}
    for reason in reasons:
        patterns = {part: reason[part] for part in asked if part in reason}
        if all(re.search(pattern, asked[part]) for part, pattern in patterns.items()):
            return reason["why"]
    return None


def list_failures(runs: Runs, reasons: list[dict[str, str]]) -> dict[tuple[str, str], list[str]]:
    """Return the runs in which a test fails, by its name and why."""
    failures: dict[tuple[str, str], list[str]] = {}
    for key, parts in runs.items():
        for part, found in parts.items():
            for name, error in found["failed"].items():
                why = find_reason(reasons, key, name, error) or f"{UNEXPLAINED}: {error}"
                full = name if key.startswith("django") else f"{part}::{_DRIVER.sub('', name)}"
                where = failures.setdefault((full, why), [])
                if key not in where:
                    where.append(key)
    return failures


def build_page(runs: Runs, reasons: list[dict[str, str]]) -> str:
    """Return the page from the recorded results."""
    lines = [HEAD.read_text(), "## Runs", *_build_totals(runs)]
    lines += ["", "## By module", *_build_modules(runs)]
    lines += ["", "## Failures", *_build_failures(list_failures(runs, reasons))]
    return "\n".join(lines) + "\n"


def _build_totals(runs: Runs) -> list[str]:
    rows = ["| suite | on | modules | run | passed | failed | skipped |", "|" + "---|" * 7]
    for key, parts in runs.items():
        suite, version, strategy = key.split(" ")
        passed = sum(found["passed"] for found in parts.values())
        failed = sum(len(found["failed"]) for found in parts.values())
        skipped = sum(found["skipped"] for found in parts.values())
        counts = (len(parts), passed + failed, passed, failed, skipped)
        rows.append(f"| {suite} {version} | {strategy} | {' | '.join(map(str, counts))} |")
    return rows


def _build_modules(runs: Runs) -> list[str]:
    """Return tables of passed/run, one for each suite, a column for each of its runs."""
    rows: list[str] = []
    for suite in sorted({key.split(" ")[0] for key in runs}):
        keys = [key for key in runs if key.split(" ")[0] == suite]
        heads = [key.partition(" ")[2].replace(" ", ", ") for key in keys]
        rows += ["", f"| {suite} | {' | '.join(heads)} |", "|" + "---|" * (len(keys) + 1)]
        for part in sorted({part for key in keys for part in runs[key]}):
            cells = [_count(runs[key].get(part)) for key in keys]
            if any(cell.strip("- ") for cell in cells):
                rows.append(f"| {part} | {' | '.join(cells)} |")
    return rows


def _count(found: Found | None) -> str:
    if found is None:
        return "-"
    return f"{found['passed']}/{found['passed'] + len(found['failed'])}"


def _build_failures(failures: dict[tuple[str, str], list[str]]) -> list[str]:
    """Return the failures by reason: how many in which run, and the tests."""
    by_reason: dict[str, dict[str, list[str]]] = {}
    for (name, why), where in sorted(failures.items()):
        by_reason.setdefault(why, {})[name] = where
    rows: list[str] = []
    for why, tests in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        title = why if why.startswith(UNEXPLAINED) else f"{why[0].upper()}{why[1:]}"
        rows += ["", f"### {title}", "| test | in |", "|---|---|"]
        rows += [f"| `{name}` | {'; '.join(where)} |" for name, where in tests.items()]
    return rows


def write_page() -> None:
    """Write the page."""
    PAGE.write_text(build_page(read_runs(), read_reasons()))


def list_unexplained(key: str, parts: dict[str, Any]) -> list[str]:
    """Return the failures of a run that no reason is known for."""
    reasons = read_reasons()
    return [
        f"{name}: {error}"
        for found in parts.values()
        for name, error in found["failed"].items()
        if find_reason(reasons, key, name, error) is None
    ]
