"""Writing the generated project: user's edits stay, killed builds go on, the origin is copied exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.errors import OriginError, TargetError
from edgelift.stages.build import tree
from edgelift.stages.build.tree import read_manifest, stamp_tree, write_tree


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "worker"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return tmp_path / "state/manifest.json"


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_bytes_and_files_are_written(tmp_path: Path, folder: Path, manifest: Path) -> None:
    (tmp_path / "source").write_bytes(b"\r\n\x00")
    done: list[tuple[int, int]] = []
    outcome = write_tree(
        folder, manifest, {"a": b"1", "b/c": tmp_path / "source"}, lambda *n: done.append(n)
    )
    assert contents(folder) == {"a": b"1", "b/c": b"\r\n\x00"}
    assert outcome.edited == []
    assert done == [(1, 2), (2, 2)]


def test_a_new_version_replaces_and_removes_what_was_generated(
    folder: Path, manifest: Path
) -> None:
    write_tree(folder, manifest, {"a": b"1", "gone/x": b"2"})
    outcome = write_tree(folder, manifest, {"a": b"new"})
    assert contents(folder) == {"a": b"new"}
    assert not (folder / "gone").exists()
    assert outcome.edited == []


def test_what_the_user_changed_stays_for_ever_and_is_told(folder: Path, manifest: Path) -> None:
    write_tree(folder, manifest, {"a": b"1", "b": b"1"})
    (folder / "a").write_bytes(b"mine")
    for content in (b"1", b"2", b"3"):
        outcome = write_tree(folder, manifest, {"a": content, "b": content})
        assert outcome.edited == ["a"]
        assert contents(folder) == {"a": b"mine", "b": content}
    (folder / "a").unlink()
    assert write_tree(folder, manifest, {"a": b"3", "b": b"3"}).edited == []
    assert contents(folder)["a"] == b"3"


def test_a_changed_file_that_is_no_longer_generated_stays(folder: Path, manifest: Path) -> None:
    write_tree(folder, manifest, {"a": b"1", "b": b"1"})
    (folder / "b").write_bytes(b"mine")
    assert write_tree(folder, manifest, {"a": b"1"}).edited == ["b"]
    assert contents(folder)["b"] == b"mine"


def test_files_of_the_user_are_not_touched(folder: Path, manifest: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_bytes(b"mine")
    (folder / "a").write_bytes(b"mine too")
    assert write_tree(folder, manifest, {"a": b"1"}).edited == ["a"]
    assert contents(folder) == {"a": b"mine too", "notes.txt": b"mine"}


@pytest.mark.parametrize("moment", range(6))
def test_a_build_killed_at_any_moment_ends_the_same(
    folder: Path, manifest: Path, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(folder, manifest, {"a": b"1", "b": b"1", "gone": b"1"})
    calls = 0
    real = Path.replace

    def killed(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls > moment:
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "replace", killed)
    wanted = {"a": b"2", "b": b"2", "c": b"2"}
    try:
        write_tree(folder, manifest, wanted)
    except KeyboardInterrupt:
        assert moment < 5
    monkeypatch.undo()
    # Before the next try the origin changed once more: half-done work is not taken for an edit.
    outcome = write_tree(folder, manifest, {**wanted, "a": b"3"})
    assert outcome.edited == []
    assert contents(folder) == {**wanted, "a": b"3"}


def test_a_lost_manifest_destroys_nothing(folder: Path, manifest: Path) -> None:
    write_tree(folder, manifest, {"a": b"1", "b": b"1"})
    manifest.write_bytes(b"{")
    assert read_manifest(manifest) == {}
    assert write_tree(folder, manifest, {"a": b"2", "b": b"1"}).edited == ["a"]


def test_a_missing_source_is_told(tmp_path: Path, folder: Path, manifest: Path) -> None:
    with pytest.raises(OriginError, match="cannot be read"):
        write_tree(folder, manifest, {"a": tmp_path / "nowhere"})


def test_a_folder_that_cannot_be_written_is_told(
    folder: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tree, "_write", full)
    with pytest.raises(TargetError, match="cannot be written"):
        write_tree(folder, manifest, {"a": b"1"})


def test_the_stamp_sees_any_touch(folder: Path, manifest: Path) -> None:
    write_tree(folder, manifest, {"a": b"1", "b/c": b"1"})
    before = stamp_tree(folder)
    assert stamp_tree(folder) == before
    (folder / "b/d").write_bytes(b"")
    assert stamp_tree(folder) != before
