"""Faults of the driver fail where they were armed, once, with SQLite's own error for a broken disk."""

from __future__ import annotations

import sqlite3

import pytest

from edgelift.worker.sqlite3 import faults


@pytest.fixture(autouse=True)
def disarm() -> object:
    yield
    faults.arm("")


def test_the_armed_place_fails_once() -> None:
    before = faults.arm("write 2")
    faults.meet(faults.WRITE)
    faults.meet(faults.WRITTEN)
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error") as raised:
        faults.meet(faults.WRITE)
    assert raised.value.sqlite_errorname == "SQLITE_IOERR"
    faults.meet(faults.WRITE)
    assert faults.arm("commit 1") == before + 1
    with pytest.raises(sqlite3.OperationalError):
        faults.meet(faults.COMMIT)


def test_nothing_fails_unless_it_is_armed() -> None:
    before = faults.arm("")
    for kind in (faults.WRITE, faults.WRITTEN, faults.COMMIT):
        faults.meet(kind)
    assert faults.arm("") == before


def test_what_the_adapter_does_for_itself_does_not_fail() -> None:
    before = faults.arm("write 1")
    with faults.aside():
        faults.meet(faults.WRITE)
        with faults.aside():
            faults.meet(faults.WRITE)
        faults.meet(faults.WRITE)
    with pytest.raises(sqlite3.OperationalError):
        faults.meet(faults.WRITE)
    assert faults.arm("") == before + 1


def test_an_error_inside_leaves_the_place_armed() -> None:
    faults.arm("commit 1")
    with pytest.raises(KeyError), faults.aside():
        raise KeyError
    with pytest.raises(sqlite3.OperationalError):
        faults.meet(faults.COMMIT)
