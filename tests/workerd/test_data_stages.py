"""The stages schema and data as the pipeline runs them, with D1's own engine."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelift.errors import (
    BlockersFound,
    EdgeliftError,
    OriginError,
    TargetError,
    UsageError,
    VerificationMismatch,
)
from edgelift.events import Event, StageSkipped
from edgelift.journal import Journal
from edgelift.model.catalogue import Catalogue
from edgelift.model.data_document import DataDocument
from edgelift.model.findings import Status
from edgelift.model.target_schema import TargetSchema
from edgelift.project import AcceptSection, AppSection, DatabaseSection, Project, Settings
from edgelift.run import Run, run_stage
from edgelift.sources.sqlite import SqliteSource
from edgelift.stages import data, schema
from edgelift.stages.data.import_files import write_import_files
from edgelift.targets.workerd.sql_check import check_statements, count_rows
from edgelift.toolchain import ensure_toolchain

pytestmark = pytest.mark.workerd

SCRIPTS = Path(__file__).resolve().parents[1] / "cases" / "schema"


@pytest.fixture(scope="session")
def toolchain():
    return ensure_toolchain(("runtime",), lambda _text: None)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def start(tmp_path: Path, told: list[Event]) -> Iterator[Callable[..., Run]]:
    """Return a starter of runs on a project whose database is `app.db`."""
    journals: list[Journal] = []

    def start_run(*accepted: str) -> Run:
        journal = open_run(tmp_path, accepted, told.append)
        journals.append(journal.journal)
        return journal

    yield start_run
    for journal in journals:
        journal.close()


def open_run(root: Path, accepted: tuple[str, ...], emit: Callable[[Event], None]) -> Run:
    settings = Settings(
        name="x",
        app=AppSection(framework="flask", entry="app:app"),
        databases=(DatabaseSection(name="main", url="sqlite:///app.db"),),
        accept=AcceptSection(rules=accepted),
    )
    project = Project(root, settings, root / "edgelift.toml")
    journal = Journal(project.state / "journal.db")
    return Run(project, journal, journal.begin_run("data", ""), root, emit)


def make(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "app.db"
    db = sqlite3.connect(path)
    db.executescript((SCRIPTS / script).read_text() if script.endswith(".sql") else script)
    db.close()
    return path


def execute(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        db.execute(statement)
    db.close()


def run_both(run: Run) -> None:
    run_stage(run, schema.STAGE)
    run_stage(run, data.STAGE)


def dump(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    db.text_factory = bytes
    lines = []
    for (name,) in db.execute(
        "SELECT name FROM pragma_table_list WHERE type IN ('table', 'virtual') AND name NOT LIKE "
        "'sqlite_sch%' AND name NOT LIKE 'sqlite_temp%' ORDER BY name"
    ).fetchall():
        quoted = name.decode().replace('"', '""')
        lines += sorted(f"{quoted}: {row!r}" for row in db.execute(f'SELECT * FROM "{quoted}"'))
    db.close()
    return lines


@pytest.mark.parametrize("script", ["music.sql", "nasty.sql", "nothing.sql"])
def test_both_stages(tmp_path: Path, start, told: list[Event], script: str) -> None:
    origin = make(tmp_path, script)
    before = origin.read_bytes()
    run = start()
    run_both(run)
    checks = {check.id: check.status for check in run.journal.read_checks()}
    failed = [id_ for id_, status in checks.items() if status not in {Status.PASS, Status.SKIPPED}]
    assert failed == []
    assert set(checks) == {
        "schema.load", "schema.complete", "data.rows:main", "data.integrity:main", "data.sequences:main", "data.runtime:main",
    }  # fmt: skip
    document = run.journal.read_document("data:main", DataDocument)
    catalogue = run.journal.read_document("catalogue:main", Catalogue)
    assert document is not None
    assert catalogue is not None
    assert {name: t.rows for name, t in document.tables.items()} == {
        t.name: t.rows for t in catalogue.tables
    }
    assert origin.read_bytes() == before
    assert [f.name for f in (tmp_path / ".edgelift/data/target").iterdir()] == ["main.sqlite"]
    told.clear()
    run_both(start())
    assert [type(event) for event in told] == [StageSkipped, StageSkipped]


def test_a_changed_origin_is_moved_again(tmp_path: Path, start) -> None:
    origin = make(tmp_path, "music.sql")
    run_both(start())
    execute(origin, "INSERT INTO artist VALUES (77, 'new')")
    run = start()
    run_both(run)
    document = run.journal.read_document("data:main", DataDocument)
    assert document is not None
    assert document.tables["artist"].rows == 4


def test_a_lost_or_changed_target_is_made_again(tmp_path: Path, start) -> None:
    make(tmp_path, "music.sql")
    run_both(start())
    target = tmp_path / ".edgelift/data/target/main.sqlite"
    execute(target, "DELETE FROM invoice")
    run_both(start())
    db = sqlite3.connect(target)
    assert db.execute("SELECT count(*) FROM invoice").fetchone() == (2,)
    db.close()
    target.unlink()
    run_both(start())
    assert target.exists()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            "UPDATE track SET name = 'T.N.T. ' WHERE track_id = 2",
            "track [track_id=2].name: origin 'T.N.T.', target 'T.N.T. ' (white space)",
        ),
        (
            "DELETE FROM invoice_line WHERE invoice_id = 2",
            "invoice_line [invoice_id=2, position=1]: missing row",
        ),
        ("UPDATE sqlite_sequence SET seq = 9", "genre: origin 3, target 9"),
    ],
)
def test_damage_on_the_way_stops_the_lift(
    tmp_path: Path, start, monkeypatch: pytest.MonkeyPatch, damage: str, named: str
) -> None:
    make(tmp_path, "music.sql")
    load = data.load_database

    def load_and_damage(what) -> None:
        load(what)
        execute(what.part, damage)

    run = start()
    run_stage(run, schema.STAGE)
    with monkeypatch.context() as patch:
        patch.setattr(data, "load_database", load_and_damage)
        with pytest.raises(VerificationMismatch) as caught:
            run_stage(run, data.STAGE)
    assert caught.value.why.startswith(named)
    assert [f.name for f in (tmp_path / ".edgelift/data/target").iterdir()] == [
        "main.sqlite.mismatch"
    ]
    assert Status.FAIL in {check.status for check in run.journal.read_checks("data")}
    run_stage(run, data.STAGE)
    assert Status.FAIL not in {check.status for check in run.journal.read_checks("data")}


def test_blockers_stop_before_anything_moves(tmp_path: Path, start) -> None:
    make(tmp_path, "refused.sql")
    run = start()
    with pytest.raises(BlockersFound, match="SCHEMA-NAME-RESERVED") as caught:
        run_stage(run, schema.STAGE)
    assert len(caught.value.lines()) == 3
    assert any(finding.blocks for finding in run.journal.read_findings("schema"))
    checks = {check.id: check.status for check in run.journal.read_checks("schema")}
    assert checks == {"schema.load": Status.FAIL, "schema.complete": Status.PASS}
    assert not (tmp_path / ".edgelift/data/target").exists()
    mapping = json.loads((tmp_path / ".edgelift/schema/mapping.json").read_text())
    assert {o["name"]: o["outcome"] for o in mapping[0]["objects"]}["versioned"] == "refused"
    assert (
        "| table **versioned** |  | refused | SCHEMA-FUNCTION |"
        in (tmp_path / ".edgelift/schema/mapping.md").read_text()
    )


@pytest.mark.parametrize("script", ["refused.sql", "rows.sql"])
def test_accepted_blockers_let_the_rest_move(tmp_path: Path, start, script: str) -> None:
    make(tmp_path, script)
    run = start()
    with pytest.raises(BlockersFound):
        run_stage(run, schema.STAGE)
    rules = {finding.rule for finding in run.journal.read_findings("schema") if finding.blocks}
    run = start(*rules)
    run_both(run)
    checks = {check.id: check.status for check in run.journal.read_checks()}
    assert Status.FAIL not in checks.values()


def test_missing_and_damaged_origins(tmp_path: Path, start) -> None:
    with pytest.raises(OriginError, match="does not exist"):
        run_stage(start(), schema.STAGE)
    (tmp_path / "app.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(OriginError, match="damaged"):
        run_stage(start(), schema.STAGE)


def test_data_without_schema_says_what_to_run(tmp_path: Path, start) -> None:
    make(tmp_path, "music.sql")
    with pytest.raises(UsageError, match="no snapshot"):
        run_stage(start(), data.STAGE)


def test_a_project_without_database(tmp_path: Path) -> None:
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    project = Project(tmp_path, settings, tmp_path / "edgelift.toml")
    journal = Journal(project.state / "journal.db")
    run = Run(project, journal, journal.begin_run("data", ""), tmp_path)
    run_both(run)
    assert {check.status for check in journal.read_checks()} == {Status.SKIPPED}
    journal.close()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_data_stages import open_run, run_both
left = int(sys.argv[2])
def die(event):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
run_both(open_run(Path(sys.argv[1]), (), die))
"""


