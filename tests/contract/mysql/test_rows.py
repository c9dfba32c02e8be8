"""Rows on their way: what arrives is what the server holds, for edge and random values."""

# ruff: noqa: DTZ001 - MySQL's moments carry no zone

from __future__ import annotations

import datetime as dt
import random
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from edgelift.errors import OriginError
from edgelift.model.row_spec import RowSpec
from edgelift.rows.engine import read_rows
from edgelift.sources.mysql import MySqlDatabase
from edgelift.sources.origin_database import LARGE_ROW_BYTES, Cast, Choices, TableFacts
from tests.servers.mariadb import MariaDb

Open = Callable[..., MySqlDatabase]
Row = tuple[Any, ...]


def read_all(
    database: MySqlDatabase, name: str, choices: Choices | None = None, rows_per_chunk: int = 7
) -> tuple[RowSpec, list[Row], TableFacts]:
    """Return a table's way, its decoded rows over all chunks, and its facts."""
    schema = database.read_schema()
    table = schema.read_table(schema.database, name)
    assert table is not None
    spec = database.map_table(table, choices or Choices())
    snapshot = database.open_snapshot()
    try:
        rows = [
            row
            for chunk in snapshot.plan_chunks(spec, rows_per_chunk)
            for row in read_rows(spec, snapshot.stream_chunk(spec, chunk))
        ]
        return spec, rows, snapshot.read_facts(spec)
    finally:
        snapshot.close()


def write_time(value: dt.timedelta) -> str:
    return (dt.datetime(1970, 1, 1) + value).strftime("%H:%M:%S.%f")


def write_moment(value: dt.datetime) -> str:
    return f"{value.year:04d}-{value:%m-%d %H:%M:%S.%f}"


def as_bits(value: int | None) -> bytes | None:
    return None if value is None else value.to_bytes(8, "big")


# name: (type, how the driver's value becomes the target's, a random value, edge values)
LETTERS = "aZ09 '\"\\`%_\n\r\t\x1aäßé漢🙂\u200b"


def some_text(rng: random.Random) -> str:
    return "".join(rng.choices(LETTERS, k=rng.randrange(30)))


def some_moment(rng: random.Random) -> dt.datetime:
    micros = rng.randrange(9998 * 365 * 86_400_000_000)
    return dt.datetime(1, 1, 1) + dt.timedelta(microseconds=micros)


