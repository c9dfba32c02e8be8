"""The museum, a Django site on PostgreSQL or MariaDB, is moved into a SQL object and lifted whole."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from edgelift.targets.workerd import database_file
from tests.scenarios.conftest import NIGHTLY, ROOT, lift, run_edgelift
from tests.scenarios.test_lift_moved import judge
from tests.scenarios.test_lift_servers import Lifted, find_texts
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.shared_venv import make_venv

MUSEUM = ROOT / "tests" / "apps" / "museum"
MARIADB_RULES = ("DB-MOVED", "SCHEMA-COLLATION-ASCII")
SECRETS = {"SECRET_KEY": "only-for-tests"}

long = pytest.mark.skipif(not NIGHTLY, reason="long: EDGELIFT_NIGHTLY=1 runs it")


def prepare(folder: Path, url: str, rules: tuple[str, ...]) -> None:
    """Make the site as a deployment does, and a project that moves its database."""
    shutil.copytree(MUSEUM, folder, ignore=shutil.ignore_patterns("__pycache__"))
    requirements = ["-r", MUSEUM / "requirements.txt", "pytest", "gunicorn"]
    venv = make_venv("museum-venv", requirements)
    (folder / ".venv").symlink_to(venv)
    environment = {**os.environ, "DATABASE_URL": url}
    for command in (["make_db.py"], ["manage.py", "collectstatic", "--noinput", "-v0"]):
        subprocess.run([venv / "bin/python", *command], cwd=folder, env=environment, check=True)
    done = run_edgelift("init", folder, DATABASE_URL=url, **SECRETS)
    assert done.returncode == 0, done.stderr
    settings = folder / ".edgelift" / "edgelift.toml"
    text = settings.read_text()
    assert text.count("[[databases]]") == 1
    listed = ", ".join(f'"{rule}"' for rule in rules)
    moved = text.replace('strategy = "auto"', 'strategy = "object"')
    settings.write_text(f"{moved}\n[accept]\nrules = [{listed}]\n")


@pytest.fixture(scope="module")
def museum(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str]]:
    url = postgres_server.create_database("museum_lifted")
    folder = tmp_path_factory.mktemp("museum") / "museum"
    prepare(folder, url, ("DB-MOVED",))
    yield folder, url
    postgres_server.run('DROP DATABASE "museum_lifted" WITH (FORCE)')


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def lifted(museum: tuple[Path, str]) -> Lifted:
    folder, url = museum
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        patch.setenv("SECRET_KEY", SECRETS["SECRET_KEY"])
        return Lifted(folder, lift(folder), url)


LINES = {
    "DJANGO-POSTGRES": "from django.contrib.postgres.search import SearchVector",
    "DJANGO-VENDOR": 'on_server = connection.vendor == "postgresql"',
    "SQL-DIALECT-TEXT": 'old = "SELECT to_tsvector(code) FROM gallery_work"',
}


def test_what_cannot_be_kept_is_found_before_the_cut(museum: tuple[Path, str]) -> None:
    folder, url = museum
    views = folder / "gallery" / "views.py"
    good = views.read_text()
    views.write_text(good + "\n".join(["", *LINES.values(), ""]))
    done = run_edgelift("plan", folder, DATABASE_URL=url)
    views.write_text(good)
    assert done.returncode == 3, done.stdout + done.stderr
    told = done.stdout + done.stderr
    for number, rule in enumerate(LINES, len(good.splitlines()) + 2):
        assert re.search(rf"{rule} gallery/views\.py:{number}\b", told), told


@pytest.mark.nightly
@long
def test_on_postgresql_everything_passes(lifted: Lifted, postgres_server: PostgresServer) -> None:
    judge(lifted)
    assert lifted.checks["verify.faults"] == "PASS"
    assert postgres_server.run("SELECT count(*) FROM gallery_sale", "museum_lifted") == [(0,)]
    assert postgres_server.run("SELECT count(*) FROM gallery_work", "museum_lifted") == [(20,)]
    assert find_texts(lifted.folder, PASSWORD) == []


@pytest.mark.nightly
@long
def test_the_worker_serves_the_moved_museum(
    lifted: Lifted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An independent look: plain HTTP, and plain SQL on the file that the object left."""
    monkeypatch.setenv("DATABASE_URL", lifted.url)
    with (
        edgelift.serve(lifted.folder) as worker,
        httpx.Client(base_url=worker.url, timeout=120) as client,
    ):
        found = client.get("/api/works", params={"words": "GRÖ"}).json()["works"]
        assert [(work["code"], work["price"], work["gross"]) for work in found] == [
            ("W-005", "50.00", "100.00")
        ]
        assert (
            client.post("/api/sales", json={"code": "W-004", "paid": "12.345"}).status_code == 201
        )
        assert client.post("/api/sales", json={"code": "W-004"}).status_code == 409
    file = database_file(lifted.folder / ".edgelift" / "state", "DB", "object")
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT id, paid FROM gallery_sale").fetchall() == [(1, 12.35)]
        last = "SELECT seq FROM sqlite_sequence WHERE name = 'gallery_sale'"
        assert db.execute(last).fetchone() == (2,)  # the refused sale has used a number up
        moment = "SELECT acquired, id FROM gallery_work WHERE code = 'W-004'"
        assert db.execute(moment).fetchone()[0] == "2024-05-05 22:30:04"


@pytest.mark.nightly
@long
def test_a_worker_that_writes_otherwise_is_caught(
    lifted: Lifted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault twin: in the Worker alone a sold work is seen once more than it was."""
    monkeypatch.setenv("DATABASE_URL", lifted.url)
    views = lifted.folder / "gallery" / "views.py"
    good = views.read_text()
    more = "views=F(\"views\") + 1 + (__import__('sys').platform == 'emscripten')"
    views.write_text(good.replace('views=F("views") + 1', more))
    done = run_edgelift("verify", lifted.folder, "--only", "verify.state:main")
    views.write_text(good)
    assert done.returncode == 6, done.stdout + done.stderr
    assert "gallery_work" in done.stdout + done.stderr


@pytest.mark.nightly
@long
def test_on_mariadb_everything_passes(
    mariadb_server: MariaDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mariadb_server.load_zones("UTC", "Europe/Berlin")
    name = mariadb_server.create_database("museum")
    mariadb_server.execute("CREATE USER IF NOT EXISTS guard IDENTIFIED BY 'gu ard'")
    mariadb_server.execute("GRANT ALL ON *.* TO guard")
    url = mariadb_server.make_url(name, "guard", "gu ard")
    folder = tmp_path / "museum"
    prepare(folder, url, MARIADB_RULES)
    monkeypatch.setenv("DATABASE_URL", url)
    with mariadb_server.be_strict():
        judge(Lifted(folder, lift(folder), url))
    assert mariadb_server.execute("SELECT count(*) FROM gallery_sale", database=name) == [(0,)]
