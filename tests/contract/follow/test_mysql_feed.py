"""MariaDB's changes as edits: keys, partitions, rollbacks, and statements that the log holds as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgelift.errors import OriginError
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.sources.change_feed import Edit, Emptied, open_followed
from edgelift.targets.object_files import name_object
from tests.contract.follow.feeds import Feeding, build_subject, choose, open_feed
from tests.servers.mariadb import MariaDb

SCHEMA = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(40), n INT,
  doubled INT AS (n * 2) STORED, shown VARCHAR(50) AS (concat('<', v, '>')) VIRTUAL);
CREATE TABLE parts (id INT, k INT, v TEXT, PRIMARY KEY (id, k))
  PARTITION BY LIST (k) (PARTITION a VALUES IN (1), PARTITION b VALUES IN (2));
CREATE TABLE named (code VARCHAR(20) NOT NULL, at DATE NOT NULL, n INT, UNIQUE KEY (n),
  UNIQUE KEY (code, at));
CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
INSERT INTO t (id, v, n) SELECT seq, concat('v', seq), seq FROM seq_1_to_20;
INSERT INTO parts SELECT seq, seq % 2 + 1, 'p' FROM seq_1_to_20;
INSERT INTO named VALUES ('a', '2024-01-01', NULL), ('b', '2024-01-01', NULL);
INSERT INTO counted (v) VALUES (1), (2);
"""


@pytest.fixture
def name(mariadb_server: MariaDb) -> str:
    found = mariadb_server.create_database("feed")
    mariadb_server.run_script(SCHEMA, found)
    return found


@pytest.fixture
def url(mariadb_server: MariaDb, name: str) -> str:
    return mariadb_server.make_url(name)


@pytest.fixture
def feeding(url: str) -> Iterator[Feeding]:
    with open_feed(url) as found:
        yield found


@pytest.fixture
def run(mariadb_server: MariaDb, name: str) -> Callable[..., None]:
    """Run scripts, each in a session of its own."""

    def run_all(*scripts: str) -> None:
        for script in scripts:
            mariadb_server.run_script(script, name)

    return run_all


def list_edits(feeding: Feeding, column: str) -> list[tuple[Any, Any]]:
    edits = [edit for edit in feeding.read_edits() if isinstance(edit, Edit)]
    return [(edit.old, edit.new and edit.new[column]) for edit in edits]


def test_a_row_that_changes_its_partition_keeps_one_row(feeding: Feeding, run) -> None:
    run("UPDATE parts SET k = 2 WHERE id = 2; UPDATE parts SET id = 90, k = 1 WHERE id = 3")
    edits = feeding.read_edits()
    assert [(e.old, e.new and (e.new["id"], e.new["k"])) for e in edits] == [
        ((2, 1), (2, 2)),
        ((3, 2), (90, 1)),
    ]


def test_a_key_is_one_without_nulls(feeding: Feeding, run) -> None:
    run("UPDATE named SET code = 'c' WHERE code = 'a'; DELETE FROM named WHERE code = 'b'")
    assert list_edits(feeding, "code") == [(("a", "2024-01-01"), "c"), (("b", "2024-01-01"), None)]


def test_swaps_chains_and_what_replaces(feeding: Feeding, run) -> None:
    run(
        "UPDATE t SET id = 0 WHERE id = 1; UPDATE t SET id = 1 WHERE id = 2;"
        "UPDATE t SET id = 2 WHERE id = 0; REPLACE INTO t (id, v) VALUES (3, 'replaced');"
        "INSERT INTO t (id, v) VALUES (4, 'x') ON DUPLICATE KEY UPDATE v = 'again';"
        "UPDATE t SET id = id + 100 WHERE id > 18 ORDER BY id DESC"
    )
    assert list_edits(feeding, "id") == [
        ((1,), 0), ((2,), 1), ((0,), 2), ((3,), 3), ((4,), 4), ((20,), 120), ((19,), 119),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "script",
    ["TRUNCATE t", "TRUNCATE TABLE `t`", "BEGIN; DELETE FROM t; COMMIT; TRUNCATE t /* again */"],
)
def test_truncate_empties_a_table(feeding: Feeding, run, script: str) -> None:
    run(script, "INSERT INTO t (id) VALUES (1)")
    found = feeding.read_edits()
    at = found.index(Emptied("t"))
    assert [(e.old, e.new["id"]) for e in found[at + 1 :] if isinstance(e, Edit) and e.new] == [
        (None, 1)
    ]


