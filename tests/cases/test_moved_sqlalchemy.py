"""Expressions of SQLAlchemy over moved databases give what the real servers gave, or are refused.

`python -m tests.cases.moved_sqlalchemy.record ENGINE` writes the answers anew from a real server.
"""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cases.moved_sqlalchemy.replay import HERE, read_cases
from tests.shared_venv import make_venv

ROOT = Path(__file__).resolve().parents[2]
NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))
NEEDS = (
    "sqlalchemy==2.1.9", "greenlet", "pymysql", "pysqlite3-binary", "aiopg", "pg8000", "aiomysql",
)  # fmt: skip


def make_python() -> Path:
    """Return an interpreter with drivers of apps, and an SQLite as new as the Worker's."""
    needs = [*NEEDS, f"sqlglot=={version('sqlglot')}"]
    return make_venv("moved-sqlalchemy-replay", needs) / "bin" / "python"


def replay(*arguments: str) -> str:
    """Return the differences; in a process of its own, for it replaces drivers."""
    command = [make_python(), "-m", "tests.cases.moved_sqlalchemy.replay", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(("origin", "least"), [("postgresql", 370), ("mysql", 260)])
def test_every_expression_gives_what_the_server_gave(origin: str, least: int) -> None:
    assert len(read_cases(origin)) >= least
    assert replay(origin) == ""


@pytest.mark.parametrize(("origin", "most"), [("postgresql", 50), ("mysql", 36)])
def test_refusals_and_losses_do_not_grow(origin: str, most: int) -> None:
    cases = read_cases(origin)
    assert sum(bool(case.refusal) for case in cases) <= most
    assert all(case.answer for case in cases)


def test_a_wrong_expectation_is_told(tmp_path: Path) -> None:
    text = (HERE / "mysql.txt").read_text()
    first, _, _ = text.partition("# arithmetic")
    (tmp_path / "mysql.txt").write_text(first.replace("'Ada'", "'Eve'", 1))
    assert "'Eve'" in replay("mysql", str(tmp_path))


@pytest.mark.skipif(not NIGHTLY, reason="asks the real servers once more: nightly")
@pytest.mark.parametrize("origin", ["postgresql", "mysql"])
def test_the_servers_still_give_these_answers(origin: str, tmp_path: Path) -> None:
    from tests.cases.moved_sqlalchemy.record import record_anew

    record_anew(origin, tmp_path / f"{origin}.txt")
    assert (tmp_path / f"{origin}.txt").read_text() == (HERE / f"{origin}.txt").read_text()
