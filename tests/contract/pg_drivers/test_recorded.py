"""The PostgreSQL modules of the Worker give what the real drivers gave, line by line.

tests/cases/pg_drivers holds the lines with what psycopg2 2.9.13, psycopg 3.3.9 (binary) and
asyncpg 0.32.0 gave against PostgreSQL 15; `replay.py --record` writes them anew.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CASES = Path(__file__).resolve().parents[2] / "cases" / "pg_drivers"


def replay(driver: str, url: str, *options: str, file: Path | None = None) -> dict[str, Any]:
    """Return the number of lines and the differences; runs in a process of its own."""
    command = [sys.executable, str(CASES.parent / "replay.py"), driver, url]
    command += [str(file or CASES / f"{driver}.txt"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def fail_with(differences: list[dict[str, str]]) -> str:
    return "\n".join(f"{d['line']}\n  {d['expected']}\n  {d['found']}" for d in differences[:10])


@pytest.mark.parametrize(
    ("driver", "options"),
    [
        ("psycopg2", ()),
        ("psycopg", ()),
        ("psycopg", ("--blocking",)),  # as it waits in the Worker
        ("asyncpg", ()),
    ],
)
def test_every_line_gives_what_the_real_driver_gave(make_database, driver, options) -> None:
    found = replay(driver, make_database(), *options)
    assert found["lines"] > 300
    assert found["differences"] == [], fail_with(found["differences"])


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_a_wrong_expectation_is_told(make_database, tmp_path, driver) -> None:
    for path in CASES.glob("*.txt"):
        shutil.copy(path, tmp_path)
    for path in CASES.glob("*_names.py"):
        shutil.copy(path, tmp_path)
    file = tmp_path / f"{driver}.txt"
    text = file.read_text()
    assert "= [1, None, 3]\n" in text
    file.write_text(text.replace("= [1, None, 3]\n", "= [1, None, 4]\n", 1))
    found = replay(driver, make_database(), file=file)
    assert [d["found"] for d in found["differences"]] == ["= [1, None, 3]"]
