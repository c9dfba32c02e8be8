"""The report: a verdict that is never more than was proven, and its five views."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgelift.journal import Journal
from edgelift.model.data_document import DataDocument, TableRecord
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.project import AppSection, Project, Settings
from edgelift.run import Run, run_stage
from edgelift.stages import report
from edgelift.stages.report.document import build_document, group_findings
from edgelift.stages.report.pages import format_bytes, format_seconds

HOSTILE = "<script>alert('x')</script> | \x00 `tick`\n\ud83d"


def check(name: str, status: Status, **more: object) -> Check:
    stage = name.split(".", maxsplit=1)[0]
    base = {"id": name, "stage": stage, "title": name, "evidence": "e", "reproduce": f"run {name}"}
    return Check(**{**base, "status": status, **more})


@pytest.fixture
def run(tmp_path: Path):
    settings = Settings(name="shop", app=AppSection(framework="flask", entry="app:app"))
    project = Project(tmp_path, settings, tmp_path / "edgelift.toml")
    journal = Journal(project.state / "journal.db")
    opened = Run(project, journal, journal.begin_run("lift", ""), tmp_path)
    journal.begin_step(opened.run_id, "verify", "1")
    journal.finish_step("verify", {"summary": "s"})
    opened.current = "verify"
    yield opened
    journal.close()


@pytest.mark.parametrize(
    ("checks", "findings", "verdict"),
    [
        ([check("verify.a", Status.PASS)], [], "PASS"),
        ([check("verify.a", Status.PASS), check("verify.b", Status.NOT_RUN)], [], "PASS"),
        ([check("verify.a", Status.PASS), check("verify.b", Status.FAIL)], [], "FAIL"),
        ([check("verify.b", Status.NOT_RUN)], [], "INCOMPLETE"),
        ([], [], "INCOMPLETE"),
        ([], [Finding(rule="R", level=Level.ERROR, message="m")], "BLOCKED"),
        (
            [check("verify.a", Status.PASS)],
            [Finding(rule="R", level=Level.ERROR, message="m", accepted=True)],
            "PASS",
        ),
    ],
)
def test_verdict(run: Run, checks: list[Check], findings: list[Finding], verdict: str) -> None:
    run.record_checks(checks)
    run.record_findings(findings)
    assert build_document(run).verdict == verdict


def test_an_unfinished_stage_keeps_the_verdict_open(run: Run) -> None:
    run.record_checks([check("verify.a", Status.PASS)])
    run.journal.begin_step(run.run_id, "build", "1")
    assert build_document(run).verdict == "INCOMPLETE"


def test_stale_proof_is_not_ticked(run: Run) -> None:
    run.record_checks([check("verify.a", Status.PASS)])
    run.stale = frozenset({"verify"})
    document = build_document(run)
    assert document.checks[0].status is Status.NOT_RUN
    assert "stale: was PASS" in document.checks[0].evidence
    assert document.verdict == "INCOMPLETE"


def test_the_stage_writes_every_view(run: Run) -> None:
    run.record_checks(
        [
            check("verify.a", Status.PASS, counts={"requests": 12}, detail=("one",)),
            check("verify.b", Status.FAIL, evidence="1 of 2 differ", detail=("GET / -> 500",)),
        ]
    )
    run_stage(run, report.STAGE)
    folder = run.project.state / "report"
    body = json.loads((folder / "report.json").read_text())
    assert [c["id"] for c in body["checks"]] == ["verify.a", "verify.b"]
    assert all({"id", "status", "evidence", "reproduce"} <= set(c) for c in body["checks"])
    for name in ("report.md", "report.html", "junit.xml"):
        text = (folder / name).read_text()
        assert "verify.b" in text
        assert "1 of 2 differ" in text
        assert "run verify.b" in text


def test_junit_counts_what_a_ci_system_shows(run: Run) -> None:
    run.record_checks(
        [
            check("verify.a", Status.PASS),
            check("verify.b", Status.FAIL),
            check("verify.c", Status.NOT_RUN, evidence="no tests configured"),
        ]
    )
    suite = ET.fromstring(report.render(build_document(run))["junit.xml"])[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert "no tests configured" in suite.findall("testcase/skipped")[0].get("message")


def test_sarif_points_at_the_line(run: Run) -> None:
    run.record_findings(
        [
            Finding(rule="B", level=Level.NOTE, message="m"),
            Finding(rule="A", level=Level.ERROR, message="m", path="a b.py", line=7, accepted=True),
        ]
    )
    log = json.loads(report.render(build_document(run))["findings.sarif"])
    results = log["runs"][0]["results"]
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    assert [rules[r["ruleIndex"]] for r in results] == [r["ruleId"] for r in results]
    place = results[1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b.py"
    assert place["region"] == {"startLine": 7}
    assert results[1]["suppressions"]
    assert "locations" not in results[0]


def test_hostile_text_is_only_text(run: Run) -> None:
    hostile = HOSTILE.encode("utf-8", "replace").decode()
    run.record_checks([check("verify.a", Status.FAIL, evidence=hostile, detail=(hostile,))])
    run.record_findings([Finding(rule="R", level=Level.NOTE, message=hostile, path=hostile)])
    views = report.render(build_document(run))
    assert "<script" not in views["report.html"]
    ET.fromstring(views["junit.xml"])
    json.loads(views["findings.sarif"])
    table = [line for line in views["report.md"].splitlines() if line.startswith("| FAIL")]
    assert len(re.findall(r"(?<!\\)\|", table[0])) == 5


def test_the_page_loads_nothing_from_outside(run: Run) -> None:
    run.record_checks([check("verify.a", Status.PASS)])
    page = report.render(build_document(run))["report.html"]
    assert not re.search(r"""(src|href)=|url\(|@import|<script""", page)


def test_latency_is_read_from_the_evidence(run: Run) -> None:
    figures = {
        "origin_p50_s": 0.002,
        "origin_p95_s": 0.004,
        "target_p50_s": 0.003,
        "target_p95_s": 0.01,
    }
    run.record_checks([check("verify.a", Status.PASS, figures=figures, counts={"requests": 9})])
    document = build_document(run)
    assert document.latency[0].requests == 9
    assert "2 ms" in report.render(document)["report.html"]


def test_totals_count_passed_proof_only(run: Run) -> None:
    run.current = "data"
    run.record_checks(
        [
            check("data.rows:a", Status.PASS, counts={"rows": 5, "bytes": 70}),
            check("data.rows:b", Status.FAIL, counts={"rows": 100}),
            check("data.runtime:a", Status.PASS, counts={"rows": 5}),
        ]
    )
    assert build_document(run).totals["rows"] == 5


def test_findings_are_grouped_gravest_first() -> None:
    findings = (
        Finding(rule="N", level=Level.NOTE, message="", path="a.py"),
        Finding(rule="E", level=Level.ERROR, message="", path="z.py"),
    )
    assert list(group_findings(findings)) == ["z.py", "a.py"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.0012, "1.2 ms"), (0.0423, "42 ms"), (0.35, "0.35 s"), (75.2, "75 s")],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(12, "12 B"), (3400, "3.4 kB"), (12_345_678, "12.3 MB"), (999_000_000_000, "999 GB")],
)
def test_bytes(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_moved_tables_are_listed_largest_first(run: Run) -> None:
    tables = {"a": TableRecord(rows=1, hash="11"), "b": TableRecord(rows=20_000, hash="22")}
    moved = DataDocument(tables=tables, root="33", size_bytes=1, modified_ns=1)
    run.journal.write_document("data:main", moved)
    document = build_document(run)
    assert [(line.table, line.rows) for line in document.tables] == [("b", 20_000), ("a", 1)]
    assert "20,000" in report.render(document)["report.html"]