COLUMNS: dict[str, tuple[str, Callable[[Any], Any], Callable[[random.Random], Any], list[Any]]] = {
    "i": ("INT", int, lambda r: r.randint(-(2**31), 2**31 - 1), [0, -1, 2**31 - 1]),
    "b": ("BIGINT", int, lambda r: r.randint(-(2**63), 2**63 - 1), [-(2**63), 2**63 - 1]),
    "bu": ("BIGINT UNSIGNED", int, lambda r: r.randrange(2**63), [0, 2**63 - 1]),
    "z": ("INT(9) ZEROFILL", int, lambda r: r.randrange(10**6), [0, 1]),
    "y": ("YEAR", int, lambda r: r.randint(1901, 2155), [0, 1901, 2155]),
    "d15": (
        "DECIMAL(15,5)",
        float,
        lambda r: Decimal(r.randint(-(10**15) + 1, 10**15 - 1)).scaleb(-5),
        [Decimal("0.00001"), Decimal("-9999999999.99999"), Decimal(0)],
    ),
    "d40": (
        "DECIMAL(40,20)",
        lambda v: f"{v:.20f}",
        lambda r: Decimal(r.randint(-(10**40) + 1, 10**40 - 1)).scaleb(-20),
        [Decimal("1e-20"), Decimal("-0.5")],
    ),
    "f": (
        "FLOAT",
        lambda v: struct.unpack("f", struct.pack("f", v))[0],
        lambda r: r.uniform(-1, 1) * 10.0 ** r.randint(-30, 30),
        [0.0, 0.1, 1e-38, -3.4e38, 16777217.0],
    ),
    "db": (
        "DOUBLE",
        float,
        lambda r: r.uniform(-1, 1) * 10.0 ** r.randint(-300, 300),
        [0.0, 0.1, 5e-324, 1.7976931348623157e308, 2.0**53 + 2, 1e23, 1 / 3],
    ),
    "t": ("TEXT", str, some_text, ["", " ", "x ", "\0", "a\0b", "NULL", "\\N", "1e5", "🙂" * 300]),
    "l1": (
        "VARCHAR(60) CHARACTER SET latin1",
        str,
        lambda r: "".join(r.choices("aé€ß'\\ÿ", k=9)),
        ["", "€"],
    ),
    "u16": ("VARCHAR(60) CHARACTER SET utf16", str, some_text, ["", "𝄞"]),
    "c": ("CHAR(9)", lambda v: v.rstrip(" "), lambda r: some_text(r)[:9], ["a ", " ", " a"]),
    "bl": (
        "LONGBLOB",
        bytes,
        lambda r: r.randbytes(r.randrange(300)),
        [b"", b"\0", b"x" * 110_000],
    ),
    "bi": ("BINARY(6)", lambda v: v.ljust(6, b"\0"), lambda r: r.randbytes(6), [b"", b"a "]),
    "d": (
        "DATE",
        lambda v: v.isoformat(),
        lambda r: some_moment(r).date(),
        [dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2024, 2, 29)],
    ),
    "ti": (
        "TIME(6)",
        write_time,
        lambda r: dt.timedelta(microseconds=r.randrange(86_400_000_000)),
        [dt.timedelta(0), dt.timedelta(microseconds=86_399_999_999)],
    ),
    "m": (
        "DATETIME(6)",
        write_moment,
        some_moment,
        [dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)],
    ),
    "ts": (
        "TIMESTAMP(6) NULL",
        write_moment,
        lambda r: dt.datetime(1970, 1, 2) + dt.timedelta(seconds=r.random() * 2e9),
        [dt.datetime(1970, 1, 1, 0, 0, 1), dt.datetime(2038, 1, 19, 3, 14, 7)],
    ),
    "bits": (
        "BIT(63)",
        int,
        lambda r: r.randrange(2**63),
        [0, 1, 2**63 - 1],
    ),
    "e": ("ENUM('a','B c','''','ü')", str, lambda r: r.choice(["a", "B c", "'", "ü"]), []),
    "s": ("SET('a','b','c d')", str, lambda r: r.choice(["", "a", "a,b", "b,c d"]), []),
    "j": ("JSON", str, lambda r: r.choice(["{}", '{"a": 1.0}', "[1,  2]", '"ü"']), ["null"]),
    "u": (
        "UUID",
        str,
        lambda r: f"{r.getrandbits(32):08x}-0000-4000-8000-{r.getrandbits(48):012x}",
        ["ffffffff-ffff-ffff-ffff-ffffffffffff"],
    ),
    "i6": ("INET6", str, lambda r: f"2001:db8::{r.randrange(1, 9999):x}", ["::", "::ffff:1.2.3.4"]),
}


@pytest.fixture
def random_rows(mariadb_server: MariaDb) -> tuple[str, list[Row]]:
    """A table of edge and random values, and the values that went in."""
    rng = random.Random(20261124)
    name = mariadb_server.create_database()
    columns = ", ".join(f"`{column}` {kind[0]}" for column, kind in COLUMNS.items())
    rows: list[Row] = [(0, *[None] * len(COLUMNS))]
    for number in range(1, 301):
        values = []
        for _, _, make, edges in COLUMNS.values():
            edge = number - 1 < len(edges)
            values.append(edges[number - 1] if edge else None if rng.random() < 0.1 else make(rng))
        rows.append((number, *values))
    connection = mariadb_server.connect(name)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'")
        cursor.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns}) CHARACTER SET utf8mb4")
        marks = ", ".join(["%s"] * (len(COLUMNS) + 1))
        # A float goes in as it is: the driver writes sixteen digits and the server reads them.
        cursor.executemany(f"INSERT INTO t VALUES ({marks})", rows)
    return name, rows


def test_random_values_arrive_as_they_went_in(
    random_rows: tuple[str, list[Row]], open_database: Open
) -> None:
    name, given = random_rows
    choices = Choices(casts=(Cast(to="text", column="d40"),))
    _, found, facts = read_all(open_database(name), "t", choices, 37)
    converters = [int, *(kind[1] for kind in COLUMNS.values())]
    expected = [
        tuple(
            None if value is None else convert(value)
            for value, convert in zip(row, converters, strict=True)
        )
        for row in given
    ]
    assert len(found) == len(expected) == facts.rows
    for row, wanted in zip(found, expected, strict=True):
        for column, value, want in zip(["id", *COLUMNS], row, wanted, strict=True):
            assert (value, column) == (want, column)
            assert column == "d15" or type(value) is type(want)


