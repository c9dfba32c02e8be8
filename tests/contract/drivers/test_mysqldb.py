"""MySQLdb over PyMySQL against a real server, as code written for mysqlclient uses it."""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.metadata
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from edgelift.worker import mysqldb
from tests.servers.mariadb import MariaDb

TABLE = """CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, a decimal(10, 2), b datetime(6),
    d time, e varbinary(9), f varchar(20) UNIQUE)"""


@pytest.fixture
def module() -> Iterator[Any]:
    before = list(sys.meta_path)
    mysqldb.install()
    yield importlib.import_module("MySQLdb")
    sys.meta_path[:] = before
    for name in [n for n in sys.modules if n.partition(".")[0] == "MySQLdb"]:
        del sys.modules[name]


@pytest.fixture
def db(module: Any, mariadb_server: MariaDb) -> Iterator[Any]:
    name = mariadb_server.create_database("mysqldb", "CHARACTER SET utf8mb4")
    opened = module.connect(
        host="127.0.0.1", port=mariadb_server.port, user="root", passwd="", db=name,
        charset="utf8mb4", use_unicode=True,
    )  # fmt: skip
    opened.cursor().execute(TABLE)
    yield opened
    if opened.open:
        opened.close()


def test_the_distribution_is_there(module: Any) -> None:
    assert importlib.metadata.version("mysqlclient") == "2.2.7"
    assert module.version_info >= (2, 2, 1)
    assert module.paramstyle == "format"
    assert module.STRING == module.FIELD_TYPE.VAR_STRING
    assert module.NUMBER != module.FIELD_TYPE.VAR_STRING


def test_values_go_and_come(db: Any) -> None:
    sent = (Decimal("1.10"), dt.datetime(2020, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
            dt.timedelta(hours=30), b"\0\xff", "Zoë")  # fmt: skip
    cursor = db.cursor()
    assert cursor.execute("INSERT INTO t (a, b, d, e, f) VALUES (%s, %s, %s, %s, %s)", sent) == 1
    assert cursor.lastrowid == 1
    cursor.execute("SELECT a, b, d, e, f FROM t")
    assert cursor.fetchall() == (sent,)
    assert len(cursor.description_flags) == 5


def test_what_is_not_committed_is_gone(db: Any, mariadb_server: MariaDb) -> None:
    cursor = db.cursor()
    cursor.execute("INSERT INTO t (f) VALUES ('x')")
    db.rollback()
    cursor.execute("SELECT count(*) FROM t")
    assert cursor.fetchone() == (0,)


def test_errors_have_mysqlclients_names(db: Any, module: Any) -> None:
    cursor = db.cursor()
    cursor.execute(b"INSERT INTO t (f) VALUES ('x')")
    with pytest.raises(module.IntegrityError) as raised:
        cursor.execute("INSERT INTO t (f) VALUES ('x')")
    assert raised.value.args[0] == 1062
    assert f"{type(raised.value).__module__}.{type(raised.value).__name__}" == (
        "MySQLdb.IntegrityError"
    )
    with pytest.raises(db.ProgrammingError):
        cursor.execute("SELECT nothing FROM nowhere")


def test_cursors_by_dictionary_and_row_by_row(db: Any) -> None:
    cursors = importlib.import_module("MySQLdb.cursors")
    db.cursor().execute("INSERT INTO t (f) VALUES ('x'), ('y')")
    with db.cursor(cursors.DictCursor) as cursor:
        cursor.execute("SELECT f FROM t ORDER BY f")
        assert cursor.fetchone() == {"f": "x"}
    with db.cursor(cursors.SSCursor) as cursor:
        cursor.execute("SELECT f FROM t ORDER BY f")
        assert list(cursor) == [("x",), ("y",)]


def test_converters_and_the_plain_interface(module: Any, mariadb_server: MariaDb) -> None:
    converters = importlib.import_module("MySQLdb.converters")
    types = importlib.import_module("MySQLdb.constants.FIELD_TYPE")
    opened = module.connect(
        host="127.0.0.1", port=mariadb_server.port, user="root",
        conv={**converters.conversions, types.TIME: str},
    )  # fmt: skip
    opened.query("SELECT CAST('10:00' AS TIME) AS t, 'x' AS b")
    result = opened.store_result()
    assert result.fetch_row(0, 1) == ({"t": "10:00:00", "b": "x"},)
    assert (result.num_rows(), result.num_fields(), opened.field_count()) == (1, 2, 2)
    assert opened.literal("a'b") == b"'a\\'b'"
    assert module._mysql.escape_string("a'b") == b"a\\'b"
    opened.query("SELECT 1; SELECT 2")
    assert opened.next_result() == 0
    assert opened.store_result().fetch_row() == ((2,),)
    assert opened.next_result() == -1
    opened.close()


def test_a_wrong_password_and_no_server(module: Any, mariadb_server: MariaDb) -> None:
    with pytest.raises(module.OperationalError) as raised:
        module.connect(host="127.0.0.1", port=mariadb_server.port, user="nobody", passwd="no")
    assert raised.value.args[0] == 1045
    with pytest.raises(module.OperationalError) as raised:
        module.connect(host="127.0.0.1", port=9, user="root")
    assert raised.value.args[0] == 2003
