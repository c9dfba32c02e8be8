"""The catalogue of a database with every kind of object, against the server's own lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from edgelift.errors import OriginError
from edgelift.model.origin_schema import IndexPart, OriginSchema, OriginTable
from edgelift.sources.mysql import MySqlDatabase
from tests.servers.mariadb import MariaDb

Open = Callable[..., MySqlDatabase]


@pytest.fixture
def schema(every: str, open_database: Open) -> OriginSchema:
    return open_database(every).read_schema()


def table(schema: OriginSchema, name: str) -> OriginTable:
    found = schema.read_table(schema.database, name)
    assert found is not None
    return found


def test_nothing_is_left_out(schema: OriginSchema, every: str, mariadb_server: MariaDb) -> None:
    def count(view: str, column: str, where: str = "1=1") -> int:
        sql = f"SELECT COUNT(*) FROM information_schema.{view} WHERE {column} = %s AND {where}"
        return int(mariadb_server.execute(sql, every)[0][0])

    own = "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
    assert len(schema.tables) == count("TABLES", "TABLE_SCHEMA", own) == 20
    columns = sum(len(t.columns) for t in schema.tables) + sum(len(v.columns) for v in schema.views)
    numbers = len([s for s in schema.sequences if not s.owner])
    assert columns == count(
        "COLUMNS",
        "TABLE_SCHEMA",
        "TABLE_NAME NOT IN ('tickets', 'untouched')",
    )
    assert numbers == count("TABLES", "TABLE_SCHEMA", "TABLE_TYPE = 'SEQUENCE'") == 2
    assert len(schema.views) == count("VIEWS", "TABLE_SCHEMA") == 4
    assert len(schema.triggers) == count("TRIGGERS", "TRIGGER_SCHEMA") == 3
    events = count("EVENTS", "EVENT_SCHEMA")
    assert len(schema.routines) == count("ROUTINES", "ROUTINE_SCHEMA") + events == 6
    keys = sum(len(t.keys) + len(t.indexes) for t in schema.tables)
    assert keys == count("STATISTICS", "TABLE_SCHEMA", "SEQ_IN_INDEX = 1")
    foreign = sum(len(t.foreign_keys) for t in schema.tables)
    assert foreign == count("REFERENTIAL_CONSTRAINTS", "CONSTRAINT_SCHEMA") == 3
    checks = sum(len(t.checks) for t in schema.tables)
    assert checks == count("CHECK_CONSTRAINTS", "CONSTRAINT_SCHEMA") == 4


def test_types(schema: OriginSchema) -> None:
    def written(name: str) -> dict[str, str]:
        return {c.name: c.type.written for c in table(schema, name).columns}

    numbers = table(schema, "numbers")
    found = {c.name: (c.type.name, c.type.arguments, c.type.unsigned) for c in numbers.columns}
    assert found["id"] == ("bigint", (20,), True)
    assert found["flag"] == found["bo"] == ("tinyint", (1,), False)
    assert found["z"][2]
    assert "zerofill" in written("numbers")["z"]
    assert found["du"] == ("decimal", (6, 0), True)
    assert found["wide"] == ("decimal", (65, 30), False)
    assert found["fmd"] == ("float", (7, 3), False)
    assert found["r"] == ("double", (), False)
    assert found["bit9"] == ("bit", (9,), False)
    texts = {c.name: c.type for c in table(schema, "texts").columns}
    assert texts["e"].members == ("a", "b'c", "d\\e", 'f"g', "h,i", "ö")
    assert texts["st"].members == ("x", "y'z", "w\\")
    assert (texts["e"].kind, texts["st"].kind) == ("enum", "base")
    assert texts["j"].name == "json"
    assert texts["lt"].name == "longtext"
    charsets = {name: (kind.charset, kind.collation) for name, kind in texts.items()}
    assert charsets["code"] == ("ascii", "ascii_bin")
    assert charsets["l1"] == ("latin1", "latin1_german1_ci")
    assert charsets["u16"][0] == "utf16"
    assert charsets["bl"] == charsets["u"] == ("", "")
    shapes = {c.name: (c.type.name, c.type.arguments) for c in table(schema, "shapes").columns}
    assert shapes["here"] == ("point", (4326,))
    assert shapes["gc"] == ("geometrycollection", (0,))


def test_defaults(schema: OriginSchema, every: str, mariadb_server: MariaDb) -> None:
    defaults = {(t.name, c.name): c.default for t in schema.tables for c in t.columns if c.default}
    numbers = {(t.name, c.name) for t in schema.tables for c in t.columns if not c.type.charset}
    assert defaults["texts", "vb"] == "X'00ff27225c01'"
    assert defaults["texts", "v"] == "'it''s \\\\ \"quoted\"'"
    assert defaults["numbers", "bit9"] == "b'101'"
    assert defaults["moments", "dt3"] == "current_timestamp(3)"
    assert ("numbers", "s") not in defaults  # DEFAULT NULL says nothing
    volatile = {("texts", "u"), ("moments", "dt3"), ("numbered", "id"), ("children", "later")}
    for (name, column), default in defaults.items():
        if (name, column) in volatile or name == "versions":
            continue
        pair = (f"DEFAULT(`{column}`)", default)
        as_bytes = (
            "CAST({} AS BINARY)" if (name, column) not in numbers or "X'" in default else "{}"
        )
        kind = " <=> ".join(as_bytes.format(side) for side in pair)
        rows = mariadb_server.execute(f"SELECT {kind} FROM `{name}` LIMIT 1", database=every)
        assert all(value == 1 for (value,) in rows), (name, column, default)


def test_columns_that_make_themselves(schema: OriginSchema) -> None:
    children = {c.name: c for c in table(schema, "children").columns}
    assert children["total"].generated == "`price` * `amount`"
    assert children["total"].generated_kind == "stored"
    assert children["label"].generated_kind == "virtual"
    assert children["secret"].default == "3"
    assert children["id"].generated is None
    dt3 = table(schema, "moments").read_column("dt3")
    assert dt3
    assert dt3.on_update == "current_timestamp(3)"
    versions = {c.name: c.generated for c in table(schema, "versions").columns}
    assert versions == {"id": None, "v": None, "start_at": None, "end_at": None}
    assert table(schema, "versions").primary_key == ("id",)
    counters = {s.name: (s.last, s.start, s.increment, s.owner) for s in schema.sequences}
    assert counters["numbers"] == (1005, 1, 1, f"{schema.database}.numbers.id")
    assert counters["parents"] == (76, 1, 1, f"{schema.database}.parents.id")
    assert counters["tickets"] == (110, 100, 10, "")
    assert counters["untouched"] == (None, 5, 1, "")


def test_keys_and_indexes(schema: OriginSchema) -> None:
    children = table(schema, "children")
    foreign = {k.name: k for k in children.foreign_keys}
    assert foreign["to_pair"].columns == ("pkind", "parent")
    assert foreign["to_pair"].target_columns == ("kind", "id")
    assert (foreign["to_parent"].on_delete, foreign["to_parent"].on_update) == (
        "CASCADE",
        "SET NULL",
    )
    assert foreign["to_self"].target_table == "children"
    assert foreign["to_self"].target_schema == schema.database
    assert {c.name: c.expression for c in children.checks} == {
        "positive": "`price` >= 0 and `amount` <> 0",
        "CONSTRAINT_1": "`amount` < 1000",
    }
    by_total = next(i for i in children.indexes if i.name == "by_total")
    assert by_total.parts == (
        IndexPart(column="total", descending=True, nulls_first=True),
        IndexPart(column="id"),
    )
    texts = table(schema, "texts")
    assert texts.primary_key == ("code", "part")
    indexes = {i.name: i for i in texts.indexes}
    assert indexes["prefixed"].parts[0] == IndexPart(column="tx", length=10)
    assert indexes["words"].method == "fulltext"
    assert indexes["words"].written == "FULLTEXT KEY `words` (`tx`,`mt`)"
    assert table(schema, "shapes").indexes[0].method == "spatial"
    prefixes = table(schema, "prefix_key")
    assert [(k.name, k.columns) for k in prefixes.keys] == [("whole", ("h",))]
    assert {i.name: (i.unique, i.parts[0].length) for i in prefixes.indexes} == {
        "PRIMARY": (True, 10),
        "part": (True, 5),
    }


def test_kinds_of_tables(schema: OriginSchema) -> None:
    kinds = Counter(t.kind for t in schema.tables)
    assert kinds == {"table": 16, "partitioned": 3, "unlogged": 1}
    assert table(schema, "sales").partition_bound.startswith(
        "PARTITION BY RANGE (year(`sold`)) SUBPARTITION BY HASH (`id`) SUBPARTITIONS 2"
    )
    assert table(schema, "hashed").partition_bound == "PARTITION BY KEY (`id`) PARTITIONS 3"
    assert Counter(kind for kind, _ in schema.others)["partition"] == 9
    assert ("partition", f"{schema.database}.sales.p0.p0sp1") in schema.others
    assert {other for other in schema.others if other[0] != "partition"} == {
        ("system-versioned table", "history"),
        ("system-versioned table", "versions"),
        ("period", "stays.stay"),
    }
    outside = {t.name for t in schema.tables if not t.transactional}
    assert outside == {"plain_isam", "in_memory", "crash_safe"}


def test_names_and_comments(schema: OriginSchema) -> None:
    odd = table(schema, 'order`s "select"')
    assert [c.name for c in odd.columns] == ["group", 'we`ird "Näme"', "a b"]
    assert odd.columns[2].comment == "semi; 'quote' \\ back"
    assert [i.name for i in odd.indexes] == ["key`s"]
    assert table(schema, "numbers").comment == "numbers of 'all' kinds"


def test_views_triggers_and_routines(schema: OriginSchema) -> None:
    views = {v.name: v for v in schema.views}
    assert views["totals"].columns == ("kind", "amount")
    assert views["guarded"].check_option == "local"
    assert schema.database not in views["cheap"].query
    assert f"'`{schema.database}`.`parents`'" in views["quoted"].query  # a text, not a name
    assert [(t.name, t.timing, t.events) for t in schema.triggers] == [
        ("stamp", "BEFORE", ("update",)),
        ("second", "BEFORE", ("update",)),
        ("gone", "AFTER", ("delete",)),
    ]
    assert schema.triggers[0].body == "SET NEW.amount = NEW.amount + 0"
    assert [(r.name, r.kind) for r in schema.routines] == [
        ("fill", "procedure"),
        ("longest", "aggregate"),
        ("tools", "package"),
        ("tools", "package body"),
        ("twice", "function"),
        ("nightly", "event"),
    ]
    assert all(r.body.startswith("CREATE") for r in schema.routines)


def test_rights_that_hide_objects(every: str, open_database: Open, mariadb_server: MariaDb) -> None:
    mariadb_server.execute("CREATE OR REPLACE USER blind@'%'")
    mariadb_server.execute(f"GRANT SELECT ON `{every}`.* TO blind@'%'")
    blind = open_database(every, "blind")
    with pytest.raises(OriginError, match="GRANT SHOW VIEW"):
        blind.read_schema()
    mariadb_server.execute(f"GRANT SHOW VIEW ON `{every}`.* TO blind@'%'")
    seen = open_database(every, "blind").read_schema()
    whole = open_database(every).read_schema()
    assert seen.tables == whole.tables
    assert (seen.triggers, seen.routines) == ((), ())
    hidden = dict(seen.others)
    assert {"hidden triggers", "hidden events", "hidden routines"} <= set(hidden)
    assert hidden["hidden triggers"] == f"GRANT TRIGGER ON `{every}`.*"
    mariadb_server.execute("CREATE OR REPLACE USER narrow@'%'")
    mariadb_server.execute(f"GRANT SELECT ON `{every}`.parents TO narrow@'%'")
    narrow = open_database(every, "narrow").read_schema()
    assert [t.name for t in narrow.tables] == ["parents"]
    assert "hidden tables" in dict(narrow.others)


def test_an_empty_database(make_database: Callable[[str], str], open_database: Open) -> None:
    schema = open_database(make_database("SELECT 1")).read_schema()
    assert (schema.tables, schema.views, schema.others) == ((), (), ())
