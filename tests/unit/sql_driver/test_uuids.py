"""Django's UUIDV4 and UUIDV7 as SQL, in statements and in the definitions of tables."""

from __future__ import annotations

import sqlite3
import time
import uuid
from contextlib import closing

import pytest

from edgelift.worker.sqlite3.callbacks import FUNCTION, Callback, Callbacks
from edgelift.worker.sqlite3.expansion import expand_calls
from edgelift.worker.sqlite3.statement import parse


@pytest.fixture
def callbacks() -> Callbacks:
    kept = Callbacks()
    for name, arguments in (("UUIDV4", 0), ("UUIDV7", 0), ("LPAD", 3)):

        def work() -> None:
            """Stand for Django's."""

        work.__module__ = "django.db.backends.sqlite3._functions"
        kept.keep(Callback(FUNCTION, name, arguments, work))
    return kept


@pytest.mark.parametrize(("name", "version"), [("UUIDV4", 4), ("UuidV7", 7)])
def test_each_row_has_its_own(callbacks: Callbacks, name: str, version: int) -> None:
    sql = (
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n LIMIT 300) "
        f"SELECT {name}() FROM n"
    )
    expanded = expand_calls(parse(sql), (), callbacks)
    assert expanded is not None
    with closing(sqlite3.connect(":memory:")) as db:
        texts = [text for (text,) in db.execute(expanded.sql)]
    assert len(set(texts)) == 300
    for text in texts:
        made = uuid.UUID(text)
        assert (made.hex, made.version, made.variant) == (text, version, uuid.RFC_4122)


def test_a_seventh_begins_with_its_time(callbacks: Callbacks) -> None:
    expanded = expand_calls(parse("SELECT UUIDV7()"), (), callbacks)
    assert expanded is not None
    before = time.time_ns() // 1_000_000
    with closing(sqlite3.connect(":memory:")) as db:
        (text,) = db.execute(expanded.sql).fetchone()
    after = time.time_ns() // 1_000_000
    assert before - 1 <= int(text[:12], 16) <= after + 1


def test_a_default_is_kept_as_sql(callbacks: Callbacks) -> None:
    sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, code TEXT DEFAULT (UUIDV4()) NOT NULL)"
    expanded = expand_calls(parse(sql), (), callbacks)
    assert expanded is not None
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(expanded.sql)
        db.execute("INSERT INTO t(id) VALUES (1), (2)")
        codes = [code for (code,) in db.execute("SELECT code FROM t")]
    assert [uuid.UUID(code).version for code in codes] == [4, 4]
    assert codes[0] != codes[1]


def test_one_is_never_made_twice_for_one_call(callbacks: Callbacks) -> None:
    """LPAD's form names its argument several times: a copy of the tables answers instead."""
    assert expand_calls(parse("SELECT LPAD(UUIDV4() || '', 40, ' ')"), (), callbacks) is None
