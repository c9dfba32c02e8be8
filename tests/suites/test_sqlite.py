"""Django's and SQLAlchemy's own tests pass on the Worker's sqlite3, over a SQL object and D1."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.suites import sqlite

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
RECORDED = json.loads(sqlite.RESULTS.read_text())
REASONS = sqlite.read_reasons()
# Some of each, that take seconds.
SHORT = (
    ("django", "object", "basic"),
    ("django", "object", "transactions"),
    ("django", "object", "db_functions.datetime"),
    ("sqlalchemy", "object", "test/dialect/test_suite.py::InsertBehaviorTest"),
    ("sqlalchemy", "d1", "test/dialect/test_suite.py::LikeFunctionsTest"),
)
WHOLE = tuple(
    (suite, strategy, module)
    for suite, strategy, modules in (
        ("django", "object", sqlite.DJANGO_MODULES),
        ("sqlalchemy", "object", sqlite.DIALECT),
    )
    for module in modules
)

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("suites-sqlite")]


def list_unexplained(found: dict) -> list[str]:
    return [name for name in found["failed"] if not sqlite.find_reason(REASONS, name)]


@pytest.mark.parametrize(("suite", "strategy", "module"), SHORT)
def test_some_modules(suite: str, strategy: str, module: str) -> None:
    found = sqlite.SUITES[suite](strategy, [module])
    assert list_unexplained(found) == []
    assert found["run"] > 1


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")
@pytest.mark.parametrize(("suite", "strategy", "module"), WHOLE)
def test_every_module(suite: str, strategy: str, module: str) -> None:
    found = sqlite.SUITES[suite](strategy, [module])
    assert list_unexplained(found) == []
    assert found["run"] >= RECORDED["runs"][f"{suite} {strategy} {module}"]["run"]


def test_functions_of_django_are_the_same_in_sql() -> None:
    """12,794 calls, hostile arguments among them, beside Django's own; every seventh each day."""
    needs = [f"django=={sqlite.DJANGO}", *sqlite.DJANGO_NEEDS]
    python = sqlite.make_venv(f"suite-django-{sqlite.DJANGO}-sqlite", needs) / "bin/python"
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
    page = sqlite.build_page(RECORDED, REASONS)
    assert sqlite.PAGE.read_text() == page
    assert sqlite.UNEXPLAINED not in page
