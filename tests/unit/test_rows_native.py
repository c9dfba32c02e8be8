"""The native engine: its hashes, its slots of SQLite, long rows, and life without a compiler."""

from __future__ import annotations

import ctypes
import hashlib
import random
import re
import shutil
import struct
import subprocess
from pathlib import Path

import apsw
import pytest
import xxhash

from edgelift.errors import OriginError, TargetError, UsageError
from edgelift.rows import engine, native_engine
from edgelift.rows.engine import (
    choose_engine,
    describe_engine,
    hash_stream,
    load_chunk,
    open_target,
)
from edgelift.rows.hashing import LONG, hash_rows
from edgelift.rows.native import build
from edgelift.rows.ops import OPS
from tests.rows_streams import (
    ENGINES,
    NO_NATIVE,
    build_spec,
    cut,
    make_target,
    run_both,
    write_mysql,
    write_pg,
    write_pg_messages,
    write_sqlite,
)

native = pytest.mark.skipif(bool(NO_NATIVE), reason=f"no native engine: {NO_NATIVE}")


@native
def test_hash_is_that_of_the_python_engine_for_every_length() -> None:
    noise = random.Random(4).randbytes(20_000)
    db = apsw.Connection(":memory:")
    native_engine._ensure_loaded(db)
    for n in [*range(700), 1015, 1023, 1024, 1025, 1033, 2048, 2049, LONG, LONG + 1, 9999, 20_000]:
        value = noise[:n]
        row = db.execute("SELECT edgelift_hash(?1, ?1, 1.5, NULL, -7)", (value,)).fetchall()[0]
        assert row[0] % 2**64 == hash_rows([(value, value, 1.5, None, -7)])[1]


@native
def test_hash_tells_all_types_apart() -> None:
    db = apsw.Connection(":memory:")
    native_engine._ensure_loaded(db)
    values = [None, "", b"", 0, 0.0, -0.0, "0", b"0", 1, 1.0, "1", " ", "1 ", "a\0", "a"]
    hashes = {db.execute("SELECT edgelift_hash(?)", (v,)).fetchall()[0][0] for v in values}
    assert len(hashes) == len(values)
    assert db.execute("SELECT edgelift_hash(1) WHERE 0").fetchall() == [(0,)]


@native
def test_pack_writes_the_wire_sqlite() -> None:
    db = apsw.Connection(":memory:")
    native_engine._ensure_loaded(db)
    for row in [(1, 2.5, "é", b"\0", None), ("x" * 5000, b"y" * 5000), (None,)]:
        marks = ",".join("?" * len(row))
        packed = db.execute(f"SELECT edgelift_pack({marks})", row).fetchall()[0][0]
        assert packed + b"\xff" * 4 == write_sqlite([row])


HARNESS = """
#include "hashes.h"
uint64_t hash(const uint8_t *p, size_t n) { return el_hash(p, n); }
int sha1(int quick, const uint8_t *p, size_t n, uint8_t *out) {
    el_sha1_block chosen = quick ? el_choose_sha1() : el_sha1_portable;
    el_sha1_small(chosen, p, n, out);
    return chosen != el_sha1_portable;
}
"""


@native
def test_both_sha1_and_xxh3_against_other_implementations(tmp_path: Path) -> None:
    (tmp_path / "h.c").write_text(HARNESS)
    library = tmp_path / "h.so"
    compiler = build.find_compiler()
    if compiler is None:
        pytest.skip("no C compiler is installed")
    command = [
        compiler,
        *build.FLAGS,
        "-fvisibility=default",
        f"-I{build.FOLDER}",
        "-o",
        str(library),
    ]
    subprocess.run([*command, str(tmp_path / "h.c")], check=True, capture_output=True)
    loaded = ctypes.CDLL(str(library))
    loaded.hash.restype, loaded.hash.argtypes = ctypes.c_uint64, [ctypes.c_char_p, ctypes.c_size_t]
    loaded.sha1.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p]
    noise = random.Random(5).randbytes(5000)
    for n in range(1, 2100):
        assert loaded.hash(noise[:n], n) == xxhash.xxh3_64_intdigest(noise[:n])
    for quick in (0, 1):
        for n in range(56):
            out = ctypes.create_string_buffer(20)
            loaded.sha1(quick, noise[:n], n, out)
            assert out.raw == hashlib.sha1(noise[:n]).digest()


