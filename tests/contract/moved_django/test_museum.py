"""The museum's ORM asked on its server, and on the SQL object that it was moved into: equal answers."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from edgelift.model.mover_settings import SchemaSection
from tests.contract.mover.moving import Moving, judge
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PostgresServer
from tests.shared_venv import make_venv
from tests.suites.sqlite import ROOT, build_environment, serve

MUSEUM = ROOT / "tests" / "apps" / "museum"
SCENARIO = Path(__file__).with_name("scenario.py")
# What the schema stage chooses for an app of Django.
STYLE = SchemaSection(timestamps="django")

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("moved-django")]


def run_python(*arguments: str | Path, **environment: str) -> str:
    requirements = ["-r", MUSEUM / "requirements.txt", "pytest", "gunicorn"]
    python = make_venv("museum-venv", requirements) / "bin/python"
    done = subprocess.run(
        [python, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def read_answers(text: str) -> dict[str, Any]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == len(dict(lines))
    return dict(lines)


def write_script(db: sqlite3.Connection) -> list[str]:
    """Return the statements that make a database anew, tables before those that refer to them."""
    lines = [line for line in db.iterdump() if line not in {"BEGIN TRANSACTION;", "COMMIT;"}]
    tables = [line for line in lines if line.startswith("CREATE TABLE")]
    rest = [line for line in lines if line not in tables]
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    needs = {n: {r[2] for r in db.execute(f"PRAGMA foreign_key_list('{n}')")} - {n} for n in names}
    order = {f'"{name}"': n for n, name in enumerate(TopologicalSorter(needs).static_order())}

    def place(line: str) -> int:
        return (
            order.get(line.split()[2].partition("(")[0], -1)
            if line.startswith("INSERT")
            else len(order)
        )

    return [*tables, *sorted(rest, key=place)]


def compare(url: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answers of the server and those of what was moved of it."""
    run_python(MUSEUM / "make_db.py", DATABASE_URL=url)
    moving = Moving(url, folder / "moved.sqlite", judge(url, STYLE))
    moving.copy()
    script = folder / "moved.sql"
    with closing(sqlite3.connect(moving.part)) as db:
        script.write_text("\n".join(write_script(db)))
    origin = read_answers(run_python(SCENARIO, MUSEUM, url))
    with serve("object") as port:
        environment = build_environment("object", port)
        moved = read_answers(run_python(SCENARIO, MUSEUM, url, script, **environment))
    return origin, moved


def judge_answers(origin: dict[str, Any], moved: dict[str, Any], least: int) -> None:
    assert "write stopped" not in origin
    raised = {text: answer for text, answer in origin.items() if "raised" in json.dumps(answer)}
    print(raised)
    assert list(raised) == []
    assert len(origin) > least
    differ = {
        text: (moved.get(text), origin[text]) for text in origin if moved.get(text) != origin[text]
    }
    for text, pair in differ.items():
        print(text, *(json.dumps(answer, ensure_ascii=False)[:300] for answer in pair), sep="\n  ")
    assert list(differ) == []
    assert list(moved) == list(origin)


def test_postgresql(postgres_server: PostgresServer, tmp_path: Path) -> None:
    url = postgres_server.create_database("museum_asked")
    judge_answers(*compare(url, tmp_path), least=270)
    postgres_server.run('DROP DATABASE "museum_asked" WITH (FORCE)')


def test_mariadb(mariadb_server: MariaDb, tmp_path: Path) -> None:
    mariadb_server.load_zones("UTC", "Europe/Berlin")
    url = mariadb_server.make_url(mariadb_server.create_database("museum"))
    with mariadb_server.be_strict():
        judge_answers(*compare(url, tmp_path), least=230)
