"""What a user is told when the app cannot be imported."""

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.sources.probe import EnvSeen, ImportFailure, Probe, explain_failure

PROJECT = Project(
    Path("/p"), Settings(name="p", app=AppSection(framework="flask", entry="app:app")), Path("/p/t")
)


def explain(error, *env):
    return explain_failure(PROJECT, Probe(error=error, env=env)).tip


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("DATABASE", "OTHER", "SECRET"):
        monkeypatch.delenv(name, raising=False)


def test_variables_that_nobody_sets_are_named_those_of_the_message_first(monkeypatch):
    monkeypatch.setenv("SECRET", "1")
    seen = [
        EnvSeen(name="OTHER", path="a.py"),
        EnvSeen(name="DATABASE", path="a.py"),
        EnvSeen(name="SECRET", path="a.py"),
        EnvSeen(name="PORT", default="80", path="a.py"),
        EnvSeen(name="LIBRARY"),
    ]
    tip = explain(ImportFailure(type="ValueError", message="no DATABASE"), *seen)
    assert tip == (
        "the app reads variables that are not set; if it needs them: export DATABASE=... "
        "(and OTHER); or see it yourself: python -c 'import app'"
    )


def test_a_variable_that_is_required_and_a_missing_package_come_first():
    needed = EnvSeen(name="DATABASE", path="a.py", required=True)
    tip = explain(ImportFailure(type="KeyError", message="'DATABASE'"), needed)
    assert tip == "the app needs the variable DATABASE: export DATABASE=... and run again"
    failure = ImportFailure(type="ModuleNotFoundError", message="no", missing_module="flask")
    assert "package of flask" in explain(failure, needed)


def test_without_any_clue_the_user_can_look():
    tip = explain(ImportFailure(type="ValueError", message="x"))
    assert tip == "see it yourself: python -c 'import app'"


def test_an_app_in_a_subfolder_is_looked_at_from_there():
    app = AppSection(framework="flask", entry="shop:app", root="back-end")
    project = Project(Path("/p"), Settings(name="p", app=app), Path("/p/t"))
    failure = ImportFailure(type="ValueError", message="x")
    tip = explain_failure(project, Probe(error=failure)).tip
    assert tip == "see it yourself: cd back-end && python -c 'import shop'"
