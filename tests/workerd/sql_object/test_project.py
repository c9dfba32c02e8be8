"""The generated project of the SQL objects in workerd: its schema, and its gateway for callers elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest

from edgelift.stages.build.parts import Database
from edgelift.stages.build.sql_project import build_sql_files
from edgelift.targets.workerd.config import COMPATIBILITY_DATE
from edgelift.targets.workerd.process import HOST, Launch, run_workerd
from tests.workerd.upload.sql_server import configure_project

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]

DATABASES = tuple(
    Database(name=name, binding=name.upper(), path=f"{name}.db", strategy="object")
    for name in ("main", "log")
)
SCHEMA = {
    "main": {
        "schema": b"CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES(1, 'a;b');",
        "after_load": b"CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET v = v || '!'; END;",
    },
    "log": {"schema": b"CREATE TABLE line(text TEXT)", "after_load": b""},
}
CALLER = """
const step = (...steps) => JSON.stringify({ steps });
const CASES = {
  async schema({ MAIN, LOG }) {
    const read = async (gateway) => JSON.parse(await gateway.query('', step(
      ["SELECT name FROM sqlite_master WHERE substr(tbl_name, 1, 1) <> '_' ORDER BY name"]))).results[0].rows.flat();
    return [await read(MAIN), await read(LOG)];
  },
  async commit({ MAIN }) {
    const begun = await MAIN.begin('shard', step(['INSERT INTO t(v) VALUES(?)', ['x'], 'run']), 5000);
    const seen = await begun.session.step(step(['SELECT v FROM t ORDER BY id']));
    const ended = await begun.session.step(JSON.stringify({ steps: [], end: 'commit' }));
    const whole = await MAIN.query('', step(['SELECT count(*) FROM t']));
    const shard = await MAIN.query('shard', step(['SELECT count(*) FROM t']));
    return [seen, ended, whole, shard].map((text) => JSON.parse(text));
  },
  async gone({ MAIN }) {
    const begun = await MAIN.begin('gone', step(['INSERT INTO t(v) VALUES(?)', ['x'], 'run']), 5000);
    begun.session[Symbol.dispose]();
    return JSON.parse(await MAIN.query('gone', step(['SELECT count(*) FROM t']))).results[0].rows;
  },
  async abandoned({ MAIN }) {
    const begun = await MAIN.begin('left', step(['INSERT INTO t(v) VALUES(?)', ['x'], 'run']), 5000);
    await begun.session.abandon();
    const late = JSON.parse(await begun.session.step(step(['SELECT 1'])));
    return [late.error, JSON.parse(await MAIN.query('left', step(['SELECT count(*) FROM t']))).results[0].rows];
  },
  async refused({ MAIN }) {
    const begun = await MAIN.begin('', JSON.stringify({ steps: [['SELECT 1']], since: 'another' }), 5000);
    return [JSON.parse(begun.answer).error, begun.session === undefined];
  },
};
export default {
  async fetch(request, env) {
    try {
      return Response.json(await CASES[new URL(request.url).pathname.slice(1)](env));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """The project as build writes it, beside a caller that is bound as the app's Worker is."""
    folder = tmp_path_factory.mktemp("project")
    files = build_sql_files("shop", {"compatibility_date": COMPATIBILITY_DATE}, DATABASES, SCHEMA)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "src" / "loads.mjs").write_text("export const loads = [];\n")  # all begin empty
    text = files["wrangler.jsonc"].decode()
    config = json.loads("".join(line for line in text.splitlines() if not line.startswith("//")))
    assert config["migrations"][0]["new_sqlite_classes"] == ["Sql_MAIN", "Sql_LOG"]
    return configure_project(folder, DATABASES, secret="", caller=CALLER)


class Caller:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, case: str) -> Any:
        with closing(HTTPConnection(HOST, self.port, timeout=60)) as connection:
            connection.request("GET", f"/{case}")
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.status == 200, text
        return json.loads(text)


@pytest.fixture(scope="module")
def caller(project: Launch) -> Iterator[Caller]:
    with run_workerd(project) as process:
        yield Caller(process.port)


def test_each_database_has_its_schema(caller: Caller) -> None:
    assert caller.ask("schema") == [["t", "tr"], ["line"]]


def test_a_transaction_through_the_gateway(caller: Caller) -> None:
    seen, ended, whole, shard = caller.ask("commit")
    assert seen["results"][0]["rows"] == [["a;b!"], ["x!"]]
    assert ended == {"results": [], "ended": True}
    assert [whole["results"][0]["rows"], shard["results"][0]["rows"]] == [[[1]], [[2]]]


def test_a_caller_that_goes_away_leaves_nothing(caller: Caller) -> None:
    assert caller.ask("gone") == [[1]]
    told, rows = caller.ask("abandoned")
    assert "its caller is gone" in told
    assert rows == [[1]]


def test_a_transaction_that_cannot_begin_has_no_session(caller: Caller) -> None:
    assert caller.ask("refused") == ["database is locked: SQLITE_BUSY", True]


def test_the_schema_is_applied_once(project: Launch) -> None:
    for _ in range(2):
        with run_workerd(project) as process:
            assert Caller(process.port).ask("schema") == [["t", "tr"], ["line"]]
