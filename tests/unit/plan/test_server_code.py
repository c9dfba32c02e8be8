"""What an app asks of its server in its own words is found with file and line before the cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.stages.plan.server_code import check_server_code

HEAD = """import mysql.connector
import psycopg2
import psycopg2.errors
from flask import Flask
from sqlalchemy import func, select, text

app = Flask(__name__)


@app.get("/")
def index():
"""


def read(folder: Path, line: str) -> CodeView:
    (folder / "app.py").write_text(f"{HEAD}    {line}\n    return ''\n")
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    return build_view(Project(folder, settings, folder / "edgelift.toml"))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("text('SELECT to_tsvector(a) FROM t WHERE a = :x')", "SQL-DIALECT-TEXT"),
        ("func.to_tsvector('x')", "SQL-DIALECT-FUNCTION"),
        ("mysql.connector.connect()", "SQL-DIALECT-DRIVER"),
    ],
)
def test_each_rule_names_its_line(tmp_path: Path, line: str, rule: str) -> None:
    found = list(check_server_code(read(tmp_path, line), {"postgresql"}))
    assert [(f.rule, f.path, f.line) for f in found] == [(rule, "app.py", 12)]


@pytest.mark.parametrize(
    "line",
    [
        "text('SELECT a::int FROM t WHERE a = ANY(:x)')", "error.orig.pgcode",
        "func.count()", "func.string_agg(a, ',')", "func.lower(a)", "func.now()",
        "select(a).distinct()", "func.count(sa.distinct(a))", "text('SELECT a FROM t')",
    ],
)  # fmt: skip
def test_what_is_kept_is_no_error(tmp_path: Path, line: str) -> None:
    found = list(check_server_code(read(tmp_path, line), {"postgresql"}))
    assert [f.rule for f in found] == []
