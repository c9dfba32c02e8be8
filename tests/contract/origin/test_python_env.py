"""The origin's Python: configured, its own, or made; offline reuse, killed installs, bad files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edgelift.errors import OriginError, OriginUnavailable, UsageError
from edgelift.project import AppSection, Project, Settings
from edgelift.sources import python_env
from edgelift.sources.origin_copy import copy_origin
from edgelift.sources.python_env import ensure_origin_python, find_missing, read_distributions
from edgelift.targets.packages.requirements import RequirementLine


def make(folder: Path, *requirements: str, python: str | None = None) -> Project:
    app = AppSection(framework="flask", entry="app:app", requirements=requirements, python=python)
    return Project(folder, Settings(name="x", app=app), folder / "edgelift.toml")


def silent(_text: str) -> None:
    pass


def test_a_configured_python_is_used_and_its_link_kept(tmp_path: Path) -> None:
    (tmp_path / "py").symlink_to(sys.executable)
    found = ensure_origin_python(make(tmp_path, python="py"), silent)
    assert found == tmp_path / "py"


@pytest.mark.parametrize("python", ["none/bin/python", "app.py", "no-such-program"])
def test_a_configured_python_that_does_not_run(python: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x")
    with pytest.raises(UsageError, match="does not run"):
        ensure_origin_python(make(tmp_path, python=python), silent)


def test_the_projects_own_environment_when_it_has_the_requirements(tmp_path: Path) -> None:
    (tmp_path / "venv").symlink_to(Path(sys.prefix))
    (tmp_path / "r.txt").write_text("flask>=3\n-r more.txt\n")
    (tmp_path / "more.txt").write_text("click  # comment\nnever==1; sys_platform == 'win32'\n")
    found = ensure_origin_python(make(tmp_path, "r.txt"), silent)
    assert found == tmp_path / "venv" / "bin" / "python"


def test_missing_and_outdated_requirements_are_named() -> None:
    lines = [RequirementLine(t) for t in ("flask>=3", "no-such-thing", "click<1", "./local")]
    assert find_missing(Path(sys.executable), lines) == ["no-such-thing", "click"]
    assert find_missing(Path("/nowhere/python"), lines) == ["a Python that runs"]


def test_one_is_made_once_and_again_only_for_other_requirements(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("itsdangerous\n")
    project = make(tmp_path, "r.txt")
    notes: list[str] = []
    python = ensure_origin_python(project, notes.append)
    assert "itsdangerous" in (read_distributions(python) or {})
    assert len(notes) == 1
    assert ensure_origin_python(project, notes.append) == python
    assert len(notes) == 1
    (tmp_path / "r.txt").write_text("# nothing\n")
    ensure_origin_python(project, notes.append)
    assert len(notes) == 2
    assert "itsdangerous" not in (read_distributions(python) or {})


def test_it_is_reused_without_uv(tmp_path: Path, monkeypatch) -> None:
    project = make(tmp_path)
    python = ensure_origin_python(project, silent)
    monkeypatch.setattr(python_env, "_run_uv", lambda *_: pytest.fail("uv was called"))
    assert ensure_origin_python(project, silent) == python


def test_a_killed_installation_is_made_anew(tmp_path: Path) -> None:
    project = make(tmp_path)
    python = ensure_origin_python(project, silent)
    (python.parents[1] / "edgelift.complete").unlink()
    (python.parents[1] / "half").write_text("x")
    assert ensure_origin_python(project, silent) == python
    assert not (python.parents[1] / "half").exists()
    assert (python.parents[1] / "edgelift.complete").exists()


def test_an_environment_that_was_damaged_is_made_anew(tmp_path: Path) -> None:
    project = make(tmp_path)
    python = ensure_origin_python(project, silent)
    python.unlink()
    assert read_distributions(ensure_origin_python(project, silent)) is not None


def test_the_resolver_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text("itsdangerous>=999\n")
    with pytest.raises(OriginError) as raised:
        ensure_origin_python(make(tmp_path, "r.txt"), silent)
    assert "itsdangerous" in raised.value.why
    assert len(raised.value.lines()) == 3
    assert not (tmp_path / ".edgelift" / "origin-venv" / "edgelift.complete").exists()


def test_a_missing_requirement_file(tmp_path: Path) -> None:
    with pytest.raises(OriginError, match="cannot be read"):
        ensure_origin_python(make(tmp_path, "gone.txt"), silent)


def test_an_editable_install_leaves_the_origin_clean(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "case-app"\nversion = "1.5"\n[tool.setuptools]\npy-modules = ["app"]\n'
    )
    (tmp_path / "app.py").write_text("x = 1\n")
    (tmp_path / "r.txt").write_text("-e .\n")
    python = ensure_origin_python(make(tmp_path, "r.txt"), silent)
    assert (read_distributions(python) or {}).get("case-app") == "1.5"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".edgelift") == [
        "app.py",
        "pyproject.toml",
        "r.txt",
    ]


def test_a_copy_has_files_modes_and_empty_folders(tmp_path: Path) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    (origin / "uploads").mkdir(parents=True)
    (origin / "__pycache__").mkdir()
    (origin / "__pycache__" / "a.pyc").write_text("x")
    (origin / "run.sh").write_text("x")
    (origin / "run.sh").chmod(0o755)
    (origin / "link.txt").symlink_to("run.sh")
    (origin / "out").symlink_to("/etc")
    (copy / "old").mkdir(parents=True)
    assert copy_origin(make(origin), copy) == copy
    assert sorted(p.name for p in copy.iterdir()) == ["link.txt", "run.sh", "uploads"]
    assert os.access(copy / "run.sh", os.X_OK)
    assert not (copy / "link.txt").is_symlink()


def test_a_database_in_use_is_copied_whole(tmp_path: Path) -> None:
    import sqlite3

    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.mkdir()
    db = sqlite3.connect(origin / "a.db")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE t (n)")
    db.execute("INSERT INTO t VALUES (7)")
    db.commit()
    copy_origin(make(origin), copy)
    db.close()
    assert [p.name for p in copy.iterdir()] == ["a.db"]
    other = sqlite3.connect(copy / "a.db")
    assert other.execute("SELECT n FROM t").fetchall() == [(7,)]
    other.close()


def test_a_damaged_database_in_use_is_copied_as_it_lies_there(tmp_path: Path) -> None:
    origin, copy = tmp_path / "origin", tmp_path / "copy"
    origin.mkdir()
    (origin / "a.db").write_bytes(b"SQLite format 3\0" + bytes(500))
    (origin / "a.db-wal").write_bytes(b"x")
    copy_origin(make(origin), copy)
    assert (copy / "a.db").read_bytes() == (origin / "a.db").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("x")
    (tmp_path / "secret.txt").chmod(0)
    with pytest.raises(OriginError, match=r"secret\.txt"):
        copy_origin(make(tmp_path), tmp_path.parent / "copy")


@pytest.mark.parametrize(
    ("said", "kind", "tip"),
    [
        ("cause: No space left on device (os error 28)", OriginError, "free space"),
        ("error: No interpreter found for Python >=3.99", OriginError, "requires-python"),
        ("cause: dns error", OriginUnavailable, "network"),
        ("No solution found when resolving", OriginError, "mend the requirement files"),
    ],
)
def test_the_tip_fits_what_uv_said(said: str, kind: type[OriginError], tip: str) -> None:
    judged, advice = python_env._judge_output(said)
    assert judged is kind
    assert tip in advice


def test_another_python_is_looked_for_only_when_the_project_wants_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(python_env, "_run_uv", lambda arguments, _cwd: asked.append(arguments))
    project = make(tmp_path)
    (tmp_path / ".edgelift" / "origin-venv").mkdir(parents=True)
    for wanted in (
        "",
        'requires-python = ">=3.10"',
        'requires-python = ">=3.99"',
        "requires-python=3",
    ):
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{wanted}\n')
        ensure_origin_python(project, silent)
        (tmp_path / ".edgelift" / "origin-venv" / "edgelift.complete").unlink()
    own = sys.executable
    assert [call[call.index("--python") + 1] for call in asked] == [own, own, ">=3.99", own]


def test_without_a_network_uvs_cache_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def run(arguments: list[str], _cwd: Path) -> None:
        asked.append("--offline" in arguments)
        if arguments[0] == "pip" and (not asked[-1] or lacking):
            raise OriginUnavailable(
                "x", why="the network is down" if not asked[-1] else "not cached"
            )

    monkeypatch.setattr(python_env, "_run_uv", run)
    (tmp_path / "r.txt").write_text("flask\n")
    (tmp_path / ".edgelift" / "origin-venv").mkdir(parents=True)
    lacking = False
    ensure_origin_python(make(tmp_path, "r.txt"), silent)
    assert asked == [False, False, True]
    lacking = True
    (tmp_path / "r.txt").write_text("flask>=1\n")
    with pytest.raises(OriginUnavailable, match="the network is down"):
        ensure_origin_python(make(tmp_path, "r.txt"), silent)
