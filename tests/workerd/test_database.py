"""D1 on the local runtime: the file put in place before the start, statements, batches, errors."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgelift.targets.workerd import Worker, d1_file

from .conftest import Workshop, get, post

pytestmark = pytest.mark.workerd

APP = """
import _edgelift_host
def sql(request):
    from pyodide.ffi import run_sync
    text = request.read().decode()
    return 200, "", run_sync(_edgelift_host.d1(request.query, text)).encode()
"""
AT_IMPORT = (
    APP
    + """
from pyodide.ffi import run_sync
FOUND = run_sync(_edgelift_host.d1("DB", '{"statements": [["SELECT name FROM t", []]]}'))
def found(request):
    return 200, "", FOUND.encode()
"""
)


def put_database(shop: Workshop) -> None:
    file = d1_file(shop.folder / "state", "DB")
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, data BLOB)")
        database.execute("INSERT INTO t VALUES (1, 'put there before', x'00ff')")
    database.close()


Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def shop(new_workshop: Callable[[str], Workshop]) -> Workshop:
    made = new_workshop(APP)
    made.databases = ("DB", "OTHER")
    put_database(made)
    return made


@pytest.fixture(scope="module")
def worker(shop: Workshop) -> Iterator[Worker]:
    with shop.start(shop.build()) as running:
        yield running


@pytest.fixture(scope="module")
def ask(worker: Worker) -> Ask:
    def send(*statements: tuple[str, list[object]], binding: str = "DB") -> dict[str, Any]:
        answer = post(f"{worker.url}/sql?{binding}", json={"statements": statements})
        told: dict[str, Any] = answer.json()
        return told

    return send


def test_the_file_put_in_place_is_the_database(ask: Ask) -> None:
    (result,) = ask(("SELECT * FROM t WHERE id = ?", [1]))["results"]
    assert result["columns"] == ["id", "name", "data"]
    blob = base64.b64encode(b"\x00\xff").decode()
    assert result["rows"] == [[1, "put there before", {"blob": blob}]]


def test_what_is_written_is_in_the_file_after_the_stop(
    new_workshop: Callable[[str], Workshop],
) -> None:
    shop = new_workshop(APP)
    shop.databases = ("DB",)
    put_database(shop)
    with shop.start(shop.build()) as worker:
        statement = ["INSERT INTO t (name, data) VALUES (?, ?)", ["new", {"blob": "AAE="}]]
        answer = post(f"{worker.url}/sql?DB", json={"statements": [statement]}).json()
        assert answer["results"][0]["meta"]["changes"] == 1
        assert answer["results"][0]["meta"]["last_row_id"] == 2
    with sqlite3.connect(d1_file(shop.folder / "state", "DB")) as database:
        assert database.execute("SELECT name, data FROM t WHERE id=2").fetchone() == (
            "new",
            b"\0\1",
        )
    database.close()


def test_a_batch_is_atomic_and_its_error_is_told(ask: Ask) -> None:
    insert = "INSERT INTO t (name) VALUES (?)"
    answer = ask((insert, ["once"]), (insert, ["once"]))
    assert "UNIQUE constraint failed: t.name" in answer["error"]
    assert ask(("SELECT count(*) FROM t WHERE name='once'", []))["results"][0]["rows"] == [[0]]
    one, two = ask((insert, ["a"]), (insert, ["b"]))["results"]
    assert two["meta"]["last_row_id"] == one["meta"]["last_row_id"] + 1


def test_bindings_are_separate_databases(ask: Ask) -> None:
    assert "no such table" in ask(("SELECT * FROM t", []), binding="OTHER")["error"]


def test_an_unknown_binding_is_an_exception_of_the_app(worker: Worker) -> None:
    answer = post(f"{worker.url}/sql?NONE", json={"statements": []})
    assert answer.status_code == 500
    assert "D1 binding NONE: no such binding" in worker.log.read_text()


def test_an_app_that_queries_at_import_boots_without_snapshot(workshop: Workshop) -> None:
    workshop.write(AT_IMPORT)
    workshop.databases = ("DB",)
    put_database(workshop)
    bundle = workshop.build()
    assert "database is not reachable while the snapshot is made" in bundle.snapshot_error
    with workshop.start(bundle) as worker:
        assert get(f"{worker.url}/found").json()["results"][0]["rows"] == [["put there before"]]
