"""Each driver, used as apps use it, over the moved database of the cases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cases.test_moved_sqlalchemy import make_python

ROOT = Path(__file__).resolve().parents[3]


def use(driver: str, python: str = sys.executable) -> dict[str, Any]:
    """Return what a driver gave; in a process of its own, for it takes the drivers' names."""
    command = [python, "-m", "tests.contract.moved_drivers.uses", driver]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        (
            "psycopg2",
            {
                "row": ["it's \\", "1.50", ["a", None, 'b"c'], {"k": [1]}, "00275c", "2024-02-29", 86405.0],
                "kept": 3,
                "values": [["X1"], ["Y2"]],
                "copy": "20,T\n21,U\tV\n",
                "named": [10, 11, 20, 21],
                "refused": "the moved database cannot run this statement: it uses regexp_like()",
            },
        ),
        (
            "psycopg",
            {
                "row": {"name": "p3", "age": "7", "salary": "2.25", "ratio": "0.5",
                        "seen": "2024-01-02 03:04:05.000006", "numbers": "[1, 2]",
                        "token": "00000000-0000-0000-0000-000000000005"},
                "kept": {"n": 3},
                "teams": [30, 31, 32],
                "server": [30, 31, 32],
                "error": ["23505", "people_email_key"],
            },
        ),
        (
            "asyncpg",
            {
                "row": ["9", "3.10", "2024-05-06", "01:02:03", "2024-01-01 00:00:00+00:00", "['t', None]",
                        "00000000-0000-0000-0000-000000000009", "3:00:00", "False"],
                "error": ["23514", "people_age_check", "people"],
                "kept": 3,
                "many": 0,
                "cursor": [1, 2],
                "any": [1, 3],
                "many arrays": "INSERT 0 2",
            },
        ),
        (
            "pymysql",
            {
                "id": 4,
                "row": {"name": "it's \\", "salary": "2.50", "born": "2024-02-29",
                        "seen": "2024-01-02 03:04:05", "raw": "00275cff", "active": "1", "COUNT(*)": "1"},
                "rolled back": 0,
                "many": 2,
                "error": 1062,
                "goes on": 1,
            },
        ),
        ("streams", {"greeting": "0a", "ok": 0, "end": ""}),
    ],
)  # fmt: skip
def test_what_apps_do_with_a_driver(driver: str, told: dict[str, Any]) -> None:
    assert use(driver) == told


@pytest.mark.parametrize(
    ("driver", "told"),
    [
        ("aiopg", {"row": [60, "it's"], "rows": [[1, "1234.50"], [2, "None"]], "error": "23505"}),
        (
            "pg8000",
            {"row": [70, "it's"], "rolled back": 0, "types": ["Decimal", "list", "datetime", "UUID"],
             "error": "23505", "native": [[1], [2]]},
        ),
        (
            "aiomysql",
            {"many": 2, "rows": [{"id": 80, "title": "it's"}, {"id": 81, "title": "Y"}],
             "rolled back": 0, "error": 1062},
        ),
        (
            "mysqldb",
            {"count": 1, "rows": [{"id": 90, "title": "it's"}], "rolled back": 0, "error": 1062},
        ),
    ],
)  # fmt: skip
def test_drivers_of_an_app_s_own_environment(driver: str, told: dict[str, Any]) -> None:
    assert use(driver, str(make_python())) == told
