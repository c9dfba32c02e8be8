"""The schema that SQLite itself changes, and the cuts of tables into chunks."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_origin.chunks import plan_chunks, write_literal
from edgelift.stages.data.server.workers import open_workers
from edgelift.stages.schema.sqlite.scratch import PROBE, ImpossibleError, Scratch
from tests.unit.sqlite_origin.moving import make

T = "CREATE TABLE t (id INTEGER PRIMARY KEY, v, n CHECK (n > 0));"


def scratch(sql: str) -> Scratch:
    db = apsw.Connection(":memory:")
    db.execute(sql)
    return Scratch(read_catalogue(db))


@pytest.mark.parametrize(
    ("sql", "column", "users"),
    [
        (T, "v", {"t"}),
        (T + "CREATE INDEX i ON t (v); CREATE INDEX j ON t (n)", "v", {"t", "i"}),
        (T + "CREATE INDEX i ON t (n) WHERE v IS NULL", "v", {"t", "i"}),
        (T + "CREATE VIEW w AS SELECT v FROM t; CREATE VIEW x AS SELECT n FROM t", "v", {"t", "w"}),
        (T + "CREATE VIEW w AS SELECT t.* FROM t", "v", {"t"}),
        (
            T + "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET n = NEW.v; END;",
            "v",
            {"t", "g"},
        ),
        (T + "CREATE TABLE c (t REFERENCES t (id))", "id", {"t", "c"}),
        (T + "CREATE TABLE c (t REFERENCES t)", "id", {"t"}),
        (T + "CREATE VIEW w AS SELECT 'v' AS a, \"v\" AS b FROM t", "v", {"t", "w"}),
        (T + "CREATE TABLE u (v); CREATE VIEW w AS SELECT v FROM u", "v", {"t"}),
    ],
)
def test_sqlite_tells_what_names_a_column(sql: str, column: str, users: set[str]) -> None:
    made = scratch(sql)
    before = made.read_statements()
    found = made.find_uses("t", column)
    assert set(found) == users
    assert all(PROBE in text for text in found.values() if text)
    assert made.read_statements() == before
    assert made.lost == {}


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        (T, []),
        (T + "CREATE VIEW w AS SELECT gone FROM t", ["w"]),
        (T + "CREATE VIEW w AS SELECT v FROM t; CREATE VIEW x AS SELECT y FROM w", ["x"]),
        (T + "CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM nowhere; END;", ["g"]),
        (
            T + "CREATE VIEW w AS SELECT v FROM t;"
            "CREATE TRIGGER g INSTEAD OF UPDATE ON w BEGIN SELECT 1; END;",
            [],
        ),
    ],
)
def test_what_does_not_work_at_the_origin_is_put_aside(sql: str, broken: list[str]) -> None:
    made = scratch(sql)
    assert sorted(made.aside) == sorted(broken)
    assert made.find_broken() == []


def test_what_sqlite_cannot_do_is_said_in_its_words() -> None:
    made = scratch(T)
    with pytest.raises(ImpossibleError, match="PRIMARY KEY"):
        made.drop_column("t", "id")
    made.drop_column("t", "n")  # its own check goes with it
    with pytest.raises(ImpossibleError, match="no such column"):
        scratch("CREATE TABLE t (a, b, CHECK (a <> b))").drop_column("t", "b")
    with pytest.raises(ImpossibleError):
        made.rename_columns("t", {"nope": "x"})
    with pytest.raises(ImpossibleError):
        made.rename_tables({"t": "sqlite_x"})


VALUES = [
    0,
    -1,
    2**63 - 1,
    -(2**63),
    1.5,
    1e300,
    0.1,
    float("inf"),
    "a'b",
    "a\0b",
    "",
    "é",
    b"",
    b"'\0",
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_literals_are_exact(value: object) -> None:
    db = apsw.Connection(":memory:")
    query = f"SELECT {write_literal(value)} IS ?1, typeof({write_literal(value)}) = typeof(?1)"
    assert db.execute(query, (value,)).fetchall() == [(1, 1)]


@pytest.mark.parametrize("seed", range(6))
def test_chunks_cover_every_row_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    keys = {
        "numbers": chance.sample(range(-400, 400), 300),
        "far apart": list({chance.randrange(-(2**62), 2**62) for _ in range(300)}),
        "of all kinds": [chance.choice([n, n + 0.5, f"k{n}", b"%d" % n]) for n in range(300)],
    }
    for name, values in keys.items():
        path = make(
            tmp_path / f"{name}.sqlite",
            "CREATE TABLE t (k PRIMARY KEY, v) WITHOUT ROWID",
            ("INSERT INTO t VALUES (?, 1)", [(key,) for key in values]),
        )
        db = apsw.Connection(str(path))
        for where in ("", "length(k) % 2 = 0"):
            spec = RowSpec(
                schema="main", table="t", target="t", wire="sqlite", key=('"k"',), where=where,
                fields=(FieldSpec(column="k", read='"k"', op="keep"),),
            )  # fmt: skip
            chunks = plan_chunks(db, spec, 40)
            assert len(chunks) > 1
            found = []
            for chunk in chunks:
                parts = " AND ".join(f"({p})" for p in (chunk.where, where) if p)
                rows = db.execute(f"SELECT k FROM t WHERE {parts}").fetchall()
                assert len(rows) <= 40
                found += rows
            rest = f" WHERE {where}" if where else ""
            assert sorted(map(repr, found)) == sorted(
                map(repr, db.execute(f"SELECT k FROM t{rest}").fetchall())
            )


def test_a_cluster_cannot_read_a_file_of_this_machine(tmp_path: Path) -> None:
    from edgelift.sources.sqlite_origin import CAPABILITIES

    told: list[str] = []
    with open_workers(
        CAPABILITIES, tmp_path / "w", count=4, scheduler="tcp://127.0.0.1:1", note=told.append
    ) as workers:
        assert workers is None
    assert "a file of this machine" in told[0]
