"""Schemas as data: tests/cases/schema/NAME.sql is the origin, NAME.json what becomes of it.

To write the expectations anew after a wanted change, and then read the difference:
EDGELIFT_WRITE_CASES=1 python -m pytest tests/cases/test_schema.py
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path

import pytest

from edgelift.sources.sqlite import SqliteSource
from edgelift.stages.schema import judge_database
from edgelift.targets.workerd.sql_check import check_statements
from edgelift.toolchain import ensure_toolchain

RULE = re.compile(r"SCHEMA-[A-Z0-9-]+[A-Z0-9]")
CASES = sorted((Path(__file__).parent / "schema").glob("*.sql"))

pytestmark = pytest.mark.workerd


def judge(script: Path, tmp_path: Path, accepted: frozenset[str] = frozenset()):
    origin, snapshot = tmp_path / "origin.db", tmp_path / "snapshot.db"
    db = sqlite3.connect(origin)
    db.executescript(script.read_text())
    db.close()
    toolchain = ensure_toolchain(("runtime",), lambda _text: None)
    taken = SqliteSource(origin).take_snapshot(snapshot)
    return judge_database(
        "main",
        snapshot,
        taken.violations,
        lambda statements: check_statements(statements, toolchain),
        accepted,
    )


def summarize(judgement) -> dict:
    """Return the mapping without what is converted as it is, and all issues."""
    return {
        "objects": {
            f"{found.kind} {found.name}": {
                "outcome": found.outcome,
                **({"rules": list(found.rules)} if found.rules else {}),
                **{
                    f"column {column.name}": [column.outcome, *column.rules]
                    for column in found.columns
                    if column.rules
                },
            }
            for found in judgement.mapping.objects
        },
        "issues": [
            f"{issue.level.value} {issue.rule} | {issue.kind} {issue.name} | {issue.message}"
            for issue in judgement.issues
        ],
        "left_out": list(judgement.schema.left_out),
    }


@pytest.mark.parametrize("script", CASES, ids=lambda path: path.stem)
def test_case(script: Path, tmp_path: Path) -> None:
    found = summarize(judge(script, tmp_path))
    expected = script.with_suffix(".json")
    if os.environ.get("EDGELIFT_WRITE_CASES"):
        expected.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    assert found == json.loads(expected.read_text())


def test_text_is_kept_where_d1_takes_it(tmp_path: Path) -> None:
    judgement = judge(CASES[0].with_name("music.sql"), tmp_path)
    written = {s.name: s.sql for s in (*judgement.schema.tables, *judgement.schema.after)}
    db = sqlite3.connect(tmp_path / "origin.db")
    origin = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql <> ''"))
    db.close()
    del origin["sqlite_sequence"]
    assert written == origin


def test_accepted_refusals_are_left_out_with_what_hangs_on_them(tmp_path: Path) -> None:
    script = CASES[0].with_name("refused.sql")
    rules = {issue.rule for issue in judge(script, tmp_path).issues}
    (tmp_path / "again").mkdir()
    judgement = judge(script, tmp_path / "again", frozenset(rules))
    outcomes = {found.name: found.outcome for found in judgement.mapping.objects}
    assert outcomes["versioned"] == outcomes["orphan"] == "left out"
    assert outcomes["fine"] == "converted"
    assert [table.name for table in judgement.catalogue.tables] == ["fine"]
    assert "refused" not in outcomes.values()


def test_every_rule_is_described() -> None:
    root = Path(__file__).resolve().parents[2]
    folders = ("stages/schema", "sources/postgres", "sources/mysql")
    sources = [p for f in folders for p in (root / "src" / "edgelift" / f).rglob("*.py")]
    used = {rule for source in sources for rule in RULE.findall(source.read_text())}
    described = set(RULE.findall((root / "docs/reference/schema-rules.md").read_text()))
    assert used == described
