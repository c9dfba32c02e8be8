"""Property: whatever SQLite can hold goes through D1 and back unchanged, bit by bit."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("d1")]

values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(2**53 - 3, 2**53 + 3),
    st.floats(allow_nan=False),
    st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("d", struct.pack("Q", bits))[0]),
    st.integers(-1000, 1000).map(float),
    st.text(alphabet=st.characters(blacklist_categories=("Cs",))),
    st.text(alphabet="'\"\\\0\n?:%_[]{}"),
    st.binary(max_size=300),
)


def bits(value: Any) -> Any:
    """Return what tells a value from every other: floats by their bits (NaN is stored as NULL)."""
    if isinstance(value, float):
        return None if math.isnan(value) else ("float", struct.pack("d", value))
    return (type(value).__name__, value) if value is not None else None


@pytest.fixture
def connection(d1: Any) -> Any:
    d1.isolation_level = None
    d1.execute("CREATE TABLE r(id INTEGER PRIMARY KEY, v)")
    return d1


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@quick
@given(st.lists(values, min_size=1, max_size=40))
def test_expressions(connection: Any, listed: list[Any]) -> None:
    columns = ", ".join("?" for _ in listed)
    found = connection.execute(f"SELECT {columns}", listed).fetchone()
    assert [bits(v) for v in found] == [bits(v) for v in listed]


@quick
@given(st.lists(values, min_size=1, max_size=150))
def test_stored_values(connection: Any, listed: list[Any]) -> None:
    connection.execute("DELETE FROM r")
    connection.executemany("INSERT INTO r VALUES(?, ?)", list(enumerate(listed)))
    found = connection.execute("SELECT v FROM r ORDER BY id").fetchall()
    assert [bits(v) for (v,) in found] == [bits(v) for v in listed]


@quick
@given(st.lists(values, min_size=1, max_size=150))
def test_values_of_one_long_insert_come_back_by_returning(
    connection: Any, listed: list[Any]
) -> None:
    connection.execute("DELETE FROM r")
    marks = ", ".join("(?, ?)" for _ in listed)
    parameters = [cell for pair in enumerate(listed) for cell in pair]
    cursor = connection.execute(f"INSERT INTO r VALUES {marks} RETURNING id, v", parameters)
    found = cursor.fetchall()
    assert [row[0] for row in found] == list(range(len(listed)))
    assert [bits(v) for _, v in found] == [bits(v) for v in listed]
    assert cursor.rowcount == len(listed)


@quick
@given(st.lists(st.floats(allow_nan=False), min_size=120, max_size=120))
def test_floats_written_as_literals(connection: Any, listed: list[float]) -> None:
    marks = " UNION ALL ".join(
        f"SELECT * FROM (VALUES {', '.join('(?)' for _ in range(60))})" for _ in range(2)
    )
    found = connection.execute(f"SELECT * FROM ({marks})", listed).fetchall()
    assert [bits(v) for (v,) in found] == [bits(v) for v in listed]