def test_savepoints_and_temporary_tables(feeding: Feeding, run) -> None:
    run(
        "CREATE TEMPORARY TABLE own AS SELECT * FROM t; UPDATE own SET n = 0;"
        "BEGIN; UPDATE t SET n = 100 WHERE id = 1; SAVEPOINT a; DELETE FROM t; ROLLBACK TO a;"
        "UPDATE t SET n = n + (SELECT count(*) FROM own) WHERE id = 1; COMMIT"
    )
    assert list_edits(feeding, "n") == [((1,), 100), ((1,), 120)]


IDLE = (
    "CREATE INDEX later ON t (n)",
    "ALTER TABLE t ADD INDEX more (v, n), COMMENT = 'new'",
    "ALTER TABLE t DROP INDEX more; DROP INDEX later ON t",
    "ANALYZE TABLE t; OPTIMIZE TABLE t; CHECK TABLE t",
    "CREATE TABLE IF NOT EXISTS t (id INT)",
    "DROP TABLE IF EXISTS none",
    "CREATE TABLE passing (id INT); INSERT INTO passing VALUES (1); DROP TABLE passing",
    "CREATE OR REPLACE USER feeder@'%'; GRANT SELECT ON *.* TO feeder@'%'; DROP USER feeder@'%'",
    "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
    "ALTER TABLE counted AUTO_INCREMENT = 500",
)


def test_what_touches_no_row_does_not_stop_it(feeding: Feeding, run) -> None:
    for number, script in enumerate(IDLE):
        run(script, f"UPDATE t SET n = {1000 + number} WHERE id = 5")
    assert list_edits(feeding, "n") == [((5,), 1000 + number) for number in range(len(IDLE))]


MATTERS = (
    "ALTER TABLE t ADD COLUMN more INT",
    "ALTER TABLE t DROP COLUMN v, DROP COLUMN shown",
    "ALTER TABLE t RENAME COLUMN v TO w",
    "ALTER TABLE t MODIFY n BIGINT",
    "ALTER TABLE counted DROP COLUMN v, ADD COLUMN v INT",
    "ALTER TABLE parts TRUNCATE PARTITION a",
    "DROP TABLE counted",
    "DROP TABLE counted; CREATE TABLE counted (id INT AUTO_INCREMENT PRIMARY KEY, v INT)",
    "RENAME TABLE counted TO other",
    "CREATE TABLE later (id INT PRIMARY KEY)",
    "CREATE UNIQUE INDEX once ON counted (v)",
    "CREATE VIEW seen AS SELECT 1 AS one",
)


@pytest.mark.parametrize("script", choose(MATTERS, 5))
def test_what_changes_the_schema_stops_it_behind_all_before(
    feeding: Feeding, run, script: str
) -> None:
    run("UPDATE t SET n = 5 WHERE id = 1", script, "UPDATE parts SET v = 'behind'")
    feeding.feed.mark()
    found: list[Any] = []
    with pytest.raises(OriginError, match="changed while it was followed") as caught:
        found.extend(feeding.feed.read(5.0))
    assert [(e.old, e.new["n"]) for e in found if isinstance(e, Edit) and e.new] == [((1,), 5)]
    assert len(caught.value.lines()) == 3
    assert "--force" in caught.value.tip


