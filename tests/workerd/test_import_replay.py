"""Import files of a server's database, replayed in D1's engine: the same rows by hash."""

from __future__ import annotations

import contextlib
from pathlib import Path

import apsw
import pytest

from edgelift.model.move_plan import MovePlan
from edgelift.rows.engine import hash_target
from edgelift.sources.sqlite_tokens import tokenize
from edgelift.stages.data.import_files import write_import_files
from edgelift.targets.d1_dialect import MAX_STATEMENT_BYTES
from edgelift.targets.workerd.sql_check import replay_statements
from edgelift.toolchain import ensure_toolchain
from tests.contract.mover.moving import Moving, start_moving

pytestmark = pytest.mark.workerd

# Children come before parents by name, a circle, a table that refers to itself, long values.
POSTGRES = """
CREATE TABLE z_owner (id integer PRIMARY KEY, name text NOT NULL, best integer);
CREATE TABLE a_pet (id integer PRIMARY KEY, owner integer NOT NULL REFERENCES z_owner,
  parent integer REFERENCES a_pet, photo bytea, note text, weight double precision);
ALTER TABLE z_owner ADD FOREIGN KEY (best) REFERENCES a_pet DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO z_owner SELECT n, 'owner ''' || n || E'''\\r\\n;\\t--x', n FROM generate_series(1, 300) n;
INSERT INTO a_pet SELECT n, n, nullif(n + 1, 301), decode(repeat(lpad(to_hex(n % 256), 2, '0'), 300),
  'hex'), repeat('ü', n), n / 7.0 FROM generate_series(300, 1, -1) n;
COMMIT;
INSERT INTO a_pet VALUES (1000, 1, 1, decode(repeat('00ff', 300000), 'hex'), repeat('long', 60000),
  '-Infinity');
CREATE INDEX pets ON a_pet (owner);
CREATE VIEW named AS SELECT p.id, o.name FROM a_pet p JOIN z_owner o ON o.id = p.owner;
"""
MYSQL = """
CREATE TABLE z_owner (id int PRIMARY KEY AUTO_INCREMENT, name varchar(80) NOT NULL);
CREATE TABLE a_pet (id int PRIMARY KEY, owner int NOT NULL, photo longblob, note longtext,
  FOREIGN KEY (owner) REFERENCES z_owner (id));
INSERT INTO z_owner SELECT seq, concat('owner ''', seq, '''\\r\\n;', char(0), 'after') FROM seq_1_to_300;
INSERT INTO a_pet SELECT seq, seq, repeat(char(seq % 256), 300), repeat('ü', seq) FROM seq_1_to_300;
INSERT INTO a_pet VALUES (1000, 1, repeat(x'00ff', 300000), repeat('long', 60000));
"""


@pytest.fixture(params=["postgres", "mysql"])
def moving(request, tmp_path: Path) -> Moving:
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")(POSTGRES)
    else:
        server = request.getfixturevalue("mariadb_server")
        name = server.create_database("replay")
        server.run_script(MYSQL, name)
        url = server.make_url(name)
    return start_moving(url, tmp_path)


def read_statements(files: list[Path]) -> list[str]:
    """Return the statements of the files as D1's import splits them: by SQLite's own tokens."""
    found = []
    for path in files:
        rest = path.read_text()
        while rest.strip():
            end = _find_end(rest)
            found.append(rest[:end].strip())
            rest = rest[end:]
    return found


def _find_end(text: str) -> int:
    end = -1
    while True:
        end = text.index(";", end + 1) + 1
        if apsw.complete(text[:end]):
            return end
        end -= 1


def hash_tables(path: Path, plan: MovePlan) -> dict[str, tuple[int, int]]:
    with contextlib.closing(apsw.Connection(str(path))) as db:
        found = {move.spec.target: hash_target(db, move.spec) for move in plan.tables}
    return {name: (result.rows, result.hash) for name, result in found.items()}


def test_the_engine_holds_the_same_rows_afterwards(moving: Moving, tmp_path: Path) -> None:
    moving.copy()
    files = write_import_files(
        moving.part,
        moving.judgement.schema,
        moving.judgement.catalogue,
        tmp_path / "upload",
        file_bytes=400_000,
    )
    statements = read_statements(files)
    assert len(files) > 1
    assert max(len(statement.encode()) for statement in statements) <= MAX_STATEMENT_BYTES
    first_words = {tokenize(statement)[0].upper for statement in statements}
    assert not first_words & {"BEGIN", "COMMIT", "SAVEPOINT"}
    replayed = tmp_path / "replayed.sqlite"
    toolchain = ensure_toolchain(("runtime",), lambda _text: None)
    assert replay_statements(statements, toolchain, replayed) == []
    assert hash_tables(replayed, moving.plan) == hash_tables(moving.part, moving.plan)

    # The fault twin: one row less is another hash (the last one, which no key refers to).
    lost = max(i for i, s in enumerate(statements) if s.startswith('INSERT INTO "a_pet"'))
    other = tmp_path / "other.sqlite"
    replay_statements(statements[:lost] + statements[lost + 1 :], toolchain, other)
    assert hash_tables(other, moving.plan) != hash_tables(moving.part, moving.plan)
