"""Firms on PostgreSQL, lifted whole into three shards: as objects by tenant, in D1 by hash.

The everyday variant of the same path is tests/workerd/sharding and tests/unit/sharding.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

import edgelift
from edgelift.worker.shard_map import read_shard_map
from tests.scenarios.conftest import NIGHTLY, ROOT, lift, run_edgelift
from tests.scenarios.test_lift_moved import prepare
from tests.scenarios.test_lift_servers import Lifted
from tests.servers.postgres import PostgresServer

pytestmark = pytest.mark.skipif(not NIGHTLY, reason="two whole lifts; EDGELIFT_NIGHTLY=1 runs them")

SETTINGS = """
[[jobs]]
name = "usage"
schedule = "0 3 * * *"
call = "app:note_usage"

[parity]
headers = {{ X-Tenant = "firm-2" }}

[data.shards]
by = "{by}"
table = "tenants"
count = 3
replicate = ["plans"]
"""
ROUTE = '\n[data.shards.route]\nfrom = "header:X-Tenant"\n'
BY = {"object": "tenant", "d1": "key"}
TABLES = ("tenants", "projects", "tasks", "usage_days")


@pytest.fixture(scope="module", params=["object", "d1"])
def firms(
    request, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lifted]:
    name = f"firms_{request.param}"
    url = postgres_server.create_database(name).replace("postgresql:", "postgresql+psycopg2:")
    schema = (ROOT / "tests" / "apps" / "tenants_postgres" / "schema.sql").read_text()
    postgres_server.run(schema, name)
    folder = tmp_path_factory.mktemp("firms") / "firms"
    prepare(folder, "tenants_postgres", url)
    settings = folder / ".edgelift" / "edgelift.toml"
    text = settings.read_text().replace('strategy = "object"', f'strategy = "{request.param}"')
    settings.write_text(text + SETTINGS.format(by=BY[request.param]))
    refused = run_edgelift("plan", folder)
    assert refused.returncode == 3, refused.stderr
    line = settings.read_text().splitlines().index("[data.shards]") + 1
    assert f"SHARD-ROUTE at .edgelift/edgelift.toml:{line}" in refused.stderr
    settings.write_text(settings.read_text() + ROUTE)
    yield Lifted(folder, lift(folder), url)
    postgres_server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_the_firms_pass(firms: Lifted) -> None:
    assert firms.result["exit"] == 0, firms.result["stderr"]
    passed = {name for name, status in firms.checks.items() if status == "PASS"}
    assert {
        "data.shards:main", "data.rows:main-0", "data.rows:main-2", "build.config", "build.dry-run",
        "build.snapshot", "verify.data", "verify.parity.generated", "verify.parity.recorded",
        "verify.state:main", "verify.jobs:usage", "verify.tests", "verify.mutants",
    } <= passed  # fmt: skip


def read(folder: Path, member: str, sql: str) -> list[tuple]:
    file = folder / ".edgelift" / "data" / "target" / f"{member}.sqlite"
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


def test_the_union_of_the_files_is_the_origin(
    firms: Lifted, postgres_server: PostgresServer
) -> None:
    """An independent look: plain SQL on both sides, placed by the map."""
    name = firms.url.rpartition("/")[2]
    routing = read_shard_map(firms.folder / ".edgelift" / "data" / "shards" / "main.json")
    owners = {
        "tenants": "SELECT slug, slug, name FROM tenants",
        "projects": "SELECT tenant, id, title FROM projects",
        "tasks": "SELECT p.tenant, t.id, t.title FROM tasks t JOIN projects p ON p.id = t.project",
    }
    for sql in owners.values():
        seen = []
        for shard in routing.shards:
            rows = read(firms.folder, shard, sql)
            assert {routing.find(row[0]) for row in rows} <= {shard}
            seen += rows
        assert sorted(seen) == sorted(postgres_server.run(sql, name))


def test_each_firm_is_served_from_its_shard(firms: Lifted) -> None:
    with edgelift.serve(firms.folder) as worker, httpx.Client(base_url=worker.url) as client:
        made = {}
        for number in range(1, 10):
            headers = {"X-Tenant": f"firm-{number}"}
            me = client.get("/me", headers=headers, timeout=60)
            assert me.json()[0] == f"Firm {number}"
            body = {"title": f"only of {number}"}
            answer = client.post("/projects", json=body, headers=headers, timeout=60)
            made[f"firm-{number}"] = answer.json()["id"]
        assert list(made.values()) == list(range(28, 37))  # as the origin's sequence would
        refused = client.get("/me")
        assert (refused.status_code, refused.text[:9]) == (400, "No shard:")
    state = firms.folder / ".edgelift" / "state"
    held: dict[str, set[str]] = {}
    for file in state.rglob("*.sqlite"):
        with closing(sqlite3.connect(file)) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'projects'").fetchone():
                continue  # workerd's own
            for (tenant,) in db.execute("SELECT tenant FROM projects WHERE id > 27"):
                held.setdefault(file.name, set()).add(tenant)
    assert sorted(firm for firms_of in held.values() for firm in firms_of) == sorted(made)
    assert len(held) == 3


def test_the_import_files_make_every_shard(firms: Lifted, tmp_path: Path) -> None:
    done = run_edgelift("data", firms.folder, "--import-files", tmp_path / "upload")
    assert done.returncode == 0, done.stderr
    names = {folder.name for folder in (tmp_path / "upload").iterdir()}
    assert names == {"main-0", "main-1", "main-2", "main-counters"}
    for name in names:
        with closing(sqlite3.connect(":memory:")) as db:
            for file in sorted((tmp_path / "upload" / name).glob("*.sql")):
                db.executescript(file.read_text())
            for table in TABLES:
                sql = f"SELECT * FROM {table} ORDER BY 1, 2"
                assert db.execute(sql).fetchall() == read(firms.folder, name, sql)


def test_a_map_that_leads_astray_is_caught(firms: Lifted) -> None:
    """The fault twin: in the built Worker alone, two shards have changed their keys."""
    place = (
        firms.folder / ".edgelift" / "build" / "worker" / "src" / "edgelift-shards" / "main.json"
    )
    good = place.read_text()
    document = json.loads(good)
    first, second = document["shards"][:2]
    for field in ("tenants", "low", "high"):
        first[field], second[field] = second[field], first[field]
    place.write_text(json.dumps(document))
    try:
        assert run_edgelift("build", firms.folder).returncode == 0
        done = run_edgelift("verify", firms.folder, "--only", "verify.parity.recorded")
    finally:
        place.write_text(good)
    assert done.returncode == 6, done.stdout + done.stderr
    assert "/me -> status: 200 != 404" in done.stdout + done.stderr
