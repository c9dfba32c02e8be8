"""Detection: small project trees, each with what init must find in `expected.toml`."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from edgelift.errors import EdgeliftError
from edgelift.project import parse_settings
from edgelift.stages.init import init_project

PROJECTS = sorted(p for p in (Path(__file__).parent / "projects").iterdir() if p.is_dir())


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not {".edgelift", ".venv"} & set(file.relative_to(folder).parts)
    }


@pytest.fixture
def copy_project(tmp_path: Path, frameworks: Path):
    """Return a function that copies a case project, with a Python that has its packages."""

    def copy(source: Path, *, own_venv: bool = True) -> Path:
        folder = tmp_path / source.name
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("expected.toml"))
        if own_venv:
            (folder / ".venv").symlink_to(frameworks)
        return folder

    return copy


@pytest.mark.parametrize("source", PROJECTS, ids=lambda source: source.name)
def test_finds_what_is_expected(source: Path, copy_project) -> None:
    expected = tomllib.loads((source / "expected.toml").read_text())
    folder = copy_project(source, own_venv=expected.get("own_venv", True))
    before = snapshot(folder)
    if "error" in expected:
        with pytest.raises(EdgeliftError) as raised:
            init_project(folder, note=lambda _: None)
        assert type(raised.value).__name__ == expected["error"]
        assert expected["says"] in str(raised.value)
        assert len(raised.value.lines()) == 3
        assert not (folder / ".edgelift" / "edgelift.toml").exists()
    else:
        result = init_project(folder, note=lambda _: None)
        check_settings(folder, expected)
        assert result.written
        assert list(result.others) == expected.get("others", [])
        for comment in expected.get("comments", []):
            assert any(comment in row for row in result.text.splitlines() if row.startswith("#"))
    assert snapshot(folder) == before


def check_settings(folder: Path, expected: dict) -> None:
    settings = parse_settings(folder / ".edgelift" / "edgelift.toml")
    app = settings.app
    found = {
        "framework": app.framework,
        "entry": app.entry,
        "root": app.root,
        "requirements": list(app.requirements),
    }
    assert found == {name: expected[name] for name in found}
    databases = [{"name": d.name, "url": d.url, "env": d.env} for d in settings.databases]
    assert databases == [{"env": None, **d} for d in expected.get("databases", [])]
    assert [[s.path, s.url] for s in settings.static] == expected.get("static", [])
    assert [[j.name, j.schedule, j.call] for j in settings.jobs] == expected.get("jobs", [])
    secrets = [name for name, variable in settings.env.items() if variable.secret]
    assert secrets == expected.get("secrets", [])
    if "tests" in expected:
        assert settings.tests is not None
        assert list(settings.tests.command) == expected["tests"]["command"]
        assert settings.tests.base_url_env == expected["tests"]["base_url_env"]
    else:
        assert settings.tests is None
    if "lines" in expected:
        written = (folder / ".edgelift" / "requirements.txt").read_text()
        assert written.splitlines() == expected["lines"]


def test_the_same_project_gives_the_same_bytes(copy_project) -> None:
    folder = copy_project(next(p for p in PROJECTS if p.name == "flask_factory"))
    first = init_project(folder, note=lambda _: None)
    again = init_project(folder, force=True, note=lambda _: None)
    assert again.text == first.text


def test_a_file_that_is_there_is_kept(copy_project) -> None:
    folder = copy_project(PROJECTS[-1] if "error" not in PROJECTS[-1].name else PROJECTS[0])
    (folder / "edgelift.toml").write_text("mine")
    result = init_project(folder, note=lambda _: None)
    assert (result.written, result.text) == (False, "mine")
    assert (folder / "edgelift.toml").read_text() == "mine"


def test_force_never_writes_the_users_own_file(copy_project) -> None:
    folder = copy_project(next(p for p in PROJECTS if p.name == "flask_plain"))
    (folder / "edgelift.toml").write_text("mine")
    notes: list[str] = []
    result = init_project(folder, force=True, note=notes.append)
    assert (folder / "edgelift.toml").read_text() == "mine"
    assert result.settings_path == folder / ".edgelift" / "edgelift.toml"
    assert any("is yours" in note for note in notes)


def test_the_state_folder_keeps_only_the_settings_in_git(copy_project) -> None:
    folder = copy_project(next(p for p in PROJECTS if p.name == "flask_plain"))
    init_project(folder, note=lambda _: None)
    lines = (folder / ".edgelift" / ".gitignore").read_text().splitlines()
    assert lines == ["*", "!.gitignore", "!edgelift.toml"]


def test_a_dry_run_writes_no_settings(copy_project) -> None:
    folder = copy_project(next(p for p in PROJECTS if p.name == "flask_plain"))
    result = init_project(folder, note=lambda _: None, dry_run=True)
    assert not result.written
    assert 'entry = "app:app"' in result.text
    assert not (folder / ".edgelift" / "edgelift.toml").exists()


def test_variables_without_a_default_are_written_as_they_are_now(
    copy_project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASE_PLACE", "here")
    monkeypatch.setenv("CASE_WORD_PASSWORD", "hidden")
    folder = copy_project(next(p for p in PROJECTS if p.name == "flask_plain"))
    (app,) = folder.glob("*.py")
    with app.open("a") as file:
        file.write(
            "\nclass BaseSettings: ...\n\nclass Settings(BaseSettings):\n    case_place: str\n"
            "    case_word_password: str\n    case_size: int = 3\n"
        )
    init_project(folder, note=lambda _: None)
    env = parse_settings(folder / ".edgelift" / "edgelift.toml").env
    assert env["CASE_PLACE"].value == "here"
    assert env["CASE_WORD_PASSWORD"].secret
    assert "CASE_SIZE" not in env
