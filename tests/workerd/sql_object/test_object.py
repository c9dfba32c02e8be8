"""The SQL object in workerd: transactions, savepoints, isolation, callers that fail, hang or die."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from edgelift.targets.workerd.process import run_workerd
from tests.workerd.sql_object.object_server import ObjectServer, write_server

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]
WAYS = ("awaited", "lastQueued", "queued", "readModifyWrite")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("writers", [1, 50])
def test_no_update_is_lost(server: ObjectServer, way: str, writers: int) -> None:
    rounds = 200 // writers
    found = server.run("write", way=way, writers=writers, rounds=rounds, database=f"{way}{writers}")
    assert (found["rows"], found["counter"]) == (200, 200)


def test_a_counter_without_transactions_does_lose_updates(server: ObjectServer) -> None:
    """The twin: the same read-modify-write outside of transactions must not add up."""
    found = server.run("loseUpdates", writers=50)
    assert found["counter"] < 50


def test_readers_see_no_half_of_a_transaction(server: ObjectServer) -> None:
    seen = server.run("readBeside", writers=10)
    assert seen["reads"] > 0
    assert seen["torn"] == 0


def test_own_writes_are_read_and_others_wait(server: ObjectServer) -> None:
    assert server.run("readYourWrites") == [[["mine"]], "still open", ["other", 1]]


def test_transactions_that_share_a_commit_share_nothing_else(server: ObjectServer) -> None:
    rounds = 10
    found = server.run("groups", rounds=rounds)
    assert found["shared"] > 0
    kept = {"commit": 3 * rounds, "defers": 2 * rounds, "undoes": 2 * rounds}
    assert dict(found["kept"]) == kept
    assert found["counter"] == sum(kept.values())
    unique = "UNIQUE constraint failed: counter.id: SQLITE_CONSTRAINT "
    foreign = "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT "
    assert found["answers"] == {
        "commit": ["done"],
        "rollback": ["done"],
        "fails": [f"{unique}(extended: SQLITE_CONSTRAINT_PRIMARYKEY)"],
        "violates": [f"{foreign}(extended: SQLITE_CONSTRAINT_FOREIGNKEY)"],
        "undoes": ["done"],
        "defers": ["done"],
        "stale": ["database is locked: SQLITE_BUSY"],
        "leaves": ["done"],
    }


def test_savepoints(server: ObjectServer) -> None:
    found = server.run("savepoints")
    assert found == {"thrown": None, "rows": 3, "counter": 0, "values": "outer,kept,middle fails"}


def test_savepoints_by_number(server: ObjectServer) -> None:
    found = server.run("savepointSteps")
    assert found["last"] == {"results": [], "ended": True}
    assert found["values"] == "a,e,f,h,i,j"


def test_failures(server: ObjectServer) -> None:
    found = server.run("failures")
    unique = (
        "UNIQUE constraint failed: counter.id: SQLITE_CONSTRAINT "
        "(extended: SQLITE_CONSTRAINT_PRIMARYKEY)"
    )
    assert found["thrown"] == "boom"
    assert found["statement"] == {
        "results": [],
        "error": "no such table: nowhere: SQLITE_ERROR",
    }
    assert found["dealtWith"] is None, "a failed statement does not spoil its transaction"
    assert (found["atCommit"], found["whole"]) == (unique, unique)
    assert found["values"] == "first,second"


def test_schema_changes_are_rolled_back(server: ObjectServer) -> None:
    assert [name for name, _ in server.run("schemaRollback")] == ["counter", "t"]
    assert "w" not in server.run("schemaRollback", database="other-schema")[1][1]


def test_a_hung_caller_is_ended_in_time(server: ObjectServer) -> None:
    found = server.run("hang")
    assert (found["seen"], found["quick"], found["ended"]) == (0, True, True)
    assert "it was idle for 300 ms" in found["error"]
    assert (found["rows"], found["counter"], found["values"]) == (1, 1, "x")


def test_a_caller_that_never_ends_is_ended_too(server: ObjectServer) -> None:
    found = server.run("hang", longest=800, database="endless")
    assert (found["seen"], found["quick"]) == (0, True)
    assert "it was open for " in found["error"]
    assert found["values"] == "x"


def test_a_caller_whose_request_ends_is_rolled_back(server: ObjectServer) -> None:
    assert server.run("leave") == "left"
    assert server.run("state", database="leave")["rows"] == 0


def test_who_waits_too_long_gives_up(server: ObjectServer) -> None:
    found = server.run("busy")
    assert found["error"] == "database is locked: SQLITE_BUSY"
    assert found["values"] == "first"


def test_what_was_read_must_still_hold(server: ObjectServer) -> None:
    found = server.run("versions")
    assert (found["same"], found["noticesSchema"], found["kept"]) == (True, True, "kept")
    assert found["refused"] == [["database is locked: SQLITE_BUSY", True]] * 2
    assert found["counter"] == 1


def test_names_are_shards(server: ObjectServer) -> None:
    one, two = server.run("shards")
    assert (one["values"], two["values"]) == ("one", "x")


def test_a_crash_leaves_what_was_committed(tmp_path: Path) -> None:
    launch = write_server(tmp_path / "run")
    with run_workerd(launch) as process:
        server = ObjectServer(process)
        assert server.run("hold", database="crash") == "held"
        os.kill(process.pid, signal.SIGKILL)
    with run_workerd(launch) as process:
        found = ObjectServer(process).run("state", database="crash")
    assert (found["rows"], found["counter"], found["values"]) == (1, 1, "x")


DEFERRED = [
    ["CREATE TABLE p(id INTEGER PRIMARY KEY)"],
    ["CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"],
]
CHILD, PARENT = ["INSERT INTO c VALUES(1)"], ["INSERT INTO p VALUES(1)"]
COMMIT: dict[str, Any] = {"steps": [], "end": "commit"}


def tell(server: ObjectServer, name: str, before: Any, messages: Any, after: Any) -> Any:
    texts = {"before": before, "messages": messages, "after": after}
    encoded = {key: json.dumps(value) for key, value in texts.items()}
    return server.run("statements", database=name, **encoded)


def test_deferred_foreign_keys_are_checked_at_the_commit(server: ObjectServer) -> None:
    messages = [
        {"steps": [CHILD]},
        COMMIT,
        {"steps": [PARENT], "end": "commit"},
    ]
    told = tell(server, "deferred", DEFERRED, messages, [["SELECT * FROM c"]])
    assert "FOREIGN KEY constraint failed" in told[3]["error"]
    assert "ended" not in told[3], "as in SQLite the transaction goes on, and can be put right"
    assert told[4]["ended"]
    assert told[5] == [[1]]


def test_a_deferred_foreign_key_fails_a_statement_of_its_own(server: ObjectServer) -> None:
    tell(server, "deferred-alone", DEFERRED, [], [])
    status, text = server.ask(
        "/run/statements?database=deferred-alone&messages=[]&after=[]&before="
        + json.dumps([CHILD]).replace(" ", "%20").replace('"', "%22")
    )
    assert (status, "FOREIGN KEY constraint failed" in text) == (500, True)
    assert tell(server, "deferred-alone", [PARENT, CHILD], [], [["SELECT * FROM c"]])[-1] == [[1]]


def test_foreign_keys_that_are_deferred_by_pragma(server: ObjectServer) -> None:
    tables = [["CREATE TABLE p(id INTEGER PRIMARY KEY)"], ["CREATE TABLE c(p REFERENCES p)"]]
    pragma = ["PRAGMA defer_foreign_keys=ON"]
    rolled_back = [{"steps": [pragma, CHILD]}, {"steps": [], "end": "rollback"}]
    tell(server, "by-pragma", tables, rolled_back, [])
    violating = [{"steps": [pragma, CHILD]}, COMMIT, {"steps": [PARENT], "end": "commit"}]
    told = tell(server, "by-pragma", [], violating, [["SELECT * FROM c"]])
    assert "FOREIGN KEY constraint failed" in told[1]["error"]
    assert told[-1] == [[1]]
