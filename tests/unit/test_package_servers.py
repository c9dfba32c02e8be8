"""What becomes of database drivers in C where their server stays, and where it does not."""

from __future__ import annotations

import pytest

from edgelift.targets.packages.knowledge import decide, dropped_names


@pytest.mark.parametrize(
    ("name", "engine", "substitute"),
    [
        ("psycopg2-binary", "postgresql", "edgelift.worker.psycopg2"),
        ("psycopg2", "postgresql", "edgelift.worker.psycopg2"),
        ("asyncpg", "postgresql", "edgelift.worker.asyncpg"),
        ("psycopg-binary", "postgresql", "edgelift.worker.psycopg"),
        ("mysqlclient", "mysql", "edgelift.worker.mysqldb"),
    ],
)
def test_a_driver_in_c_is_replaced_where_its_server_stays(
    name: str, engine: str, substitute: str
) -> None:
    module = {"mysqlclient": "MySQLdb"}.get(name, name.removesuffix("-binary"))
    decision = decide(name, {module}, {engine})
    assert (decision.outcome, decision.substitute) == ("substituted", substitute)
    assert decide(name, {module}, {"oracle"}).outcome in {"refused", "excluded"}
    assert decide(name, {module}).substitute == ""


def test_mysqldb_brings_pymysql_along() -> None:
    assert decide("mysqlclient", {"MySQLdb"}, {"mysql"}).requires == ("PyMySQL",)


def test_extras_do_not_bring_c_back() -> None:
    assert {"psycopg-binary", "psycopg-c", "psycopg2-binary"} <= set(
        dropped_names(set(), {"postgresql"})
    )
    assert "psycopg-binary" not in dropped_names(set())


@pytest.mark.parametrize("name", ["pymysql", "pg8000", "aiomysql", "aiopg", "psycopg"])
def test_drivers_in_python_run_as_they_are(name: str) -> None:
    assert decide(name, {name}, {"postgresql", "mysql"}).outcome == "vendored"
