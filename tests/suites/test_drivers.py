"""Django's and SQLAlchemy's own tests pass on the Worker's PostgreSQL modules."""

from __future__ import annotations

import json
import os

import pytest

from tests.servers.postgres import require_postgres, start_postgres
from tests.suites import drivers

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
RECORDED = json.loads(drivers.RESULTS.read_text())
# Some modules of each, that take seconds.
SHORT = {
    ("django", "psycopg2"): ("basic", "transactions", "postgres_tests.test_ranges"),
    ("django", "psycopg"): ("basic", "transactions", "postgres_tests.test_array"),
    ("sqlalchemy", "psycopg2"): ("test/dialect/postgresql/test_dialect.py",),
    ("sqlalchemy", "asyncpg"): ("test/dialect/postgresql/test_async_pg.py",),
    ("sqlalchemy", "psycopg"): ("test/dialect/postgresql/test_query.py",),
}

pytestmark = pytest.mark.xdist_group("suites")


def explained(name: str) -> bool:
    return drivers._plain(name) in RECORDED["reasons"]


@pytest.fixture(scope="module")
def server():
    require_postgres()
    with start_postgres(settings=drivers.SERVER) as started:
        yield started


@pytest.mark.parametrize(("suite", "driver"), sorted(SHORT))
def test_some_modules(server, suite, driver) -> None:
    found = drivers.run_suite(suite, driver, SHORT[suite, driver], server=server)
    assert [name for name in found["failed"] if not explained(name)] == []
    assert found["run"] > 10


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")
@pytest.mark.parametrize(("suite", "driver"), sorted(SHORT))
def test_the_whole_suite(suite, driver) -> None:
    require_postgres()
    found = drivers.run_suite(suite, driver)
    assert [name for name in found["failed"] if not explained(name)] == []
    assert found["run"] > (17_000 if suite == "django" else 11_000)


def test_a_failure_is_read() -> None:
    django = drivers.read_django(
        "Found 3 test(s).\nFAIL: test_x (basic.tests.T.test_x)\n----\nRan 3 tests in 0.1s\n\n"
        "FAILED (skipped=1)\n"
    )
    assert django["failed"] == ["test_x (basic.tests.T.test_x)"]
    assert (django["run"], django["skipped"]) == (2, 1)
    pytest_like = drivers.read_pytest(
        "FAILED test/a.py::T::test_y - boom\n=== 1 failed, 2 passed, 1 skipped in 3.2s ===\n"
    )
    assert pytest_like["failed"] == ["test/a.py::T::test_y"]
    assert pytest_like["run"] == 3


def test_output_without_an_end_is_no_pass() -> None:
    with pytest.raises(ValueError, match="did not run"):
        drivers.read_django("ImportError: nope")
    with pytest.raises(ValueError, match="to their end"):
        drivers.read_django("Found 300 test(s).\n----\nRan 27 tests in 0.1s\n\nOK\n")
    with pytest.raises(ValueError, match="did not run"):
        drivers.read_pytest("ImportError: nope")


def test_the_page_is_current_and_every_failure_explained() -> None:
    page = drivers.build_page(RECORDED)
    assert drivers.PAGE.read_text() == page
    assert "not explained yet" not in page


def test_every_reason_is_one_of_a_recorded_failure() -> None:
    failed = {drivers._plain(name) for run in RECORDED["runs"].values() for name in run["failed"]}
    assert set(RECORDED["reasons"]) <= failed
