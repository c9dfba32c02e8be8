"""The stages assess and plan on a small app: documents, reports, skips, blockers, resume."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from edgelift.errors import BlockersFound, OriginError, UsageError
from edgelift.events import Event, StageSkipped
from edgelift.journal import Journal
from edgelift.model.findings import Level, Status
from edgelift.model.inventory import Inventory
from edgelift.model.plan import Plan
from edgelift.project import read_project
from edgelift.run import Run, run_stage
from edgelift.stages import assess, plan
from edgelift.targets.packages import Resolution

APP = """import os
import sqlite3

from flask import Flask, request

app = Flask(__name__)
PATH = os.environ.get("CASE_DB", "app.db")
CACHE = {}


def db():
    return sqlite3.connect(PATH)


@app.get("/items/<int:item_id>")
def item(item_id):
    CACHE[item_id] = request.args.get("kind")
    return {}


@app.post("/items")
def create():
    connection = db()
    connection.execute("INSERT INTO item (name) VALUES (?)", (request.json["name"],))
    connection.commit()
    return {}
"""
LOSES = """

@app.post("/both")
def both():
    connection = db()
    try:
        connection.execute("INSERT INTO item (name) VALUES ('a')")
        connection.execute("INSERT INTO item (name) VALUES ('b')")
        connection.commit()
    except sqlite3.Error:
        connection.rollback()
    return {}
"""
SETTINGS = """name = "case"
[app]
framework = "flask"
entry = "app:app"
python = "{python}"
[[databases]]
name = "main"
url = "app.db"
env = "CASE_DB"
"""


@pytest.fixture(autouse=True)
def no_package_index(monkeypatch):
    """Package resolution has tests of its own; here it costs the network for nothing."""
    for stage in (assess, plan):
        monkeypatch.setattr(stage, "resolve_origin", lambda *_, **__: Resolution())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "edgelift.toml").write_text(SETTINGS.format(python=sys.executable))
    return tmp_path


class Bench:
    """Runs stages on a folder, each time with a fresh journal object, as a new process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.events: list[Event] = []

    def run(self, *stages, force: bool = False) -> Run:
        project = read_project(self.folder)
        journal = Journal(project.state / "journal.db")
        run = Run(project, journal, journal.begin_run("t", "t"), self.folder, self.events.append)
        run.force = force
        for stage in stages:
            run_stage(run, stage.STAGE)
        return run

    def skipped(self) -> list[str]:
        return [e.stage for e in self.events if isinstance(e, StageSkipped)]


@pytest.fixture
def bench(folder: Path) -> Bench:
    return Bench(folder)


def test_the_inventory_and_the_plan(bench: Bench) -> None:
    run = bench.run(assess, plan)
    inventory = run.journal.read_document("inventory", Inventory)
    assert inventory is not None
    assert [(r.rule, r.methods, r.query, r.json_fields) for r in inventory.routes] == [
        ("/items", ("POST",), (), ("name",)),
        ("/items/{item_id}", ("GET",), ("kind",), ()),
    ]
    assert inventory.sources == ("app.py",)
    assert inventory.modules == ("app", "flask")
    assert {"gunicorn", "hypothesis"} <= set(inventory.idle)
    assert not {"Flask", "flask", "Werkzeug"} & set(inventory.idle)
    assert [(d.url, d.env) for d in inventory.databases] == [("app.db", "CASE_DB")]
    assert [f.rule for f in run.journal.read_findings("assess")] == ["STATE-GLOBAL"]
    made = run.journal.read_document("plan", Plan)
    assert made is not None
    assert [(d.name, d.strategy, d.env) for d in made.databases] == [("main", "d1", "CASE_DB")]
    assert "STATE-GLOBAL" in made.placement_reason
    checks = {c.id: c for c in run.journal.read_checks()}
    assert checks["assess.import"].status is Status.PASS
    assert checks["assess.import"].counts["routes"] == 2
    assert checks["plan.transactions"].status is Status.PASS


def test_the_written_reports(bench: Bench) -> None:
    bench.run(assess, plan)
    state = bench.folder / ".edgelift"
    findings = json.loads((state / "assess" / "findings.json").read_text())
    sarif = json.loads((state / "assess" / "findings.sarif").read_text())
    assert [f["rule"] for f in findings] == ["STATE-GLOBAL"]
    assert [r["ruleId"] for r in sarif["runs"][0]["results"]] == ["STATE-GLOBAL"]
    page = (state / "plan" / "plan.md").read_text()
    assert "Nothing stands in the way." in page
    assert "| main | `app.db` | d1 | DB | 0 bytes |" in page


