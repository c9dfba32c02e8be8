"""Parameters, adapters and rows: what CPython's sqlite3 does, done in Python."""

from __future__ import annotations

import datetime as dt
import decimal
import sqlite3
from typing import Any

import pytest

from edgelift.worker.sqlite3 import adapting
from edgelift.worker.sqlite3.rows import Row
from edgelift.worker.sqlite3.statement import parse
from edgelift.worker.sqlite3.values import LARGEST_VALUE_BYTES, bind_values


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", ()), ("SELECT ?", (1, 2)), ("SELECT 1", (1,)), ("SELECT ?, ?5", (1,)),
        ("SELECT :a", {}), ("SELECT :a, @b", {"a": 1}), ("SELECT ?", {"a": 1}), ("SELECT ?", 5), ("SELECT ?", None),
        ("SELECT ?", {1}), ("SELECT ?", (object(),)), ("SELECT ?", (decimal.Decimal(1),)), ("SELECT :a", {"a": [1]}),
        ("SELECT ?", (2**63,)), ("SELECT ?", (-(2**63) - 1,)), ("SELECT ?", ("\udc80",)), ("SELECT ?", (dt.timedelta(1),)),
        ("SELECT ?", (int,)), ("SELECT ?", (1 + 2j,)), ("SELECT ?", (range(3),)),
    ],
)  # fmt: skip
def test_refusals_are_cpythons(sql: str, parameters: Any) -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(Exception) as expected:
        connection.execute(sql, parameters)
    connection.close()
    with pytest.raises(type(expected.value)) as found:
        bind_values(parse(sql), parameters)
    assert str(found.value) == str(expected.value)


def test_values_by_number() -> None:
    class Lazy(dict[str, int]):
        def __missing__(self, key: str) -> int:
            return len(key)

    assert bind_values(parse("SELECT :a, :bb, :a"), Lazy()) == [1, 2]
    assert bind_values(parse("SELECT ?, ?"), [True, float("nan")]) == [1, None]
    assert bind_values(parse("SELECT ?"), "x") == ["x"]
    assert bind_values(parse("SELECT ?, ?"), (bytearray(b"a"), memoryview(b"b"))) == [b"a", b"b"]


def test_a_value_larger_than_d1_takes_is_refused_here() -> None:
    bind_values(parse("SELECT ?"), ["x" * LARGEST_VALUE_BYTES])
    for value in ("é" * (LARGEST_VALUE_BYTES // 2 + 1), bytes(LARGEST_VALUE_BYTES + 1)):
        with pytest.raises(sqlite3.DataError, match="D1 stores at most 2,000,000"):
            bind_values(parse("SELECT ?"), [value])


def test_adapters() -> None:
    class Point:
        pass

    class Conforming:
        def __conform__(self, _protocol: type) -> str:
            return "conformed"

    adapting.register_adapter(Point, lambda _value: b"point")
    assert bind_values(parse("SELECT ?, ?"), (Point(), Conforming())) == [b"point", "conformed"]
    assert adapting.adapt(dt.date(2024, 2, 29)) == "2024-02-29"
    assert adapting.adapt(dt.datetime(2024, 2, 29, 1, 2, 3, 40)) == "2024-02-29 01:02:03.000040"  # noqa: DTZ001
    assert adapting.adapt(1.5, adapting.PrepareProtocol, "other") == "other"
    with pytest.raises(sqlite3.ProgrammingError, match="can't adapt"):
        adapting.adapt(object())


@pytest.mark.parametrize(
    "text", ["2024-02-29 01:02:03", "2024-02-29 01:02:03.5", "1999-12-31 23:59:59.123456789"]
)
def test_converters(text: str) -> None:
    expected = sqlite3.dbapi2.converters["TIMESTAMP"](text.encode())  # type: ignore[attr-defined]
    assert adapting.convert_timestamp(text.encode()) == expected
    assert adapting.convert_date(b"2024-02-29") == dt.date(2024, 2, 29)


def test_rows_are_cpythons() -> None:
    connection = sqlite3.connect(":memory:")
    cursor = connection.execute("SELECT 1 AS a, 'x' AS B, 2 AS a, 3 AS é")
    data = cursor.fetchone()
    mine, theirs = Row(cursor, data), sqlite3.Row(cursor, data)
    for key in (0, -1, slice(1, 3), "a", "A", "b", "B", "é", "É", "no", 9, -9, 1.5, None):
        outcomes = []
        for row in (mine, theirs):
            try:
                outcomes.append(row[key])  # type: ignore[index]
            except IndexError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1], key
    assert mine.keys() == theirs.keys()
    assert (list(mine), len(mine), dict(zip(mine.keys(), mine, strict=True))["B"]) == (
        [1, "x", 2, 3],
        4,
        "x",
    )
    assert mine == Row(cursor, data)
    assert hash(mine) == hash(Row(cursor, data))
    assert mine != Row(cursor, (1, "x", 2, 4))
    assert mine != (1, "x", 2, 3)
    connection.close()