def test_slots_are_those_of_the_header() -> None:
    header = next(
        (
            p
            for p in (Path("/usr/include"), Path("/usr/local/include"))
            if (p / "sqlite3ext.h").is_file()
        ),
        None,
    )
    if header is None:
        pytest.skip("sqlite3ext.h is not installed")
    struct_text = (
        (header / "sqlite3ext.h")
        .read_text()
        .split("struct sqlite3_api_routines {")[1]
        .split("\n};")[0]
    )
    names = re.findall(
        r"\(\*\s*(\w+)\)\s*\(", re.sub(r"/\*.*?\*/", "", struct_text, flags=re.DOTALL)
    )
    # Arguments that are functions have no member name of their own; xFunc and the like are theirs.
    members = [name for name in names if not re.fullmatch(r"x[A-Z]\w*", name)]
    used = re.findall(
        r"#define sqlite3_(\w+)\s*\\?\s*EL_SLOT\((\d+),",
        (build.FOLDER / "sqlite_abi.h").read_text(),
    )
    assert len(used) == 20
    assert {name: members.index(name) for name, _ in used} == {
        name: int(slot) for name, slot in used
    }


def test_op_numbers_follow_the_table() -> None:
    assert tuple(OPS) == (*native_engine.OPS, "refused")


@native
def test_a_malformed_plan_is_refused() -> None:
    db = apsw.Connection(":memory:")
    native_engine._ensure_loaded(db)
    good = native_engine.encode_plan(native_engine_plan())
    for bad in [
        "",
        "'",
        "''",
        "'0'",
        "'zz'",
        f"'{good[:-2]}'",
        f"'{good}00'",
        f"'09{good[2:]}'",
        f"'{good}', 1",
    ]:
        with pytest.raises(apsw.Error):
            db.execute(f"CREATE VIRTUAL TABLE temp.x USING edgelift_rows({bad})")
    for at in range(0, len(good), 2):  # every byte set to 255: refused or harmless
        changed = good[:at] + "ff" + good[at + 2 :]
        try:
            db.execute(f"CREATE VIRTUAL TABLE temp.x USING edgelift_rows('{changed}')")
            db.execute("DROP TABLE temp.x")
        except apsw.Error:
            continue


def native_engine_plan():
    from edgelift.rows.plan import build_plan

    return build_plan(build_spec("pgcopy", ("int", ""), ("text", "")))


@native
def test_a_chunk_must_be_a_blob_and_is_read_once_at_a_time() -> None:
    db = apsw.Connection(":memory:")
    with native_engine._reader(db, native_engine_plan()) as name:
        with pytest.raises(apsw.SQLError, match="a chunk is a BLOB"):
            db.execute(f"SELECT * FROM {name}('text')").fetchall()
        stream = write_pg([(b"\0\1", b"x")] * 3)
        with pytest.raises(apsw.SQLError, match="being read already"):
            db.execute(f"SELECT * FROM {name}(?1) a, {name}(?1) b", (stream,)).fetchall()


@native
@pytest.mark.parametrize("extra", [0, 1, 250])
def test_packets_beyond_16_mb(extra: int) -> None:
    long = b"x" * (0xFFFFFF - 9 - 1 + extra)
    spec = build_spec("mysql", ("text", ""), ("int", ""))
    stream = write_mysql([(long, b"1"), (b"short", b"2"), (long + long[:100_000], b"3")])
    rows, result = run_both(spec, stream, 1_000_000)
    assert result.rows == 3
    assert len(rows[2][0][1]) == len(long) + 100_002


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("wire", ["pgcopy", "mysql", "sqlite"])
def test_a_row_over_the_limit_is_refused_before_it_is_held(engine_name: str, wire: str) -> None:
    head = {
        "pgcopy": write_pg([])[:-2] + struct.pack(">hi", 1, 2**31 - 1),
        "mysql": b"\xff\xff\xff\0\xfe" + (2**30).to_bytes(8, "little"),
        "sqlite": struct.pack("<I", 2**31),
    }[wire]
    pulled = 0

    def endless():
        nonlocal pulled
        yield head
        filler = b"\xff\xff\xff\0" + b"z" * 0xFFFFFF if wire == "mysql" else b"z" * 2**20
        if wire == "mysql":
            yield b"z" * (0xFFFFFF - 9)
        while True:
            pulled += len(filler)
            yield filler

    with pytest.raises(OriginError, match="a row has more than 33554432 bytes"):
        hash_stream(build_spec(wire, ("blob", "")), endless(), engine_name)
    assert pulled <= 50 * 2**20


