"""A backend whose requests write by one statement each: lifted to D1, from SQLite and from a server, it passes."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from tests.scenarios.conftest import NIGHTLY, ROOT, lift, run_edgelift
from tests.servers.postgres import PostgresServer
from tests.shared_venv import make_venv

BOARD = ROOT / "tests" / "apps" / "board"
PASSED = {
    "plan.transactions", "data.rows:main", "data.sequences:main", "build.dry-run", "verify.data", "verify.faults",
    "verify.parity.generated", "verify.parity.recorded", "verify.state:main", "verify.tests", "verify.mutants",
}  # fmt: skip
pytestmark = pytest.mark.skipif(
    not NIGHTLY, reason="two lifts: nightly; the everyday ones are on objects"
)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    folder = tmp_path / "board"
    shutil.copytree(BOARD, folder)
    requirements = ["-r", folder / "requirements.txt", "pytest", "gunicorn"]
    (folder / ".venv").symlink_to(make_venv("board-venv", requirements))
    return folder


def choose_d1(folder: Path, *, moved: bool) -> None:
    done = run_edgelift("init", folder)
    assert done.returncode == 0, done.stderr
    settings = folder / ".edgelift" / "edgelift.toml"
    text = settings.read_text()
    assert 'strategy = "auto"' in text
    accepted = '\n[accept]\nrules = ["DB-MOVED"]\n' if moved else ""
    settings.write_text(text.replace('strategy = "auto"', 'strategy = "d1"') + accepted)


def judge(folder: Path, also: set[str]) -> dict[str, dict]:
    result = lift(folder)
    assert result["exit"] == 0, result["stderr"]
    checks = {check["id"]: check for check in result["checks"]}
    assert PASSED | also <= {name for name, check in checks.items() if check["status"] == "PASS"}
    counts = checks["verify.faults"]["counts"]
    assert counts["faults_origin"] == counts["faults_target"] >= 6
    assert counts["endpoints"] == 3
    return checks


def read_by_http(folder: Path) -> list[dict]:
    with edgelift.serve(folder) as worker, httpx.Client(base_url=worker.url, timeout=60) as client:
        made = client.post("/notices", json={"author": "dee", "body": "A boat"})
        assert (made.status_code, made.json()["id"]) == (201, 4)
        return client.get("/notices").json()


def test_from_sqlite(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = board / "board.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript((board / "schema.sqlite.sql").read_text())
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    choose_d1(board, moved=False)
    judge(board, set())
    assert [notice["author"] for notice in read_by_http(board)] == ["asa", "bo", "asa", "dee"]


def test_from_postgresql(
    board: Path, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database("board_d1")
    postgres_server.run((board / "schema.postgres.sql").read_text(), "board_d1")
    monkeypatch.setenv("DATABASE_URL", url.replace("postgresql:", "postgresql+psycopg2:"))
    choose_d1(board, moved=True)
    checks = judge(board, {"plan.sql", "verify.sql"})
    # The text with a WHERE is put together at run time: no literal of the source is it.
    assert checks["plan.sql"]["counts"]["own"] >= 5
    assert [notice["open"] for notice in read_by_http(board)] == [True, False, True, True]
    assert postgres_server.run("SELECT count(*) FROM notices", "board_d1") == [(3,)]
    left = postgres_server.run("SELECT datname FROM pg_database WHERE datname LIKE 'edgelift_%'")
    assert left == []
    postgres_server.run('DROP DATABASE "board_d1" WITH (FORCE)')
    assert (
        os.environ["DATABASE_URL"].partition("@")[2]
        not in (board / ".edgelift" / "build" / "worker" / "wrangler.jsonc").read_text()
    )
