"""What an app asks of its server in its own words is found with file and line before the cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.sources.source_code.server_texts import find_kinds, translate_texts
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
        ("text('SELECT a FROM t WHERE a = ANY(:x)')", "SQL-DIALECT-TEXT"),
        ("text('SELECT a::int FROM t')", "SQL-DIALECT-CHANGED"),
        ("func.to_tsvector('x')", "SQL-DIALECT-FUNCTION"),
        ("mysql.connector.connect()", "SQL-DIALECT-DRIVER"),
        ("error.orig.pgcode", "SQL-DIALECT-ERRORS"),
        ("isinstance(x, psycopg2.errors.UniqueViolation)", "SQL-DIALECT-ERRORS"),
        ("select(a).distinct(b)", "SQL-DIALECT-DISTINCT-ON"),
    ],
)
def test_each_rule_names_its_line(tmp_path: Path, line: str, rule: str) -> None:
    found = list(check_server_code(read(tmp_path, line), {"postgresql"}))
    assert [(f.rule, f.path, f.line) for f in found] == [(rule, "app.py", 12)]


@pytest.mark.parametrize(
    "line",
    [
        "func.count()", "func.string_agg(a, ',')", "func.lower(a)", "func.now()",
        "select(a).distinct()", "func.count(sa.distinct(a))", "text('SELECT a FROM t')",
        "print('select one of these from the list')[0]",
    ],
)  # fmt: skip
def test_what_is_kept_is_no_error(tmp_path: Path, line: str) -> None:
    found = list(check_server_code(read(tmp_path, line), {"postgresql"}))
    assert [
        f.rule for f in found if f.rule not in {"SQL-DIALECT-CHANGED", "SQL-DIALECT-TEXT"}
    ] == []


def test_translations_are_by_the_exact_text(tmp_path: Path) -> None:
    view = read(tmp_path, "text('SELECT price FROM parts ORDER BY price')")
    text = "SELECT price FROM parts ORDER BY price"
    assert translate_texts(view, {"postgresql"}) == {text: f"{text} NULLS LAST"}
    kinds = find_kinds(view, "postgresql", {"parts": {"price": "numeric:2"}})
    assert kinds == {text: ["numeric:2"]}
