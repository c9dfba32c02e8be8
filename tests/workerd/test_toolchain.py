"""Installing the toolchain with the real npm: killed, concurrent, damaged, offline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgelift.toolchain import ensure_toolchain

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("toolchain")]

PROGRAM = (
    "from edgelift.toolchain import ensure_toolchain\n"
    "print(ensure_toolchain(note=lambda text: print(text, flush=True)).root)\n"
)


def start(cache: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EDGELIFT_CACHE": str(cache), **environment},
        start_new_session=True,
    )


def test_killed_then_concurrent_then_damaged_then_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = start(tmp_path)
    assert killed.stdout.readline().startswith("downloading")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert len(list(tmp_path.glob(".runtime-*"))) == 1

    both = [start(tmp_path), start(tmp_path)]
    outputs = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    told = [line.split()[0] for lines in outputs for line in lines[:-1]]
    assert told.count("downloading") == 1
    assert list(tmp_path.glob(".runtime-*")) == []

    monkeypatch.setenv("EDGELIFT_CACHE", str(tmp_path))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "no-npm-cache"))
    notes: list[str] = []
    toolchain = ensure_toolchain(note=notes.append)
    version = subprocess.check_output([toolchain.workerd, "--version"], text=True)
    assert version.startswith("workerd 2026-11-17")
    assert notes == []

    toolchain.workerd.write_bytes(b"torn")
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.delenv("npm_config_cache")
    ensure_toolchain(note=notes.append)
    assert "damaged" in notes[0]
    assert toolchain.workerd.stat().st_size > 1_000_000


def test_without_a_network_the_error_has_three_lines(tmp_path: Path) -> None:
    offline = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0"}
    process = start(tmp_path, npm_config_cache=str(tmp_path / "npm"), **offline)
    _, errors = process.communicate()
    assert process.returncode != 0
    assert "TargetUnavailable" in errors
    assert "could not be downloaded" in errors
    assert list(tmp_path.glob("runtime-*/")) == []
    assert list(tmp_path.glob(".runtime-*")) == []
