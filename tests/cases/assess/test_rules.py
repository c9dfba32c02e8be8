"""Rules of assess: for each a file that breaks it, with marked lines, and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.stages.assess.rules import RULES, check_code
from tests.cases.marked import found_in, read_expected, view_of

FOLDERS = sorted((Path(__file__).parent / "rules").iterdir())
# Shown by whole folders or by what the import did: tests/unit/assess/test_project_rules.py.
ELSEWHERE = {
    "DB-SERVER-UNDECLARED",
    "DB-UNDECLARED",
    "IMPORT-NETWORK",
    "IMPORT-SYNTAX",
    "JOB-CRONTAB",
    "JOB-NO-CRON",
    "JOB-UNDECLARED",
    "LIMIT-ASSET-COUNT",
    "LIMIT-ASSET-SIZE",
    "SECRET-FILE",
}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_bad_case_gives_exactly_the_marked_findings(folder: Path, tmp_path: Path) -> None:
    found = check_code(view_of(folder / "bad.py", tmp_path))
    own = {(rule, line) for rule, line in found_in(found) if rule == folder.name}
    assert own == read_expected(folder / "bad.py")
    assert own
    assert all(f.tip and f.path == "app.py" for f in found)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_good_case_gives_no_such_finding(folder: Path, tmp_path: Path) -> None:
    found = check_code(view_of(folder / "good.py", tmp_path))
    assert [f for f in found if f.rule == folder.name] == []


def test_every_rule_has_cases() -> None:
    assert {folder.name for folder in FOLDERS} | ELSEWHERE == {rule.id for rule in RULES}


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_levels_in_code_nobody_reaches_are_no_errors(tmp_path: Path) -> None:
    case = tmp_path / "case.py"
    case.write_text("import os\n\n\ndef unused():\n    os.system('date')\n")
    (tmp_path / "project").mkdir()
    found = check_code(view_of(case, tmp_path / "project"))
    assert [(f.rule, f.level) for f in found] == [("PROC-SUBPROCESS", "warning")]
