"""The build stage on a small Flask app with the real pip, wrangler and workerd."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelift.errors import TargetError
from edgelift.journal import Journal
from edgelift.model.findings import Status
from edgelift.model.inventory import Inventory
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import read_project
from edgelift.run import Run, run_stage
from edgelift.stages import build, files
from edgelift.stages.build import checks
from edgelift.stages.build.wrangler import strip_comments

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("build")]

NOTES = Path(__file__).parents[1] / "apps/notes"
SETTINGS = f"""
name = "notes"
[app]
framework = "flask"
entry = "app:app"
python = "{sys.executable}"
requirements = ["requirements.txt"]
[[databases]]
name = "main"
url = "sqlite:///notes.db"
[[static]]
path = "static"
url = "/static"
[env]
GREETING = {{ value = "hé" }}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("build") / "notes"
    shutil.copytree(NOTES, root, ignore=shutil.ignore_patterns("__pycache__", ".edgelift", "*.db"))
    (root / "edgelift.toml").write_text(SETTINGS, encoding="utf-8")
    (root / "data").mkdir()
    (root / "data/odd [1].bin").write_bytes(bytes(range(256)))
    (root / "data/latin.txt").write_bytes(b"caf\xe9\r\n")
    project = read_project(root)
    journal = Journal(project.state / "journal.db")
    database = DatabasePlan(
        name="main", url="sqlite:///notes.db", binding="DB", strategy="d1", reason=""
    )
    plan = Plan(
        placement="worker", placement_reason="", databases=(database,), crons=("0 * * * *",)
    )
    journal.write_document("plan", plan)
    journal.write_document("inventory", Inventory(framework="flask", entry="app:app"))
    for ending in ("tables", "after"):
        (project.folder("schema") / f"main.{ending}.sql").write_text("-- none\n")
    made = Run(project, journal, journal.begin_run("build", ""), root)
    run_stage(made, files.STAGE)
    run_stage(made, build.STAGE)
    yield made
    journal.close()


@pytest.fixture
def worker(run: Run) -> Iterator[Path]:
    """Return the generated project, and put back what a test changed in it."""
    folder = run.project.state / "build/worker"
    saved = {name: (folder / name).read_bytes() for name in ("wrangler.jsonc", "src/app.py")}
    yield folder
    for name, content in saved.items():
        if (folder / name).read_bytes() != content:
            (folder / name).write_bytes(content)


def statuses(run: Run) -> dict[str, Status]:
    return {
        check.id.removeprefix("build."): check.status for check in run.journal.read_checks("build")
    }


def test_wrangler_accepts_the_project(run: Run, worker: Path) -> None:
    run_stage(run, build.STAGE)  # another test may have left a failed build
    found = statuses(run)
    snapshot = found.pop("snapshot")
    assert found.pop("models") is Status.SKIPPED
    assert found == dict.fromkeys(["source", "config", "dry-run", "size"], Status.PASS)
    assert snapshot in {Status.PASS, Status.NOT_RUN}
    assert not (worker / "requirements.txt").exists()
    assert (worker / "public/static").is_dir()
    assert (worker / "python_modules/flask/app.py").is_file()
    assert (worker / "python_modules/workers/wsgi.py").is_file()


def test_the_source_is_copied_byte_for_byte(run: Run, worker: Path) -> None:
    for name in ("app.py", "requirements.txt", "data/odd [1].bin", "data/latin.txt"):
        assert (worker / "src" / name).read_bytes() == (run.project.root / name).read_bytes()


def test_a_second_run_is_skipped(run: Run) -> None:
    run_stage(run, build.STAGE)
    before = run.journal.read_step("build")
    run_stage(run, build.STAGE)
    assert run.journal.read_step("build") == before


def test_an_edit_of_the_configuration_stays_and_is_checked(run: Run, worker: Path) -> None:
    config = json.loads(strip_comments((worker / "wrangler.jsonc").read_text()))
    edited = json.dumps({**config, "observability": {"enabled": False}})
    (worker / "wrangler.jsonc").write_text(edited)
    run_stage(run, build.STAGE)
    assert (worker / "wrangler.jsonc").read_text() == edited
    assert "BUILD-EDITED" in {finding.rule for finding in run.journal.read_findings("build")}

    (worker / "wrangler.jsonc").write_text(json.dumps({**config, "compatibility_dat": "x"}))
    with pytest.raises(TargetError, match="configuration schema"):
        run_stage(run, build.STAGE)
    assert statuses(run)["config"] is Status.FAIL


def test_an_edit_of_the_source_fails_and_is_named(run: Run, worker: Path) -> None:
    (worker / "src/app.py").write_text("app = None")
    with pytest.raises(TargetError, match=r"app\.py was changed by hand"):
        run_stage(run, build.STAGE)
    assert statuses(run)["source"] is Status.FAIL


def test_an_upload_that_is_too_large_fails_with_its_largest_parts(
    run: Run, worker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "MAX_UPLOAD_BYTES", 1000)
    run.force = True
    try:
        with pytest.raises(TargetError, match="size limit"):
            run_stage(run, build.STAGE)
    finally:
        run.force = False
    size = next(c for c in run.journal.read_checks("build") if c.id == "build.size")
    assert size.counts["bytes"] > 1000
    assert any(line.startswith("python_modules/") for line in size.detail)
    # Made while wrangler packed: what was proven is on record all the same.
    assert statuses(run)["snapshot"] is Status.PASS