def test_the_second_run_is_skipped_and_a_change_is_seen(bench: Bench) -> None:
    bench.run(assess, plan)
    bench.run(assess, plan)
    assert bench.skipped() == ["assess", "plan"]
    (bench.folder / "app.py").write_text(APP + "\n\n@app.get('/new')\ndef new(): ...\n")
    run = bench.run(assess, plan)
    assert bench.skipped() == ["assess", "plan"]
    inventory = run.journal.read_document("inventory", Inventory)
    assert inventory is not None
    assert len(inventory.routes) == 3


def test_growing_data_is_no_reason_to_assess_again(bench: Bench) -> None:
    bench.run(assess, plan)
    (bench.folder / "app.db").write_bytes(b"SQLite format 3\0" + bytes(4096))
    (bench.folder / "app.db-wal").write_bytes(b"x")
    bench.run(assess)
    assert bench.skipped() == ["assess"]


def test_a_lost_report_is_made_again(bench: Bench) -> None:
    bench.run(assess, plan)
    shutil.rmtree(bench.folder / ".edgelift" / "assess")
    (bench.folder / ".edgelift" / "plan" / "plan.md").unlink()
    bench.run(assess, plan)
    assert (bench.folder / ".edgelift" / "assess" / "findings.sarif").exists()
    assert (bench.folder / ".edgelift" / "plan" / "plan.md").exists()


def test_a_rollback_needs_real_transactions(bench: Bench) -> None:
    (bench.folder / "app.py").write_text(APP + LOSES)
    run = bench.run(assess, plan)
    made = run.journal.read_document("plan", Plan)
    assert made is not None
    assert [d.strategy for d in made.databases] == ["object"]
    line = (APP + LOSES).splitlines().index("        connection.rollback()") + 1
    assert f"would lose 1 rollback(s) or block(s) and split 1 (first: app.py:{line}" in (
        made.databases[0].reason
    )
    levels = {f.rule: f.level for f in run.journal.read_findings("plan")}
    assert levels == {"TXN-ROLLBACK-LOST": Level.NOTE, "TXN-MULTI-WRITE": Level.NOTE}
    (check,) = run.journal.read_checks("plan")
    assert (check.status, check.counts["kept"]) == (Status.PASS, 2)


def test_a_rollback_that_d1_would_lose_blocks_until_accepted(bench: Bench) -> None:
    (bench.folder / "app.py").write_text(APP + LOSES)
    settings = bench.folder / "edgelift.toml"
    settings.write_text(settings.read_text() + 'strategy = "d1"\n')
    with pytest.raises(BlockersFound) as raised:
        bench.run(assess, plan)
    line = (APP + LOSES).splitlines().index("        connection.rollback()") + 1
    assert f"TXN-ROLLBACK-LOST at app.py:{line}" in raised.value.why
    assert '[accept] rules = ["TXN-ROLLBACK-LOST"]' in raised.value.tip
    page = (bench.folder / ".edgelift" / "plan" / "plan.md").read_text()
    assert "**Blocked.** 1 finding of level error stops the lift" in page
    journal = Journal(bench.folder / ".edgelift" / "journal.db")
    rules = {f.rule: f.level for f in journal.read_findings("plan")}
    assert rules == {"TXN-ROLLBACK-LOST": Level.ERROR, "TXN-MULTI-WRITE": Level.WARNING}
    assert journal.read_document("plan", Plan) is None
    assert {c.id: c.status for c in journal.read_checks("plan")} == {
        "plan.transactions": Status.FAIL
    }
    with (bench.folder / "edgelift.toml").open("a") as handle:
        handle.write('[accept]\nrules = ["TXN-ROLLBACK-LOST"]\n')
    run = bench.run(assess, plan)
    assert run.journal.read_document("plan", Plan) is not None
    accepted = [f for f in run.journal.read_findings("plan") if f.accepted]
    assert [f.rule for f in accepted] == ["TXN-ROLLBACK-LOST"]


def test_findings_of_assess_block_in_plan_only(bench: Bench) -> None:
    text = (
        APP
        + "\n\n@app.get('/date')\ndef date():\n    import os\n    return os.popen('date').read()\n"
    )
    (bench.folder / "app.py").write_text(text)
    bench.run(assess)
    with pytest.raises(BlockersFound, match="PROC-SUBPROCESS at app"):
        bench.run(plan)


def test_an_app_that_raises_on_import(bench: Bench) -> None:
    (bench.folder / "app.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(OriginError, match="RuntimeError: broken at app"):
        bench.run(assess)
    journal = Journal(bench.folder / ".edgelift" / "journal.db")
    assert [(c.id, c.status) for c in journal.read_checks()] == [("assess.import", Status.FAIL)]


def test_plan_needs_an_inventory(bench: Bench) -> None:
    with pytest.raises(UsageError, match="no inventory"):
        bench.run(plan)
