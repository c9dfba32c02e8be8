"""The toolchain's cache: what counts as whole, where it lies, how npm's failures are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgelift.errors import TargetError, TargetUnavailable, UsageError
from edgelift.toolchain import cache_root, npm
from edgelift.toolchain.install import find_node, find_npm
from edgelift.toolchain.npm import PARTS, PartFolder, explain_npm, find_part


@pytest.fixture
def part(tmp_path: Path) -> PartFolder:
    return PartFolder("runtime", tmp_path, ("bin/workerd",))


def make_whole(part: PartFolder) -> None:
    (part.final / "bin").mkdir(parents=True)
    (part.final / "bin/workerd").write_bytes(b"12345")
    (part.final / npm.MARKER).write_text(json.dumps({"sizes": {"bin/workerd": 5}}))


def test_a_whole_part_is_found(part: PartFolder) -> None:
    assert find_part(part) is None
    make_whole(part)
    assert find_part(part) == part.final


@pytest.mark.parametrize(
    "damage", ["no marker", "bad marker", "short file", "no file", "old marker"]
)
def test_a_damaged_part_is_not_found(part: PartFolder, damage: str) -> None:
    make_whole(part)
    if damage == "no marker":
        (part.final / npm.MARKER).unlink()
    elif damage == "bad marker":
        (part.final / npm.MARKER).write_text("{")
    elif damage == "short file":
        (part.final / "bin/workerd").write_bytes(b"123")
    elif damage == "no file":
        (part.final / "bin/workerd").unlink()
    else:
        (part.final / npm.MARKER).write_text("[]")
    assert find_part(part) is None


@pytest.mark.parametrize("name", ["runtime", "wrangler"])
def test_lock_files_pin_every_package_and_name_no_registry(name: str) -> None:
    text = (PARTS / name / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert len(packages) > 5
    assert all("integrity" in entry for path, entry in packages.items() if path)
    assert "resolved" not in text
    assert ".tgz" not in text


@pytest.mark.parametrize(
    ("output", "kind", "word"),
    [
        (
            "npm error code ENOTFOUND\nnpm error network request failed",
            TargetUnavailable,
            "network",
        ),
        ("npm error code ETIMEDOUT", TargetUnavailable, "offline"),
        ("npm error code EINTEGRITY\nnpm error sha512-a wanted", TargetError, "not the one"),
        ("npm error code ENOSPC\nnpm error no space left", TargetError, "no space left"),
        ("", TargetError, "gave no reason"),
    ],
)
def test_npm_failures_become_three_lines(output: str, kind: type, word: str) -> None:
    error = explain_npm("runtime", output)
    assert type(error) is kind
    assert len(error.lines()) == 3
    assert word in str(error)


def test_node_and_npm_come_with_the_python_package() -> None:
    assert find_node().is_file()
    assert find_npm().is_file()


def test_the_cache_follows_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGELIFT_CACHE", str(tmp_path / "deep/cache"))
    assert cache_root() == tmp_path / "deep/cache"
    assert cache_root().is_dir()


def test_a_cache_that_cannot_be_made_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGELIFT_CACHE", str(tmp_path / "file/cache"))
    with pytest.raises(UsageError, match="cannot be made"):
        cache_root()
