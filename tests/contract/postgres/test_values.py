"""Every type's values through COPY BINARY and the row engine, against the server's own words.

For each column the server itself says in SQL what SQLite should hold; edge values come from lists,
random ones from the server's generator.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable
from typing import Any

import psycopg
import pytest

from edgelift.errors import OriginError
from edgelift.model.origin_schema import OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import check_spec, choose_engine, hash_stream, read_rows
from edgelift.sources.origin_database import Cast, Choices
from edgelift.sources.postgres import open_postgres
from edgelift.sources.postgres.changes import RowDecoder, check_relation
from edgelift.sources.postgres.connection import connect, to_address
from edgelift.sources.postgres.messages import Commit, Relation, RowChange
from edgelift.sources.postgres.replication import ChangeStream
from edgelift.sources.postgres.slots import create_publication, create_slot, drop_following

INTS = "{}::text", int
# A REAL column keeps -0.0 as 0.0: SQLite stores whole numbers there as integers.
FLOATS = "{}::text", lambda text: float(text) + 0.0
TEXTS = "{}::text", str
JSONS = "to_json({})::text", str


def read_decimal(text: str) -> int | float:
    """Return a decimal as a column of NUMERIC affinity holds it: whole numbers in 64 bits as int."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


DECIMALS = "{}::text", read_decimal