@pytest.mark.parametrize("engine_name", ENGINES)
def test_a_failed_chunk_leaves_no_row_and_no_transaction(tmp_path: Path, engine_name: str) -> None:
    db = open_target(tmp_path / "t.sqlite", durable=True)
    db.execute("CREATE TABLE t (f0 INTEGER PRIMARY KEY, f1 TEXT)")
    spec = build_spec("pgcopy", ("int", ""), ("text", ""), key=('"f0"',))
    rows = [(struct.pack(">i", n), b"x") for n in range(100)]
    with pytest.raises(OriginError, match="row f0=100 is not UTF-8"):
        load_chunk(db, spec, [write_pg([*rows, (struct.pack(">i", 100), b"\xff")])], engine_name)
    assert db.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    with pytest.raises(OriginError, match=r"UNIQUE constraint failed: t\.f0"):
        load_chunk(db, spec, [write_pg([*rows, rows[0]])], engine_name)
    assert not db.in_transaction
    load_chunk(db, spec, [write_pg(rows)], engine_name)
    db.execute("BEGIN")
    with pytest.raises(OriginError):
        load_chunk(db, spec, [write_pg(rows)], engine_name)
    assert db.in_transaction  # it is the caller's
    db.execute("ROLLBACK")
    assert db.execute("SELECT count(*) FROM t").fetchall() == [(100,)]


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("own", [True, False])
def test_a_full_disk_is_told(tmp_path: Path, engine_name: str, own: bool) -> None:
    db = open_target(tmp_path / "t.sqlite", durable=True)
    db.execute("CREATE TABLE t (f0 BLOB); PRAGMA max_page_count = 20")
    spec = build_spec("pgcopy", ("blob", ""))
    if not own:
        db.execute("BEGIN")
    with pytest.raises(TargetError, match="database or disk is full"):
        load_chunk(db, spec, cut(write_pg([(b"x" * 3000,)] * 500), 9000), engine_name)
    if db.in_transaction:
        db.execute("ROLLBACK")
    db.execute("PRAGMA max_page_count = 100000")
    assert db.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert load_chunk(db, spec, [write_pg([(b"x",)])], engine_name).rows == 1


@pytest.mark.parametrize("engine_name", ENGINES)
def test_bit_strings_have_a_limit(engine_name: str) -> None:
    bits = (2**24 + 8).to_bytes(4, "big") + bytes(2**21 + 1)
    with pytest.raises(OriginError, match="more than 16777216 bits"):
        hash_stream(build_spec("pgcopy", ("bit", "")), [write_pg([(bits,)])], engine_name)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_an_error_of_the_stream_itself_passes_through(engine_name: str) -> None:
    def breaking():
        yield write_pg([(b"\0\1",)] * 5)[:-2]
        raise ConnectionError("cable")

    spec = build_spec("pgcopy", ("int", ""))
    db = make_target(spec)
    with pytest.raises(ConnectionError):
        load_chunk(db, spec, breaking(), engine_name)
    assert not db.in_transaction
    assert db.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_server_errors_are_told_in_their_words() -> None:
    body = b"SERROR\0C57014\0Mcanceling statement due to user request\0\0"
    stream = write_pg_messages([(b"\0\1",)])[:30] + b""
    message = b"E" + struct.pack(">i", len(body) + 4) + body
    started = b"H" + struct.pack(">ibh", 7, 1, 0)
    made = run_both(build_spec("pgcopy", ("int", "")), started + message, 9)
    assert "the server says: canceling statement due to user request (SQLSTATE 57014)" in made[1]
    error = b"\xff" + (1317).to_bytes(2, "little") + b"#70100Query execution was interrupted"
    packets = write_mysql([(b"1",)])[:-9] + len(error).to_bytes(3, "little") + b"\1" + error
    made = run_both(build_spec("mysql", ("int", "")), packets, 3)
    assert "the server says: Query execution was interrupted (error 1317)" in made[1]
    assert stream


