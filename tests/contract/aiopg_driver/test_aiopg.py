"""aiopg, unchanged, does over the Worker's psycopg2 what it does over the real one."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.shared_venv import make_venv

SCENARIO = Path(__file__).with_name("scenario.py")
SOURCE = Path(__file__).resolve().parents[3] / "src"
NEEDS = ["aiopg==1.4.0", "psycopg2-binary==2.9.13"]

pytestmark = pytest.mark.xdist_group("aiopg")


def run_scenarios(url: str, source: str) -> list[Any]:
    done = subprocess.run(
        [make_venv("aiopg-venv", NEEDS) / "bin/python", SCENARIO, url],
        env={**os.environ, "SCENARIO_SOURCE": source, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_answer_is_that_of_the_real_psycopg2(make_database: Callable[..., str]) -> None:
    real = run_scenarios(make_database(), "")
    ours = run_scenarios(make_database(), str(SOURCE))
    assert [answer for answer in real if answer[1] == "stopped"] == []
    assert len(real) > 60
    assert [pair for pair in itertools.zip_longest(ours, real) if pair[0] != pair[1]] == []
