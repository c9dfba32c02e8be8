"""Versions that install for the Worker's Python and do not run on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from edgelift.targets.packages.python_versions import TooOld, find_too_old, read_too_old
from edgelift.targets.packages.requirements import OriginUse, RequirementLine
from edgelift.targets.packages.rounds import Rounds


@pytest.mark.parametrize(
    ("wheel", "found"),
    [
        ("SQLAlchemy-2.0.23-py3-none-any.whl", "sqlalchemy"),
        ("sqlalchemy-2.0.31-py3-none-any.whl", ""),
        ("SQLAlchemy-1.4.54-py3-none-any.whl", ""),
        ("typing_extensions-4.8.0-py3-none-any.whl", "typing-extensions"),
        ("typing_extensions-4.12.0-py3-none-any.whl", ""),
        ("pydantic-1.10.13-py3-none-any.whl", "pydantic"),
        ("Werkzeug-2.2.3-py3-none-any.whl", "werkzeug"),
        ("werkzeug-2.3.5-py3-none-any.whl", ""),
        ("flask-0.1-py3-none-any.whl", ""),
    ],
)
def test_wheels_are_known_by_name_and_version(tmp_path: Path, wheel: str, found: str) -> None:
    (tmp_path / wheel).touch()
    assert "".join(find_too_old(tmp_path)) == found


def test_a_version_of_the_origin_gives_way_and_one_that_is_asked_for_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / "typing_extensions-4.8.0-py3-none-any.whl").touch()
    use = OriginUse(versions={"typing_extensions": "4.8.0", "flask": "3.0"})
    rounds = Rounds(tmp_path, print, exclude=set(), use=use)
    line = RequirementLine("typing_extensions==4.8.0", "requirements.txt", 7)
    rounds.roots["typing-extensions"] = [(Requirement(line.text), line)]
    assert rounds._loosen_too_old(tmp_path)
    assert rounds.constraints == {"typing-extensions": "4.*", "flask": "3.0"}
    assert rounds.findings == []
    assert not rounds._loosen_too_old(tmp_path)  # the next round found the same: it is pinned
    assert [(f.rule, f.level, f.line, f.tip) for f in rounds.findings] == [
        ("PKG-PYTHON", "error", 7, "raise the pin to typing-extensions>=4.12")
    ]


@pytest.mark.parametrize("row", read_too_old(), ids=lambda row: row.name)
def test_the_nearest_series_holds_versions_that_run(row: TooOld) -> None:
    assert SpecifierSet(f"=={row.series}").contains(row.before)
    assert row.name == canonicalize_name(row.name)
    assert not row.holds(Version(row.before))
