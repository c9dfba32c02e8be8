"""The built production form as a whole: the entry class in Pyodide, a service binding, the sql project's gateway and object."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from edgelift.stages.build.parts import Database
from edgelift.stages.build.sql_project import build_services, build_sql_files
from edgelift.targets.workerd import bundle as bundles
from edgelift.targets.workerd.config import COMPATIBILITY_DATE, quote_text

from .conftest import APPS, Lift, Lifted

pytestmark = pytest.mark.workerd

DATABASE = Database(name="shop", binding="SHOP", path="instance/shop.db", strategy="object")
SCHEMA = {
    "schema": b"CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB, big INTEGER);"
    b"INSERT INTO item(name, price) VALUES ('first', 0);",
    "after_load": b"",
}
# The app's Worker, as Cloudflare starts it, has its bindings in `env`; the entry class of this test reads them here.
MAIN = """import { env } from 'cloudflare:workers';
globalThis.edgelift_bindings = env;
export * from './worker.mjs';
export { default } from './worker.mjs';
"""
IDLE_MS = 400  # in place of 5 s, so that the test of a caller that hangs is short


def add_sql_worker(text: str, state: Path) -> str:
    """Return workerd's configuration of an app with the sql project beside it, bound as wrangler.jsonc says."""
    files = build_sql_files("shop", {}, (DATABASE,), {"shop": SCHEMA})
    files["src/loads.mjs"] = b"export const loads = [];\n"
    session = files["src/sql_session.mjs"].decode()
    files["src/sql_session.mjs"] = session.replace(
        "IDLE_MS = 5_000", f"IDLE_MS = {IDLE_MS}"
    ).encode()
    names = sorted((n for n in files if n.endswith(".mjs")), key="src/index.mjs".__ne__)
    modules = ", ".join(
        f"(name = {quote_text(n.removeprefix('src/'))}, esModule = {quote_text(files[n].decode())})"
        for n in names
    )
    [service] = build_services("shop", (DATABASE,))
    props = quote_text(json.dumps(service["props"]))
    binding = (
        f'(name = "SHOP", service = (name = "sql", entrypoint = "{service["entrypoint"]}", '
        f"props = (json = {props})))"
    )
    sql = f"""
const sql :Workerd.Worker = (
  compatibilityDate = "{COMPATIBILITY_DATE}",
  modules = [{modules}],
  durableObjectNamespaces = [(className = "Sql_SHOP", uniqueKey = "shop", enableSql = true)],
  durableObjectStorage = (localDisk = "sql-state"),
  bindings = [(name = "SHOP", durableObjectNamespace = "Sql_SHOP")],
);
"""
    added = f'(name = "sql", worker = .sql), (name = "sql-state", disk = (path = {quote_text(str(state))}, writable = true)),'
    text = text.replace("  services = [\n", f"  services = [\n    {added}\n", 1)
    text = text.replace(
        "  modules = [\n",
        f'  modules = [\n    (name = "main.mjs", esModule = {quote_text(MAIN)}),\n',
        1,
    )
    return text.replace("  bindings = [\n", f"  bindings = [\n    {binding},\n", 1) + sql


@pytest.fixture(scope="module")
def deployed(lift: Lift, tmp_path_factory: pytest.TempPathFactory) -> Lifted:
    state = tmp_path_factory.mktemp("sql-state")
    plain = bundles.app_config
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "app_config", lambda *given: add_sql_worker(plain(*given), state))
        return lift(APPS / "production_entry", "wsgi")


def ask(deployed: Lifted, path: str) -> Any:
    method = "GET" if path == "/all" else "POST"
    answer = deployed.client.request(
        method, f"/rows{path}", content=None if method == "GET" else b"x"
    )
    assert answer.status_code == 200, (answer.text, deployed.worker.read_log_tail())
    told = answer.json()
    return told["status"], told["body"].strip()


def names(deployed: Lifted) -> list[str]:
    status, body = ask(deployed, "/all")
    assert status == 200, (body, deployed.worker.read_log_tail())
    return [row[1] for row in json.loads(body)]


def test_reads_and_writes_are_exact(deployed: Lifted) -> None:
    assert names(deployed) == ["first"]
    assert ask(deployed, "/add?name=a&name=b") == (200, '[3,"00ff"]')
    assert json.loads(ask(deployed, "/all")[1])[1] == [2, "a", 0.1, 0, 2**60 + 1]


def test_a_request_that_fails_leaves_nothing(deployed: Lifted) -> None:
    before = names(deployed)
    assert ask(deployed, "/add?name=c&name=d&fail=1")[0] == 500
    assert names(deployed) == before


def test_savepoints_and_errors(deployed: Lifted) -> None:
    assert ask(deployed, "/savepoint")[0] == 204
    assert names(deployed)[-1] == "kept"
    assert ask(deployed, "/wrong") == (
        200, "SQLITE_CONSTRAINT_PRIMARYKEY: UNIQUE constraint failed: item.id",
    )  # fmt: skip


def test_what_a_request_leaves_open_ends_with_it(deployed: Lifted) -> None:
    before = names(deployed)
    assert ask(deployed, "/forget")[0] == 204
    assert names(deployed) == before
    assert ask(deployed, "/goon") == (200, "went on")
    assert names(deployed) == [*before, "later"]


def test_a_caller_that_hangs_loses_its_transaction_and_nobody_waits_for_it(
    deployed: Lifted,
) -> None:
    before = names(deployed)
    with ThreadPoolExecutor(2) as threads:
        hung = threads.submit(ask, deployed, "/hang?s=2")
        # Waits for the other at most as long as that may be idle, and not until it wakes up.
        written = threads.submit(ask, deployed, "/add?name=meanwhile")
        assert written.result()[0] == 200
        assert not hung.done()
        assert hung.result() == (
            200, f"the transaction was rolled back: it was idle for {IDLE_MS} ms, and others wait for it",
        )  # fmt: skip
    assert names(deployed) == [*before, "meanwhile"]


def test_writers_take_turns_and_no_update_is_lost(deployed: Lifted) -> None:
    before = json.loads(ask(deployed, "/all")[1])[0][2]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ask(deployed, "/twice")[0], range(24)))
    assert answers == [204] * 24
    assert json.loads(ask(deployed, "/all")[1])[0][2] == before + 24
