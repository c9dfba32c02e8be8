"""What [schema] asks of a SQLite database of an app is found by the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import parse_settings
from edgelift.stages.plan.decisions import check_overrides

HEAD = """
name = "x"
[app]
framework = "flask"
entry = "x:app"
[[databases]]
name = "main"
url = "sqlite:///x.db"
"""
SECOND = '[[databases]]\nname = "other"\nurl = "sqlite:///y.db"\nbinding = "OTHER"\n'
RENAME = '[[schema.rename]]\ntable = "t"\nto = "u"\n'


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("", ""),
        ('[schema]\ntimestamps = "django"', ""),
        (RENAME, "rename of t"),
        ('[schema]\nexclude = ["log", "t.v"]', "exclude of log, exclude of t.v"),
        ('[[schema.cast]]\ntype = "datetime"\nas = "unix"', "cast of a type"),
        ('[[schema.rewrite]]\ntable = "t"\ncolumn = "c"\nas = "unix"', "rewrite of t"),
        (SECOND + RENAME, ""),
        (SECOND + RENAME + 'database = "main"', "rename of t"),
        (SECOND + RENAME + 'database = "other"', ""),
    ],
)
def test_overrides_of_the_app_s_database_are_found(tmp_path: Path, toml: str, words: str) -> None:
    path = tmp_path / "edgelift.toml"
    path.write_text(HEAD + toml)
    found = list(check_overrides("main", parse_settings(path)))
    assert len(found) == bool(words)
    assert all(f"main: {words}" in f.message for f in found)
    assert {f.rule for f in found} <= {"DB-OVERRIDES"}
    assert all(f.blocks for f in found)
