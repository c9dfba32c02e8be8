"""Case files that say on the line itself what is to be found there: `# <- RULE RULE`."""

from __future__ import annotations

import re
from pathlib import Path

from edgelift.model.findings import Finding
from edgelift.project import AppSection, DatabaseSection, Project, Settings
from edgelift.sources.source_code.view import CodeView, build_view

_MARK = re.compile(r"#\s*<-\s*([A-Z0-9 -]+)$")


def read_expected(file: Path) -> set[tuple[str, int]]:
    """Return (rule, line) of every mark in a file."""
    found = set()
    for number, line in enumerate(file.read_text().splitlines(), 1):
        mark = _MARK.search(line)
        if mark:
            found |= {(rule, number) for rule in mark[1].split()}
    return found


def found_in(findings: list[Finding]) -> set[tuple[str, int]]:
    return {(f.rule, f.line or 0) for f in findings}


def view_of(file: Path, folder: Path, name: str = "app") -> CodeView:
    """Return the view of a project whose only module is a copy of a case file."""
    (folder / f"{name}.py").write_bytes(file.read_bytes())
    return build_view(make_project(folder, f"{name}:app"))


def make_project(folder: Path, entry: str = "app:app", **settings: object) -> Project:
    app = AppSection(framework="flask", entry=entry)
    databases = (DatabaseSection(name="main", url="sqlite:///app.db"),)
    merged = {"name": "case", "app": app, "databases": databases, **settings}
    return Project(folder, Settings(**merged), folder / "edgelift.toml")
