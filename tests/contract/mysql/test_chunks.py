"""Chunks cover a table exactly, in the key's order and by its index, whatever the key is."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from edgelift.model.row_spec import RowSpec
from edgelift.rows.wires import Buffer, split_mysql
from edgelift.sources.mysql import MySqlDatabase
from edgelift.sources.mysql.chunks import build_select, read_key_index
from edgelift.sources.mysql.connection import MySqlSession
from edgelift.sources.mysql.url import read_place
from edgelift.sources.origin_database import Choices
from tests.servers.mariadb import MariaDb

Open = Callable[..., MySqlDatabase]
WORDS = [
    "",
    "a",
    "A b",
    "ä",
    "Ä c",
    "z'",
    'q"',
    "\\",
    "ß",
    "ss!",
    "zz ",
    "aaa",
    "é",
    "e%",
    "漢",
    "_x",
]

# name: (column types, key, what makes one key)
KEYS: dict[str, tuple[list[str], str, Callable[[random.Random], tuple]]] = {
    "int": (["INT"], "", lambda r: (r.randint(-(2**31), 2**31 - 1),)),
    "unsigned": (["BIGINT UNSIGNED"], "", lambda r: (r.randrange(2**64),)),
    "descending": (["INT"], "UNIQUE (k0 DESC)", lambda r: (r.randint(-500, 500),)),
    "decimal": (["DECIMAL(20,5)"], "", lambda r: (Decimal(r.randint(-(10**12), 10**12)).scaleb(-5),)),
    "double": (["DOUBLE"], "", lambda r: (r.uniform(-1, 1) * 10.0 ** r.randint(-9, 9),)),
    "float": (["FLOAT"], "", lambda r: (r.uniform(-1, 1) * 10.0 ** r.randint(-9, 9),)),
    "ci text": (["VARCHAR(90) COLLATE utf8mb4_unicode_ci"], "", lambda r: (some_word(r),)),
    "bin text": (["VARCHAR(90) COLLATE utf8mb4_bin"], "", lambda r: (some_word(r),)),
    "latin1": (
        ["VARCHAR(90) CHARACTER SET latin1 COLLATE latin1_german2_ci"],
        "",
        lambda r: (some_word(r).replace("漢", "j"),),
    ),
    "utf16": (["VARCHAR(90) CHARACTER SET utf16"], "", lambda r: (some_word(r),)),
    "bytes": (["VARBINARY(9)"], "", lambda r: (r.randbytes(r.randrange(9)),)),
    "date": (["DATE"], "", lambda r: (f"{r.randint(1900, 2100)}-{r.randint(0, 12):02}-{r.randint(0, 28):02}",)),
    "datetime": (["DATETIME(6)"], "", lambda r: (f"2024-03-31 0{r.randint(0, 9)}:30:00.{r.randrange(10**6):06}",)),
    "timestamp": (
        ["TIMESTAMP(3) DEFAULT 0"],
        "",
        lambda r: (f"2024-10-27 0{r.randint(0, 3)}:{r.randint(10, 59)}:00.{r.randrange(1000):03}",),
    ),
    "time": (["TIME(3)"], "", lambda r: (f"{r.choice(['', '-'])}{r.randint(0, 838)}:10:00.{r.randrange(1000):03}",)),
    "year": (["YEAR"], "", lambda r: (r.choice([0, *range(1901, 2156)]),)),
    "enum": (["ENUM('z','y','x','b','a','10','9')", "INT"], "", lambda r: (r.choice("zyxba"), r.randrange(99))),
    "set": (["SET('z','y','x','b','a')"], "", lambda r: (",".join(r.sample("zyxba", r.randint(0, 5))),)),
    "bits": (["BIT(20)"], "", lambda r: (r.randrange(2**20),)),
    "uuid": (["UUID"], "", lambda r: (f"{r.getrandbits(32):08x}-{r.getrandbits(16):04x}-1000-8000-{r.getrandbits(48):012x}",)),
    "inet6": (["INET6"], "", lambda r: (f"2001:db8::{r.randrange(65535):x}",)),
    "text and date": (["VARCHAR(90)", "DATE"], "", lambda r: (some_word(r), f"2024-01-{r.randint(1, 28):02}")),
    "three": (["TINYINT", "ENUM('b','a')", "VARCHAR(9)"], "", lambda r: (r.randint(-3, 3), r.choice("ab"), some_word(r)[:9])),
    "unique": (["INT", "VARCHAR(90)"], "UNIQUE (k1, k0)", lambda r: (r.randrange(9), some_word(r))),
    "long text": (["TEXT"], "UNIQUE (k0)", lambda r: (some_word(r) * 20,)),
}  # fmt: skip
# MariaDB keeps a unique long text as a hash, without an order; a SET sorts by number.
UNCUT = {"long text", "set"}


def some_word(rng: random.Random) -> str:
    return "".join(rng.choices(WORDS, k=rng.randint(0, 5)))


@pytest.fixture
def session(mariadb_server: MariaDb) -> MySqlSession:
    return MySqlSession(read_place(mariadb_server.url))


def fill(server: MariaDb, name: str, kind: str) -> int:
    types, key, make = KEYS[kind]
    rng = random.Random(kind)
    columns = ", ".join(f"k{i} {type_} NOT NULL" for i, type_ in enumerate(types))
    whole = key or f"PRIMARY KEY ({', '.join(f'k{i}' for i in range(len(types)))})"
    marks = ", ".join(["%s"] * len(types))
    with server.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00'")
        cursor.execute(
            f"CREATE TABLE t ({columns}, pad INT DEFAULT 1, {whole}) CHARACTER SET utf8mb4"
        )
        cursor.executemany(
            f"INSERT IGNORE INTO t VALUES ({marks}, 1)", [make(rng) for _ in range(90)]
        )
        cursor.execute("SELECT COUNT(*) FROM t")
        return int(cursor.fetchall()[0][0])


@pytest.mark.parametrize("kind", KEYS)
def test_chunks_cover_a_table_once_and_in_order(
    kind: str, mariadb_server: MariaDb, open_database: Open, session: MySqlSession
) -> None:
    name = mariadb_server.create_database()
    count = fill(mariadb_server, name, kind)
    database = open_database(name)
    table = database.read_schema().tables[0]
    spec = database.map_table(table, Choices())
    snapshot = database.open_snapshot()
    chunks = snapshot.plan_chunks(spec, 10)
    parts = [read_raw(spec, snapshot.stream_chunk(spec, chunk)) for chunk in chunks]
    assert [chunk.index for chunk in chunks] == list(range(len(chunks)))
    assert [len(part) for part in parts] == [chunk.estimate for chunk in chunks]
    assert sum(len(part) for part in parts) == count > 4
    if kind in UNCUT:
        assert [chunk.where for chunk in chunks] == [""]
    else:
        assert len(chunks) == -(-count // 10)
        assert {len(part) for part in parts[:-1]} <= {10}
    flat = [row for part in parts for row in part]
    index = read_key_index(session, spec)
    whole = build_select(spec, index, "")
    session.run(f"USE `{name}`")
    assert flat == read_raw(spec, session.stream_rows(whole))
    assert len(set(map(tuple, flat))) == count
    for chunk in chunks[1:-1]:
        plan = session.read_rows(f"EXPLAIN {build_select(spec, index, chunk.where)}")
        assert plan[0][3] in {"range", "const"}, (chunk.where, plan)
    snapshot.close()


def read_raw(spec: RowSpec, stream: object) -> list[list[object]]:
    return list(split_mysql(Buffer(stream), len(spec.fields)))  # type: ignore[arg-type]


def test_integer_chunks_say_their_numbers(
    make_database: Callable[[str], str], open_database: Open
) -> None:
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t SELECT seq * 10 FROM seq_1_to_25"
    )
    database = open_database(name)
    spec = database.map_table(database.read_schema().tables[0], Choices())
    snapshot = database.open_snapshot()
    chunks = snapshot.plan_chunks(spec, 10)
    assert [(c.low, c.high, c.where) for c in chunks] == [
        (None, 101, "`id` < 101"),
        (101, 201, "`id` >= 101 AND `id` < 201"),
        (201, None, "`id` >= 201"),
    ]
    assert len(snapshot.plan_chunks(spec, 25)) == 1  # a table that fits is not cut
    assert [c.estimate for c in snapshot.plan_chunks(spec, 24)] == [24, 1]
    snapshot.close()


def test_a_filter_holds_in_every_chunk(
    make_database: Callable[[str], str], open_database: Open
) -> None:
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY, tenant INT);"
        "INSERT INTO t SELECT seq, seq % 3 FROM seq_1_to_100"
    )
    database = open_database(name)
    whole = database.map_table(database.read_schema().tables[0], Choices())
    spec = RowSpec(
        schema=whole.schema,
        table=whole.table,
        target="t",
        wire=whole.wire,
        fields=whole.fields,
        key=whole.key,
        where="tenant = 1 OR tenant = 2",
    )
    snapshot = database.open_snapshot()
    chunks = snapshot.plan_chunks(spec, 20)
    rows = [row for c in chunks for row in read_raw(spec, snapshot.stream_chunk(spec, c))]
    assert len(rows) == sum(c.estimate for c in chunks) == snapshot.read_facts(spec).rows == 67
    assert {row[1] for row in rows} == {b"1", b"2"}
    snapshot.close()


def test_rows_that_come_later_fall_into_a_chunk(
    make_database: Callable[[str], str], open_database: Open, mariadb_server: MariaDb
) -> None:
    name = make_database("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (5), (6), (7)")
    database = open_database(name)
    spec = database.map_table(database.read_schema().tables[0], Choices())
    old = database.open_snapshot()
    chunks = old.plan_chunks(spec, 1)
    old.close()
    mariadb_server.execute("INSERT INTO t VALUES (-9), (99)", database=name)
    new = database.open_snapshot()
    rows = [row[0] for c in chunks for row in read_raw(spec, new.stream_chunk(spec, c))]
    assert rows == [b"-9", b"5", b"6", b"7", b"99"]
    new.close()
