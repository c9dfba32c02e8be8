"""The files stage: what is copied, proven, removed again, and refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelift.errors import BlockersFound, OriginError
from edgelift.journal import Journal
from edgelift.model.findings import Status
from edgelift.project import AcceptSection, AppSection, Project, Settings, StaticSection
from edgelift.run import Run, run_stage
from edgelift.stages.files import STAGE, listing


@pytest.fixture
def make_run() -> Iterator[Callable[..., Run]]:
    journals: list[Journal] = []

    def make(root: Path, *sections: tuple[str, str], accept: tuple[str, ...] = ()) -> Run:
        settings = Settings(
            name="x",
            app=AppSection(framework="flask", entry="app:app"),
            static=tuple(StaticSection(path=path, url=url) for path, url in sections),
            accept=AcceptSection(rules=accept),
        )
        project = Project(root, settings, root / "edgelift.toml")
        journals.append(Journal(project.state / "journal.db"))
        return Run(project, journals[-1], journals[-1].begin_run("files", ""), root)

    yield make
    for journal in journals:
        journal.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "static/css").mkdir(parents=True)
    (tmp_path / "static/css/a.css").write_text("body {}")
    (tmp_path / "static/ü b.txt").write_bytes(b"\x00\xff")
    return tmp_path


def public(run: Run) -> dict[str, bytes]:
    folder = run.project.state / "build/worker/public"
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_files_lie_under_their_url_and_are_proven(make_run: Callable[..., Run], root: Path) -> None:
    run = make_run(root, ("static", "/assets/"))
    run_stage(run, STAGE)
    assert public(run) == {"assets/css/a.css": b"body {}", "assets/ü b.txt": b"\x00\xff"}
    (check,) = run.journal.read_checks("files")
    assert (check.status, check.counts) == (Status.PASS, {"files_equal": 2, "files": 2, "bytes": 9})
    assert set(run.journal.read_document("files", dict[str, str])) == set(public(run))


def test_without_static_folders_the_check_is_skipped(
    make_run: Callable[..., Run], root: Path
) -> None:
    run = make_run(root)
    run_stage(run, STAGE)
    assert run.journal.read_checks("files")[0].status is Status.SKIPPED


def test_a_second_run_is_skipped_until_something_changes(
    make_run: Callable[..., Run], root: Path
) -> None:
    run = make_run(root, ("static", "/"))
    run_stage(run, STAGE)
    before = run.journal.read_step("files")
    run_stage(run, STAGE)
    assert run.journal.read_step("files") == before
    (root / "static/css/a.css").write_text("p {}")
    run_stage(run, STAGE)
    assert public(run)["css/a.css"] == b"p {}"


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_damage_in_the_copy_is_seen_and_mended(
    make_run: Callable[..., Run], root: Path, damage: str
) -> None:
    run = make_run(root, ("static", "/"))
    run_stage(run, STAGE)
    copy = run.project.state / "build/worker/public/css/a.css"
    copy.write_text("bodY {}") if damage == "flip" else copy.unlink()
    assert not STAGE.intact(run)
    run_stage(run, STAGE)
    assert copy.read_text() == "body {}"


def test_files_that_the_origin_dropped_go_and_those_of_the_user_stay(
    make_run: Callable[..., Run], root: Path
) -> None:
    run = make_run(root, ("static", "/s"))
    run_stage(run, STAGE)
    (run.project.state / "build/worker/public/robots.txt").write_text("mine")
    (root / "static/css/a.css").unlink()
    run_stage(run, STAGE)
    assert set(public(run)) == {"robots.txt", "s/ü b.txt"}
    assert not (run.project.state / "build/worker/public/s/css").exists()


def test_a_killed_run_leaves_nothing_that_a_later_one_cannot_remove(
    make_run: Callable[..., Run], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(root, ("static", "/"))

    def killed(_what: str, done: int, _total: int | None = None) -> None:
        if done == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "progress", killed)
    with pytest.raises(KeyboardInterrupt):
        run_stage(run, STAGE)
    assert len(public(run)) == 1
    monkeypatch.undo()
    (root / "static/css/a.css").unlink()
    run_stage(run, STAGE)
    assert set(public(run)) == {"ü b.txt"}


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "nowhere"])
def test_links_that_lead_nowhere_or_outside_are_refused(
    make_run: Callable[..., Run], root: Path, target: str
) -> None:
    (root.parent / "outside").write_text("secret")
    (root / "static/link").symlink_to(target if target != "../outside" else root.parent / "outside")
    run = make_run(root, ("static", "/"))
    with pytest.raises(BlockersFound, match="static files cannot be lifted"):
        run_stage(run, STAGE)
    assert public(run) == {}
    assert run.journal.read_checks("files")[0].status is Status.FAIL
    accepting = make_run(root, ("static", "/"), accept=("FILES-LINK",))
    run_stage(accepting, STAGE)
    assert "link" not in public(accepting)


def test_links_inside_the_project_are_followed_once(
    make_run: Callable[..., Run], root: Path
) -> None:
    (root / "shared").mkdir()
    (root / "shared/logo.svg").write_text("<svg/>")
    (root / "static/img").symlink_to(root / "shared")
    (root / "static/css/loop").symlink_to(root / "static")
    run = make_run(root, ("static", "/"))
    run_stage(run, STAGE)
    assert public(run)["img/logo.svg"] == b"<svg/>"


def test_large_files_and_control_files_are_told(
    make_run: Callable[..., Run], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MAX_FILE_BYTES", 4)
    (root / "static/_headers").write_text("")
    run = make_run(root, ("static", "/"), accept=("LIMIT-ASSET-SIZE",))
    run_stage(run, STAGE)
    rules = [finding.rule for finding in run.journal.read_findings("files")]
    assert rules == ["FILES-CONTROL", "LIMIT-ASSET-SIZE"]
    assert set(public(run)) == {"ü b.txt"}


def test_a_missing_folder_is_told_in_three_lines(make_run: Callable[..., Run], root: Path) -> None:
    with pytest.raises(OriginError) as caught:
        run_stage(make_run(root, ("nowhere", "/")), STAGE)
    assert len(caught.value.lines()) == 3


def test_an_unreadable_file_is_told(
    make_run: Callable[..., Run], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(root, ("static", "/"))
    real = Path.open

    def refuse(path: Path, *arguments, **options):
        if path.name == "a.css":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OriginError, match=r"a\.css cannot be read"):
        run_stage(run, STAGE)


def test_an_unreadable_folder_is_told(
    make_run: Callable[..., Run], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(root, ("static", "/"))
    real = os.scandir

    def refuse(path):
        if Path(path).name == "css":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(listing.os, "scandir", refuse)
    with pytest.raises(OriginError, match="css cannot be read"):
        run_stage(run, STAGE)


def test_two_files_with_one_url_are_told(make_run: Callable[..., Run], root: Path) -> None:
    (root / "more/css").mkdir(parents=True)
    (root / "more/css/a.css").write_text("other")
    with pytest.raises(OriginError, match="Two static files"):
        run_stage(make_run(root, ("static", "/s"), ("more", "/s")), STAGE)


def test_a_name_without_url_is_told(make_run: Callable[..., Run], root: Path) -> None:
    (root / "static" / os.fsdecode(b"\xff.txt")).write_text("")
    with pytest.raises(OriginError, match="no valid name"):
        run_stage(make_run(root, ("static", "/")), STAGE)
