"""Scenarios: real backends lifted through the whole pipeline, by the command a user types."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.shared_venv import make_venv

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "anomaly"
MADE_BY_RUNNING = (".venv", ".edgelift", "__pycache__", ".pytest_cache", "*-wal", "*-shm")
NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all scenarios, and keep each file on one worker so that lifted apps are shared."""
    for item in items:
        if Path(str(item.fspath)).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.scenario)
            item.add_marker(pytest.mark.xdist_group(Path(str(item.fspath)).stem))


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    """Take back the URL of a server that a module's lifts leave behind."""
    before = os.environ.get("DATABASE_URL")
    yield
    os.environ.pop("DATABASE_URL", None)
    if before is not None:
        os.environ["DATABASE_URL"] = before


def run_edgelift(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does; never raises."""
    return subprocess.run(
        [sys.executable, "-m", "edgelift", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=900,
    )


def lift(folder: Path) -> dict:
    """Lift a backend and return the JSON result; the exit code is under `exit`."""
    done = run_edgelift("lift", folder, "--exit", "--json")
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "exit": done.returncode, "stderr": done.stderr}


def make_notes(folder: Path, rows: int = 2000) -> Path:
    """Make a fresh notebook backend, sharing one virtual environment among all test runs."""
    shutil.copytree(ROOT / "tests" / "apps" / "notes", folder)
    requirements = ["-r", folder / "requirements.txt", "pytest", "gunicorn"]
    (folder / ".venv").symlink_to(make_venv("notes-venv", requirements))
    subprocess.run([sys.executable, folder / "make_db.py", str(rows)], check=True)
    return folder


def copy_example(folder: Path) -> Path:
    """Copy the example backend, made ready as its Makefile rule does; its environment is shared."""
    with FileLock(ROOT / ".cache" / "example.lock"):
        target = "examples/anomaly/instance/anomaly.db"
        subprocess.run(["make", "-s", "-C", ROOT, target], check=True)
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(*MADE_BY_RUNNING))
    (folder / ".venv").symlink_to(EXAMPLE / ".venv")
    return folder


def dump(path: Path) -> str:
    """Return a database's content as a digest of its schema and typed rows, by plain SQL."""
    digest = hashlib.sha256()
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = [
        row[0]
        for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' "
            "AND name NOT LIKE '_cf_%' ORDER BY name"
        )
    ]
    for table in tables:
        columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
        quoted = ", ".join(f'quote("{c}")' for c in columns)
        digest.update(f"{table}({columns})".encode())
        for row in db.execute(f'SELECT {quoted} FROM "{table}" ORDER BY {quoted}'):
            digest.update(repr(row).encode())
    db.close()
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_tree(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder by relative name."""
    return {
        str(file.relative_to(folder)): hash_file(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def end_state(folder: Path) -> dict:
    """Return what a lift leaves behind, less times: data, Worker project, checks, findings."""
    state = folder / ".edgelift"
    report = json.loads((state / "report" / "report.json").read_text())
    return {
        "data": {f.name: dump(f) for f in sorted((state / "data" / "target").glob("*.sqlite"))},
        "worker": hash_tree(state / "build" / "worker"),
        "checks": {c["id"]: c["status"] for c in report["checks"]},
        "findings": [(f["rule"], f["path"], f["line"]) for f in report["findings"]],
        "verdict": report["verdict"],
    }
