"""The same cases inside the Worker: Python in wasm, the runtime's own way to D1, `import sqlite3` unchanged."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edgelift.targets.workerd import BundleSpec, Worker, build_bundle, d1_file
from tests.workerd.conftest import Workshop
from tests.workerd.sql_driver.sql_observer import CASES, Adapted, Observer, read_cases

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("d1-in-worker")]
NAMES = [name for name, _ in read_cases()]

APP = """
import json, sqlite3
from urllib.parse import parse_qs
import sql_observer

sqlite3.register_adapter(sql_observer.Adapted, lambda value: "adapted")

def app(environ, start_response):
    index = int(parse_qs(environ["QUERY_STRING"])["case"][0])
    binding = parse_qs(environ["QUERY_STRING"])["binding"][0]
    connection = sqlite3.connect(f"/app/instance/{binding}.db")
    observer = sql_observer.Observer(sqlite3, connection)
    seen = [repr(observer.run(step)) for step in sql_observer.read_cases()[index][1]]
    memory = sqlite3.connect(":memory:")
    seen.append(repr((isinstance(memory, sqlite3.Connection), memory.execute("SELECT 1").fetchall())))
    memory.close()
    connection.close()
    start_response("200 OK", [("content-type", "application/json")])
    return [json.dumps(seen).encode()]
"""


@pytest.fixture(scope="module")
def worker(new_workshop: Callable[[str], Workshop]) -> Iterator[Worker]:
    shop = new_workshop(APP)
    observer = Path(__file__).with_name("sql_observer.py").read_text("utf-8")
    shop.write(
        observer.replace(_CASES_LINE, 'CASES = Path(__file__).parent / "sql"'), "sql_observer.py"
    )
    for path in CASES.glob("*.json"):
        shop.write(path.read_text("utf-8"), f"sql/{path.name}")
    bindings = ["FILE", *(f"CASE_{index}" for index in range(len(NAMES)))]
    (shop.folder / "site").mkdir()
    spec = BundleSpec(
        app_dir=shop.app,
        site_packages=shop.folder / "site",
        settings={
            "framework": "wsgi",
            "entry": "app:app",
            "root": "/app",
            "databases": [{"binding": b, "path": f"/app/instance/{b}.db"} for b in bindings],
        },
    )
    bundle = build_bundle(spec, shop.folder / "runtime", shop.toolchain, shop.notes.append)
    assert bundle.snapshot, bundle.snapshot_error + bundle.traceback
    with shop.start(bundle) as running:
        yield running


_CASES_LINE = 'CASES = Path(__file__).parents[2] / "cases" / "sql"'


@pytest.mark.parametrize("index", range(len(NAMES)), ids=NAMES)
def test_same_as_cpython(worker: Worker, index: int, tmp_path: Path) -> None:
    answer = httpx.get(f"{worker.url}/?case={index}&binding=CASE_{index}", timeout=120)
    assert answer.status_code == 200, worker.read_log_tail()
    found: list[str] = json.loads(answer.content)
    assert found.pop() == "(True, [(1,)])"
    sqlite3.register_adapter(Adapted, lambda _value: "adapted")
    connection = sqlite3.connect(tmp_path / "reference.db", isolation_level="")
    connection.execute("PRAGMA foreign_keys=ON")
    observer = Observer(sqlite3, connection)
    steps = read_cases()[index][1]
    expected = [repr(observer.run(step)) for step in steps]
    connection.close()
    differences = [
        f"{str(step)[:200]}\n  sqlite3: {a[:600]}\n  Worker:  {b[:600]}"
        for step, a, b in zip(steps, expected, found, strict=True)
        if a != b
    ]
    assert not differences, "\n".join(differences)


def test_the_rows_are_in_the_file(worker: Worker) -> None:
    state = worker.log.parent / "state"
    assert httpx.get(f"{worker.url}/?case=0&binding=FILE", timeout=120).status_code == 200
    with contextlib.closing(sqlite3.connect(d1_file(state, "FILE"))) as db:
        assert ("t",) in db.execute("SELECT name FROM sqlite_schema").fetchall()
