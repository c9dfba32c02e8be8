"""Twelve kinds of damage to a copy: each is caught, named by table, key, column and both values.

Each is looked for twice: by edgelift's own proof and by plain SQL on both sides.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Status
from edgelift.model.mover_settings import CastSection, SchemaSection
from tests.contract.mover.moving import Moving, read_plainly, read_target, start_moving

POSTGRES = """
CREATE TABLE items (
  id integer PRIMARY KEY, name text, other text, code text, n bigint, ratio double precision,
  price numeric(10,2), amount numeric(20,4), at timestamptz, body bytea);
INSERT INTO items SELECT n, 'Ünï ' || n, 'other ' || n, CASE WHEN n % 2 = 0 THEN '' END,
  9007199254740992 + n, n / 3.0, n * 1.5, n, TIMESTAMPTZ '2024-03-10 12:00:00+02' + n * INTERVAL '1 hour',
  decode(repeat(md5(n::text), 4), 'hex') FROM generate_series(1, 1200) n;
CREATE TABLE events (kind text, note text);
INSERT INTO events SELECT 'kind ' || n % 5, 'note ' || n % 300 FROM generate_series(1, 1200) n;
"""
MYSQL = """
CREATE TABLE items (
  id int PRIMARY KEY, name varchar(80) COLLATE utf8mb4_bin, other varchar(80) COLLATE utf8mb4_bin,
  code varchar(9) COLLATE utf8mb4_bin, n bigint, ratio double,
  price decimal(10,2), amount decimal(20,4), at timestamp NULL, body blob);
INSERT INTO items SELECT seq, concat('Ünï ', seq), concat('other ', seq), CASE WHEN seq % 2 = 0 THEN '' END,
  9007199254740992 + seq, seq / 3.0, seq * 1.5, seq, '2024-03-10 10:00:00' + INTERVAL seq HOUR,
  unhex(repeat(md5(seq), 4)) FROM seq_1_to_1200;
