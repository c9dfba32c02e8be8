"""The same app with SQLAlchemy 1.4, 2.0 and 2.1: on its PostgreSQL, and on the SQLite that was moved from it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from importlib.metadata import version as find
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.mover.moving import start_moving
from tests.shared_venv import make_venv

VERSIONS = ("1.4.54", "2.0.58", "2.1.9")
SCENARIO = Path(__file__).with_name("scenario.py")
SOURCE = Path(__file__).resolve().parents[3] / "src"

pytestmark = pytest.mark.xdist_group("moved-sqlalchemy")


def run_scenario(version: str, *arguments: str) -> list[Any]:
    needs = [f"sqlalchemy=={version}", "psycopg2-binary==2.9.13", f"sqlglot=={find('sqlglot')}"]
    python = make_venv(f"moved-sqlalchemy-{version}", needs) / "bin/python"
    done = subprocess.run(
        [python, SCENARIO, *arguments],
        env={**os.environ, "SCENARIO_SOURCE": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_answer_is_the_server_s(
    make_database: Callable[..., str], tmp_path: Path, version: str
) -> None:
    url = make_database("").replace("postgresql:", "postgresql+psycopg2:")
    run_scenario(version, "make", url)
    moving = start_moving(url.replace("+psycopg2", ""), tmp_path)
    moving.copy()
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_bytes(msgspec.json.encode(moving.plan.vocabulary))
    moved = run_scenario(version, "ask", url, str(moving.part), str(catalogue))
    origin = run_scenario(version, "ask", url)
    assert [answer for answer in origin if answer[1] == "stopped"] == []
    assert len(origin) > 60
    differ = [pair for pair in itertools.zip_longest(moved, origin) if pair[0] != pair[1]]
    assert differ == []
