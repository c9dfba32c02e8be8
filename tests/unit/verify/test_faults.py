"""Requests during which a database fails: which are chosen, and how the origin's sqlite3 is made to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgelift.model.flows import Flow, Reply, Request
from edgelift.model.inventory import Route
from edgelift.stages.verify.faults import OriginFaults, build_faults

ROUTES = (
    Route(rule="/items", methods=("GET", "POST"), endpoint="items"),
    Route(rule="/items/{id}", methods=("DELETE",), endpoint="item"),
)


def ask(method: str, rule: str, status: int = 0, **fields: object) -> Request:
    reply = Reply(status=status) if status else None
    return Request(method=method, path=rule, rule=rule, reply=reply, **fields)  # type: ignore[arg-type]


FLOW = Flow(
    name="generated",
    source="generated",
    requests=(
        ask("GET", "/items"),
        ask("POST", "/items", body=b"1"),
        ask("POST", "/items", body=b"2"),
        ask("POST", "/items", body=b"3"),
        ask("PUT", "/items"),
        ask("DELETE", "/items/{id}", 404),
        ask("DELETE", "/items/{id}", bindings=("7",)),
        ask("DELETE", "/items/{id}", 204),
    ),
)


def chosen(*strategies: str) -> list[tuple[str, bytes, str]]:
    flow = build_faults([FLOW], ROUTES, strategies)
    return [(r.method, r.body, r.fault) for r in flow.requests]


def test_the_first_requests_of_each_writing_route_are_taken() -> None:
    found = chosen("object")
    assert {(method, body) for method, body, _ in found} == {
        ("POST", b"1"),
        ("POST", b"2"),
        ("DELETE", b""),
    }
    assert [fault for method, _, fault in found if method == "DELETE"] == [
        "write 1", "write 2", "write 3", "written 1", "written 2", "commit 1",
    ]  # fmt: skip


def test_in_d1_only_statements_can_fail() -> None:
    assert {fault for _, _, fault in chosen("object", "d1")} == {"write 1", "write 2", "write 3"}


APP = """
import sqlite3, sys
def attempt(work):
    try:
        work()
    except sqlite3.OperationalError as error:
        return f"{error} {error.sqlite_errorname}" if hasattr(error, "sqlite_errorname") else str(error)
    return "done"
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE IF NOT EXISTS t(a)")
def manage():
    with db:
        db.execute("INSERT INTO t VALUES(4)")
print(attempt(lambda: db.execute("INSERT INTO t VALUES(1)")))
print(attempt(lambda: db.cursor().execute(" -- two\\n insert INTO t VALUES(2)")))
print(attempt(lambda: db.executemany("INSERT INTO t VALUES(?)", [(3,)])))
print(attempt(db.commit))
print(attempt(manage))
print(db.in_transaction, [row[0] for row in db.execute("SELECT a FROM t")])
other = sqlite3.connect(sys.argv[1] + ".other")
print(type(db).__mro__[1] is sqlite3.Connection, type(other) is sqlite3.Connection)
"""


@pytest.mark.parametrize(
    ("fault", "told", "left"),
    [
        ("", ["done"] * 5, "False [1, 2, 3, 4]"),
        ("write 2", ["done", "failed", "done", "done", "done"], "False [1, 3, 4]"),
        ("written 2", ["done", "failed", "done", "done", "done"], "False [1, 2, 3, 4]"),
        ("write 3", ["done", "done", "failed", "done", "done"], "False [1, 2, 4]"),
        ("commit 1", ["done", "done", "done", "failed", "done"], "False [1, 2, 3, 4]"),
        ("commit 2", ["done", "done", "done", "done", "failed"], "False [1, 2, 3]"),
    ],
)
def test_the_origin_fails_where_it_was_told(
    fault: str, told: list[str], left: str, tmp_path: Path
) -> None:
    faults = OriginFaults(tmp_path / "faults")
    environment = {**os.environ, **faults.prepare()}
    faults.name_databases({"main": tmp_path / "a.db"})
    assert faults.arm(fault) == 0
    script = [sys.executable, "-c", APP, tmp_path / "a.db"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    *outcomes, state, types = done.stdout.splitlines()
    expected = ["disk I/O error SQLITE_IOERR" if t == "failed" else t for t in told]
    assert (outcomes, state, types) == (expected, left, "True True")
    assert faults.arm("") == (1 if fault else 0)


def test_databases_of_servers_are_named_for_the_drivers(tmp_path: Path) -> None:
    faults = OriginFaults(tmp_path / "faults", ["edgelift_verify_1", "edgelift_verify_2"])
    environment = faults.prepare()
    assert environment["EDGELIFT_FAULTS"] == str((tmp_path / "faults").absolute())
    assert (tmp_path / "faults" / "servers").read_text().split() == list(faults.servers)
    assert (tmp_path / "faults" / "databases").read_text() == ""
