"""Runs Django's own tests on the backends of moved databases, over a SQL object in workerd.

Results go to a JSON file, from which --write-docs makes docs/reference/django-moved.md.

  python -m tests.suites.moved postgresql queries lookup   some of Django's modules
  python -m tests.suites.moved mysql --record              the chosen ones, kept
  python -m tests.suites.moved --write-docs
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.suites.drivers import HERE, ROOT, fetch_source
from tests.suites.sqlite import Run, build_environment, make_python, serve
from tests.suites.sqlite_page import Found, Runs, find_reason

RESULTS = HERE / "moved_results.json"
REASONS = HERE / "moved_reasons.json"
HEAD = HERE / "moved_page_head.md"
PAGE = ROOT / "docs" / "reference" / "django-moved.md"
VERSION = "5.2.19"
ORIGINS = ("postgresql", "mysql")
MODULES = (
    "aggregation", "aggregation_regress", "annotations", "basic", "bulk_create",
    "composite_pk", "constraints", "custom_columns", "custom_lookups", "custom_managers",
    "datatypes", "dates", "datetimes", "db_functions", "defer", "delete", "delete_regress",
    "distinct_on_fields", "expressions", "expressions_case", "expressions_window",
    "extra_regress", "filtered_relation", "force_insert_update",
    "foreign_object", "from_db_value", "generic_relations", "get_or_create", "introspection",
    "known_related_objects", "lookup", "m2m_regress", "many_to_many", "many_to_one",
    "max_lengths", "model_fields", "model_forms", "model_inheritance", "null_fk",
    "null_queries", "one_to_one", "or_lookups", "ordering", "pagination", "prefetch_related",
    "proxy_models", "queries", "queryset_pickle", "raw_query", "reserved_names", "save_delete_hooks",
    "schema", "select_for_update", "select_related", "serializers", "sessions_tests",
    "string_lookup", "timezones", "transaction_hooks", "transactions", "update",
    "update_only_fields", "validation", "xor_lookups",
)  # fmt: skip
OWN = {"postgresql": (*MODULES, "postgres_tests"), "mysql": MODULES}
TOGETHER = 4
PATIENCE_S = 3_000
UNEXPLAINED = "not explained yet"


def run_modules(origin: str, modules: Sequence[str]) -> dict[str, Found]:
    """Run modules in one process; return what became of each. Raises ValueError without an end."""
    source = fetch_source("django", VERSION)
    python = make_python(Run("django", VERSION, "object"))
    command = ["runtests.py", "--settings=moved_settings", "--parallel=1", "--noinput", *modules]
    with serve("object") as port, tempfile.TemporaryDirectory() as folder:
        results, output = Path(folder) / "found.json", Path(folder) / "output"
        environment = build_environment("object", port)
        environment |= {"SUITE_RESULT": str(results), "SUITE_ORIGIN": origin}
        if any(module.startswith("postgres_tests") for module in modules):
            environment["SUITE_CONTRIB"] = "1"
        with Path(os.environ.get("SUITE_OUTPUT", output)).open("w+") as log:
            subprocess.run(
                [python, *command],
                cwd=source / "tests", env=environment, check=False, timeout=PATIENCE_S,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        if not results.exists():
            raise ValueError(f"the tests came to no end:\n{output.read_text()[-3000:]}")
        found: dict[str, Found] = json.loads(results.read_text())
    for part in found.values():
        part["seconds"] = round(part["seconds"])
    return found


def read_runs() -> Runs:
    """Return what is recorded: by origin, then by module."""
    runs: Runs = json.loads(RESULTS.read_text())
    return runs


def record(origin: str, found: dict[str, Found]) -> None:
    """Keep what became of some modules in place of what was known of them."""
    runs = read_runs()
    runs[origin] = dict(sorted({**runs.get(origin, {}), **found}.items()))
    blocks = []
    for key, parts in sorted(runs.items()):
        lines = [
            f"  {json.dumps(n)}: {json.dumps(f, ensure_ascii=False)}" for n, f in parts.items()
        ]
        blocks.append(f" {json.dumps(key)}: {{\n" + ",\n".join(lines) + "\n }")
    RESULTS.write_text("{\n" + ",\n".join(blocks) + "\n}\n")


def read_reasons() -> list[dict[str, str]]:
    """Return why tests fail: patterns of their names, errors and origins, and a sentence."""
    reasons: list[dict[str, str]] = json.loads(REASONS.read_text())
    return reasons


def list_unexplained(origin: str, found: dict[str, Found]) -> list[str]:
    """Return the tests that fail without a known reason."""
    reasons = read_reasons()
    return [
        f"{name}: {error}"
        for part in found.values()
        for name, error in part["failed"].items()
        if find_reason(reasons, origin, name, error) is None
    ]


def build_page() -> str:
    """Return the page from what is recorded."""
    runs, reasons = read_runs(), read_reasons()
    lines = ["| origin | module | passed | failed | skipped |", "|---|---|---|---|---|"]
    failures: dict[str, list[str]] = {}
    for origin, parts in sorted(runs.items()):
        totals = [0, 0, 0]
        for module, found in parts.items():
            counts = found["passed"], len(found["failed"]), found["skipped"]
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
            lines.append(f"| {origin} | {module} | {' | '.join(map(str, counts))} |")
            for name, error in found["failed"].items():
                why = find_reason(reasons, origin, name, error) or f"{UNEXPLAINED}: {error}"
                failures.setdefault(why, []).append(f"`{_shorten(name)}` ({origin})")
        lines.append(f"| {origin} | **all** | {' | '.join(map(str, totals))} |")
    listed = [f"### {why}\n{', '.join(dict.fromkeys(n))}\n" for why, n in sorted(failures.items())]
    return HEAD.read_text() + "\n".join(lines) + "\n\n## Failures\n\n" + "\n".join(listed)


def _shorten(name: str) -> str:
    return re.sub(r"^(\w+)\.(?:\w+\.)*(\w+\.\w+)$", r"\1: \2", name)


def main() -> int:
    """Run Django's tests and record their results, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("origin", choices=ORIGINS, nargs="?")
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--record", action="store_true", help="keep the results")
    parser.add_argument("--write-docs", action="store_true")
    given = parser.parse_args()
    if given.write_docs:
        PAGE.write_text(build_page())
        return 0
    modules = given.modules or OWN[given.origin]
    for start in range(0, len(modules), TOGETHER):
        group = modules[start : start + TOGETHER]
        try:
            found = run_modules(given.origin, group)
        except (ValueError, subprocess.TimeoutExpired) as error:
            print(*group, error, flush=True)
            continue
        for text in list_unexplained(given.origin, found):
            print(text)
        for name, part in found.items():
            print(name, part["passed"], len(part["failed"]), part["skipped"], flush=True)
        if given.record:
            record(given.origin, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
