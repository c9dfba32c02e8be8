"""A journal that was cut off, overwritten or another version's: a three-line error or what it said."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from edgelift.errors import UsageError
from edgelift.journal import Journal
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.model.plan import Plan


def make_check(name: str) -> Check:
    return Check(id=name, stage="data", title=name, status=Status.PASS, evidence="", reproduce="x")


def make_finding(number: int) -> Finding:
    return Finding(rule=f"R-{number}", level=Level.WARNING, message="m", path="a.py", line=number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    with contextlib.closing(Journal(path)) as journal:
        run = journal.begin_run("lift", "edgelift lift x")
        for number in range(30):
            journal.begin_step(run, f"step{number}", "inputs")
            journal.write_checkpoint(f"step{number}", "key", {"rows": number})
        journal.finish_step("step0", {"summary": "done"})
        journal.replace_checks(run, "data", "inputs", map(make_check, map(str, range(40))))
        journal.replace_findings("plan", map(make_finding, range(40)))
        journal.write_document("plan", {"a": ["b"] * 3000})
        journal.end_run(run, 0)
    return path.read_bytes()


def read_all(journal: Journal) -> tuple[int, ...]:
    return (
        len(journal.read_runs()),
        len(journal.read_steps()),
        len(journal.read_checkpoints("step1")),
        len(journal.read_checks()),
        len(journal.read_check_inputs("data")),
        len(journal.read_findings()),
        len(journal.list_documents("")),
        len(journal.read_document("plan", dict[str, list[str]]) or ()),
    )


def use_all(path: Path) -> tuple[int, ...] | None:
    """Read and write everything; None when that ended in an error as the user is to see it."""
    try:
        with contextlib.closing(Journal(path)) as journal:
            found = read_all(journal)
            run = journal.begin_run("data", "")
            journal.begin_step(run, "step1", "other")
            journal.write_document("plan", {})
            journal.forget_steps(["step2"])
            return found
    except UsageError as error:
        what, _why, tip = str(error).splitlines()
        assert what.startswith("The journal ")
        assert "away" in tip or "space" in tip
        return None


def test_a_whole_journal_says_everything(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(whole)
    assert use_all(path) == (1, 30, 1, 40, 1, 40, 1, 1)


@pytest.mark.parametrize("part", range(1, 40))
def test_a_cut_journal(whole: bytes, tmp_path: Path, part: int) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(whole[: 1 + len(whole) * part // 40])
    assert use_all(path) is None


def test_an_empty_file_is_a_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    assert use_all(path) == (0, 0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("seed", range(120))
def test_an_overwritten_journal(whole: bytes, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    damaged = bytearray(whole)
    for _ in range(draw.choice([1, 4, 40])):
        at = draw.choice([draw.randrange(100), draw.randrange(len(whole))])
        length = draw.choice([1, 8, 64])
        damaged[at : at + length] = draw.randbytes(length)[: len(whole) - at]
    path = tmp_path / "journal.db"
    path.write_bytes(damaged)
    use_all(path)


@pytest.mark.parametrize(
    ("table", "column", "read"),
    [
        ("steps", "result", lambda journal: journal.read_steps()),
        ("checkpoints", "value", lambda journal: journal.read_checkpoints("step1")),
        ("checks", "body", lambda journal: journal.read_checks()),
        ("findings", "body", lambda journal: journal.read_findings()),
        ("documents", "body", lambda journal: journal.read_document("plan", Plan)),
    ],
)
@pytest.mark.parametrize("value", ["{", '{"of": "another version"}', "[]", b"\xff", 7, "\0"])
def test_entries_that_are_none(whole: bytes, tmp_path: Path, table, column, read, value) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))
    with contextlib.closing(Journal(path)) as journal:
        if table in {"steps", "checkpoints"} and value == '{"of": "another version"}':
            assert read(journal)  # what a stage kept for itself is any JSON
            return
        if table == "checkpoints" and value in {"[]", 7}:
            return
        with pytest.raises(UsageError) as caught:
            read(journal)
        assert len(str(caught.value).splitlines()) == 3


def test_a_journal_of_a_later_version(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(whole)
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=99")
    with pytest.raises(UsageError, match="newer edgelift"):
        Journal(path)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.db").mkdir()
    with pytest.raises(UsageError, match="cannot be opened"):
        Journal(tmp_path / "journal.db")
