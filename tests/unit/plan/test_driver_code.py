"""What an app asks of its server's driver is judged by the Worker's own rules, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.project import AppSection, Project, Settings
from edgelift.sources.server_sql import find_unknown
from edgelift.sources.source_code.own_drivers import imports_driver, speaks_to_driver
from edgelift.sources.source_code.view import CodeView, build_view
from edgelift.stages.plan.server_code import check_server_code

HEAD = """import psycopg2
from flask import Flask

app = Flask(__name__)
cursor = psycopg2.connect("").cursor()


@app.get("/")
def index():
"""


def read(folder: Path, line: str, head: str = HEAD) -> CodeView:
    (folder / "app.py").write_text(f"{head}    {line}\n    return ''\n")
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    return build_view(Project(folder, settings, folder / "edgelift.toml"))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("cursor.execute('SELECT a FROM t WHERE a ~ %s', ['x'])", "SQL-DRIVER-TEXT"),
        ("cursor.execute('SELECT to_tsvector(a) FROM t')", "SQL-DRIVER-TEXT"),
        ("cursor.execute('LISTEN news')", "SQL-DRIVER-FEATURE"),
        ("cursor.connection.lobject()", "SQL-DRIVER-FEATURE"),
        ("cursor.execute('SELECT pg_advisory_lock(1) FROM t')", "SQL-DRIVER-ADVISORY-LOCK"),
    ],
)
def test_each_rule_names_its_line(tmp_path: Path, line: str, rule: str) -> None:
    found = list(check_server_code(read(tmp_path, line), {"postgresql"}))
    assert [(f.rule, f.path, f.line) for f in found] == [(rule, "app.py", 10)]


@pytest.mark.parametrize(
    "line",
    [
        "cursor.execute('SELECT a::int, b FROM t WHERE c = ANY(%s) FOR UPDATE', ([1],))",
        "cursor.execute('SELECT now() - interval \\'1 day\\' FROM t')",
        "cursor.execute(f'SELECT {line} FROM t')",
        "cursor.execute('SELECT {} FROM t')",
        "psycopg2.connect('')",
        "error.pgcode",
    ],
)
def test_what_is_kept_is_not_told(tmp_path: Path, line: str) -> None:
    assert list(check_server_code(read(tmp_path, line), {"postgresql"})) == []


def test_with_an_orm_its_own_rules_hold(tmp_path: Path) -> None:
    line = "text('SELECT to_tsvector(a) FROM t WHERE a = :x')"
    head = HEAD.replace("import psycopg2\n", "import psycopg2\nfrom sqlalchemy import text\n")
    found = list(check_server_code(read(tmp_path, line, head), {"postgresql"}))
    assert [f.rule for f in found] == ["SQL-DIALECT-TEXT"]


def test_who_speaks_to_the_driver(tmp_path: Path) -> None:
    view = read(tmp_path, "pass")
    assert imports_driver(view, "postgresql")
    assert not imports_driver(view, "mysql")
    assert speaks_to_driver(view, {"sqlalchemy"}, "postgresql")
    assert not speaks_to_driver(view, {"sqlalchemy", "pymysql"}, "mysql")
    assert speaks_to_driver(view, {"peewee", "pymysql"}, "mysql")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("SELECT 1", ""),
        ("SELECT a FROM t WHERE b = %(b)s OR %(b)s IS NULL", ""),
        ("COPY t FROM STDIN", ""),
        ("COPY t FROM '/tmp/x'", "COPY with a file of the server"),
        ("SELECT initcap(a) FROM t", "it uses initcap()"),
        (
            "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
            "MERGE: SQLite has no MERGE",
        ),
        ("SELECT 'open FROM t", 'unterminated quoted string at or near "\'open FROM t"'),
        ("SELECT FROM WHERE", "it cannot be read"),
    ],
)
def test_the_reason_is_told(text: str, problem: str) -> None:
    found = find_unknown(text, "postgresql")
    assert found == problem or (problem and found.startswith(problem))
