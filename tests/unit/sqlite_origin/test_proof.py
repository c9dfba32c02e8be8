"""The proof of a rewritten copy: damage is named to the cell, a killed copy goes on and ends alike."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from edgelift.rows.engine import ChunkResult
from edgelift.stages.data.server import copy as copy_module
from tests.unit.sqlite_origin.moving import NAMESPACE, look, make, start

TOML = f"""
[[schema.rename]]
table = "items"
to = "things"
[[schema.rename]]
table = "items"
column = "name"
to = "label"
[[schema.rewrite]]
table = "owners"
as = "uuid5"
namespace = "{NAMESPACE}"
[[schema.rewrite]]
table = "items"
column = "made"
as = "unix"
"""
SCRIPT = """
CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE items (
  id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owners, name TEXT, code TEXT, n INTEGER, r REAL,
  v, made DATETIME, body BLOB);
CREATE TABLE events (kind TEXT, note TEXT);
CREATE TABLE pairs (a INTEGER, b TEXT, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
"""


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    rows = [
        (n, n % 40 + 1, f"Ünï {n}", "" if n % 2 else None, 2**53 + n, n / 3, n,
         f"2024-03-10 12:{n // 60 % 60:02d}:{n % 60:02d}", bytes([n % 251]) * 40)
        for n in range(1, 1201)
    ]  # fmt: skip
    return make(
        tmp_path / "origin.sqlite",
        SCRIPT,
        ("INSERT INTO owners VALUES (?, ?)", [(n, f"o{n}") for n in range(1, 41)]),
        ("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows),
        ("INSERT INTO events VALUES (?, ?)", [(f"k{n % 5}", f"n{n % 300}") for n in range(1200)]),
        ("INSERT INTO pairs VALUES (?, ?, ?)", [(n, f"b{n}", n) for n in range(900)]),
    )


# what was done -> (statement, words of the difference)
DAMAGES = {
    "bit flip": ("UPDATE things SET body = flip(body) WHERE id = 700", ("things", "id=700", "body")),
    "trailing space": (
        "UPDATE things SET label = label || ' ' WHERE id = 3", ("id=3", "label", "white space")),
    "NULL for empty": ("UPDATE things SET code = NULL WHERE id = 501", ("id=501", "code", "NULL")),
    "empty for NULL": ("UPDATE things SET code = '' WHERE id = 502", ("id=502", "code", "''")),
    "1 for 1.0": ("UPDATE things SET v = 7.0 WHERE id = 7", ("id=7", "v", "type")),
    "2^53 + 1": (
        "UPDATE things SET n = CAST(CAST(n AS REAL) AS INTEGER) WHERE id = 1",
        ("id=1", "9007199254740993", "9007199254740992")),
    "time-zone shift": (
        "UPDATE things SET made = made + 3600 WHERE id = 9", ("id=9", "made", "value")),
    "letter case": ("UPDATE things SET label = upper(label) WHERE id = 8", ("id=8", "letter case")),
    "dropped row": ("DELETE FROM things WHERE id = 1200", ("id=1200",)),
    "another key": (
        "UPDATE things SET owner = (SELECT id FROM owners LIMIT 1 OFFSET 30) WHERE id = 4",
        ("id=4", "owner")),
    "duplicate without key": (
        "INSERT INTO events (rowid, kind, note) SELECT 90000, kind, note FROM events LIMIT 1",
        ("events", "90000")),
    "another row number": ("UPDATE events SET rowid = 90001 WHERE rowid = 5", ("events", "rowid")),
    "truncated blob": (
        "UPDATE things SET body = substr(body, 1, 39) WHERE id = 77", ("id=77", "body")),
    "text for blob": (
        "UPDATE things SET body = CAST(body AS TEXT) WHERE id = 65", ("id=65", "body", "type")),
    "swapped columns": (
        "UPDATE things SET label = code, code = label WHERE id = 33", ("id=33", "label")),
    "a row of a table without numbers": ("UPDATE pairs SET c = '5' WHERE a = 5", ("pairs", "a=5")),
}  # fmt: skip


@pytest.mark.parametrize("engine", ["native", "python"])
def test_damage_is_always_caught_and_named(origin: Path, tmp_path: Path, engine: str) -> None:
    moving = start(origin, TOML, engine=engine, chunk_rows=100)
    moving.copy()
    assert moving.prove()["rows"].status is Status.PASS
    missed = {}
    for name, (statement, words) in DAMAGES.items():
        check = moving.prove(moving.change(tmp_path, statement))["rows"]
        text = "\n".join(check.detail)
        if check.status is not Status.FAIL or not all(word in text for word in words):
            missed[name] = text
    assert missed == {}


def test_a_copy_that_is_stopped_anywhere_goes_on_and_ends_alike(
    origin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(origin, TOML, chunk_rows=100)
    whole.copy()
    expected = [
        look(whole.part, f"SELECT rowid, * FROM {t}") for t in ("things", "events", "owners")
    ]
    whole.part.unlink()
    real = copy_module.load_chunk
    calls = 0

    def fail(*given: object) -> ChunkResult:
        nonlocal calls
        calls += 1
        if calls % 7 == 0:
            raise OriginError("gone", why="x", tip="y")
        return real(*given)

    monkeypatch.setattr(copy_module, "load_chunk", fail)
    kept = 0
    for _ in range(60):
        try:
            kept = max(kept, whole.copy().kept)
            break
        except OriginError:
            continue
    else:
        raise AssertionError("it never ended")
    assert kept > 0
    found = [look(whole.part, f"SELECT rowid, * FROM {t}") for t in ("things", "events", "owners")]
    assert found == expected
    assert whole.prove(sample=1.0)["again"].status is Status.PASS


KILLED = """
import sys
from pathlib import Path
from edgelift.stages.data.server.throttle import Throttle
from tests.unit.sqlite_origin.moving import start
from tests.unit.sqlite_origin.test_proof import TOML
moving = start(Path(sys.argv[1]), TOML, chunk_rows=50, throttle=Throttle(2000.0))
print("begun", flush=True)
moving.copy()
"""


def test_kill_9_leaves_what_the_next_run_ends(origin: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(origin)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[3], env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    part = origin.with_name("main.sqlite.part")
    done = 0
    while done < 5:  # some chunks are there, most are not
        with contextlib.suppress(apsw.Error), contextlib.closing(apsw.Connection(str(part))) as db:
            query = "SELECT count(*) FROM _edgelift_chunks WHERE hash IS NOT NULL"
            done = int(db.execute(query).fetchone()[0])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    moving = start(origin, TOML, chunk_rows=50)
    copy = moving.copy()
    assert copy.kept >= 5
    assert copy.copied > 0
    assert moving.prove(sample=1.0)["rows"].status is Status.PASS
    there = look(origin, "SELECT id, name, n FROM items")
    assert look(moving.part, "SELECT id, label, n FROM things") == there


def test_chunks_that_changed_between_two_runs_are_copied_again(origin: Path) -> None:
    moving = start(origin, TOML, chunk_rows=100)
    with moving.open() as copy:
        copy_module.create_tables(copy)
        copy_module.copy_rows(copy)
    with contextlib.closing(sqlite3.connect(origin)) as db:
        db.execute("UPDATE items SET name = 'new' WHERE id = 450")
        db.execute("DELETE FROM items WHERE id BETWEEN 1110 AND 1150")
        db.commit()
    copy = moving.copy()
    assert copy.repeated == 2
    assert moving.prove(sample=1.0)["rows"].status is Status.PASS
    there = look(origin, "SELECT id, name FROM items")
    assert look(moving.part, "SELECT id, label FROM things ORDER BY id") == there


def test_broken_references_of_the_origin_are_not_hidden(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p);"
        "INSERT INTO c VALUES (5)",
    )
    moving = start(path, '[[schema.rename]]\ntable = "p"\nto = "q"')
    assert ("SCHEMA-FK-VIOLATION", "c") in {(i.rule, i.name) for i in moving.judgement.issues}
    moving.copy()
    check = moving.prove()["integrity"]
    assert check.status is Status.FAIL
    assert "no parent in q" in check.detail[0]


def test_faults_of_the_origin_are_not_those_of_the_copy(tmp_path: Path) -> None:
    from edgelift.stages.data.server.known_faults import read_known_faults
    from edgelift.stages.data.server.prove import Proof, check_integrity

    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (x PRIMARY KEY, p REFERENCES p, "
        "n INTEGER NOT NULL, CHECK (n > 1));"
        "PRAGMA ignore_check_constraints=ON; INSERT INTO c VALUES ('a', 5, 2), ('b', NULL, 0);",
    )
    toml = (
        '[[schema.rename]]\ntable = "p"\nto = "q"\n[[schema.rename]]\ntable = "c"\nto = "d"\n'
        '[[schema.rename]]\ntable = "c"\ncolumn = "n"\nto = "m"'
    )
    moving = start(path, toml)
    moving.copy()
    broken = tuple(line for (line,) in look(path, "PRAGMA quick_check"))
    assert broken == ("CHECK constraint failed in c",)
    with moving.open() as copy:
        proof = Proof(
            db=copy.db, reader=copy.reader, plan=moving.plan, reproduce="x",
            known_faults=lambda: read_known_faults(moving.plan, path, broken),
        )  # fmt: skip
        assert check_integrity(proof, ["q", "d"]).status is Status.PASS
        copy.db.execute("PRAGMA ignore_check_constraints=ON")
        copy.db.execute("UPDATE d SET p = 6 WHERE x = 'b'")
        check = check_integrity(proof, ["q", "d"])
    assert check.status is Status.FAIL
    assert len(check.detail) == 1
    assert "has no parent in q" in check.detail[0]
