"""New rows at the origin after a copy are noticed without reading any, or it is said they are not."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import pytest

from edgelift.errors import OriginUnavailable
from edgelift.journal import Journal
from edgelift.model.activity import Activity
from edgelift.stages.data.server.changes import read_mark, tell_changes
from tests.contract.mover.test_resume import run_sql, url

__all__ = ["url"]


class _Run:
    """What the look needs of a run."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal


@pytest.fixture
def run(tmp_path: Path):
    with contextlib.closing(Journal(tmp_path / "journal.db")) as journal:
        yield _Run(journal)


def settle(url: str) -> Activity:
    """Return the mark once it stands still: servers count some time after a write."""
    deadline = time.monotonic() + 30
    before = read_mark(url)
    while time.monotonic() < deadline:
        time.sleep(1)  # counts have no event
        now = read_mark(url)
        if now.is_same(before):
            return now
        before = now
    raise AssertionError("the counts never stood still")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO bare VALUES ('late', 1)",
        "UPDATE keyed SET n = n + 1 WHERE id = 5",
        "DELETE FROM pairs WHERE a = 7",
        "TRUNCATE TABLE bare",
    ],
)
def test_each_kind_of_write_is_noticed(url: str, run: _Run, statement: str) -> None:
    run.journal.write_document("activity:main", settle(url))
    changed, words = tell_changes(run, "main", url)
    assert not changed
    assert "proves nothing" in words
    run_sql(url, statement)
    deadline = time.monotonic() + 30
    while not tell_changes(run, "main", url)[0]:
        assert time.monotonic() < deadline, "the write was never noticed"
        time.sleep(0.2)  # counts have no event


def test_a_server_that_does_not_answer_is_said_to_be_unseen(run: _Run) -> None:
    run.journal.write_document("activity:main", Activity(counts="7"))

    def fail(_url: str) -> Activity:
        raise OriginUnavailable("nobody answers")

    changed, words = tell_changes(run, "main", "postgresql://nowhere/x", fail)
    assert not changed
    assert "was not looked at" in words


def test_counts_that_are_not_kept_prove_nothing(run: _Run) -> None:
    run.journal.write_document("activity:main", Activity(counts=""))
    changed, words = tell_changes(run, "main", "x", lambda _url: Activity(counts=""))
    assert (changed, "keeps no counts" in words) == (False, True)


def test_a_server_started_anew_counts_as_changed() -> None:
    before = Activity(counts="a", started=1000)
    assert before.is_same(Activity(counts="a", started=1001))
    assert not before.is_same(Activity(counts="a", started=1100))
