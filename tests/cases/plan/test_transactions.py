"""Transaction audit: case files with the expected findings marked on their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.stages.plan.transactions import audit
from edgelift.stages.plan.transactions.rules import RULES
from tests.cases.marked import found_in, read_expected, view_of

FILES = sorted((Path(__file__).parent / "transactions").glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_exactly_the_marked_findings(file: Path, tmp_path: Path) -> None:
    assert found_in(audit(view_of(file, tmp_path))) == read_expected(file)


def test_every_rule_has_a_case_that_meets_it() -> None:
    expected = {rule for file in FILES for rule, _line in read_expected(file)}
    # TXN-FRAMEWORK is about a whole app: tests/scenarios/test_lift_django.py.
    assert expected | {"TXN-FRAMEWORK"} == {rule.id for rule in RULES}


def test_findings_name_the_write_they_are_about(tmp_path: Path) -> None:
    file = next(f for f in FILES if f.stem == "rollback_after_flush")
    lost = [f for f in audit(view_of(file, tmp_path)) if f.rule == "TXN-ROLLBACK-LOST"]
    assert "db.session.add(entry) (app.py:" in lost[0].message
    assert lost[0].path == "app.py"
    assert lost[0].level == "error"
    assert lost[0].tip