# Column type -> (edge values, random value in SQL, expectation in SQL, how Python reads it).
TYPES: dict[str, tuple[list[str], str, tuple[str, Any]]] = {
    "smallint": (["-32768", "32767", "0", "-1"], "(random()*65535 - 32768)::int", INTS),
    "integer": (["-2147483648", "2147483647", "0"], "(random()*4e9 - 2e9)::int8::int", INTS),
    "bigint": (
        ["-9223372036854775808", "9223372036854775807", "9007199254740993"],
        "(random()*1.8e19 - 9e18)::numeric::int8",
        INTS,
    ),
    "oid": (["0", "4294967295"], "(random()*4e9)::int8::oid", INTS),
    "boolean": (["true", "false"], "random() < 0.5", ("({}::int)::text", int)),
    "numeric": (
        ["0", "0.00", "-0.001", "123456789012345", "1e-200", "-1e250", "1.50", "99999999999999.9"],
        "round((random()*2e7 - 1e7)::numeric, (random()*7)::int)",
        DECIMALS,
    ),
    "numeric(9,2)": (["-9999999.99", "0.01"], "(random()*1e6)::numeric(9,2)", DECIMALS),
    "numeric(5,-3)": (["99999000", "-1000"], "(random()*9e7)::numeric(5,-3)", DECIMALS),
    "real": (
        ["0.1", "-0", "Infinity", "-Infinity", "3.4028235e38", "1e-45", "16777217"],
        "(random()*1e6)::real",
        FLOATS,
    ),
    "double precision": (
        ["0.1", "-0", "Infinity", "1.7976931348623157e308", "5e-324", "0.30000000000000004"],
        "random()*1e15 - 5e14",
        FLOATS,
    ),
    "money": (
        ["0", "-0.01", "1234567890123.45", "-9999999999999.99"],
        "(random()*1e9)::numeric::money",
        ("({}::numeric)::text", DECIMALS[1]),
    ),
    "text": (
        ["", " ", "a\tb\nc\r", "ünï 🎈 \u202e", "1", "1.0", "1e5", "NULL", "\\N", "'\"", "x" * 70000],
        "md5(random()::text)",
        TEXTS,
    ),
    "varchar(20)": (["", "trailing  ", "ÄÖÜ"], "left(md5(random()::text), 20)", TEXTS),
    "char(8)": (
        ["", "a", "ab  ", "12345678", "ä"],
        "left(md5(random()::text), 5)",
        ("{0}::text || repeat(' ', 8 - length({0}::text))", str),
    ),
    "name": (["", "n" * 63], "left(md5(random()::text), 9)::name", TEXTS),
    '"char"': (["", "a", "~"], 'chr((random()*90)::int + 33)::"char"', TEXTS),
    "citext": (["MixedCase", ""], "md5(random()::text)::citext", TEXTS),
    "bytea": (
        ["", "\\x00", "\\x00ff00", "\\xdeadbeef"],
        "decode(md5(random()::text), 'hex')",
        ("encode({}, 'hex')", bytes.fromhex),
    ),
    "uuid": (
        ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"],
        "md5(random()::text)::uuid",
        TEXTS,
    ),
    "json": (
        ["{}", ' { "a" : 1, "a" : 2 } ', "1", '"x"', "null", "[1e400, 12345678901234567890]"],
        "to_json(random())",
        TEXTS,
    ),
    "jsonb": (
        ["{}", '{"b": 1, "a": [1, null, "\\u00e4"]}', "1", "null", "12345678901234567890.10"],
        "jsonb_build_object('v', random()::numeric)",
        TEXTS,
    ),
    "xml": (["<a/>", "<a>ä</a>", "text"], "xmlelement(name x, random())", TEXTS),
    "date": (
        ["0001-01-01", "9999-12-31", "1969-12-31", "1970-01-01", "2000-02-29", "1900-03-01"],
        "'0001-01-01'::date + (random()*3652058)::int",
        ("to_char({}, 'YYYY-MM-DD')", str),
    ),
    "time": (
        ["00:00", "23:59:59.999999", "12:00:00.000001"],
        "'00:00'::time + random() * interval '24 hours'",
        ("to_char({}, 'HH24:MI:SS.US')", str),
    ),
    "timetz": (
        ["00:00+00", "23:59:59.999999-15:59", "12:00+05:30"],
        "((random()*23)::int || ':30:00.5+02')::timetz",
        (
            ("to_char({0}::time, 'HH24:MI:SS.US') || CASE WHEN extract(timezone FROM {0}) < 0 "
            "THEN '-' ELSE '+' END || to_char(abs(extract(timezone_hour FROM {0})), 'FM00') || ':' "
            "|| to_char(abs(extract(timezone_minute FROM {0})), 'FM00')"),
            str,
        ),
    ),
    "timestamp": (
        ["0001-01-01 00:00", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"],
        "'0001-01-02'::timestamp + random() * interval '3652000 days'",
        ("to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')", str),
    ),
    "timestamptz": (
        ["0001-01-02 00:00+00", "9999-12-31 23:59:59.999999+00", "2024-03-31 02:30+02"],
        "'0001-01-02'::timestamptz + random() * interval '3652000 days'",
        ("to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", str),
    ),
    "interval": (
        ["0", "1 day", "-1 microsecond", "25:00:00", "3 days -04:05:06.789"],
        "random() * interval '1000 days' - interval '500 days 01:02:03'",
        ("to_char('1970-01-01'::timestamp + {}, 'YYYY-MM-DD HH24:MI:SS.US')", str),
    ),
    "bit(12)": (["000000000000", "111111111111"], "(random()*4095)::int::bit(12)", TEXTS),
    "varbit": (["", "0", "1", "0101010101010101" * 5], "(random()*1e9)::int::bit(30)", TEXTS),
    "inet": (
        ["10.1.0.1", "10.1.0.1/8", "0.0.0.0/0", "::1", "2001:db8::/32", "::ffff:1.2.3.4", "1:0:0:2::"],
        "('10.0.' || (random()*255)::int || '.' || (random()*255)::int)::inet",
        ("textin(inet_out({}))", str),
    ),
    "cidr": (
        ["10.1.0.0/16", "0.0.0.0/0", "2001:db8::/32", "1.2.3.4"],
        "set_masklen('10.0.0.0'::cidr, 8 + (random()*20)::int)",
        ("textin(cidr_out({}))", str),
    ),
    "macaddr": (["08:00:2b:01:02:03"], "left(md5(random()::text), 12)::macaddr", TEXTS),
    "macaddr8": (["08:00:2b:01:02:03:04:05"], "left(md5(random()::text), 16)::macaddr8", TEXTS),
    "point": (["(1,2)", "(-0.5,1e30)"], "point(random(), random())", TEXTS),
    "polygon": (["((0,0),(1,1),(2,0))"], "polygon(box(point(0,0), point(1, random())))", TEXTS),
    "tsvector": (["a:1 b:2A 'x y'"], "to_tsvector('simple', md5(random()::text))", TEXTS),
    "pg_lsn": (["0/0", "16/B374D848"], "'0/0'::pg_lsn + (random()*1e9)::int", TEXTS),
    "regclass": (["pg_class", "-"], "'pg_type'::regclass", TEXTS),
    "xid8": (["18446744073709551615"], "((random()*1e15)::int8::text)::xid8", TEXTS),
    "mood": (["sad", "it's", "Ünï"], "'ok'::mood", TEXTS),
    "address": (
        ['("a ""b""",1,"(1,2)")', "(,,)"],
        "ROW(md5(random()::text), 1, point(1,2))::address",
        JSONS,
    ),
    "email": (["A@b.c"], "(md5(random()::text) || '@x')::email", TEXTS),
    "hstore": (["", 'a=>1, b=>NULL, "c d"=>"\\""'], "hstore('k', random()::text)", JSONS),
    "int[]": (["{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:3]={5,6}"], "array[(random()*9)::int]", JSONS),
    "text[]": (["{}", '{"a,b","","NULL",NULL,"q\\""}'], "array[md5(random()::text)]", JSONS),
    "timestamptz[]": (['{"2024-01-01 00:00+02"}'], "array[now()]", JSONS),
    "int4range": (["empty", "[1,5)", "(,)", "[,3]"], "int4range(1, 2 + (random()*9)::int)", TEXTS),
    "tstzrange": (["[2024-01-01,)"], "tstzrange(now(), now() + random() * interval '1 day')", TEXTS),
    "datemultirange": (["{}", "{[2024-01-01,2024-02-01),[2025-01-01,)}"], "'{}'::datemultirange", TEXTS),
}  # fmt: skip
PREPARE = """
CREATE EXTENSION citext; CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'very happy', 'it''s', 'Ünï');
CREATE TYPE address AS (street text, number int, geo point);
CREATE DOMAIN email AS citext CHECK (VALUE ~ '@');
"""
RANDOM_ROWS = 300


@pytest.fixture(scope="module")
def values_url(postgres_server) -> str:
    """Make a table with one column per type, NULLs, edges and random values."""
    url = postgres_server.create_database("values_of_all_types")
    names = {kind: f"c{i}" for i, kind in enumerate(TYPES)}
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(PREPARE)
        columns = ", ".join(f"{names[kind]} {kind}" for kind in TYPES)
        db.execute(f"CREATE TABLE t (id int PRIMARY KEY, {columns})")
        db.execute("INSERT INTO t (id) VALUES (0)")
        db.execute("SELECT setseed(0.42)")
        width = max(len(edges) for edges, _, _ in TYPES.values())
        for row in range(width):
            given = {names[k]: e[row % len(e)] for k, (e, _, _) in TYPES.items()}
            marks = ", ".join(f"%({name})s" for name in given)
            db.execute(f"INSERT INTO t (id, {', '.join(given)}) VALUES ({row + 1}, {marks})", given)
        randoms = ", ".join(value for _, value, _ in TYPES.values())
        db.execute(
            f"INSERT INTO t SELECT i, {randoms} FROM generate_series(100, {99 + RANDOM_ROWS}) i"
        )
    return url


def stream(database: Any, spec: RowSpec, rows: int = 50) -> Iterable[bytes]:
    snapshot = database.open_snapshot()
    parts = [
        b"".join(snapshot.stream_chunk(spec, chunk)) for chunk in snapshot.plan_chunks(spec, rows)
    ]
    snapshot.close()
    return parts


def read_table(database: Any, choices: Choices, name: str = "t") -> tuple[RowSpec, list[tuple]]:
    table = next(t for t in database.read_schema().tables if t.name == name)
    spec = database.map_table(table, choices)
    check_spec(spec)
    rows = [row for part in stream(database, spec) for row in read_rows(spec, [part])]
    return spec, rows


def same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return found == expected and math.copysign(1, found) == math.copysign(1, expected)
    return type(found) is type(expected) and found == expected


def test_every_value_is_what_the_server_says(values_url: str) -> None:
    with open_postgres(values_url) as database:
        _, rows = read_table(database, Choices())
    expectations = ", ".join(
        rule.format(f"c{i}") for i, (_, _, (rule, _)) in enumerate(TYPES.values())
    )
    with psycopg.connect(values_url) as db:
        db.execute("SET timezone = 'UTC'; SET extra_float_digits = 1")
        expected = db.execute(f"SELECT id, {expectations} FROM t ORDER BY id").fetchall()
    assert len(rows) == len(expected) == 1 + 11 + RANDOM_ROWS
    wrong = []
    for found, wanted in zip(rows, expected, strict=True):
        assert found[0] == wanted[0]
        for kind, value, words in zip(TYPES, found[1:], wanted[1:], strict=True):
            reader = TYPES[kind][2][1]
            target = None if words is None else reader(words)
            if not same(value, target):
                wrong.append((kind, found[0], value, target))
    assert wrong == []


def test_json_of_arrays_is_what_a_client_reads(values_url: str) -> None:
    index = {kind: i + 1 for i, kind in enumerate(TYPES)}
    with open_postgres(values_url) as database:
        _, rows = read_table(database, Choices())
    with psycopg.connect(values_url) as db:
        for kind in ("int[]", "text[]"):
            column = index[kind]
            values = db.execute(f"SELECT c{column - 1} FROM t ORDER BY id").fetchall()
            read = [None if row[column] is None else json.loads(row[column]) for row in rows]
            assert read == [value for (value,) in values]


def test_the_order_of_bytes_on_the_wire_matters(values_url: str) -> None:
    """The fault twin: a value changed on its way is seen."""
    with open_postgres(values_url) as database:
        table = database.read_schema().tables[0]
        spec = database.map_table(table, Choices())
        whole = b"".join(stream(database, spec, 10_000))
        rows = list(read_rows(spec, [whole]))
        changed = whole.replace(b"MixedCase", b"mixedCase", 1)
        assert list(read_rows(spec, [changed])) != rows
        with pytest.raises(OriginError):
            list(read_rows(spec, [whole[:-40]]))


def check_refused(database: Any, table: OriginTable, choices: Choices) -> str:
    spec = database.map_table(table, choices)
    parts = stream(database, spec)
    with pytest.raises(OriginError) as caught:
        list(itertools.chain.from_iterable(read_rows(spec, [part]) for part in parts))
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "as_text", "as_null"),
    [
        ("numeric", "NaN", "NaN", True),
        ("numeric", "-Infinity", "-Infinity", True),
        ("numeric", "0.1234567890123456", "0.1234567890123456", False),
        ("numeric(40,20)", "12345678901234567890.5", "12345678901234567890.50000000000000000000", False),
        ("float8", "NaN", "NaN", True),
        ("real", "NaN", "NaN", True),
        ("date", "infinity", "infinity", True),
        ("date", "0044-03-15 BC", "0044-03-15 BC", True),
        ("date", "10000-01-01", "10000-01-01", True),
        ("timestamp", "-infinity", "-infinity", True),
        ("timestamptz", "0044-03-15 12:00+00 BC", "0044-03-15 12:00:00.000000 BC", True),
        ("time", "24:00", "24:00:00.000000", True),
        ("interval", "1 year 2 mons 3 days 04:05:06.7", "P1Y2M3DT4H5M6.7S", False),
    ],
)  # fmt: skip
def test_what_sqlite_does_not_have_is_refused_or_cast(
    make_database, kind: str, value: str, as_text: str, as_null: bool
) -> None:
    url = make_database(
        f"CREATE TABLE t (id int PRIMARY KEY, v {kind}); INSERT INTO t VALUES (1, '{value}')"
    )
    with open_postgres(url) as database:
        table = database.read_schema().tables[0]
        assert "v" in check_refused(database, table, Choices())
        _, rows = read_table(database, Choices(casts=(Cast(to="text", column="v"),)))
        assert rows == [(1, as_text)]
        if as_null:
            spec, rows = read_table(database, Choices(casts=(Cast(to="null", column="v"),)))
            assert rows == [(1, None)]
            assert "NULL" in spec.fields[1].loss