def test_killed_at_any_event_it_ends_the_same(
    tmp_path: Path, start, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = make(tmp_path, "nasty.sql")
    deaths = 0
    chosen = random.Random(7)
    for _ in range(6):
        ended = subprocess.run(
            [
                sys.executable,
                "-c",
                KILLED,
                tmp_path,
                str(chosen.randrange(40)),
                Path(__file__).parent,
            ],
            check=False,
        )
        assert ended.returncode in {0, -signal.SIGKILL}
        deaths += ended.returncode != 0
    assert deaths
    run = start()
    run_both(run)
    assert Status.FAIL not in {check.status for check in run.journal.read_checks()}
    assert dump(tmp_path / ".edgelift/data/target/main.sqlite") == dump(origin)


@pytest.mark.parametrize("script", ["music.sql", "nasty.sql"])
def test_import_files_run_in_d1s_engine(tmp_path: Path, start, toolchain, script: str) -> None:
    origin = make(tmp_path, script)
    run = start()
    run_both(run)
    made = run.journal.read_document("schema:main", TargetSchema)
    catalogue = run.journal.read_document("catalogue:main", Catalogue)
    assert made is not None
    assert catalogue is not None
    target = tmp_path / ".edgelift/data/target/main.sqlite"
    files = write_import_files(target, made, catalogue, tmp_path / ".edgelift/data/import/main")
    statements, pending = [], ""
    for line in "".join(file.read_text() for file in files).splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    for table in SqliteSource(origin).read_catalogue().tables:
        quoted = table.name.replace('"', '""')
        statements.append(
            f"SELECT 1 / (count(*) = {table.rows}) + json(iif(count(*) = {table.rows}, 1, 'no')) FROM \"{quoted}\""
        )
    errors = [(statements[e.index], e.message) for e in check_statements(statements, toolchain)]
    assert errors == []


def test_the_engine_refuses_a_file_that_is_none(tmp_path: Path, toolchain) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"no database at all" * 500)
    with pytest.raises(TargetError):
        count_rows(tmp_path / "x.sqlite", ["t"], toolchain)


def test_statement_errors_are_told_by_position(toolchain) -> None:
    errors = check_statements(
        ["CREATE TABLE t (a)", "SELECT sqlite_version()", "SELECT * FROM t", "SELEC"], toolchain
    )
    assert [error.index for error in errors] == [1, 3]
    assert "not authorized to use function: sqlite_version" in errors[0].message


def test_errors_of_the_stages_have_three_lines(
    tmp_path: Path, start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteSource.__init__, "__kwdefaults__", {"wait_s": 0.1})
    make(tmp_path, "CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    db = sqlite3.connect(tmp_path / "app.db", isolation_level=None)
    db.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(EdgeliftError, match="locked") as caught:
            run_stage(start(), schema.STAGE)
    finally:
        db.close()
    assert len(caught.value.lines()) == 3
