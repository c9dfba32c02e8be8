"""A lift that goes wrong is caught and named: a Worker that answers otherwise, data that rotted.

The app's faults show in the Worker only, from source that is byte for byte the origin's: no check
but the comparison of both running sides can see them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelift.model.findings import Status
from tests.scenarios.conftest import lift, make_notes, run_edgelift

FAULTS = {
    'jsonify(error="no such note"), 404': (
        'jsonify(error="no such note"), 410 if WORKER else 404',
        "status: 404 != 410",
    ),
    'notes=db().execute("SELECT count(*) FROM note").fetchone()[0]': (
        '**{"count" if WORKER else "notes": db().execute("SELECT 300").fetchone()[0]}',
        'body.notes: field renamed to "count"',
    ),
    "jsonify([dict(row) for row in rows])": (
        "jsonify([dict(row) for row in rows][::-1 if WORKER else 1])",
        "body: reordered list",
    ),
}
WHERE = "import os\nimport sys\n\nWORKER = sys.platform == 'emscripten'\n"


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_notes(tmp_path_factory.mktemp("faults") / "notes", rows=300)


@pytest.fixture(scope="module")
def broken(notes: Path) -> dict:
    """Return the report of a lift whose Worker answers otherwise in three places."""
    source = notes / "app.py"
    good = text = source.read_text()
    for old, (new, _) in FAULTS.items():
        assert old in text
        text = text.replace(old, new)
    source.write_text(text.replace("import os\n", WHERE, 1))
    result = lift(notes)
    report = json.loads((notes / ".edgelift/report/report.json").read_text())
    again = run_edgelift("verify", notes, "--only", "verify.parity.generated")
    source.write_text(good)
    return {**report, "result": result, "again": again}


@pytest.fixture(scope="module")
def golden(notes: Path, broken: dict) -> Path:
    """Return the proven database of the same project, mended and lifted again."""
    result = lift(notes)
    assert result["exit"] == 0, result["stderr"]
    return notes / ".edgelift/data/target/main.sqlite"


@pytest.fixture
def rot(golden: Path) -> Iterator[Path]:
    """Return the golden copy for a test to damage, as a disk would: its times stay the same."""
    content, status = golden.read_bytes(), golden.stat()
    yield golden
    golden.write_bytes(content)
    os.utime(golden, ns=(status.st_atime_ns, status.st_mtime_ns))


def keep_times(path: Path, content: bytes) -> None:
    status = path.stat()
    assert len(content) == status.st_size
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_worker_that_answers_otherwise_is_no_success(broken: dict) -> None:
    assert broken["result"]["exit"] == 6
    assert broken["verdict"] == "FAIL"
    assert broken["result"]["error"]["what"]
    assert "Tip:" in broken["result"]["stderr"]
    assert broken["again"].returncode == 6
    assert "FAIL     verify.parity.generated" in broken["again"].stderr


def test_only_the_comparison_of_replies_fails(broken: dict) -> None:
    failed = {c["id"] for c in broken["checks"] if c["status"] == Status.FAIL}
    assert failed == {"verify.parity.generated", "verify.parity.recorded", "verify.tests"}
    source = next(c for c in broken["checks"] if c["id"] == "build.source")
    assert source["status"] == Status.PASS


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(broken: dict, fault: str) -> None:
    found = {check["id"]: check for check in broken["checks"]}
    named = FAULTS[fault][1]
    assert any(named in line for line in found["verify.parity.generated"]["detail"])


def test_own_tests_that_fail_in_the_worker_only_are_named(broken: dict) -> None:
    found = {check["id"]: check for check in broken["checks"]}
    lines = found["verify.tests"]["detail"]
    for name in ("test_index", "test_unknown_note"):
        assert any(name in line for line in lines), lines


def test_a_mended_app_passes(golden: Path, notes: Path) -> None:
    report = json.loads((notes / ".edgelift/report/report.json").read_text())
    assert report["verdict"] == "PASS"
    assert golden.is_file()


def test_a_flipped_bit_in_a_row_is_named(rot: Path, notes: Path) -> None:
    content = rot.read_bytes()
    old = "note 17 \N{SNOWMAN}".encode()
    assert content.count(old) == 1
    keep_times(rot, content.replace(old, old.replace(b"7", b"6")))
    done = run_edgelift("verify", notes, "--only", "verify.data", "--json")
    assert done.returncode == 6, done.stderr
    told = json.loads(done.stdout)
    (check,) = [c for c in told["outcome"]["checks"] if c["id"] == "verify.data"]
    assert check["detail"][0].startswith("note [id=17].title: origin 'note 17")
    assert check["counts"]["differences"] == 1


def test_a_lost_row_is_named(rot: Path, notes: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(rot.read_bytes())
    with contextlib.closing(sqlite3.connect(damaged)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
        assert db.execute("DELETE FROM tag WHERE note_id = 33").rowcount == 1
        db.commit()
    keep_times(rot, damaged.read_bytes())
    done = run_edgelift("verify", notes, "--only", "verify.data")
    assert done.returncode == 6, done.stderr
    assert "tag [" in done.stderr
    assert "missing row" in done.stderr


def test_a_golden_copy_that_was_changed_openly_is_made_again(golden: Path, notes: Path) -> None:
    with contextlib.closing(sqlite3.connect(golden)) as db:
        db.execute("DELETE FROM note")
        db.commit()
    done = run_edgelift("data", notes)
    assert done.returncode == 0, done.stderr
    assert "PASS     data.rows:main  2 of 2 tables, 600 of 600 rows" in done.stderr
    with contextlib.closing(sqlite3.connect(golden)) as db:
        assert db.execute("SELECT count(*) FROM note").fetchone() == (300,)