def test_facts_are_those_of_the_rows(
    random_rows: tuple[str, list[Row]], open_database: Open
) -> None:
    name, given = random_rows
    choices = Choices(casts=(Cast(to="text", column="d40"),))
    spec, found, facts = read_all(open_database(name), "t", choices)
    assert facts.total_bytes >= facts.row_bytes > LARGE_ROW_BYTES
    for place, field in enumerate(spec.fields):
        values = [row[place] for row in found if row[place] is not None]
        fact = facts.columns[field.column]
        sizes = [
            len(v.encode() if isinstance(v, str) else v)
            for v in values
            if isinstance(v, str | bytes)
        ]
        if field.op in {"text", "blob"}:
            assert fact.max_bytes == max(sizes), field.column
        else:
            assert fact.max_bytes >= max(sizes, default=0), field.column
        if field.column in {"b", "bu"}:
            assert (fact.min_int, fact.max_int) == (min(values), max(values))
        if field.op == "text" and field.column != "d40":
            beyond = sum(not v.isascii() for v in values)
            assert fact.non_ascii == (beyond if field.folds else 0), field.column
            assert fact.nul_texts == sum("\0" in v for v in values), field.column
    assert given


def test_digits_of_wide_decimals(make_database: Callable[[str], str], open_database: Open) -> None:
    name = make_database(
        "CREATE TABLE t (a DECIMAL(40,10), b DECIMAL(20,0), c DECIMAL(15,2));"
        "INSERT INTO t VALUES (-120.0500000000, 1000, 1), (0.0000000001, 123456789012345678, 2),"
        "(0, -12, 3)"
    )
    columns = read_all(open_database(name), "t", Choices(casts=(Cast(to="text", column="b"),)))[
        2
    ].columns
    assert columns["a"].digits == 5
    exact = read_all(open_database(name), "t", Choices(casts=(Cast(to="scaled", column="b"),)))[2]
    assert exact.columns["b"].digits == 18
    assert columns["c"].digits == 0  # cannot have more than a double keeps


def test_every_table_is_read(every: str, open_database: Open, mariadb_server: MariaDb) -> None:
    database = open_database(every)
    casts = (
        Cast(to="text", column="wide"),
        Cast(to="text", column="bu"),
        Cast(to="null", table="wild_moments", column="d"),
    )
    sizes = {}
    for table in database.read_schema().tables:
        if table.name != "wild_moments":
            _, rows, facts = read_all(database, table.name, Choices(casts=casts), 1)
            count = mariadb_server.execute(
                f"SELECT COUNT(*) FROM `{table.name.replace('`', '``')}`", database=every
            )
            assert len(rows) == facts.rows == count[0][0], table.name
            sizes[table.name] = len(rows)
    assert sizes["numbers"] == sizes["texts"] == 3
    assert sizes["history"] == 1  # today's rows


def test_numbers_as_the_server_holds_them(every: str, open_database: Open) -> None:
    casts = (Cast(to="text", column="wide"), Cast(to="text", column="bu"))
    spec, rows, _ = read_all(open_database(every), "numbers", Choices(casts=casts))
    names = [field.column for field in spec.fields]
    first, second = (dict(zip(names, row, strict=True)) for row in rows[:2])
    assert first["wide"] == "123456789012345678901234567890.123456789012345678901234567890"
    assert (first["f"], second["f"]) == (-0.925147533416748, 0.10000000149011612)
    assert (first["fmd"], first["dmd"], second["dmd"]) == (1234.567, 12345678.1234, -0.0001)
    assert (first["db"], second["db"]) == (1.7976931348623157e308, 5e-324)
    assert (first["bit1"], first["bit9"], first["bit64"]) == (0, 511, 2**63 - 1)
    assert (first["z"], first["y"], second["y"], second["flag"]) == (42, 1901, 0, 2)
    declared = {field.column: field.target_type for field in spec.fields}
    assert declared["flag"] == declared["bit1"] == "BOOLEAN"
    assert declared["d"] == "NUMERIC(10, 2)"


def test_moments_are_utc(every: str, open_database: Open) -> None:
    _, rows, _ = read_all(open_database(every), "moments")
    assert rows[0][3:] == (
        "23:59:59.000000",
        "00:00:00.000001",
        "9999-12-31 23:59:59.000000",
        "2024-03-31 02:30:00.123000",  # DATETIME has no zone: an hour that summer time skips stays
        "1000-01-01 00:00:00.000001",
        "2024-07-01 10:00:00.000000",
        "2038-01-19 02:14:07.999999",
    )
    counted = read_all(open_database(every), "moments", Choices(timestamps="unix_ms"))[0]
    ways = {field.column: (field.argument, field.loss) for field in counted.fields}
    assert ways["ts"] == ("style=unix_ms", "")
    assert ways["dt6"][0] == "style=unix_ms fraction=floor"
    assert "6 digits" in ways["dt6"][1]


