"""A Django site with admin, forms, savepoints and its own tests, lifted to a SQL object; forced into D1 it is caught."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from edgelift.targets.workerd import database_file
from tests.scenarios.conftest import NIGHTLY, ROOT, lift, run_edgelift
from tests.shared_venv import make_venv

LIBRARY = ROOT / "tests" / "apps" / "library"


def make_library(folder: Path) -> Path:
    """Make the site as a deployment does: requirements, migrations, rows, collected static files."""
    shutil.copytree(LIBRARY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    requirements = ["-r", folder / "requirements.txt", "pytest", "gunicorn"]
    venv = make_venv("library-venv", requirements)
    (folder / ".venv").symlink_to(venv)
    for command in (["make_db.py"], ["manage.py", "collectstatic", "--noinput", "-v0"]):
        subprocess.run([venv / "bin/python", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("django") / "library")


@pytest.fixture(scope="module")
def lifted(library: Path) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", "only-for-tests")
        assert run_edgelift("init", library).returncode == 0
        result = lift(library)
    assert result["exit"] == 0, result["stderr"]
    return json.loads((library / ".edgelift/report/report.json").read_text())


def test_init_finds_what_a_project_of_django_says(library: Path, lifted: dict) -> None:
    text = (library / ".edgelift/edgelift.toml").read_text()
    for line in (
        'framework = "django"',
        'entry = "site_of_library.wsgi:application"',
        'url = "sqlite:///data/library.sqlite3"',
        'path = "static"',
        'command = ["pytest", "tests"]',
        "[env.SECRET_KEY]",
    ):
        assert line in text


def test_the_plan_chooses_the_object(library: Path, lifted: dict) -> None:
    assert "| object | DB |" in (library / ".edgelift/plan/plan.md").read_text()
    assert {f["level"] for f in lifted["findings"] if f["rule"] == "TXN-FRAMEWORK"} == {"note"}


def test_every_check_that_ran_passed(lifted: dict) -> None:
    checks = {check["id"]: check for check in lifted["checks"]}
    assert not [c for c in checks.values() if c["status"] == "FAIL"]
    for name in (
        "verify.parity.generated", "verify.parity.recorded", "verify.state:main", "verify.faults",
        "verify.tests", "verify.static", "verify.mutants", "build.dry-run",
    ):  # fmt: skip
        assert checks[name]["status"] == "PASS", checks[name]
    assert checks["verify.parity.generated"]["counts"]["routes_covered"] > 60


def test_the_site_by_plain_http_and_the_file_by_plain_sql(library: Path, lifted: dict) -> None:
    """An independent look: a page and a search by regular expression, and what the object left."""
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(httpx.Client(timeout=120)) as client,
    ):
        patch.setenv("SECRET_KEY", "only-for-tests")
        with edgelift.serve(library) as worker:
            found = client.get(f"{worker.url}/api/books?pattern=^book%201.%20").json()["books"]
            assert len(found) == 10
            loan = {"member": 2, "isbn": "978-0008", "due": "2024-12-01"}
            assert client.post(f"{worker.url}/api/loans", json=loan).status_code == 409
    file = database_file(library / ".edgelift" / "state", "DB", "object")
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM django_migrations").fetchone() == (19,)
        assert db.execute("SELECT count(*) FROM loans_loan").fetchone() == (12,)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.nightly
@pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")
def test_forced_into_d1_its_ghost_rows_are_caught(library: Path, lifted: dict) -> None:
    settings = library / ".edgelift" / "edgelift.toml"
    good = settings.read_text()
    settings.write_text(good.replace('"auto"', '"d1"') + '\n[accept]\nrules = ["TXN-*"]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_KEY", "only-for-tests")
        result = lift(library)
    settings.write_text(good)
    assert result["exit"] == 6, result["stderr"]
    report = json.loads((library / ".edgelift/report/report.json").read_text())
    checks = {check["id"]: check for check in report["checks"]}
    assert checks["verify.state:main"]["status"] == "FAIL"
    assert any("loans_loan" in line for line in checks["verify.state:main"]["detail"])
