"""A whole database moved by the command line, from real servers; proven by it and by plain SQL."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import edgelift
from edgelift.errors import OriginError, UsageError, VerificationMismatch
from edgelift.stages.data.server import move as move_module
from edgelift.stages.init.database_settings import PASSWORD
from tests.contract.mover.moving import read_plainly, read_target

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

ORIGINS = Path(__file__).resolve().parents[1] / "cases" / "origins"
ACCEPT = {
    "postgres": ("SCHEMA-SEQUENCE", "SCHEMA-TYPE-LOSS"),
    "mysql": ("SCHEMA-ROUTINE", "SCHEMA-COLLATION-ASCII"),
}
# Queries that both servers and SQLite answer alike; the rest is compared by edgelift alone.
QUERIES = {
    "postgres": (
        "SELECT film_id, title, description, year, language_id, rental_rate, length FROM film",
        "SELECT film_id, rating, label, per_minute, last_update FROM film",
        "SELECT language_id, name, last_update FROM language",
        "SELECT actor_id, film_id FROM film_actor",
        "SELECT actor_id, first_name, last_name, key FROM actor",
        "SELECT customer_id, email, active, balance, born, created, photo, parent_id FROM customer",
        "SELECT payment_id, customer_id, amount, paid FROM payment",
        "SELECT fid, title, language, price, rating FROM film_list",
        "SELECT rating, films FROM film_count",
    ),
    "mysql": (
        "SELECT film_id, title, description, release_year, rental_rate, length, rating FROM film",
        "SELECT film_id, special_features, label, double_rate, extra, last_update FROM film",
        "SELECT film_id, title, description FROM film_text",
        "SELECT customer_id, email, code, active, balance, weight, born FROM customer",
        "SELECT customer_id, created, seen, photo FROM customer",
        "SELECT customer_id, film_id, rented FROM rental",
        "SELECT at, what FROM log",
        "SELECT fid, title, language, price, rating FROM film_list",
    ),
}


@dataclass
class Case:
    kind: str
    url: str
    folder: Path

    @property
    def target(self) -> Path:
        return self.folder / ".edgelift" / "data" / "target" / "main.sqlite"

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        # Library calls of other tests leave passwords in this process.
        kept = {name: value for name, value in os.environ.items() if name != PASSWORD}
        return subprocess.run(
            [sys.executable, "-m", "edgelift", *map(str, arguments)],
            capture_output=True, text=True, check=False, env={**kept, **environment},
        )  # fmt: skip

    def move(self, *options: str | Path) -> subprocess.CompletedProcess[str]:
        return self.run("move", self.url, "--to", self.folder, *options)

    @property
    def accepted(self) -> list[str]:
        return [word for rule in ACCEPT[self.kind] for word in ("--accept", rule)]

    def assert_same(self) -> None:
        for query in QUERIES[self.kind]:
            assert read_plainly(self.url, query) == read_target(self.target, query), query


@pytest.fixture(params=["postgres", "mysql"])
def case(request, tmp_path: Path) -> Case:
    script = (ORIGINS / f"rental.{request.param}.sql").read_text()
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")(script)
    else:
        server = request.getfixturevalue("mariadb_server")
        name = server.create_database("rental")
        server.run_script(script, name)
        url = server.make_url(name)
    return Case(request.param, url, tmp_path / "shop")


def test_a_database_moves_with_proof(case: Case, tmp_path: Path) -> None:
    blocked = case.move()
    assert blocked.returncode == 3
    assert blocked.stderr.splitlines()[-1].startswith("Tip: ")
    assert not case.target.exists()

    upload = tmp_path / "upload"
    done = case.move(*case.accepted, "--json", "--paranoid", "--import-files", upload)
    assert done.returncode == 0, done.stderr
    checks = {c["id"]: c for c in json.loads(done.stdout)["checks"]}
    assert {c["status"] for c in checks.values()} == {"PASS"}
    again = checks["data.again:main"]["counts"]
    assert again["chunks_again"] == again["chunks"]
    case.assert_same()
    assert (
        json.loads((case.folder / ".edgelift/report/report.json").read_text())["verdict"] == "PASS"
    )

    replayed = tmp_path / "replayed.sqlite"
    with contextlib.closing(sqlite3.connect(replayed)) as db:
        for path in sorted((upload / "main").glob("*.sql")):
            db.executescript(path.read_text())
    for query in QUERIES[case.kind]:
        assert read_target(replayed, query) == read_target(case.target, query)

    second = case.move()
    assert second.returncode == 0
    assert "unchanged since the last run" in second.stderr


def test_the_password_is_nowhere(make_database, tmp_path: Path) -> None:
    url = make_database("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)")
    secret = url.split(":")[2].split("@")[0]
    case = Case("postgres", url, tmp_path / "shop")
    done = case.move("--json")
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    journal = [p for p in case.folder.rglob("*") if p.is_file()]
    runs = [p.name for p in journal if secret.encode() in p.read_bytes()]
    assert runs == []
    assert f"${{{PASSWORD}}}" in (case.folder / "edgelift.toml").read_text()

    without = case.run("data", case.folder, "--force")
    assert without.returncode == 2
    assert PASSWORD in without.stderr
    again = case.run("lift", case.folder, "--force", "--exit", **{PASSWORD: secret})
    assert again.returncode == 0, again.stderr
    status = case.run("status", case.folder, **{PASSWORD: secret})
    assert "data" in status.stdout
    build = case.run("build", case.folder, **{PASSWORD: secret})
    assert build.returncode == 2
    assert "databases alone" in build.stderr
    other = case.run("move", "postgresql://h/other", "--to", case.folder)
    assert other.returncode == 2
    assert "about something else" in other.stderr


def test_a_changed_schema_is_noticed(make_database, tmp_path: Path) -> None:
    import psycopg

    url = make_database("CREATE TABLE t (id integer PRIMARY KEY); INSERT INTO t VALUES (1)")
    edgelift.move(url, tmp_path / "shop")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("ALTER TABLE t ADD COLUMN more text")
    with pytest.raises(OriginError, match="changed since it was judged"):
        edgelift.data(tmp_path / "shop", options=edgelift.Options(force=True))
    edgelift.schema(tmp_path / "shop", options=edgelift.Options(force=True))
    outcome = edgelift.data(tmp_path / "shop")
    assert not outcome.failed


def test_a_copy_that_was_damaged_is_not_put_in_place(
    make_database, tmp_path: Path, monkeypatch
) -> None:
    url = make_database(
        "CREATE TABLE t (id integer PRIMARY KEY, name text);"
        "INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 500) n"
    )
    real = move_module.create_rest

    def damage(copy) -> None:
        real(copy)
        copy.db.execute("UPDATE t SET name = 'other' WHERE id = 77")

    monkeypatch.setattr(move_module, "create_rest", damage)
    with pytest.raises(VerificationMismatch) as caught:
        edgelift.move(url, tmp_path / "shop")
    assert caught.value.exit_code == 6
    assert "t [id=77].name: origin 'name 77', target 'other'" in caught.value.why
    folder = tmp_path / "shop" / ".edgelift" / "data" / "target"
    assert [p.name for p in folder.iterdir()] == ["main.sqlite.mismatch"]
    monkeypatch.setattr(move_module, "create_rest", real)
    edgelift.move(url, tmp_path / "shop")
    assert read_target(folder / "main.sqlite", "SELECT * FROM t") == read_plainly(
        url, "SELECT * FROM t"
    )


def test_a_sqlite_file_moves_too(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1), (NULL);")
    edgelift.move(str(tmp_path / "a.db"), tmp_path / "shop")
    target = tmp_path / "shop" / ".edgelift" / "data" / "target" / "main.sqlite"
    assert read_target(target, "SELECT * FROM t") == read_target(
        tmp_path / "a.db", "SELECT * FROM t"
    )


def test_a_folder_of_an_app_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "edgelift.toml").write_text(
        'name = "x"\n[app]\nframework = "flask"\nentry = "app:app"\n'
    )
    with pytest.raises(UsageError, match="about something else"):
        edgelift.move("postgresql://h/d", tmp_path)
