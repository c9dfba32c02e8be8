"""Drivers over moved databases give what they gave on the real servers, statement by statement.

`python -m tests.cases.moved_drivers.record ENGINE` writes the cases anew from a real server.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cases.moved_drivers.replay import HERE, read_lines

ROOT = Path(__file__).resolve().parents[2]


def replay(*arguments: str) -> str:
    """Return the differences; in a process of its own, for it replaces drivers."""
    command = [sys.executable, "-m", "tests.cases.moved_drivers.replay", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(("engine", "least"), [("postgresql", 240), ("mysql", 110)])
def test_every_statement_gives_what_the_server_gave(engine: str, least: int) -> None:
    assert len(read_lines(engine)) >= least
    assert replay(engine) == ""


def test_a_wrong_expectation_is_told(tmp_path: Path) -> None:
    for path in HERE.glob("mysql*"):
        shutil.copy(path, tmp_path)
    file = tmp_path / "mysql.txt"
    text = file.read_text()
    assert "Duplicate entry" in text
    file.write_text(text.replace("Duplicate entry", "Double entry", 1))
    assert "Double entry" in replay("mysql", str(tmp_path))