@pytest.mark.parametrize(
    ("kind", "value", "cast", "expected"),
    [
        ("numeric(9,2)", "12.34", Cast(to="scaled", scale=2), 1234),
        ("float8", "12.25", Cast(to="scaled", scale=3), 12250),
        ("numeric", "12.34", Cast(to="real"), 12.34),
        ("numeric", "12345678901234567.8", Cast(to="real"), 12345678901234568.0),
        ("numeric", "12", Cast(to="integer"), 12),
        ("text", "7", Cast(to="integer"), 7),
        ("text", "7.5", Cast(to="numeric"), 7.5),
        ("int", "5", Cast(to="text"), "5"),
        ("bool", "t", Cast(to="text"), "true"),
        ("bool", "t", Cast(to="integer"), 1),
        ("money", "12.34", Cast(to="integer"), 1234),
        ("money", "12.34", Cast(to="text"), "12.34"),
        ("bytea", "\\x00ff", Cast(to="hex"), "00ff"),
        ("text", "ä", Cast(to="blob"), "ä".encode()),
        ("uuid", "12345678-1234-1234-1234-123456789abc", Cast(to="hex"), "12345678123412341234123456789abc"),
        ("uuid", "12345678-1234-1234-1234-123456789abc", Cast(to="blob"), bytes.fromhex("12345678123412341234123456789abc")),
        ("int[]", "{1,2}", Cast(to="text"), "{1,2}"),
        ("date", "1970-01-02", Cast(to="unix"), 86400),
        ("timestamptz", "1970-01-01 01:00:00.5+00", Cast(to="unix_ms"), 3600500),
        ("interval", "1 day 00:00:01", Cast(to="integer"), 86401000000),
        ("bit(4)", "0101", Cast(to="integer"), 5),
        ("jsonb", "{}", Cast(to="text"), "{}"),
        ("int4range", "[1,2]", Cast(to="json"), '"[1,3)"'),
        ("float4", "0.1", Cast(to="text"), "0.1"),
    ],
)  # fmt: skip
def test_casts_of_the_settings(
    make_database, kind: str, value: str, cast: Cast, expected: object
) -> None:
    url = make_database(
        f"CREATE TABLE t (id int PRIMARY KEY, v {kind}); INSERT INTO t VALUES (1, '{value}'), (2, NULL)"
    )
    choice = Cast(to=cast.to, scale=cast.scale, table="t", column="v")
    with open_postgres(url) as database:
        spec, rows = read_table(database, Choices(casts=(choice,)))
    assert spec.fields[1].op != "refused"
    assert rows == [(1, expected), (2, None)]
    assert type(rows[0][1]) is type(expected)


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("sqlalchemy", "2024-01-02 03:04:05.000000"),
        ("django", "2024-01-02 03:04:05"),
        ("unix", 1704164645),
        ("unix_ms", 1704164645000),
    ],
)
def test_styles_of_timestamps(make_database, style: str, expected: object) -> None:
    url = make_database(
        "CREATE TABLE t (at timestamptz); INSERT INTO t VALUES ('2024-01-02 05:04:05+02')"
    )
    with open_postgres(url) as database:
        assert read_table(database, Choices(timestamps=style))[1] == [(expected,)]


