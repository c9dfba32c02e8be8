"""What build makes of a sharded database: bindings, the map in the upload, the steps, the places of files."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from edgelift.errors import UsageError
from edgelift.journal import Journal
from edgelift.model.flows import Flow, Request
from edgelift.model.inventory import Inventory
from edgelift.model.mover_settings import DataSection, ShardsSection
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.model.shard_map import ShardMap
from edgelift.model.shard_route import RouteSection
from edgelift.project import AppSection, DatabaseSection, Project, Settings
from edgelift.serving import seed_state
from edgelift.stages import build
from edgelift.stages.build import generated
from edgelift.stages.build.parts import Parts, read_parts
from edgelift.stages.build.wrangler import strip_comments
from edgelift.stages.verify.lifted import Lifted
from edgelift.stages.verify.unrouted import read_unrouted
from edgelift.targets.packages import Resolution
from edgelift.targets.workerd.bundle import BundleSpec, _Work
from edgelift.targets.workerd.d1_storage import database_file
from edgelift.worker.production import anchor_paths
from edgelift.worker.sharding import read_router
from tests.unit.sharding.test_merging import MAP, SCHEMA

URL = "postgresql://me@db.example.org/app"
ROUTE = RouteSection(sources="header:X-Tenant", jobs="once")
SHARDS = ShardsSection(by="tenant", column="tenant", count=2, route=ROUTE)


def make_project(root: Path, strategy: str, shards: ShardsSection | None = SHARDS) -> Project:
    section = DatabaseSection(name="main", url=URL, strategy=strategy, env="DATABASE_URL")
    settings = Settings(
        name="My App",
        app=AppSection(framework="flask", entry="app:app"),
        databases=(section,),
        data=DataSection(shards=shards),
    )
    (root / "app.py").write_text("def app(): ...\n")
    return Project(root, settings, root / "edgelift.toml")


def make_parts(
    root: Path, strategy: str, found: ShardMap | None = MAP, shards: ShardsSection | None = SHARDS
) -> Parts:
    project = make_project(root, strategy, shards)
    plan = DatabasePlan(
        name="main", url=URL, binding="DB", strategy=strategy, reason="", env="DATABASE_URL"
    )
    journal = Journal(project.state / "journal.db")
    with closing(journal):
        journal.write_document(
            "plan", Plan(placement="worker", placement_reason="", databases=(plan,))
        )
        journal.write_document("inventory", Inventory(framework="flask", entry="app:app"))
        if found is not None:
            journal.write_document("placed:main", found)
        for ending in ("tables", "after"):
            file = project.folder("schema") / f"main.{ending}.sql"
            file.write_text(SCHEMA if ending == "tables" else "")
        return read_parts(project, journal)


def read_config(parts: Parts, files: dict[str, bytes]) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(strip_comments(files["wrangler.jsonc"].decode()))
    return config


def test_each_shard_in_d1_has_a_binding(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, "d1")
    files = generated.build_files(parts, Resolution(), ["app.py"])
    bound = read_config(parts, files)["d1_databases"]
    assert [(d["binding"], d["database_name"]) for d in bound] == [
        ("DB_0", "my-app-main-0"), ("DB_1", "my-app-main-1"), ("DB", "my-app-main-counters"),
    ]  # fmt: skip
    assert {d["migrations_dir"] for d in bound} == {"migrations"}
    (database,) = parts.build_settings("/app")["databases"]
    assert database["shards"] == {
        "map": "/app/edgelift-shards/main.json",
        "bindings": {"main-0": "DB_0", "main-1": "DB_1", "main-counters": "DB"},
    }
    assert "| `data/target/main-counters.sqlite` | `DB` |" in files["SHARDS.md"].decode()
    steps = files["DEPLOY.md"].decode()
    for name in ("main-0", "main-1", "main-counters"):
        made = steps.index(f"wrangler d1 create my-app-{name}")
        assert made < steps.index(f"upload/{name}/*.sql") < steps.index("pywrangler deploy")


def test_shards_as_objects_share_a_class(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, "object")
    files = generated.build_files(parts, Resolution(), ["app.py"])
    config = read_config(parts, files)
    assert "d1_databases" not in config
    assert [one["binding"] for one in config["services"]] == ["DB"]
    objects = generated.build_objects(parts)
    assert b"export class Sql_DB extends" in objects["src/index.mjs"]
    (database,) = parts.build_settings("/app")["databases"]
    assert database["shards"] == {"map": "/app/edgelift-shards/main.json"}
    steps = files["SHARDS.md"].decode()
    assert "| `data/target/main-1.sqlite` | `DB/main-1` | 1 keys | 0 |" in steps
    assert "| `data/target/main-counters.sqlite` | `DB` |" in steps


@pytest.mark.parametrize("strategy", ["d1", "object"])
def test_the_map_is_uploaded_and_the_worker_reads_it(tmp_path: Path, strategy: str) -> None:
    parts = make_parts(tmp_path, strategy)
    files = generated.build_files(parts, Resolution(), ["app.py"])
    config = read_config(parts, files)
    assert {"type": "Data", "globs": ["**/*.json"], "fallthrough": False} in config["rules"]
    for name, content in files.items():
        (tmp_path / "made" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "made" / name).write_bytes(content)
    settings = anchor_paths(parts.build_settings("."), tmp_path / "made" / "src")
    router = read_router(settings)
    assert router is not None
    assert router.find_shards("b") == ({"DB": "main-1"}, "")
    assert settings["route"]["from"] == ["header:X-Tenant"]
    assert router.list_job_shards() == [("", {})]


def test_without_shards_nothing_of_them_is_made(tmp_path: Path) -> None:
    parts = make_parts(tmp_path, "d1", shards=None)
    files = generated.build_files(parts, Resolution(), ["app.py"])
    assert not [name for name in files if "shard" in name.lower()]
    settings = parts.build_settings("/app")
    assert "route" not in settings
    assert "shards" not in settings["databases"][0]


def test_shards_that_were_not_made_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shards of main are not known") as raised:
        make_parts(tmp_path, "d1", found=None)
    assert "edgelift data" in str(raised.value.tip)


@pytest.mark.parametrize(
    ("strategy", "databases", "objects"),
    [("d1", ("DB_0", "DB_1", "DB"), ()), ("object", (), ("DB",))],
)
def test_the_local_runtime_has_the_same_bindings(
    tmp_path: Path, strategy: str, databases: tuple[str, ...], objects: tuple[str, ...]
) -> None:
    parts = make_parts(tmp_path, strategy)
    settings = parts.build_settings("/app")
    spec = BundleSpec(app_dir=tmp_path, site_packages=tmp_path, settings=settings)
    work = _Work(spec, None, tmp_path, {}, {})  # type: ignore[arg-type]
    assert (work._databases(), work._databases("object")) == (databases, objects)
    schemas = [(one.binding, one.shard) for one in parts.read_schemas()]
    shards = ["main-0", "main-1", ""] if strategy == "object" else ["", "", ""]
    assert schemas == list(zip(databases or ("DB", "DB", "DB"), shards, strict=True))


@pytest.mark.parametrize("strategy", ["d1", "object"])
def test_each_file_lies_where_the_runtime_opens_it(tmp_path: Path, strategy: str) -> None:
    parts = make_parts(tmp_path, strategy)
    golden = parts.project.folder("data", "target")
    names = [member.name for member in parts.databases[0].members]
    for name in names:
        with closing(sqlite3.connect(golden / f"{name}.sqlite")) as db:
            db.execute("CREATE TABLE me (name)")
            db.execute("INSERT INTO me VALUES (?)", (name,))
            db.commit()
    state = tmp_path / "state"
    seed_state(parts.project, state)
    seen = []
    for member in parts.databases[0].members:
        file = database_file(state, member.binding, strategy, member.shard)
        with closing(sqlite3.connect(file)) as db:
            seen += db.execute("SELECT name FROM me").fetchone()
    assert seen == names
    assert len(list(state.rglob("*.sqlite"))) == 3


def test_verify_reads_the_shards_as_one(tmp_path: Path) -> None:
    golden = tmp_path / "target"
    golden.mkdir()
    for number, name in enumerate(("main-0", "main-1", "main-counters")):
        with closing(sqlite3.connect(golden / f"{name}.sqlite")) as db:
            db.executescript(SCHEMA)
            if name == "main-counters":
                db.execute("INSERT INTO sqlite_sequence VALUES ('account', 7)")
            else:
                row = (number, "ab"[number])
                db.execute("INSERT INTO account (id, tenant) VALUES (?, ?)", row)
            db.commit()
    lifted = Lifted(golden, {"main": MAP})
    plan = DatabasePlan(name="main", url="", binding="DB", strategy="object", reason="")
    whole, write = lifted.place(plan, tmp_path / "state")
    second = database_file(tmp_path / "state", "DB", "object", "main-1")
    with closing(sqlite3.connect(second)) as db:
        db.execute("INSERT INTO account (id, tenant) VALUES (9, 'b')")
        db.commit()
    assert write is not None
    write()
    for file, ids in ((whole, [0, 1, 9]), (lifted.find_whole("main", tmp_path), [0, 1])):
        with closing(sqlite3.connect(file)) as db:
            found = db.execute("SELECT id FROM account ORDER BY id").fetchall()
        assert [number for (number,) in found] == ids


def request(tenant: str | None, path: str = "/x", **more: Any) -> Request:
    headers = () if tenant is None else (("X-Tenant", tenant),)
    return Request(method="GET", path=path, headers=headers, **more)


def test_requests_without_a_shard_are_left_out_of_flows_and_counted() -> None:
    flow = Flow(
        name="generated",
        source="generated",
        requests=(request("a"), request(None), request("nobody"), request("b")),
    )
    data = DataSection(shards=SHARDS)
    unrouted = read_unrouted(data, {"main": MAP})
    assert unrouted.drop(flow).requests == (request("a"), request("b"))
    assert "; 2 more belong to no shard" in unrouted.describe([flow])
    for same in (
        read_unrouted(DataSection(), {}),
        read_unrouted(data, {}),
        read_unrouted(
            DataSection(shards=msgspec.structs.replace(SHARDS, route=None)), {"main": MAP}
        ),
        read_unrouted(
            DataSection(shards=msgspec.structs.replace(SHARDS, route=RouteSection(call="a:b"))),
            {"main": MAP},
        ),
    ):
        assert same.drop(flow) is flow
        assert same.describe([flow]) == ""


@pytest.mark.parametrize(
    ("source", "kept", "dropped"),
    [
        ("path:/t/{x}/", {"path": "/t/a/x"}, {"path": "/t/nobody/x"}),
        ("query:t", {"query": "t=b"}, {"query": "t=a&t=b"}),
        ("host:{x}.example.org", {"host": "a.example.org"}, {"host": "localhost"}),
        ("cookie:t", {"cookie": "t=a"}, {"cookie": "u=a"}),
    ],
)
def test_every_source_is_looked_at(source: str, kept: Any, dropped: Any) -> None:
    route = RouteSection(sources=source)
    shards = msgspec.structs.replace(SHARDS, route=route)
    unrouted = read_unrouted(DataSection(shards=shards), {"main": MAP})
    made = []
    for one in (kept, dropped):
        headers = tuple((k.title(), v) for k, v in one.items() if k in {"host", "cookie"})
        rest = {k: v for k, v in one.items() if k in {"path", "query"}}
        made.append(Request(method="GET", headers=headers, **{"path": "/", **rest}))
    flow = Flow(name="x", source="generated", requests=tuple(made))
    assert unrouted.drop(flow).requests == (made[0],)


def test_another_map_is_another_build(tmp_path: Path) -> None:
    """Else the Worker would go on with places that the rows have left."""
    hashes = []
    for tenants in (("a", "b"), ("b", "a"), ("b", "a")):
        shards = tuple(
            msgspec.structs.replace(shard, tenants=(tenant,))
            for shard, tenant in zip(MAP.shards, tenants, strict=True)
        )
        make_parts(tmp_path, "object", msgspec.structs.replace(MAP, shards=shards))
        project = make_project(tmp_path, "object")
        with closing(Journal(project.state / "journal.db")) as journal:
            hashes.append(build.inputs(SimpleNamespace(project=project, journal=journal)))
    assert hashes[0] != hashes[1] == hashes[2]