def test_a_table_that_stays_behind_may_change(
    mariadb_server: MariaDb, name: str, url: str, run
) -> None:
    settings = SchemaSection(exclude=("counted",))
    with open_feed(url, settings) as feeding:
        run("CREATE INDEX more ON t (n)", "UPDATE t SET n = 9 WHERE id = 1")
        assert list_edits(feeding, "n") == [((1,), 9)]
        run("ALTER TABLE counted ADD COLUMN w INT")
        with pytest.raises(OriginError, match="the log holds: ALTER TABLE counted"):
            feeding.read()


@pytest.mark.parametrize(
    "script",
    [
        "XA START 'x'; UPDATE t SET n = 0 WHERE id = 1; XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'",
        "XA START 'x'; UPDATE t SET n = 0 WHERE id = 1; XA END 'x'; XA PREPARE 'x'; XA ROLLBACK 'x'",
    ],
)  # fmt: skip
def test_prepared_transactions_stop_it(feeding: Feeding, run, script: str) -> None:
    run("UPDATE t SET n = 30 WHERE id = 3", script)
    feeding.feed.mark()
    found: list[Any] = []
    with pytest.raises(OriginError, match="cannot be followed further") as caught:
        found.extend(feeding.feed.read(5.0))
    assert "out of the log's order" in caught.value.tip
    ended = [type(change).__name__ for change in found].index("End")
    assert [e.old for e in found[:ended] if isinstance(e, Edit)] == [(3,)]


def test_a_transaction_that_was_prepared_before_and_commits_behind_the_snapshot_stops_it(
    url: str, mariadb_server: MariaDb, name: str
) -> None:
    """Its rows are neither in the snapshot nor in the log behind it."""
    with mariadb_server.connect(name) as db, db.cursor() as cursor:
        for statement in (
            "XA START 'y'", "UPDATE t SET n = 0 WHERE id = 1", "XA END 'y'", "XA PREPARE 'y'",
        ):  # fmt: skip
            cursor.execute(statement)
        with open_feed(url) as feeding:
            cursor.execute("XA COMMIT 'y'")
            with pytest.raises(OriginError, match="cannot be followed further"):
                feeding.read()


def test_a_transaction_of_one_phase_comes(feeding: Feeding, run) -> None:
    run("XA START 'z'; UPDATE t SET n = 40 WHERE id = 4; XA END 'z'; XA COMMIT 'z' ONE PHASE")
    assert list_edits(feeding, "n") == [((4,), 40)]


def test_offloaded_values_are_kept_where_they_are_written(mariadb_server: MariaDb) -> None:
    name = mariadb_server.create_database("objects")
    mariadb_server.run_script(
        "CREATE TABLE files (id INT PRIMARY KEY, body LONGBLOB, note LONGTEXT)", name
    )
    cast = tuple(CastSection(to="offload", table="files", column=c) for c in ("body", "note"))
    kept: list[Any] = []

    def keep(value: Any) -> str:
        kept.append(value)
        return name_object(value)

    with open_feed(mariadb_server.make_url(name), SchemaSection(cast=cast), keep) as feeding:
        mariadb_server.run_script(
            "INSERT INTO files VALUES (1, x'00ff', 'ü'), (2, NULL, NULL); DELETE FROM files WHERE id = 1",
            name,
        )
        first, second, gone = feeding.read_edits()
    assert kept == [b"\x00\xff", "ü"]
    assert first.new == {"id": 1, "body": name_object(b"\x00\xff"), "note": name_object("ü")}
    assert second.new == {"id": 2, "body": None, "note": None}
    assert (gone.old, gone.new) == ((1,), None)


def test_a_replica_that_logs_nothing_of_its_primary_is_refused(
    new_mariadb: Callable[..., MariaDb], mariadb_server: MariaDb
) -> None:
    server = new_mariadb({"server-id": "9", "log-slave-updates": "0"})
    server.run_script("CREATE TABLE t (id INT PRIMARY KEY)")
    subject = build_subject(server.url)
    with open_followed(subject) as followed:
        assert followed.find_problems() == []
    server.execute(
        f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={mariadb_server.port}, MASTER_USER='root'"
    )
    with open_followed(subject) as followed:
        (problem,) = followed.find_problems()
    assert "does not log what its primary writes" in problem.why
