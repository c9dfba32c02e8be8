"""Django's and SQLAlchemy's own tests pass on the Worker's sqlite3, over a SQL object and D1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.shared_venv import find_python
from tests.suites import sqlite, sqlite_page
from tests.suites.sqlite import Run

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
RECORDED = sqlite_page.read_runs()
DJANGO, SQLALCHEMY = sqlite.VERSIONS["django"][0], sqlite.VERSIONS["sqlalchemy"][0]
DIALECT = "test/dialect/test_suite.py"
# Some of each, that take seconds.
SHORT = (
    (Run("django", DJANGO, "object"), ["basic", "transactions", "db_functions.datetime"]),
    (Run("sqlalchemy", SQLALCHEMY, "object"), [f"{DIALECT}::InsertBehaviorTest"]),
    (Run("sqlalchemy", SQLALCHEMY, "d1"), [f"{DIALECT}::LikeFunctionsTest"]),
)
WHOLE = tuple((Run(*key.split(" ")), part) for key, parts in RECORDED.items() for part in parts)
ONE = {"passed": 2, "skipped": 0, "failed": {"a.B.test_c[x]": "OSError: no"}, "seconds": 1}

needs_workerd = [pytest.mark.workerd, pytest.mark.xdist_group("suites-sqlite")]


def add_marks(test: Any) -> Any:
    for mark in needs_workerd:
        test = mark(test)
    return test


@add_marks
@pytest.mark.parametrize(("run", "parts"), SHORT, ids=lambda part: str(part[0]))
def test_some_modules(run: Run, parts: list[str]) -> None:
    found = sqlite.run_suite(run, parts)
    assert sqlite_page.list_unexplained(run.key, found) == []
    assert sum(part["passed"] for part in found.values()) > 1


@add_marks
@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")
@pytest.mark.parametrize(("run", "part"), WHOLE, ids=" ".join)
def test_every_module(run: Run, part: str) -> None:
    try:
        sqlite.make_python(run)
    except FileNotFoundError as error:
        pytest.skip(f"Django {run.version}: {error}")
    found = sqlite.run_suite(run, [part])
    assert sqlite_page.list_unexplained(run.key, found) == []
    passed = sum(result["passed"] for result in found.values())
    assert passed >= RECORDED[run.key][part]["passed"]


@add_marks
def test_functions_of_django_are_the_same_in_sql() -> None:
    """12,794 calls, hostile arguments among them, beside Django's own; every seventh each day."""
    python = sqlite.make_python(Run("django", DJANGO, "d1"))
    with sqlite.serve("d1") as port:
        done = subprocess.run(
            [python, sqlite.HERE / "compare_functions.py", "1" if NIGHTLY else "7"],
            env=sqlite.build_environment("d1", port),
            capture_output=True,
            text=True,
            check=False,
        )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["different"] == []
    assert found["calls"] > (12_000 if NIGHTLY else 1_700)
    assert found["sql"] > found["calls"] / 10


def test_the_page_is_current_and_every_failure_explained() -> None:
    page = sqlite_page.build_page(RECORDED, sqlite_page.read_reasons())
    assert sqlite_page.PAGE.read_text() == page
    assert sqlite_page.UNEXPLAINED not in page


def test_every_reason_is_one_of_a_recorded_failure() -> None:
    reasons = sqlite_page.read_reasons()
    told = {why for _, why in sqlite_page.list_failures(RECORDED, reasons)}
    assert [reason["why"] for reason in reasons if reason["why"] not in told] == []


@pytest.mark.parametrize(
    ("reason", "holds"),
    [
        ({}, True),
        ({"run": "django"}, True),
        ({"run": "d1"}, False),
        ({"test": r"test_c\[x\]$"}, True),
        ({"test": "test_d"}, False),
        ({"error": "^OSError", "test": "B"}, True),
        ({"error": "^OSError", "test": "D"}, False),
    ],
)
def test_a_reason_holds_where_all_its_patterns_are_found(
    reason: dict[str, str], holds: bool
) -> None:
    runs: Any = {"django 1.0 object": {"a": ONE}}
    (failure,) = sqlite_page.list_failures(runs, [{**reason, "why": "because"}])
    assert (failure == ("a.B.test_c[x]", "because")) is holds
    assert failure[1].startswith("because" if holds else sqlite_page.UNEXPLAINED)


def test_an_unexplained_failure_is_seen_on_the_page() -> None:
    page = sqlite_page.build_page({"django 1.0 object": {"a": ONE}}, [])  # type: ignore[dict-item]
    assert sqlite_page.UNEXPLAINED in page
    assert "| django 1.0 | object | 1 | 3 | 2 | 1 | 0 |" in page


def test_a_later_python_is_found_or_missed() -> None:
    assert find_python(None) == find_python("3.11") == sys.executable
    with pytest.raises(FileNotFoundError, match=r"no Python 3\.90 or later"):
        find_python("3.90")


def test_output_without_results_is_no_pass(tmp_path: Any) -> None:
    (tmp_path / "output").write_text("ImportError: nope")
    with pytest.raises(ValueError, match="nope"):
        sqlite._read_results(tmp_path / "found.json", tmp_path / "output")
