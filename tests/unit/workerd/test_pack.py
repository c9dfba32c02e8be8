"""Collecting files and packing them."""

from __future__ import annotations

import os
import random
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelift.errors import TargetError
from edgelift.targets.workerd.container import read_container
from edgelift.targets.workerd.pack import (
    WORKER_PACKAGE,
    FileSet,
    add_adapter,
    add_folder,
    add_standard_library,
    build_pack,
    cached_path,
    deflate,
)

from .test_wasm import side_module


def unpack(pack: bytes) -> dict[str, bytes]:
    head, body = read_container(pack)
    found = {}
    for path, start, length, size in head["files"]:
        assert path.rpartition("/")[0] in head["directories"]
        stored = bytes(body[start : start + length])
        found[path] = stored if length == size else zlib.decompress(stored, -zlib.MAX_WBITS)
        assert len(found[path]) == size
    return found


def test_a_pack_holds_every_file_and_the_compiled_form_beside_it() -> None:
    files = {"/app/a.py": b"x = 1\n", "/app/data/empty": b"", "/lib/python3.14/b.py": b"y = 2\n"}
    compiled = {"/app/a.py": b"PYC-A", "/lib/python3.14/b.py": b"PYC-B", "/app/broken.py": b""}
    found = unpack(build_pack(files, compiled, frozenset({"/lib/python3.14/b.py"})))
    assert found == {
        "/app/a.py": b"x = 1\n",
        "/app/__pycache__/a.cpython-314.pyc": b"PYC-A",
        "/app/data/empty": b"",
        "/lib/python3.14/b.py": b"",
        "/lib/python3.14/__pycache__/b.cpython-314.pyc": b"PYC-B",
    }


@given(st.dictionaries(st.text("abc/", min_size=1), st.binary(max_size=2000), max_size=5))
def test_a_small_pack_holds_the_same(named: dict[str, bytes]) -> None:
    files = {f"/{name}": data * 3 for name, data in named.items()}
    assert unpack(build_pack(files, {}, small=True)) == files


def test_only_what_gets_clearly_shorter_is_deflated() -> None:
    noise = random.Random(1).randbytes(5000)
    assert deflate(noise) is noise
    assert deflate(b"x" * 100) == b"x" * 100
    assert len(deflate(b"x" * 5000)) < 100


def test_contents_are_aligned_so_that_views_can_be_used() -> None:
    head, _body = read_container(build_pack({"/a": b"1", "/b": b"22", "/c": b"3" * 9}, {}))
    assert [entry[1] % 8 for entry in head["files"]] == [0, 0, 0]


def test_cached_path_is_where_python_looks() -> None:
    assert cached_path("/app/pkg/__init__.py") == "/app/pkg/__pycache__/__init__.cpython-314.pyc"


def test_a_folder_is_taken_without_caches_and_type_files(tmp_path: Path) -> None:
    for name in ("app.py", "app.pyi", "old.pyc", "data.bin", "__pycache__/app.pyc", ".git/config"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "ünïcode").write_bytes(b"2")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    files = FileSet()
    add_folder(files, tmp_path, "/app")
    assert sorted(files.files) == ["/app/app.py", "/app/data.bin", "/app/ünïcode"]


def test_side_modules_become_stubs_and_other_libraries_stay(tmp_path: Path) -> None:
    (tmp_path / "native.so").write_bytes(side_module())
    (tmp_path / "host.so").write_bytes(b"\x7fELF")
    files = FileSet()
    add_folder(files, tmp_path, "/site")
    assert files.files["/site/host.so"] == b"\x7fELF"
    assert list(files.modules.values()) == [side_module()]
    assert len(files.files["/site/native.so"]) < len(side_module())


def test_the_digest_sees_names_contents_and_native_code() -> None:
    def digest(**added: bytes) -> str:
        files = FileSet()
        for name, data in added.items():
            files.add(f"/{name}", data)
        return files.digest()

    digests = [digest(a=b"1"), digest(b=b"1"), digest(a=b"2"), digest(a=b"1", b=b"1"), digest()]
    assert len(set(digests)) == len(digests)
    assert digest(a=b"1", b=b"2") == digest(b=b"2", a=b"1")
    assert FileSet({}, {"k": b""}).digest() != FileSet().digest()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    secret = tmp_path / "app.py"
    secret.write_text("x")
    secret.chmod(0)
    with pytest.raises(TargetError, match=r"app\.py cannot be read"):
        add_folder(FileSet(), tmp_path, "/app")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="gone does not exist"):
        add_folder(FileSet(), tmp_path / "gone", "/app")


def test_a_damaged_standard_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "python_stdlib.zip").write_bytes(b"no zip")
    with pytest.raises(TargetError, match="standard library"):
        add_standard_library(FileSet(), tmp_path)


def test_a_new_standard_library_whose_patches_do_not_match_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "python_stdlib.zip", "w") as archive:
        archive.writestr("ssl.py", "something else\n")
    with pytest.raises(TargetError, match=r"Pyodide's ssl\.py cannot be patched"):
        add_standard_library(FileSet(), tmp_path)


def test_the_adapter_is_all_of_edgelift_that_is_shipped() -> None:
    files = FileSet()
    add_adapter(files, WORKER_PACKAGE)
    prefix = "/lib/python3.14/site-packages/edgelift/"
    assert f"{prefix}worker/runtime.py" in files.files
    assert all(
        path.startswith((f"{prefix}worker/", f"{prefix}__init__.py")) for path in files.files
    )
