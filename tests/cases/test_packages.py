"""Package decisions, requirement files, markers and unpacking rules, as data."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from edgelift.errors import OriginError
from edgelift.targets.packages import read_requirements
from edgelift.targets.packages.knowledge import decide, dropped_names, read_knowledge
from edgelift.targets.packages.requirements import parse_requirement
from edgelift.targets.packages.rounds import holds
from edgelift.targets.packages.wheels import find_test_folders, installed_name

CASES = json.loads(Path(__file__).with_name("packages.json").read_text())


@pytest.mark.parametrize("case", CASES["decisions"], ids=lambda c: f"{c['name']}-{c['imported']}")
def test_decisions(case: dict) -> None:
    decision = decide(case["name"], case["imported"])
    assert decision.outcome == case["outcome"]
    assert bool(decision.reason) == (case["outcome"] != "vendored")
    assert bool(decision.substitute) == (case["outcome"] == "substituted")


def test_every_rule_is_usable() -> None:
    for rule in read_knowledge().rule:
        assert rule.outcome in {"excluded", "substituted", "refused"}
        assert rule.when_imported in {"", "vendored", "refused"}
        assert not rule.transitive or rule.outcome in {"excluded", "substituted"}
        assert all(name == name.lower() and "_" not in name for name in rule.names)


def test_servers_asked_for_by_others_are_dropped_unless_imported() -> None:
    assert {"uvicorn", "uvloop", "greenlet"} <= set(dropped_names([]))
    assert "uvicorn" not in dropped_names(["uvicorn"])
    assert "numpy" not in dropped_names([])


@pytest.mark.parametrize("case", CASES["requirement_files"], ids=lambda c: c["read"][0])
def test_requirement_files(case: dict, tmp_path: Path) -> None:
    for name, text in {**case["files"], **case["more"]}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = read_requirements(tmp_path, case["read"])
    assert [[line.text, line.path, line.line] for line in lines] == case["lines"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_requirement_file_that_cannot_be_read_is_told(
    tmp_path: Path, content: bytes | None
) -> None:
    if content:
        (tmp_path / "requirements.txt").write_bytes(content)
    with pytest.raises(OriginError, match="cannot be read"):
        read_requirements(tmp_path, ["requirements.txt"])


def test_a_broken_pyproject_is_told(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(OriginError, match="not valid TOML"):
        read_requirements(tmp_path, ["pyproject.toml"])


@pytest.mark.parametrize("case", CASES["requirements"], ids=lambda c: c["text"])
def test_requirement_lines(case: dict) -> None:
    parsed = parse_requirement(case["text"])
    assert (parsed.name if parsed else None) == case["name"]


@pytest.mark.parametrize("case", CASES["markers"], ids=lambda c: c["text"])
def test_markers_are_the_targets(case: dict) -> None:
    assert holds(Requirement(case["text"])) is case["holds"]


@pytest.mark.parametrize("case", CASES["installed_names"], ids=lambda c: c["member"])
def test_what_of_a_wheel_is_installed(case: dict) -> None:
    assert installed_name(case["member"]) == case["place"]


@pytest.mark.parametrize("member", ["../x.py", "/etc/x", "a/../../x.py"])
def test_names_that_lead_outside_are_refused(member: str) -> None:
    with pytest.raises(zipfile.BadZipFile):
        installed_name(member)


@pytest.mark.parametrize("case", CASES["test_folders"], ids=lambda c: c["names"][0])
def test_packages_own_tests_are_found(case: dict) -> None:
    assert sorted(map(str, find_test_folders(case["names"]))) == case["folders"]
