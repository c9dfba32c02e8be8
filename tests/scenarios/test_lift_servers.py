"""Backends on PostgreSQL and MySQL, lifted whole while their databases stay on real servers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios.conftest import ROOT, lift, run_edgelift
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.shared_venv import make_venv

MYSQL_PASSWORD = "gu est/1"


@dataclass
class Lifted:
    """A lifted backend: its folder, the result, its URL and a way to ask its own database."""

    folder: Path
    result: dict
    url: str

    @property
    def checks(self) -> dict[str, str]:
        return {check["id"]: check["status"] for check in self.result["checks"]}


def lift_app(folder: Path, app: str, url: str) -> Lifted:
    shutil.copytree(ROOT / "tests" / "apps" / app, folder)
    requirements = ["-r", folder / "requirements.txt", "pytest", "gunicorn"]
    (folder / ".venv").symlink_to(make_venv(f"{app}-venv", requirements))
    os.environ["DATABASE_URL"] = url
    return Lifted(folder, lift(folder), url)


@pytest.fixture(scope="module")
def shop(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lifted]:
    url = postgres_server.create_database("shop_lifted")
    script = ROOT / "tests" / "apps" / "shop_postgres" / "schema.sql"
    postgres_server.run(script.read_text(), "shop_lifted")
    folder = tmp_path_factory.mktemp("shop") / "shop"
    yield lift_app(folder, "shop_postgres", url.replace("postgresql:", "postgresql+psycopg2:"))
    postgres_server.run('DROP DATABASE "shop_lifted" WITH (FORCE)')


@pytest.fixture(scope="module")
def guestbook(
    mariadb_server: MariaDb, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lifted]:
    name = mariadb_server.create_database("guestbook")
    mariadb_server.run_script(
        (ROOT / "tests" / "apps" / "guestbook_mysql" / "schema.sql").read_text(), name
    )
    mariadb_server.execute(f"CREATE USER IF NOT EXISTS guest IDENTIFIED BY '{MYSQL_PASSWORD}'")
    mariadb_server.execute("GRANT ALL ON *.* TO guest")
    url = mariadb_server.make_url(name, "guest", MYSQL_PASSWORD)
    with mariadb_server.be_strict():
        yield lift_app(tmp_path_factory.mktemp("guestbook") / "book", "guestbook_mysql", url)


def judge(lifted: Lifted) -> None:
    assert lifted.result["exit"] == 0, lifted.result["stderr"]
    passed = {name for name, status in lifted.checks.items() if status == "PASS"}
    assert {
        "verify.parity.generated", "verify.parity.recorded", "verify.state:main", "verify.tests",
        "verify.mutants", "build.dry-run", "build.snapshot",
    } <= passed  # fmt: skip
    assert lifted.checks["data.kept.main"] == "SKIPPED"


def find_texts(folder: Path, secret: str) -> list[str]:
    return [
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and ".venv" not in file.parts and secret.encode() in file.read_bytes()
    ]


def test_the_shop_passes_and_its_database_is_untouched(
    shop: Lifted, postgres_server: PostgresServer
) -> None:
    judge(shop)
    assert postgres_server.run("SELECT count(*) FROM orders", "shop_lifted") == [(1,)]
    assert postgres_server.run("SELECT sum(stock) FROM products", "shop_lifted") == [(49,)]
    left = postgres_server.run("SELECT datname FROM pg_database WHERE datname LIKE 'edgelift_%'")
    assert left == []


def test_the_guestbook_passes_and_its_database_is_untouched(
    guestbook: Lifted, mariadb_server: MariaDb
) -> None:
    judge(guestbook)
    name = guestbook.url.rpartition("/")[2]
    assert mariadb_server.execute("SELECT count(*) FROM entries", database=name) == [(1,)]
    assert mariadb_server.execute("SELECT number FROM visits", database=name) == [(41,)]
    assert mariadb_server.execute("SHOW DATABASES LIKE 'edgelift%'") == []


def test_no_password_is_on_disk(shop: Lifted, guestbook: Lifted) -> None:
    assert find_texts(shop.folder, PASSWORD) == []
    assert find_texts(guestbook.folder, MYSQL_PASSWORD) == []
    assert find_texts(guestbook.folder, "gu%20est%2F1") == []


def test_the_project_file_and_wrangler_s_name_the_binding(shop: Lifted) -> None:
    text = (shop.folder / ".edgelift" / "edgelift.toml").read_text()
    assert 'url = "${DATABASE_URL}"' in text
    config = (shop.folder / ".edgelift" / "build" / "worker" / "wrangler.jsonc").read_text()
    parsed = json.loads(config.partition("\n")[2])
    assert [one["binding"] for one in parsed["hyperdrive"]] == ["DB"]
    assert "d1_databases" not in parsed


def test_a_worker_that_writes_otherwise_is_caught(shop: Lifted) -> None:
    """The fault twin: the Worker's copy of the source books one piece more than was ordered."""
    source = shop.folder / ".edgelift" / "build" / "worker" / "src" / "app.py"
    good = source.read_text()
    source.write_text(good.replace("product.stock -= amount", "product.stock -= amount + 1"))
    done = run_edgelift("build", shop.folder, "--force")
    assert done.returncode == 5, done.stdout + done.stderr
    source.write_text(good)


def test_a_server_that_is_down_is_named(shop: Lifted) -> None:
    host, _, rest = shop.url.rpartition(":")
    down = f"{host}:9/{rest.partition('/')[2]}"
    done = run_edgelift("verify", shop.folder, "--force", DATABASE_URL=down)
    assert done.returncode == 4
    assert "127.0.0.1:9 cannot be used" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