def test_what_sqlite_cannot_hold_is_counted_and_refused(every: str, open_database: Open) -> None:
    database = open_database(every)
    schema = database.read_schema()
    table = schema.read_table(every, "wild_moments")
    assert table
    spec = database.map_table(table, Choices())
    snapshot = database.open_snapshot()
    facts = snapshot.read_facts(spec).columns
    assert (facts["d"].zero_dates, facts["d"].outside_dates) == (2, 1)
    assert facts["t"].outside_dates == 4
    assert (facts["dt"].zero_dates, facts["dt"].outside_dates) == (2, 1)
    assert facts["ts"].zero_dates == 1
    with pytest.raises(OriginError, match="column d"):
        list(read_rows(spec, snapshot.stream_chunk(spec, snapshot.plan_chunks(spec, 100)[0])))
    kept = database.map_table(table, Choices(casts=(Cast(to="text", table="wild_moments"),)))
    one = snapshot.plan_chunks(kept, 1)[1]
    assert list(read_rows(kept, snapshot.stream_chunk(kept, one))) == [
        ("2", "2024-00-15", "-00:00:00.500000", "0000-00-00 00:00:00.000000", None)
    ]
    gone = database.map_table(
        table, Choices(casts=(Cast(to="null", table="wild_moments", type="time"),))
    )
    assert [f.column for f in gone.fields if "NULL" in f.loss] == ["t"]
    snapshot.close()


def test_casts(every: str, open_database: Open) -> None:
    casts = (
        Cast(to="json", column="st"),
        Cast(to="hex", column="bl"),
        Cast(to="blob", column="l1"),
        Cast(to="blob", column="u"),
        Cast(to="text", column="i4"),
        Cast(to="unix", column="j"),
    )
    spec, rows, _ = read_all_but_refused(open_database(every), casts)
    names = [field.column for field in spec.fields]
    by_code = {row[0]: dict(zip(names, row, strict=True)) for row in rows}
    assert by_code["a"]["st"] == '["x","w\\\\"]'
    assert by_code["A"]["st"] == "[]"
    assert by_code["a"]["bl"] == "00ff0a0d27"
    assert by_code["a"]["l1"] == "Grüße €".encode("cp1252")
    assert by_code["a"]["u"] == bytes.fromhex("12345678123456781234567812345678")


def read_all_but_refused(
    database: MySqlDatabase, casts: tuple[Cast, ...]
) -> tuple[RowSpec, list[Row], TableFacts]:
    schema = database.read_schema()
    table = schema.read_table(schema.database, "texts")
    assert table
    whole = database.map_table(table, Choices(casts=casts))
    refused = [field for field in whole.fields if field.op == "refused"]
    assert [(f.column, f.argument, f.loss) for f in refused] == [
        ("j", "SCHEMA-CAST", "longtext cannot be cast to unix")
    ]
    excluded = frozenset({(schema.database, "texts", "j")})
    return read_all(database, "texts", Choices(casts=casts, excluded=excluded))


def test_texts_that_are_no_unicode_are_counted(
    make_database: Callable[[str], str], open_database: Open
) -> None:
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9) CHARACTER SET ascii,"
        " k VARCHAR(9) CHARACTER SET cp1251, u VARCHAR(9) CHARACTER SET utf8mb4);"
        "INSERT INTO t VALUES (1, CAST(X'41E9' AS BINARY), CAST(X'98' AS BINARY), 'ü'),"
        "(2, 'A', CAST(X'C4' AS BINARY), 'x')"
    )
    facts = read_all(open_database(name), "t")[2].columns
    assert (facts["a"].unmappable, facts["k"].unmappable, facts["u"].unmappable) == (1, 1, 0)


def test_geometry_is_wkb_of_one_srid(
    make_database: Callable[[str], str], open_database: Open, mariadb_server: MariaDb
) -> None:
    name = make_database(
        "CREATE TABLE t (id INT PRIMARY KEY, g GEOMETRY);"
        "INSERT INTO t VALUES (1, ST_GeomFromText('POINT(1 2)', 4326)), (2, NULL)"
    )
    spec, rows, _ = read_all(open_database(name), "t")
    wkb = mariadb_server.execute("SELECT ST_AsBinary(g) FROM t ORDER BY id", database=name)
    assert [row[1] for row in rows] == [value for (value,) in wkb]
    assert "SRID 4326" in spec.fields[1].loss
    mariadb_server.execute(
        "INSERT INTO t VALUES (3, ST_GeomFromText('POINT(3 4)', 7))", database=name
    )
    with pytest.raises(OriginError, match="column g"):
        read_all(open_database(name), "t")
