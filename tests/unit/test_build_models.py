"""What the build says about exported models, and when it exports again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgelift.journal import Journal
from edgelift.model.estimators import ExportedModel, ModelProof
from edgelift.model.findings import Level, Status
from edgelift.project import AppSection, Project, Settings
from edgelift.run import Run
from edgelift.sources import estimators
from edgelift.stages.build.models import check_models, export_models, find_refusals


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    settings = Settings(name="x", app=AppSection(framework="flask", entry="app:app"))
    project = Project(tmp_path, settings, tmp_path / "edgelift.toml")
    journal = Journal(project.state / "journal.db")
    yield Run(project, journal, journal.begin_run("build", ""), tmp_path)
    journal.close()


def proof(*differences: str) -> ModelProof:
    return ModelProof(
        rows=10, captured=0, methods=("predict",), tree_rows=5, leaves=2, leaves_reached=2,
        refusals=1, ties=0, max_difference=1e-16, differences=differences,
    )  # fmt: skip


EQUAL = ExportedModel(path="a.joblib", kind="k", size=1, proofs=(proof(),))
UNEQUAL = ExportedModel(path="b.joblib", kind="k", size=1, proofs=(proof("row 3: 1.0, 2.0"),))
REFUSED = ExportedModel(path="c.joblib", kind="k", refusal="no counterpart for KMeans")


@pytest.mark.parametrize(
    ("models", "status", "detail"),
    [
        ((), Status.SKIPPED, ()),
        ((EQUAL,), Status.PASS, ()),
        ((EQUAL, UNEQUAL), Status.FAIL, ("b.joblib: row 3: 1.0, 2.0",)),
        ((EQUAL, REFUSED), Status.NOT_RUN, ("c.joblib: no counterpart for KMeans",)),
    ],
)
def test_the_check(run: Run, models: tuple, status: Status, detail: tuple) -> None:
    check = check_models(run, models)
    assert (check.status, check.detail) == (status, detail)
    assert check.counts["models"] == len(models)


def test_refusals_block() -> None:
    (finding,) = find_refusals((EQUAL, REFUSED))
    assert (finding.level, finding.path) == (Level.ERROR, "c.joblib")
    assert "KMeans" in finding.message


def test_nothing_is_exported_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def export(
        _root: Path, files: tuple[str, ...], _python: Path, out: Path, _note: object
    ) -> list:
        calls.extend(files)
        (out / "a.joblib").parent.mkdir(parents=True, exist_ok=True)
        (out / "a.joblib").write_bytes(b"1")
        return [EQUAL]

    monkeypatch.setattr(estimators, "export_estimators", export)
    model = run.project.root / "a.joblib"
    model.write_bytes(b"first")
    for _ in range(2):
        assert export_models(run, ("a.joblib",), Path("python")) == (EQUAL,)
    assert calls == ["a.joblib"]
    model.write_bytes(b"second")
    export_models(run, ("a.joblib",), Path("python"))
    assert len(calls) == 2
    (run.project.state / "build/models/a.joblib").unlink()
    export_models(run, ("a.joblib",), Path("python"))
    assert len(calls) == 3
    (run.project.state / "build/models.json").write_text("{")
    export_models(run, ("a.joblib",), Path("python"))
    assert len(calls) == 4
