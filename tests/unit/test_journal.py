"""The journal: steps, checkpoints, evidence and the project's lock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgelift.errors import BusyError, UsageError
from edgelift.journal import Journal, hold_project
from edgelift.model.findings import Check, Finding, Level, Status
from edgelift.model.plan import Plan


@pytest.fixture
def journal(tmp_path: Path):
    opened = Journal(tmp_path / "state" / "journal.db")
    yield opened
    opened.close()


def check(name: str, status: Status = Status.PASS) -> Check:
    return Check(id=name, stage="verify", title=name, status=status, evidence="", reproduce="true")


def test_a_step_lives_from_running_to_done(journal: Journal) -> None:
    run = journal.begin_run("lift", "edgelift lift x")
    journal.begin_step(run, "data", "abc")
    assert journal.read_step("data").status == "running"
    journal.finish_step("data", {"summary": "3 rows"})
    record = journal.read_step("data")
    assert (record.status, record.inputs, record.result) == ("done", "abc", {"summary": "3 rows"})


def test_checkpoints_survive_a_new_start_with_the_same_inputs(journal: Journal) -> None:
    run = journal.begin_run("data", "")
    journal.begin_step(run, "data", "abc")
    journal.write_checkpoint("data", "tokens:0", {"rows": 5})
    journal.begin_step(run, "data", "abc")
    assert journal.read_checkpoints("data") == {"tokens:0": {"rows": 5}}


def test_checkpoints_of_other_inputs_are_dropped(journal: Journal) -> None:
    run = journal.begin_run("data", "")
    journal.begin_step(run, "data", "abc")
    journal.write_checkpoint("data", "tokens:0", {"rows": 5})
    journal.begin_step(run, "data", "changed")
    assert journal.read_checkpoints("data") == {}


def test_a_failed_step_keeps_its_error_and_checkpoints(journal: Journal) -> None:
    run = journal.begin_run("data", "")
    journal.begin_step(run, "data", "abc")
    journal.write_checkpoint("data", "k", 1)
    journal.fail_step("data", "disk full")
    assert journal.read_step("data").error == "disk full"
    assert journal.read_checkpoints("data") == {"k": 1}


def test_checks_are_replaced_by_stage_and_keep_their_order(journal: Journal) -> None:
    run = journal.begin_run("verify", "")
    journal.replace_checks(run, "verify", "h", [check("b"), check("a", Status.FAIL)])
    assert [c.id for c in journal.read_checks()] == ["b", "a"]
    journal.replace_checks(run, "verify", "h", [check("c")])
    assert [c.id for c in journal.read_checks("verify")] == ["c"]
    assert journal.read_checks("data") == []


def test_findings_round_trip(journal: Journal) -> None:
    finding = Finding(rule="X-1", level=Level.ERROR, message="m", path="a.py", line=3)
    journal.replace_findings("assess", [finding])
    assert journal.read_findings() == [finding]
    assert finding.blocks


def test_what_two_stages_found_alike_comes_once(journal: Journal) -> None:
    alike = Finding(rule="R", level=Level.ERROR, message="said by assess", path="a.bin")
    again = msgspec.structs.replace(alike, message="said by files")
    other = msgspec.structs.replace(alike, message="a second fault of that file")
    journal.replace_findings("assess", [alike, other])
    journal.replace_findings("files", [again, msgspec.structs.replace(again, path="b.bin")])
    told = [(f.message, f.path) for f in journal.read_findings()]
    assert told == [
        ("said by assess", "a.bin"),
        ("a second fault of that file", "a.bin"),
        ("said by files", "b.bin"),
    ]
    assert len(journal.read_findings("files")) == 2


def test_an_accepted_finding_does_not_block() -> None:
    assert not Finding(rule="X-1", level=Level.ERROR, message="m", accepted=True).blocks


def test_documents_come_back_typed(journal: Journal) -> None:
    plan = Plan(placement="worker", placement_reason="no state", crons=("*/5 * * * *",))
    journal.write_document("plan", plan)
    assert journal.read_document("plan", Plan) == plan
    assert journal.read_document("nothing", Plan) is None


def test_an_interrupted_run_has_no_exit_code(journal: Journal) -> None:
    run = journal.begin_run("lift", "")
    assert journal.read_runs()[0].exit_code is None
    journal.end_run(run, 0)
    assert journal.read_runs()[0].exit_code == 0


def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database, but long enough to look at" * 30)
    with pytest.raises(UsageError, match="cannot be opened"):
        Journal(tmp_path / "journal.db")


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal._db.execute("PRAGMA user_version=99")
    journal.close()
    with pytest.raises(UsageError, match="newer edgelift"):
        Journal(tmp_path / "journal.db")


def test_two_runs_refuse_each_other(tmp_path: Path) -> None:
    with hold_project(tmp_path), pytest.raises(BusyError) as caught, hold_project(tmp_path):
        pass
    assert str(os.getpid()) in caught.value.why


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom edgelift.journal import hold_project\n"
        "with hold_project(pathlib.Path(sys.argv[1])):\n print('held', flush=True)\n input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(BusyError), hold_project(tmp_path):
            pass
        holder.kill()
        holder.wait()
    with hold_project(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UsageError, match="cannot be written"),
        hold_project(tmp_path / "file" / "x"),
    ):
        pass


def test_a_full_disk_is_told_and_does_not_hide_what_failed(journal: Journal) -> None:
    run = journal.begin_run("lift", "")
    journal.begin_step(run, "data", "abc")
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages}")
    for write in (
        lambda: journal.write_document("plan", "x" * 100_000),
        lambda: journal.write_checkpoint("data", "k", "x" * 100_000),
        lambda: journal.finish_step("data", {"summary": "x" * 100_000}),
    ):
        with pytest.raises(UsageError, match="cannot be written") as caught:
            write()
        assert "full" in caught.value.why
    journal.fail_step("data", "x" * 100_000)
    assert journal.read_step("data").status == "running"
    journal._db.execute(f"PRAGMA max_page_count={pages + 1000}")
    journal.fail_step("data", "no space")
    journal.end_run(run, 5)
    assert journal.read_step("data").error == "no space"
