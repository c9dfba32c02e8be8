"""`edgelift dev` as a developer meets it: a file saved, a broken file, a crash, the end by SIGTERM."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from edgelift.project import read_project
from edgelift.serving import _Sources
from tests.scenarios.conftest import make_notes, run_edgelift

PATIENCE_S = 300  # only ends a test that hangs


class Lines:
    """The lines of a pipe, read without ever waiting longer than PATIENCE_S."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe, self.rest = pipe, b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(pipe, selectors.EVENT_READ)

    def read(self) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while b"\n" not in self.rest:
            assert self.selector.select(deadline - time.monotonic()), "dev tells nothing"
            read = os.read(self.pipe.fileno(), 65536)
            assert read, "dev has ended"
            self.rest += read
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def read_until(self, *wanted: str) -> str:
        while True:
            line = self.read()
            if any(word in line for word in wanted):
                return line


class Dev:
    """A running `edgelift dev`."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgelift", "dev", str(folder), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self.told, self.log = Lines(self.process.stdout), Lines(self.process.stderr)

    def read_url(self) -> str:
        return json.loads(self.told.read())["url"]

    def find_processes(self) -> dict[int, str]:
        """Return the programs that dev started and that run, by process id."""
        parents = dict(read_processes())
        found = {self.process.pid}
        while more := {pid for pid, (parent, _) in parents.items() if parent in found} - found:
            found |= more
        return {pid: parents[pid][1] for pid in found - {self.process.pid}}


def read_processes() -> Iterator[tuple[int, tuple[int, str]]]:
    """Yield the processes of this machine: id, parent and program; the dead are left out."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state not in "ZX":
                yield int(entry.name), (int(parent), name)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_notes(tmp_path_factory.mktemp("dev") / "notes", rows=50)
    assert run_edgelift("init", folder).returncode == 0
    return folder


@pytest.fixture
def dev(notes: Path) -> Iterator[Dev]:
    source = (notes / "app.py").read_text()
    running = Dev(notes)
    yield running
    running.process.kill()  # what it started ends with it
    running.process.wait()
    running.process.stdout.close()
    running.process.stderr.close()
    (notes / "app.py").write_text(source)


def test_a_day_of_development(notes: Path, dev: Dev) -> None:
    url = dev.read_url()
    assert httpx.get(url, timeout=PATIENCE_S).json() == {"notes": 50}
    httpx.post(f"{url}/notes", json={"title": "mine"}, timeout=PATIENCE_S).raise_for_status()

    source = notes / "app.py"
    good = source.read_text()
    source.write_text(good.replace("jsonify(notes=", "jsonify(count="))
    dev.log.read_until("app.py changed; building again")
    assert dev.read_url() == url, "the port stays"
    assert httpx.get(url, timeout=PATIENCE_S).json() == {"count": 51}, (
        "new code, and the written row is still there"
    )

    source.write_text(good + "\nimport nosuchmodule\n")
    dev.log.read_until("app.py changed; building again")
    assert "nosuchmodule" in dev.log.read_until("Tip:", "tip:", "nosuchmodule")
    source.write_text(good)
    assert dev.read_url() == url
    assert httpx.get(url, timeout=PATIENCE_S).json() == {"notes": 51}

    (workerd,) = [pid for pid, name in dev.find_processes().items() if name == "workerd"]
    os.kill(workerd, signal.SIGKILL)
    assert "SIGKILL" in dev.log.read_until("workerd ended")
    dev.log.read_until("the worker crashed; building again")
    assert dev.read_url() == url
    assert httpx.get(url, timeout=PATIENCE_S).json() == {"notes": 51}

    started = dev.find_processes()
    assert "workerd" in started.values()
    dev.process.terminate()
    assert dev.process.wait(PATIENCE_S) == 0
    assert started.keys() & dict(read_processes()).keys() == set()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=PATIENCE_S)


def test_what_counts_as_a_change(notes: Path, tmp_path: Path) -> None:
    """Files saved before the watch began count; state, databases and caches never do."""
    above = tmp_path / ".venv" / "notes"  # a folder above the project may have any name
    above.parent.mkdir()
    make_notes(above, rows=1)
    (above / "edgelift.toml").write_text((notes / ".edgelift" / "edgelift.toml").read_text())
    sources = _Sources(read_project(above))
    stop = threading.Event()
    (above / "notes.db").write_bytes((above / "notes.db").read_bytes())
    (above / "notes.db-wal").write_bytes(b"")
    (above / "__pycache__").mkdir(exist_ok=True)
    (above / "__pycache__" / "app.cpython-311.pyc").write_bytes(b"")
    changes = sources.changes(stop)
    assert next(changes) == []
    changes.close()
    (above / "app.py").write_text("app = None")
    (above / "added.py").write_text("")
    changes = sources.changes(stop)
    assert next(changes) == ["added.py", "app.py"]
    (above / "added.py").unlink()
    assert next(filter(None, changes)) == ["added.py"]
    changes.close()
