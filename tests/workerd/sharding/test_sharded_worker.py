"""A sharded database in workerd: requests of many firms at once, over pools, globals and threads."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from edgelift.model.shard_map import Shard, ShardMap, ShardTable, list_members
from edgelift.model.vocabulary import KnownColumn, KnownKey, KnownTable, KnownType, Vocabulary
from edgelift.stages.build.modules import fill_modules
from edgelift.targets.packages import resolve_packages
from edgelift.targets.workerd import BundleSpec, Worker, build_bundle, database_file, start_worker
from edgelift.toolchain import Toolchain

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sharding")]

APP = Path(__file__).parents[2] / "apps" / "sharded"
PACKAGES = ("flask", "asgiref", "sqlalchemy")
FILE = "/app/edgelift-data/main.sqlite"
SCHEMA = """
CREATE TABLE countries (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, firm TEXT, note TEXT);
"""
FIRMS = ("a", "b", "c")
MAP = ShardMap(
    database="main",
    by="tenant",
    key="firm",
    form="text",
    shards=tuple(
        Shard(name=f"main-{number}", rows=1, bytes=1, tenants=(firm,))
        for number, firm in enumerate(FIRMS)
    ),
    tables=(
        ShardTable(table="countries", way="replicated"),
        ShardTable(table="notes", way="column", detail="firm"),
    ),
    counters={"notes": "id"},
)


def know(table: str, key: str, *columns: KnownColumn, counter: str = "") -> KnownTable:
    keys = (KnownKey(name=f"{table}_pkey", columns=(key,), primary=True),)
    return KnownTable(
        name=table, schema="public", origin=table, columns=columns, keys=keys, counter=counter
    )


def know_text(name: str) -> KnownColumn:
    return KnownColumn(name=name, type=KnownType(name="text"))


KNOWN = Vocabulary(
    schemas=("public",),
    tables=(
        know("countries", "code", know_text("code"), know_text("name")),
        know(
            "notes", "id",
            KnownColumn(name="id", type=KnownType(name="int8"), not_null=True, has_default=True),
            know_text("firm"), know_text("note"), counter="id",
        ),
    ),
)  # fmt: skip
STRATEGIES = ["object", *(["d1"] if os.environ.get("EDGELIFT_NIGHTLY") else [])]


def place(state: Path, strategy: str) -> dict[str, Path]:
    """Make the files of all members where the runtime opens them."""
    files = {}
    for member in list_members("main", "DB", strategy, MAP):
        file = database_file(state, member.binding, strategy, member.shard)
        files[member.name] = file
        with closing(sqlite3.connect(file)) as db:
            db.executescript(SCHEMA)
            db.execute("INSERT INTO sqlite_sequence VALUES ('notes', 100)")
            if member.name != "main-counters":
                db.execute("INSERT INTO countries VALUES ('de', 'Germany')")
                firm = FIRMS[int(member.name[-1])]
                sql = "INSERT INTO notes VALUES (?, ?, ?)"
                db.execute(sql, (1 + FIRMS.index(firm), firm, f"first of {firm}"))
            db.commit()
    return files


class Sharded:
    """A running Worker with its shards; `files` are those of its members, by name."""

    def __init__(self, worker: Worker, files: dict[str, Path], strategy: str) -> None:
        self.worker = worker
        self.strategy = strategy
        self.files = files
        limits = httpx.Limits(max_connections=32)
        self.client = httpx.Client(base_url=worker.url, timeout=120, limits=limits)

    def ask(self, path: str, firm: str = "", method: str = "GET") -> httpx.Response:
        headers = {"X-Firm": firm} if firm else {}
        return self.client.request(method, path, headers=headers)

    def read(self, path: str, firm: str) -> Any:
        answer = self.ask(path, firm)
        assert answer.status_code == 200, self.worker.read_log_tail()
        return answer.json()

    def held(self) -> dict[str, list[tuple[int, str, str]]]:
        found = {}
        for name, file in self.files.items():
            with closing(sqlite3.connect(file)) as db:
                sql = "SELECT id, firm, note FROM notes ORDER BY id"
                found[name] = db.execute(sql).fetchall()
        return found


@pytest.fixture(scope="module", params=STRATEGIES)
def sharded(
    request, tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain
) -> Iterator[Sharded]:
    folder, cache = tmp_path_factory.mktemp("sharded"), toolchain.root.parent
    resolution = resolve_packages(PACKAGES, exclude=(), include=(), cache=cache, note=print)
    fill_modules(resolution, folder / "worker", cache=cache, note=print, translates=True)
    app = folder / "app"
    app.mkdir()
    (app / "app.py").write_bytes((APP / "app.py").read_bytes())
    (app / "main.json").write_text(json.dumps(_to_document()))
    members = list_members("main", "DB", request.param, MAP)
    database = {
        "name": "main", "binding": "DB", "path": FILE, "strategy": request.param,
        "origin": "postgresql", "scheme": "postgresql+psycopg2", "env": "DATABASE_URL",
        "catalogue": msgspec.to_builtins(KNOWN),
        "shards": {"map": "/app/main.json", "bindings": {m.name: m.binding for m in members}},
    }  # fmt: skip
    if request.param == "object":
        del database["shards"]["bindings"]
    settings = {
        "framework": "flask", "drivers": ["psycopg2"], "entry": "app:app", "root": "/app", "databases": [database],
        "route": {"from": ["header:X-Firm"], "missing": "replicated", "status": 421},
        "jobs": [{"name": "note", "schedule": "0 3 * * *", "call": "app:note_all"}],
    }  # fmt: skip
    env = {"DATABASE_FILE": FILE}
    site = folder / "worker" / "python_modules"
    spec = BundleSpec(app_dir=app, site_packages=site, settings=settings, env=env)
    bundle = build_bundle(spec, folder / "runtime", toolchain, print)
    assert bundle.snapshot, bundle.snapshot_error + bundle.traceback
    state = folder / "state"
    files = place(state, request.param)
    with start_worker(
        bundle, state=state, env=env, log=folder / "worker.log", toolchain=toolchain
    ) as worker:
        running = Sharded(worker, files, request.param)
        with running.client:
            yield running


def _to_document() -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(MAP)
    return document


def read_firms(rows: list[list[str]]) -> set[str]:
    return {firm for firm, _ in rows}


def ask_together(path_of: Callable[[str], str], sharded: Sharded) -> list[tuple[str, set[str]]]:
    """Ask for every firm many times at once; returns pairs of the firm and those that it saw."""
    wanted = [FIRMS[number % len(FIRMS)] for number in range(36)]
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda firm: sharded.read(path_of(firm), firm), wanted))
    return [(firm, read_firms(rows)) for firm, rows in zip(wanted, answers, strict=True)]


@pytest.mark.parametrize("path", ["/all", "/kept", "/pooled"])
def test_firms_at_once_never_see_each_other(sharded: Sharded, path: str) -> None:
    assert all(seen == {firm} for firm, seen in ask_together(lambda _: path, sharded))


def test_twin_connections_that_belong_to_their_first_shard_are_caught(sharded: Sharded) -> None:
    """The fault twin: the same question over a connection that was bound when it was opened."""
    seen = ask_together(lambda firm: f"/bound?shard=main-{FIRMS.index(firm)}", sharded)
    assert any(firms != {firm} for firm, firms in seen)


def test_writes_at_once_lie_where_they_belong_with_numbers_of_their_own(sharded: Sharded) -> None:
    before = sum(map(len, sharded.held().values()))
    wanted = [(FIRMS[number % len(FIRMS)], number) for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        add = lambda one: sharded.ask(f"/add?note=n{one[1]}", one[0], "POST")  # noqa: E731
        answers = list(threads.map(add, wanted))
    assert {answer.status_code for answer in answers} == {200}, sharded.worker.read_log_tail()
    numbers = [answer.json() for answer in answers]
    assert len(set(numbers)) == 24
    assert min(numbers) > 100
    held = sharded.held()
    for number, firm in enumerate(FIRMS):
        assert {row[1] for row in held[f"main-{number}"]} == {firm}
    every = [row[0] for rows in held.values() for row in rows]
    assert len(every) == len(set(every)) == before + 24
    assert held["main-counters"] == []


def test_a_request_that_fails_leaves_nothing_in_its_shard(sharded: Sharded) -> None:
    assert sharded.ask("/add-and-fail", "a", "POST").status_code == 500
    assert "RuntimeError: after the flush" in sharded.worker.log.read_text()
    ghosts = [row for rows in sharded.held().values() for row in rows if row[2] == "ghost"]
    if sharded.strategy == "object":
        assert ghosts == []
    else:  # D1 has no rollback, and says so
        assert len(ghosts) == 1
        assert "LOST ROLLBACK" in sharded.worker.log.read_text()


def test_a_thread_of_the_apps_own_is_told_why_it_has_no_shard(sharded: Sharded) -> None:
    (said,) = sharded.read("/thread", "a")
    assert "notes is split by firm: no request runs here" in said


def test_without_a_key_what_every_shard_holds_is_read(sharded: Sharded) -> None:
    assert sharded.ask("/countries").json() == ["Germany"]
    assert sharded.ask("/countries", "b").json() == ["Germany"]
    assert sharded.ask("/all").status_code == 500
    assert "the request has no key of a shard (by header:X-Firm)" in sharded.worker.read_log_tail()


def test_what_every_shard_holds_is_not_written(sharded: Sharded) -> None:
    answer = sharded.ask("/countries", "a", "POST")
    assert answer.status_code == 409
    assert "countries lies as a whole in every shard" in answer.text


def test_an_unknown_firm_is_refused_before_the_app(sharded: Sharded) -> None:
    answer = sharded.ask("/all", "nobody")
    assert (answer.status_code, answer.text) == (421, "No shard: no shard holds 'nobody'\n")


def test_jobs_run_once_in_each_shard(sharded: Sharded) -> None:
    before = {name: len(rows) for name, rows in sharded.held().items()}
    reports = sharded.worker.run_scheduled("0 3 * * *")["jobs"]
    assert [(report["name"], report["ok"]) for report in reports] == [("note", True)], reports
    after = sharded.held()
    for number, firm in enumerate(FIRMS):
        name = f"main-{number}"
        assert after[name][-1][1:] == (firm, f"of {before[name]}")
        assert len(after[name]) == before[name] + 1
