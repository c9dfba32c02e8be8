"""Django's own tests pass on the backends of moved databases, over a SQL object."""

from __future__ import annotations

import os

import pytest

from tests.suites import moved

NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
# Some of each, that take seconds.
SHORT = (
    ("postgresql", ("basic", "distinct_on_fields", "postgres_tests.test_hstore")),
    ("mysql", ("null_queries", "xor_lookups", "update_only_fields")),
)

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("suites-moved")]


@pytest.mark.parametrize(("origin", "modules"), SHORT)
def test_some_modules(origin: str, modules: tuple[str, ...]) -> None:
    found = moved.run_modules(origin, modules)
    assert moved.list_unexplained(origin, found) == []
    assert sum(part["passed"] for part in found.values()) >= 30


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")
@pytest.mark.parametrize("origin", moved.ORIGINS)
def test_every_module(origin: str) -> None:
    recorded = moved.read_runs()[origin]
    for module, known in recorded.items():
        found = moved.run_modules(origin, [module])
        assert moved.list_unexplained(origin, found) == []
        assert found[module]["passed"] >= known["passed"]


def test_the_page_is_current_and_every_failure_explained() -> None:
    page = moved.build_page()
    assert page == moved.PAGE.read_text()
    assert moved.UNEXPLAINED not in page
