"""A lift killed by SIGKILL at random moments, then run again, ends as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.scenarios.conftest import NIGHTLY, end_state, lift, make_notes

MOMENTS = 20 if NIGHTLY else 4


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, float]:
    """Return the end state of a lift that nobody disturbs, and its duration in seconds."""
    folder = make_notes(tmp_path_factory.mktemp("calm") / "notes")
    started = time.monotonic()
    result = lift(folder)
    assert result["exit"] == 0, result["stderr"]
    return end_state(folder), time.monotonic() - started


def start_and_kill(folder: Path, after_s: float) -> bool:
    """Start a lift and kill its whole process after some seconds; return whether it was still at work."""
    with subprocess.Popen(
        [sys.executable, "-m", "edgelift", "lift", str(folder), "--exit"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            process.wait(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            return True
    return False


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_killed_and_repeated(undisturbed: tuple[dict, float], moment: int, tmp_path: Path) -> None:
    expected, duration_s = undisturbed
    # Strata instead of pure chance: every part of the run is hit, whatever the number of moments.
    fraction = (moment + random.Random(f"kill {moment}").random()) / MOMENTS
    folder = make_notes(tmp_path / "notes")
    before = (folder / "notes.db").read_bytes()
    start_and_kill(folder, fraction * duration_s)
    result = lift(folder)
    assert result["exit"] == 0, result["stderr"]
    assert end_state(folder) == expected
    assert (folder / "notes.db").read_bytes() == before
