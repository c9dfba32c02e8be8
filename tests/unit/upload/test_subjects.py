"""What is loaded: the proven files of databases with the strategy `object`, each into its own object, or a plain error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgelift.errors import UsageError
from edgelift.journal import Journal
from edgelift.model.data_document import DataDocument, TableRecord
from edgelift.model.plan import DatabasePlan, Plan
from edgelift.model.upload_state import UploadOptions
from edgelift.project import read_project
from edgelift.run import Run
from edgelift.stages.data.upload import upload_all
from edgelift.stages.data.upload.subjects import list_subjects

SETTINGS = """name = "shop"
[[databases]]
name = "main"
url = "sqlite:///shop.db"
binding = "MAIN"
[[databases]]
name = "log"
url = "sqlite:///log.db"
binding = "LOG"
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    (tmp_path / ".edgelift").mkdir()
    (tmp_path / ".edgelift" / "edgelift.toml").write_text(SETTINGS)
    project = read_project(tmp_path)
    with closing(Journal(project.state / "journal.db")) as journal:
        yield Run(project, journal, journal.begin_run("data", "data"), tmp_path)


def plan(run: Run, **strategies: str) -> None:
    databases = tuple(
        DatabasePlan(
            name=name,
            url=f"sqlite:///{name}.db",
            binding=name.upper(),
            strategy=strategy,
            reason="",
        )
        for name, strategy in strategies.items()
    )
    run.journal.write_document("plan", Plan(placement="", placement_reason="", databases=databases))


def prove(run: Run, name: str, root: str = "r") -> Path:
    """Leave what data and schema leave of a moved database."""
    for ending in ("tables", "after"):
        file = run.project.folder("schema") / f"{name}.{ending}.sql"
        file.write_text(f"-- {ending}\n")
    file = run.project.folder("data", "target") / f"{name}.sqlite"
    file.write_bytes(b"x" * 100)
    status = file.stat()
    tables = {"t": TableRecord(rows=1, hash="0")}
    document = DataDocument(
        tables=tables, root=root, size_bytes=status.st_size, modified_ns=status.st_mtime_ns
    )
    run.journal.write_document(f"data:{name}", document)
    return file


def test_each_object_gets_its_own_file(run: Run) -> None:
    plan(run, main="object", log="object")
    for name in ("main", "log"):
        prove(run, name)
    main, log = list_subjects(run)
    assert (main.member.object_name, log.member.object_name) == ("MAIN", "LOG")
    assert main.file.name == "main.sqlite"
    assert main.identity != log.identity


def test_a_d1_is_loaded_by_its_own_binding(run: Run) -> None:
    plan(run, main="d1", log="object", stays="hyperdrive")
    for name in ("main", "log"):
        prove(run, name)
    found = [(s.member.name, s.strategy, s.member.object_name) for s in list_subjects(run)]
    assert found == [("main", "d1", "MAIN"), ("log", "object", "LOG")]


def test_the_identity_follows_rows_and_schema(run: Run) -> None:
    plan(run, main="object")
    prove(run, "main")
    first = list_subjects(run)[0].identity
    assert list_subjects(run)[0].identity == first
    prove(run, "main", root="other rows")
    second = list_subjects(run)[0].identity
    (run.project.state / "schema" / "main.after.sql").write_text("CREATE INDEX i ON t(a);")
    assert len({first, second, list_subjects(run)[0].identity}) == 3


@pytest.mark.parametrize("strategies", [{}, {"main": "hyperdrive"}])
def test_without_a_database_that_moves_there_is_nothing_to_load(
    run: Run, strategies: dict[str, str]
) -> None:
    plan(run, **strategies)
    with pytest.raises(UsageError, match="no database to load") as raised:
        list_subjects(run)
    assert "edgelift plan" in raised.value.tip


def test_a_database_that_was_not_moved(run: Run) -> None:
    plan(run, main="object")
    with pytest.raises(UsageError, match="was not moved yet") as raised:
        list_subjects(run)
    assert "edgelift data" in raised.value.tip


@pytest.mark.parametrize("change", ["grown", "touched"])
def test_a_file_that_is_not_the_proven_one(run: Run, change: str) -> None:
    plan(run, main="object")
    file = prove(run, "main")
    if change == "grown":
        file.write_bytes(b"x" * 101)
    else:
        run.journal.write_document(
            "data:main", DataDocument(tables={}, root="r", size_bytes=100, modified_ns=1)
        )
    with pytest.raises(UsageError, match="not the one that was proven"):
        list_subjects(run)


def test_the_secret_is_asked_for_before_anything_else(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGELIFT_LOAD_SECRET", raising=False)
    with pytest.raises(UsageError, match="no secret") as raised:
        upload_all(run, UploadOptions(url="https://shop-sql.example.org"))
    assert "is not set" in raised.value.why