def test_both_engines_give_the_same_hash(values_url: str) -> None:
    if choose_engine() != "native":
        pytest.skip("the native engine is not there")
    with open_postgres(values_url) as database:
        table = database.read_schema().tables[0]
        spec = database.map_table(table, Choices())
        for part in stream(database, spec):
            python = hash_stream(spec, [part], "python")
            native = hash_stream(spec, [part], "native")
            assert (native.rows, native.hash) == (python.rows, python.hash)


def test_changes_are_decoded_as_the_copy_decodes(values_url: str) -> None:
    """Every type through the replication stream gives the value that the copy gave."""
    address = to_address(values_url)
    with open_postgres(values_url) as database, connect(address) as connection:
        table = database.read_schema().tables[0]
        spec, rows = read_table(database, Choices())
        create_publication(connection, "all_values", [table], address.place)
        with create_slot(address, "all_values") as slot:
            connection.execute("UPDATE t SET id = id")
        changes = ChangeStream(
            address, slot="all_values", publication="all_values", position=slot.position
        )
        try:
            found: dict[Any, dict[str, Any]] = {}
            waiting = []
            for change in changes.read(20):
                if isinstance(change, Relation):
                    check_relation(connection, table, change)
                    decoder = RowDecoder(connection, spec, change)
                elif isinstance(change, RowChange):
                    waiting.append(change.new)
                elif isinstance(change, Commit):
                    found = {row["id"]: row for row in decoder.decode(waiting)}
                    break
        finally:
            changes.close()
            drop_following(address, "all_values", "all_values")
    names = [field.column for field in spec.fields]
    large = 0
    for row in rows:
        change_row = found[row[0]]
        for name, value in zip(names, row, strict=True):
            if name not in change_row:  # unchanged and out of line
                large += 1
                continue
            assert same(change_row[name], value), (name, change_row[name], value)
    assert len(found) == len(rows)
    assert large < 5