@native
def test_many_columns() -> None:
    fields = [("int", "")] * 300
    rows = [[struct.pack(">i", n + c) for c in range(300)] for n in range(20)]
    _, result = run_both(build_spec("pgcopy", *fields), write_pg(rows), 999)
    assert result.rows == 20


def test_names_are_quoted() -> None:
    spec = build_spec("pgcopy", ("int", ""), table='a"b; drop')
    for name in ENGINES:
        db = make_target_quoted(spec)
        assert load_chunk(db, spec, [write_pg([(b"\0\1",)])], name).rows == 1
        assert engine.hash_target(db, spec, '"f0" = 1', engine=name).rows == 1


def make_target_quoted(spec):
    db = apsw.Connection(":memory:")
    db.execute('CREATE TABLE "a""b; drop" (f0 INTEGER)')
    return db


@native
def test_two_connections_share_nothing() -> None:
    spec = build_spec("pgcopy", ("int", ""))
    stream = write_pg([(struct.pack(">i", n),) for n in range(1000)])
    one, two = make_target(spec), make_target(spec)
    first = cut(stream, 100)

    def interleaved():
        for piece in first:
            load_chunk(two, spec, cut(stream, 77), "native") if len(piece) < 100 else None
            yield piece

    assert load_chunk(one, spec, interleaved(), "native").rows == 1000
    assert two.execute("SELECT count(*) FROM t").fetchall() == [(1000,)]


def test_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.OVERRIDE, "python")
    assert choose_engine() == "python"
    assert "Python engine" in describe_engine()
    monkeypatch.setenv(engine.OVERRIDE, "rust")
    with pytest.raises(UsageError, match="no row engine is called 'rust'"):
        choose_engine()
    assert choose_engine("python") == "python"


def test_without_a_compiler_python_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "FOLDER", copy_sources(tmp_path))
    monkeypatch.setattr(build, "find_compiler", lambda: None)
    monkeypatch.setenv("EDGELIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(engine.OVERRIDE, raising=False)
    native_engine.find_extension.cache_clear()
    try:
        assert choose_engine() == "python"
        assert "no C compiler was found" in describe_engine()
        with pytest.raises(UsageError, match="no C compiler"):
            choose_engine("native")
    finally:
        native_engine.find_extension.cache_clear()


def copy_sources(tmp_path: Path) -> Path:
    folder = tmp_path / "native"
    shutil.copytree(build.FOLDER, folder, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return folder


@native
def test_the_library_is_compiled_once_and_anew_when_its_source_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "FOLDER", copy_sources(tmp_path))
    monkeypatch.setenv("EDGELIFT_CACHE", str(tmp_path / "cache"))
    if build.find_compiler() is None:
        pytest.skip("no C compiler is installed")
    first, why = build.find_or_build()
    assert (why, first.parent) == ("", tmp_path / "cache" / "rows")
    stamp = first.stat().st_mtime_ns
    assert build.find_or_build()[0].stat().st_mtime_ns == stamp
    source = build.FOLDER / "bulk.c"
    source.write_text(source.read_text() + "\n")
    assert build.find_or_build()[0] != first
    source.write_text("this is no C")
    found, why = build.find_or_build()
    assert found is None
    assert "failed" in why
    assert list((tmp_path / "cache" / "rows").glob("tmp*")) == []


@native
def test_a_library_that_cannot_be_loaded_counts_as_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "x.so"
    broken.write_bytes(b"\x7fELF nonsense")
    monkeypatch.setattr(build, "find_or_build", lambda: (broken, ""))
    monkeypatch.delenv(engine.OVERRIDE, raising=False)
    native_engine.find_extension.cache_clear()
    try:
        assert choose_engine() == "python"
        assert "cannot load" in describe_engine()
    finally:
        native_engine.find_extension.cache_clear()
