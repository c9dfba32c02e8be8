"""Backends on a server's driver alone, lifted whole: their database moves into a SQL object, unmodified.

Nightly: tests/cases/moved_drivers and tests/contract/moved_drivers go the same way without workerd at
every run.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from tests.scenarios.conftest import NIGHTLY, ROOT, lift, run_edgelift
from tests.scenarios.test_lift_moved import prepare
from tests.scenarios.test_lift_servers import MYSQL_PASSWORD, Lifted, find_texts
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PASSWORD, PostgresServer

PASSED = {
    "data.rows:main", "data.sequences:main", "build.snapshot", "verify.data",
    "verify.parity.generated", "verify.parity.recorded", "verify.state:main", "verify.tests",
    "verify.faults", "verify.mutants",
}  # fmt: skip
nightly = pytest.mark.skipif(not NIGHTLY, reason="a whole lift: EDGELIFT_NIGHTLY=1")


def read_schema(app: str) -> str:
    return (ROOT / "tests" / "apps" / app / "schema.sql").read_text()


def judge(folder: Path, url: str) -> Lifted:
    lifted = Lifted(folder, lift(folder), url)
    assert lifted.result["exit"] == 0, lifted.result["stderr"]
    assert {name for name, status in lifted.checks.items() if status == "PASS"} >= PASSED
    return lifted


@nightly
@pytest.mark.parametrize("app", ["savings_psycopg2", "seats_asyncpg"])
def test_backends_of_postgres(
    app: str, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres_server.create_database(app)
    postgres_server.run(read_schema(app), app)
    monkeypatch.setenv("DATABASE_URL", url)
    prepare(tmp_path / app, app, url)
    lifted = judge(tmp_path / app, url)
    assert find_texts(lifted.folder, PASSWORD) == []
    if app == "savings_psycopg2":
        look_for_oneself(lifted)


def look_for_oneself(lifted: Lifted) -> None:
    """An independent look: plain HTTP, and plain SQL on the file that the object left."""
    with edgelift.serve(lifted.folder) as worker, httpx.Client(base_url=worker.url) as client:
        refused = client.post("/transfers", json={"from": 3, "to": 1, "amount": "5"}, timeout=60)
        assert refused.json()["constraint"] == "accounts_not_overdrawn"
        made = client.post("/transfers", json={"from": 1, "to": 2, "amount": "0.10"}, timeout=60)
        assert made.status_code == 201
    rows = []
    for file in (lifted.folder / ".edgelift" / "state").rglob("*.sqlite"):
        with closing(sqlite3.connect(file)) as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'bookings'").fetchone():
                rows += db.execute("SELECT balance FROM accounts ORDER BY id").fetchall()
                rows += db.execute("SELECT amount, tags FROM bookings WHERE id > 4").fetchall()
    assert rows == [(249.9,), (1000.6,), (0.75,), (-0.1, '["transfer"]'), (0.1, '["transfer"]')]


@nightly
def test_a_backend_of_mariadb(
    mariadb_server: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = "parcels_pymysql"
    name = mariadb_server.create_database("parcels")
    mariadb_server.run_script(read_schema(app), name)
    mariadb_server.execute(f"CREATE USER IF NOT EXISTS guest IDENTIFIED BY '{MYSQL_PASSWORD}'")
    mariadb_server.execute("GRANT ALL ON *.* TO guest")
    url = mariadb_server.make_url(name, "guest", MYSQL_PASSWORD)
    monkeypatch.setenv("DATABASE_URL", url)
    prepare(tmp_path / app, app, url)
    judge(tmp_path / app, url)


def test_what_the_driver_is_asked_in_vain_is_found_before_the_cut(
    postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault twin: lines that a moved database has no form for, told by plan with their place."""
    app = "savings_psycopg2"
    url = postgres_server.create_database("in_vain")
    monkeypatch.setenv("DATABASE_URL", url)
    prepare(tmp_path / app, app, url)
    shutil.rmtree(tmp_path / app / "__pycache__", ignore_errors=True)
    (tmp_path / app / "test_savings.py").unlink()
    file = tmp_path / app / "app.py"
    text = file.read_text()
    lines = [
        "cur.execute('SELECT id FROM owners WHERE name ~ %s', ('x',))",
        "cur.execute('LISTEN news')",
    ]
    body = "".join(f"        {line}\n" for line in lines)
    file.write_text(
        f'{text}\n\n@app.get("/x")\ndef x():\n    with cursor() as cur:\n{body}    return ""\n'
    )
    postgres_server.run(read_schema(app), "in_vain")
    done = run_edgelift("plan", tmp_path / app)
    assert done.returncode == 3, done.stdout + done.stderr
    first = len(text.splitlines()) + 6
    assert f"SQL-DRIVER-TEXT at app.py:{first}" in done.stderr
    assert f"SQL-DRIVER-FEATURE at app.py:{first + 1}" in done.stderr
