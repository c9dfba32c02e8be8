"""A SQLite file moved by the command line, plain and under [schema]; looked at by plain sqlite3."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.sqlite_origin.moving import NAMESPACE, look, make

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]

SCRIPTS = Path(__file__).resolve().parents[1] / "unit" / "sqlite_origin" / "scripts"
TOML = f"""
name = "moved"
[[databases]]
name = "main"
url = "{{path}}"
[schema]
exclude = ["film.description"]
[[schema.rename]]
table = "customer"
to = "client"
[[schema.rewrite]]
table = "actor"
as = "uuid5"
namespace = "{NAMESPACE}"
[[schema.rewrite]]
table = "customer"
column = "create_date"
as = "unix"
[data]
chunk_rows = 100
"""
SHARDS = """
[schema]
exclude = ["city_ai"]
[data.shards]
by = "key"
table = "customer"
count = 2
replicate = ["country", "city", "language", "film", "actor", "film_actor"]
"""


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgelift", *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=cwd, env=dict(os.environ),
    )  # fmt: skip


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return make(tmp_path / "rental shop.sqlite", (SCRIPTS / "rental.sql").read_text())


def read_checks(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {check["id"]: check["status"] for check in json.loads(done.stdout)["checks"]}


def test_a_file_moves_plain_and_then_as_its_settings_say(origin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    target = folder / ".edgelift" / "data" / "target" / "main.sqlite"
    url = f"sqlite:///{origin.name}"
    plain = run("move", url, "--to", folder, "--json", cwd=origin.parent)
    assert plain.returncode == 0, plain.stderr
    assert set(read_checks(plain).values()) == {"PASS"}
    assert look(target, "SELECT * FROM film") == look(origin, "SELECT * FROM film")

    (folder / "edgelift.toml").write_text(TOML.format(path=origin))
    done = run(
        "move", origin, "--to", folder, "--json", "--paranoid", "--workers", "2",
        "--import-files", tmp_path / "up",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    checks = read_checks(done)
    assert {"data.rows:main", "data.again:main", "data.views:main"} <= set(checks)
    assert set(checks.values()) == {"PASS"}
    assert look(target, "SELECT DISTINCT create_date FROM client") == look(
        origin, "SELECT DISTINCT strftime('%s', create_date) + 0 FROM customer"
    )
    people = "SELECT first_name, last_name, city_id FROM {} ORDER BY customer_id"
    assert look(target, people.format("client")) == look(origin, people.format("customer"))
    for view in ("sales", "top_sales", "film_list"):
        query = f"SELECT * FROM {view} ORDER BY 1, 2"
        assert look(target, query) == look(origin, query)
    with contextlib.closing(sqlite3.connect(":memory:")) as replayed:
        for path in sorted((tmp_path / "up" / "main").glob("*.sql")):
            replayed.executescript(path.read_text())
        query = "SELECT * FROM film_actor ORDER BY rowid"
        assert replayed.execute(query).fetchall() == look(target, query)

    (folder / "edgelift.toml").write_text(TOML.format(path=origin).partition("[schema]")[0])
    back = run("move", origin, "--to", folder, "--json")
    assert back.returncode == 0, back.stderr
    assert look(target, "SELECT * FROM actor") == look(origin, "SELECT * FROM actor")
    assert "data.views:main" not in {
        check["id"] for check in json.loads(back.stdout)["checks"] if check["status"] == "PASS"
    }


def test_a_file_is_split_into_shards(origin: Path, tmp_path: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    text = TOML.format(path=origin).partition("[schema]")[0] + SHARDS
    (folder / "edgelift.toml").write_text(text)
    done = run("move", origin, "--to", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert set(read_checks(done).values()) == {"PASS"}
    shards = [folder / ".edgelift" / "data" / "target" / f"main-{n}.sqlite" for n in range(2)]
    rows = sorted(row for shard in shards for row in look(shard, "SELECT * FROM rental"))
    assert rows == sorted(look(origin, "SELECT * FROM rental"))
    assert all(look(shard, "SELECT count(*) FROM rental") != [(0,)] for shard in shards)
    film = look(origin, "SELECT * FROM film")
    assert [look(shard, "SELECT * FROM film") for shard in shards] == [film, film]