CREATE TABLE events (kind varchar(20) COLLATE utf8mb4_bin, note varchar(20) COLLATE utf8mb4_bin);
INSERT INTO events SELECT concat('kind ', seq % 5), concat('note ', seq % 300) FROM seq_1_to_1200;
"""
SETTINGS = SchemaSection(cast=(CastSection(to="text", table="items", column="amount"),))
PLAIN = {
    "items": "SELECT id, name, other, code, n, ratio, price, at, body FROM items",
    "events": "SELECT kind, note FROM events",
}

# kind -> (statement, key as it is shown, column, origin's value, target's value, name of the kind)
DAMAGES = {
    "bit flip": (
        "UPDATE items SET body = flip(body) WHERE id = 700", "id=700", "body", "x'", "x'", "value"),
    "trailing space": (
        "UPDATE items SET name = name || ' ' WHERE id = 3", "id=3", "name",
        "'Ünï 3'", "'Ünï 3 '", "white space"),
    "NULL for empty": (
        "UPDATE items SET code = NULL WHERE id = 502", "id=502", "code", "''", "NULL", "null"),
    "empty for NULL": (
        "UPDATE items SET code = '' WHERE id = 501", "id=501", "code", "NULL", "''", "null"),
    "1 for 1.0": (
        "UPDATE items SET amount = '1.0' WHERE id = 1", "id=1", "amount",
        "'1.0000'", "'1.0'", "value"),
    "2^53 + 1": (
        "UPDATE items SET n = CAST(CAST(n AS REAL) AS INTEGER) WHERE id = 1", "id=1", "n",
        "9007199254740993", "9007199254740992", "value"),
    "time-zone shift": (
        "UPDATE items SET at = strftime('%Y-%m-%d %H:%M:%f000', at, '+2 hours') WHERE id = 9",
        "id=9", "at", "'2024-03-10 19:00:00.000000'", "'2024-03-10 21:00:00.000000'", "value"),
    "case": (
        "UPDATE items SET other = upper(other) WHERE id = 1000", "id=1000", "other",
        "'other 1000'", "'OTHER 1000'", "letter case"),
    "dropped row": (
        "DELETE FROM items WHERE id = 1200", "id=1200", "", "id=1200", "", "missing row"),
    "duplicate row without key": (
        "INSERT INTO events SELECT kind, note FROM events WHERE note = 'note 7' LIMIT 1",
        "kind='kind 2', note='note 7'", "", "", "kind='kind 2'", "extra row"),
    "truncated blob": (
        "UPDATE items SET body = substr(body, 1, 40) WHERE id = 2", "id=2", "body",
        "x'", "x'", "value"),
    "re-encoded text": (
        "UPDATE items SET name = 'ÃœnÃ¯ 8' WHERE id = 8", "id=8", "name",
        "'Ünï 8'", "'ÃœnÃ¯ 8'", "value"),
    "swapped columns": (
        "UPDATE items SET name = other, other = name WHERE id = 77", "id=77", "name",
        "'Ünï 77'", "'other 77'", "swapped columns"),
}  # fmt: skip


@pytest.fixture(params=["postgres", "mysql"])
def engine_name(request):
    return request.param


@pytest.fixture
def moving(engine_name, request, tmp_path: Path) -> Moving:
    if engine_name == "postgres":
        url = request.getfixturevalue("make_database")(POSTGRES)
    else:
        server = request.getfixturevalue("mariadb_server")
        name = server.create_database("corruption")
        server.run_script(MYSQL, name)
        url = server.make_url(name)
    moving = start_moving(url, tmp_path, SETTINGS)
    moving.copy()
    return moving


def is_plainly_equal(moving: Moving, path: Path) -> bool:
    return all(
        read_plainly(moving.url, query) == read_target(path, query) for query in PLAIN.values()
    ) and read_plainly(moving.url, amounts(moving)) == read_target(
        path, "SELECT id, amount FROM items"
    )


def amounts(moving: Moving) -> str:
    word = "text" if moving.url.startswith("postgres") else "char"
    return f"SELECT id, CAST(amount AS {word}) FROM items"


def test_every_damage_is_named(moving: Moving, tmp_path: Path) -> None:
    checks = moving.prove(sample=1.0)
    assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}
    assert is_plainly_equal(moving, moving.part)
    for kind, (sql, key, column, origin, target, name) in DAMAGES.items():
        changed = moving.change(tmp_path, sql)
        assert not is_plainly_equal(moving, changed), kind
        check = moving.prove(changed)["rows"]
        assert check.status is Status.FAIL, kind
        found = check.detail[0]
        table = "items" if " items" in sql else "events"
        assert found.startswith(f"{table} [{key}]" + (f".{column}:" if column else ":")), found
        assert name in found, found
        for value in (origin, target):
            assert value in found, found
        assert check.counts["rows_differing"] == 1, kind


def test_a_damage_is_found_by_the_python_engine_too(moving: Moving, tmp_path: Path) -> None:
    moving.engine = "python"
    assert moving.prove()["rows"].status is Status.PASS
    changed = moving.change(tmp_path, DAMAGES["case"][0])
    assert moving.prove(changed)["rows"].status is Status.FAIL


def test_the_second_reading_sees_a_decoder_that_lies(moving: Moving, tmp_path: Path) -> None:
    """A wrong value in file and ledger alike, as a fault of the C decoder would leave it."""
    import apsw

    from edgelift.rows.engine import hash_target
    from edgelift.stages.data.server import ledger
    from edgelift.stages.data.server.target import find_place

    changed = moving.change(tmp_path, DAMAGES["time-zone shift"][0])
    move = next(m for m in moving.plan.tables if m.spec.target == "items")
    db = apsw.Connection(str(changed))
    entries = ledger.read_entries(db, "items")
    place = find_place(move, entries[0], len(entries))
    ledger.write_result(db, "items", entries[0].chunk, hash_target(db, move.spec, place), (0, 0))
    db.close()
    checks = moving.prove(changed, sample=1.0)
    assert checks["rows"].status is Status.PASS  # both hashes come from the same wrong value
    assert checks["again"].status is Status.FAIL
    assert "items chunk 0" in checks["again"].detail
    assert any("items [id=9].at: origin" in line for line in checks["again"].detail)
