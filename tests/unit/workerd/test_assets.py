"""The list of static files."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.targets.workerd.assets import content_type, list_assets


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.css", "text/css; charset=utf-8"),
        ("a.JS", "text/javascript; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.png", "image/png"),
        ("a.unknownkind", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ],
)
def test_content_types(name: str, expected: str) -> None:
    assert content_type(name) == expected


def test_files_are_stored_under_their_hash(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_bytes(b"same")
    (tmp_path / "static" / "b.txt").write_bytes(b"same")
    (tmp_path / "_redirects").write_bytes(b"/a /b")
    assets, contents = list_assets(tmp_path)
    assert sorted(assets) == ["/static/a.txt", "/static/b.txt"]
    name, kind, etag, size = assets["/static/a.txt"]
    assert contents == {name: b"same"}
    assert (kind, etag, size) == ("text/plain; charset=utf-8", f'"{name}"', 4)


def test_no_public_folder_means_no_assets(tmp_path: Path) -> None:
    assert list_assets(None) == ({}, {})
    assert list_assets(tmp_path / "gone") == ({}, {})
