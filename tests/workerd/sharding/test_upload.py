"""Shards loaded into the objects of the built sql project: each its rows, and the counters theirs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import edgelift
from edgelift.journal import Journal
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.project import read_project
from edgelift.run import Run, run_stage
from edgelift.sources.shard_files import read_map
from edgelift.stages import data as data_stage
from edgelift.stages import schema as schema_stage
from edgelift.stages.build.parts import Database
from edgelift.targets.workerd.process import run_workerd
from edgelift.worker.shard_map import read_shard_map
from tests.workerd.upload.sql_server import SECRET, ask_app, read_schema, write_project

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sharding")]

SETTINGS = """name = "shop"
[[databases]]
name = "main"
url = "sqlite:///shop.db"
binding = "MAIN"
[data.shards]
by = "tenant"
column = "firm"
count = 2
replicate = ["country"]
"""
ORIGIN = """
CREATE TABLE country (code TEXT PRIMARY KEY);
CREATE TABLE bill (id INTEGER PRIMARY KEY AUTOINCREMENT, firm TEXT NOT NULL, price REAL);
INSERT INTO country VALUES ('de'), ('fr');
INSERT INTO bill (firm, price) VALUES ('a', 0.1), ('b', 2.5), ('c', -0.0), ('a', 12345.5);
UPDATE sqlite_sequence SET seq = 70;
"""


def test_every_object_gets_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELIFT_LOAD_SECRET", SECRET)
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.executescript(ORIGIN)
        origin = db.execute("SELECT id, firm, quote(price) FROM bill ORDER BY id").fetchall()
    (tmp_path / "edgelift.toml").write_text(SETTINGS)
    project = read_project(tmp_path)
    plan = DatabasePlan(
        name="main", url="sqlite:///shop.db", binding="MAIN", strategy="object", reason=""
    )
    with closing(Journal(project.state / "journal.db")) as journal:
        journal.write_document("plan", Plan(placement="", placement_reason="", databases=(plan,)))
        run = Run(project, journal, journal.begin_run("data", "data"), tmp_path)
        run_stage(run, schema_stage.STAGE)
        run_stage(run, data_stage.STAGE)
        found = read_map(project.settings.data, journal, "main")
    database = Database(
        name="main", binding="MAIN", path="shop.db", strategy="object", shards=found
    )
    folder = tmp_path / "sql"
    folder.mkdir()
    schema = read_schema(project.state / "schema", "main")
    with run_workerd(write_project(folder, (database,), {"main": schema})) as process:

        def read(sql: str, shard: str) -> Any:
            answer = ask_app(process.port, "MAIN", sql, shard=shard)
            return answer.get("error") or answer["results"][0]["rows"]

        for shard in ("main-0", "main-1", ""):
            assert "has not been loaded yet" in read("SELECT 1", shard)
        wanted = edgelift.UploadOptions(url=f"http://127.0.0.1:{process.port}")
        states = edgelift.data(tmp_path, upload=wanted).uploads
        assert [(s.object, s.state) for s in states] == [
            ("MAIN/main-0", "open"), ("MAIN/main-1", "open"), ("MAIN", "open"),
        ]  # fmt: skip
        routing = read_shard_map(project.state / "data" / "shards" / "main.json")
        loaded = []
        for shard in routing.shards:
            assert read("SELECT code FROM country ORDER BY code", shard) == [["de"], ["fr"]]
            rows = read("SELECT id, firm, quote(price) FROM bill", shard)
            assert {routing.find(firm) for _, firm, _ in rows} <= {shard}
            loaded += rows
        assert sorted(map(tuple, loaded)) == origin
        assert read("SELECT count(*) FROM bill", "") == [[0]]
        assert read("SELECT name, seq FROM sqlite_sequence", "") == [["bill", 70]]
        taken = "UPDATE sqlite_sequence SET seq = seq + 2 WHERE name = 'bill' RETURNING seq"
        assert [read(taken, ""), read(taken, "")] == [[[72]], [[74]]]
