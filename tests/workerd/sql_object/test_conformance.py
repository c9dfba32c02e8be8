"""The cases of tests/cases/sql on the SQL object: everything a caller can see is as with CPython's sqlite3."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.sql_observer import Adapted, Observer, read_cases

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("sql-object")]


@pytest.mark.parametrize(("name", "steps"), read_cases())
def test_same_as_cpython(name: str, steps: list[Any], connection: Any, tmp_path: Path) -> None:
    for module in (sqlite3, driver):
        module.register_adapter(Adapted, lambda _value: "adapted")
    reference = sqlite3.connect(tmp_path / "reference.db")
    reference.execute("PRAGMA foreign_keys=ON")  # which nothing turns off in the Worker's SQLite
    expected, found = Observer(sqlite3, reference), Observer(driver, connection)
    differences = [
        f"{str(step)[:200]}\n  sqlite3: {repr(a)[:600]}\n  object:  {repr(b)[:600]}"
        for step in steps
        if repr(a := expected.run(step)) != repr(b := found.run(step))
    ]
    reference.close()
    assert not differences, "\n".join(differences)
