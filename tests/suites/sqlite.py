"""Runs Django's and SQLAlchemy's own test suites on the Worker's sqlite3, over SQL objects and D1.

The driver runs under CPython and speaks to a workerd with the modules that are shipped. Results go
to a JSON file, from which --write-docs makes docs/reference/sqlite-suites.md.

  python -m tests.suites.sqlite django object basic queries   some of Django's modules
  python -m tests.suites.sqlite django object --record        the chosen ones, one after the other
  python -m tests.suites.sqlite sqlalchemy object --record    the dialect's tests
  python -m tests.suites.sqlite --write-docs
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.shared_venv import make_venv
from tests.suites.drivers import (
    DJANGO_NEEDS,
    HERE,
    ROOT,
    fetch_source,
    read_django,
    read_pytest,
)
from tests.workerd.sql_driver.d1_server import serve_d1
from tests.workerd.sql_object.object_server import serve_object

RESULTS = HERE / "sqlite_results.json"
REASONS = HERE / "sqlite_reasons.json"
HEAD = HERE / "sqlite_page_head.md"
PAGE = ROOT / "docs" / "reference" / "sqlite-suites.md"
DJANGO, SQLALCHEMY = "5.2.19", "2.0.58"
# Each module runs with a database of its own, so that one that fails cannot spoil the next.
DJANGO_MODULES = (
    "aggregation", "aggregation_regress", "annotations", "basic", "bulk_create", "constraints",
    "custom_columns", "custom_lookups", "custom_managers", "datatypes", "dates", "datetimes",
    "db_functions", "defer", "delete", "distinct_on_fields", "expressions", "expressions_case",
    "expressions_window", "filtered_relation", "force_insert_update", "from_db_value",
    "get_or_create", "introspection", "lookup", "m2m_regress", "many_to_many", "many_to_one",
    "migrations", "model_fields", "model_inheritance", "null_queries", "or_lookups", "ordering",
    "pagination", "queries", "raw_query", "reserved_names", "schema", "select_for_update",
    "select_related", "sessions_tests", "string_lookup", "timezones", "transactions", "update",
    "update_only_fields",
)  # fmt: skip
DIALECT = ("test/dialect/test_suite.py", "test/dialect/sqlite")


@contextmanager
def serve(strategy: str) -> Iterator[int]:
    """Run a workerd with empty databases and yield its port."""
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        server = serve_object if strategy == "object" else serve_d1
        with server(Path(folder) / "run") as running:
            yield running.port


def build_environment(strategy: str, port: int) -> dict[str, str]:
    """Return the environment of a suite's process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "ignore",
        "SUITE_PORT": str(port),
        "SUITE_SOURCE": str(ROOT / "src"),
        "SUITE_STRATEGY": strategy,
    }


def run_django(strategy: str, modules: Sequence[str]) -> dict[str, Any]:
    """Run modules of Django's tests and return the counts and the names of those that failed."""
    source = fetch_source("django", DJANGO)
    needs = [f"django=={DJANGO}", *DJANGO_NEEDS]
    python = make_venv(f"suite-django-{DJANGO}-sqlite", needs) / "bin/python"
    command = [python, "runtests.py", "--settings=sqlite_settings", "--parallel=1", "--noinput"]
    with serve(strategy) as port:
        return read_django(_run([*command, *modules], source / "tests", strategy, port))


def run_sqlalchemy(strategy: str, paths: Sequence[str]) -> dict[str, Any]:
    """Run SQLAlchemy's tests of the dialect and return the counts and what failed."""
    source = fetch_source("sqlalchemy", SQLALCHEMY)
    needs = ["pytest<9", "typing_extensions", "greenlet"]
    python = make_venv("suite-sqlalchemy-sqlite", needs) / "bin/python"
    command = [python, "-m", "pytest", "-p", "sqlite_plugin", "-q", "--tb=line"]
    command += ["-p", "no:cacheprovider", "--maxfail=10000"]
    command += ["--dburi", "sqlite:////suite/main.db", *paths]
    with serve(strategy) as port:
        return read_pytest(_run(command, source, strategy, port, str(source / "lib")))


def _run(
    command: Sequence[str | Path], folder: Path, strategy: str, port: int, more: str = ""
) -> str:
    environment = build_environment(strategy, port)
    environment["PYTHONPATH"] += f":{more}" if more else ""
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


SUITES = {"django": run_django, "sqlalchemy": run_sqlalchemy}
CHOSEN = {"django": DJANGO_MODULES, "sqlalchemy": DIALECT}


def main() -> int:
    """Run a suite and record its results, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", choices=sorted(SUITES), nargs="?")
    parser.add_argument("strategy", choices=("object", "d1"), nargs="?")
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--record", action="store_true", help="keep the results")
    parser.add_argument("--write-docs", action="store_true")
    given = parser.parse_args()
    if given.write_docs:
        PAGE.write_text(build_page(json.loads(RESULTS.read_text()), read_reasons()))
        return 0
    for module in given.modules or CHOSEN[given.suite]:
        try:
            found = SUITES[given.suite](given.strategy, [module])
        except ValueError as error:
            print(module, error)
            continue
        print(module, json.dumps(found, indent=1), flush=True)
        if given.record:
            results = json.loads(RESULTS.read_text())
            results["runs"][f"{given.suite} {given.strategy} {module}"] = found
            RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


def read_reasons() -> dict[str, str]:
    """Return why tests fail, by a part of their names."""
    return dict(json.loads(REASONS.read_text()))


def build_page(results: dict[str, Any], reasons: dict[str, str]) -> str:
    """Return the page from the recorded results."""
    rows = [
        "| suite | on | tests | run | passed | failed | skipped |",
        "|---|---|---|---|---|---|---|",
    ]
    failures: list[str] = []
    totals: dict[tuple[str, str], list[int]] = {}
    for key, found in sorted(results["runs"].items()):
        suite, strategy, module = key.split(" ", 2)
        failed = len(found["failed"])
        counts = (found["run"], found["run"] - failed, failed, found["skipped"])
        rows.append(f"| {suite} | {strategy} | {module} | {' | '.join(map(str, counts))} |")
        total = totals.setdefault((suite, strategy), [0, 0, 0, 0])
        total[:] = [a + b for a, b in zip(total, counts, strict=True)]
        failures += [
            f"| {suite}, {strategy} | `{name}` | {find_reason(reasons, name) or UNEXPLAINED} |"
            for name in found["failed"]
        ]
    rows += [f"| {s} | {on} | all | {' | '.join(map(str, c))} |" for (s, on), c in totals.items()]
    table = ["| where | test | why |", "|---|---|---|", *failures]
    return HEAD.read_text() + "\n".join(rows) + "\n\n## Failures\n" + "\n".join(table) + "\n"


UNEXPLAINED = "not explained yet"


def find_reason(reasons: dict[str, str], name: str) -> str | None:
    """Return why a test fails, by a part of its name."""
    return next((why for part, why in reasons.items() if part in name), None)


if __name__ == "__main__":
    sys.exit(main())
