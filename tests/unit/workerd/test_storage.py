"""Where database files lie, the shared cache, and reading a bundle's record."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgelift.errors import TargetError
from edgelift.targets.workerd import Bundle, d1_file, read_bundle
from edgelift.targets.workerd.runtime_cache import RuntimeCache, open_cache
from edgelift.toolchain import Toolchain


def test_a_database_file_is_named_by_its_binding(tmp_path: Path) -> None:
    one, two = d1_file(tmp_path, "DB"), d1_file(tmp_path, "OTHER")
    assert one.parent == tmp_path / "databases" / "edgelift-D1"
    assert one.parent.is_dir()
    assert one != two
    assert len(one.stem) == 64
    assert d1_file(tmp_path, "DB") == one


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(TargetError, match="cannot be made"):
        d1_file(tmp_path / "state", "DB")


def test_the_cache_gives_back_what_it_keeps(tmp_path: Path) -> None:
    cache = RuntimeCache(tmp_path / "cache")
    assert cache.read_recorded() == {}
    cache.keep_recorded({"0061": b"\0a"})
    cache.keep_recorded({"0061": b"\0a"})
    assert cache.read_recorded() == {"0061": b"\0a"}
    assert cache.read_compiled("/app/a.py", b"x") is None
    cache.keep_compiled("/app/a.py", b"x", b"PYC")
    cache.keep_compiled("/app/b.py", b"x", b"")
    assert cache.read_compiled("/app/a.py", b"x") == b"PYC"
    assert cache.read_compiled("/app/b.py", b"x") == b""
    assert cache.read_compiled("/app/a.py", b"y") is None
    assert not list((tmp_path / "cache").rglob(".new-*"))


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(TargetError, match="cache cannot be written"):
        RuntimeCache(tmp_path / "cache").keep_compiled("/a.py", b"", b"PYC")


def test_a_damaged_pyodide_is_named(tmp_path: Path) -> None:
    missing = Toolchain(tmp_path, tmp_path / "node", tmp_path / "workerd", tmp_path / "pyodide")
    with pytest.raises(TargetError, match=r"package\.json cannot be read"):
        open_cache(missing)


def write_record(out: Path, **changed: object) -> None:
    bundle = Bundle(out=out, snapshot=True, snapshot_error="", inputs="x", databases=("DB",))
    record = {**msgspec.to_builtins(bundle, enc_hook=str), **changed}
    out.mkdir(exist_ok=True)
    (out / "bundle.json").write_bytes(msgspec.json.encode(record))
    (out / "config.bin").write_bytes(b"")


def test_a_record_comes_back_with_the_folder_it_lies_in(tmp_path: Path) -> None:
    write_record(tmp_path / "made")
    (tmp_path / "made").rename(tmp_path / "moved")
    bundle = read_bundle(tmp_path / "moved")
    assert bundle is not None
    assert (bundle.out, bundle.databases) == (tmp_path / "moved", ("DB",))


def test_no_damaged_or_foreign_record_is_taken_for_a_bundle(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert read_bundle(out) is None
    write_record(out, format=0)
    assert read_bundle(out) is None
    write_record(out, snapshot="yes")
    assert read_bundle(out) is None
    write_record(out)
    assert read_bundle(out) is not None
    (out / "config.bin").unlink()
    assert read_bundle(out) is None
    (out / "bundle.json").write_bytes(b'{"out": ')
    assert read_bundle(out) is None
