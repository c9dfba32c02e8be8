"""Values too large for a row become files named by their SHA-256, which the rows hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edgelift.model.findings import Status
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.sources.origin_database import open_origin
from edgelift.stages.data.server import prove
from edgelift.stages.data.server.copy import copy_rows, create_tables
from edgelift.stages.data.server.objects import check_objects, find_object, write_objects
from tests.contract.mover.moving import Moving, judge, read_target, start_moving

SCRIPTS = {
    "postgres": "CREATE TABLE files (id integer PRIMARY KEY, body bytea, note text);"
    "INSERT INTO files VALUES (1, decode(repeat('ab', 2100000), 'hex'), repeat('ü', 1100000)),"
    "(2, NULL, 'x'), (3, '', NULL), (4, '', 'x');",
    "mysql": "CREATE TABLE files (id int PRIMARY KEY, body longblob, note longtext);"
    "INSERT INTO files VALUES (1, unhex(repeat('ab', 2100000)), repeat('ü', 1100000)),"
    "(2, NULL, 'x'), (3, '', NULL), (4, '', 'x');",
}
OFFLOAD = SchemaSection(
    cast=tuple(CastSection(to="offload", table="files", column=c) for c in ("body", "note"))
)
BODY = bytes.fromhex("ab") * 2_100_000
NOTE = ("ü" * 1_100_000).encode()


@pytest.fixture(params=["postgres", "mysql"])
def url(request) -> str:
    if request.param == "postgres":
        return request.getfixturevalue("make_database")(SCRIPTS["postgres"])
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("offload")
    server.run_script(SCRIPTS["mysql"], name)
    return server.make_url(name)


def test_large_rows_are_refused_with_the_way_out(url: str) -> None:
    issue = next(i for i in judge(url).issues if i.rule == "SCHEMA-ROW-SIZE")
    assert "body up to 2100000 bytes" in issue.message
    assert "as = 'offload'" in issue.tip
    assert not [i for i in judge(url, OFFLOAD).issues if i.rule == "SCHEMA-ROW-SIZE"]


def write(moving: Moving, folder: Path) -> int:
    with moving.open() as copy:
        create_tables(copy)
        copy_rows(copy)
        return write_objects(copy, folder)


def check(moving: Moving, folder: Path):
    with open_origin(moving.url) as adapter:
        reader = adapter.open_snapshot()
        with moving.open() as copy:
            proof = prove.Proof(db=copy.db, reader=reader, plan=moving.plan, reproduce="")
            found = check_objects(proof, folder)
        reader.close()
    return found


def test_values_become_files_under_their_hash(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, OFFLOAD)
    folder = tmp_path / "objects"
    assert write(moving, folder) == 4
    rows = {r[0]: r[1:] for r in read_target(moving.part, "SELECT id, body, note FROM files")}
    assert rows[1] == tuple(hashlib.sha256(v).hexdigest() for v in (BODY, NOTE))
    assert rows[2][0] is None
    assert rows[3][0] == hashlib.sha256(b"").hexdigest()
    assert find_object(folder, rows[1][0]).read_bytes() == BODY
    assert find_object(folder, rows[1][1]).read_bytes() == NOTE
    assert check(moving, folder).status is Status.PASS
    assert moving.prove(sample=1.0)["again"].status is Status.PASS
    assert write(moving, folder) == 0


def test_a_damaged_or_missing_file_is_named(url: str, tmp_path: Path) -> None:
    moving = start_moving(url, tmp_path, OFFLOAD)
    folder = tmp_path / "objects"
    write(moving, folder)
    keys = [hashlib.sha256(v).hexdigest() for v in (BODY, NOTE)]
    find_object(folder, keys[0]).write_bytes(BODY[:-1])
    find_object(folder, keys[1]).unlink()
    found = check(moving, folder)
    assert found.status is Status.FAIL
    assert sorted(found.detail) == [
        f"files.body: the file of {keys[0]} holds something else",
        f"files.note: {keys[1]} has no file",
    ]


def test_numbers_are_not_offloaded(make_database) -> None:
    url = make_database("CREATE TABLE files (id integer PRIMARY KEY, body integer)")
    settings = SchemaSection(cast=(CastSection(to="offload", table="files", column="body"),))
    assert "SCHEMA-CAST" in {issue.rule for issue in judge(url, settings).issues}
