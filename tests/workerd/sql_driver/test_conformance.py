"""The driver over a real D1 binding shows what CPython's sqlite3 shows, statement by statement."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edgelift.worker import sqlite3 as driver
from tests.workerd.sql_driver.sql_observer import Adapted, Observer, read_cases

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("d1")]
CASES = read_cases()


@pytest.mark.parametrize("steps", [steps for _, steps in CASES], ids=[name for name, _ in CASES])
def test_same_as_cpython(d1: Any, steps: list[Any], tmp_path: Path) -> None:
    driver.register_adapter(Adapted, lambda _value: "adapted")
    reference = sqlite3.connect(tmp_path / "reference.db", isolation_level="")
    reference.execute("PRAGMA foreign_keys=ON")
    expected, found = Observer(sqlite3, reference), Observer(driver, d1)
    try:
        differences = [
            f"{str(step)[:200]}\n  sqlite3: {str(a)[:600]}\n  D1:      {str(b)[:600]}"
            for step in steps
            if (a := expected.run(step)) != (b := found.run(step))
        ]
        assert not differences, "\n".join(differences)
    finally:
        reference.close()
