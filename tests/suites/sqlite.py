"""Runs Django's and SQLAlchemy's own test suites on the Worker's sqlite3, over SQL objects and D1.

The driver runs under CPython and speaks to a workerd with the modules that are shipped. Results go
to a JSON file, from which --write-docs makes docs/reference/sqlite-suites.md.

  python -m tests.suites.sqlite django object basic queries       some of Django's modules
  python -m tests.suites.sqlite django object --version 6.1.3 --record
  python -m tests.suites.sqlite sqlalchemy d1 --record            the dialect's tests
  python -m tests.suites.sqlite aiosqlite object --record         the same through aiosqlite
  python -m tests.suites.sqlite --write-docs
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.shared_venv import make_venv
from tests.suites import sqlite_page
from tests.suites.drivers import DJANGO_NEEDS, HERE, ROOT, fetch_source, list_django_modules
from tests.suites.sqlite_page import Found
from tests.workerd.sql_driver.d1_server import serve_d1
from tests.workerd.sql_object.object_server import serve_object

VERSIONS = {
    "django": ("5.2.19", "6.1.3", "4.2.30"),
    "sqlalchemy": ("2.0.58", "2.1.9", "1.4.54"),
    "aiosqlite": ("2.0.58",),
}
NEWER_PYTHON = {"6": "3.12"}  # by the first number of Django's version
DIALECT = ("test/dialect/test_suite.py", "test/dialect/sqlite", "test/dialect/test_sqlite.py")
WIDER = ("test/engine", "test/orm", "test/sql", "test/ext", "test/base")
NO_DATABASE = "test/ext/mypy"  # runs mypy
# So many of Django's modules share a process, its tables and a workerd.
TOGETHER = 12
PATIENCE_S = 3_000


class Run(NamedTuple):
    """What is run where: a suite's version, and the strategy."""

    suite: str
    version: str
    strategy: str

    @property
    def key(self) -> str:
        """Its name in the results."""
        return " ".join(self)


@contextmanager
def serve(strategy: str) -> Iterator[int]:
    """Run a workerd with empty databases and yield its port."""
    with tempfile.TemporaryDirectory(prefix="suite-") as folder:
        server = serve_object if strategy == "object" else serve_d1
        with server(Path(folder) / "run") as running:
            yield running.port


def build_environment(strategy: str, port: int) -> dict[str, str]:
    """Return the environment of a suite's process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "ignore",
        "SUITE_PORT": str(port),
        "SUITE_SOURCE": str(ROOT / "src"),
        "SUITE_STRATEGY": strategy,
    }


def make_python(run: Run) -> Path:
    """Return the interpreter of a run's environment, made once."""
    if run.suite == "django":
        needs = [f"django=={run.version}", *DJANGO_NEEDS]
        newer = NEWER_PYTHON.get(run.version.partition(".")[0])
        return make_venv(f"suite-django-{run.version}-sqlite", needs, newer) / "bin/python"
    needs = ["pytest<9", "typing_extensions", "greenlet", "aiosqlite"]
    return make_venv("suite-sqlalchemy-sqlite", needs) / "bin/python"


def run_suite(run: Run, parts: Sequence[str]) -> dict[str, Found]:
    """Run parts of a suite in one process; return what became of each module or file.

    Raises ValueError when it came to no end.
    """
    source = fetch_source("django" if run.suite == "django" else "sqlalchemy", run.version)
    command: list[str | Path]
    if run.suite == "django":
        command = ["runtests.py", "--settings=sqlite_settings", "--parallel=1", "--noinput"]
        folder, more = source / "tests", ""
    else:
        driver = "aiosqlite" if run.suite == "aiosqlite" else "pysqlite"
        command = ["-m", "pytest", "-p", "sqlite_plugin", "-q", "--tb=line", "--maxfail=100000"]
        command += ["-p", "no:cacheprovider", f"--ignore={NO_DATABASE}"]
        command += ["--dburi", f"sqlite+{driver}:////suite/main.db"]
        folder, more = source, f":{source / 'lib'}"
    with serve(run.strategy) as port, tempfile.TemporaryDirectory() as results:
        environment = build_environment(run.strategy, port)
        environment["PYTHONPATH"] += more
        environment["SUITE_RESULT"] = f"{results}/found.json"
        keep = os.environ.get("SUITE_OUTPUT")
        with Path(keep or f"{results}/output").open("w+") as output:
            subprocess.run(
                [make_python(run), *command, *parts],
                cwd=folder, env=environment, check=False, timeout=PATIENCE_S,
                stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            return _read_results(Path(environment["SUITE_RESULT"]), Path(output.name))


def _read_results(results: Path, output: Path) -> dict[str, Found]:
    if not results.exists():
        raise ValueError(f"the tests came to no end:\n{output.read_text()[-3000:]}")
    found: dict[str, Found] = json.loads(results.read_text())
    for part in found.values():
        part["seconds"] = round(part["seconds"])
    return found


def choose_parts(run: Run, *, wider: bool = False) -> list[list[str]]:
    """Return what is run of a suite by default, in groups of one process each."""
    source = fetch_source("django" if run.suite == "django" else "sqlalchemy", run.version)
    if run.suite == "django":
        modules = list_django_modules(source)
        return [modules[at : at + TOGETHER] for at in range(0, len(modules), TOGETHER)]
    listed = WIDER if wider else DIALECT
    return [[part] for part in listed if (source / part).exists()]


def main() -> int:
    """Run a suite and record its results, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", choices=sorted(VERSIONS), nargs="?")
    parser.add_argument("strategy", choices=("object", "d1"), nargs="?")
    parser.add_argument("parts", nargs="*", help="modules of Django, files of SQLAlchemy")
    parser.add_argument("--version", help="the project's version")
    parser.add_argument("--wider", action="store_true", help="SQLAlchemy beyond its dialects")
    parser.add_argument("--record", action="store_true", help="keep the results")
    parser.add_argument("--write-docs", action="store_true")
    given = parser.parse_intermixed_args()
    if given.write_docs:
        sqlite_page.write_page()
        return 0
    run = Run(given.suite, given.version or VERSIONS[given.suite][0], given.strategy)
    groups = [[part] for part in given.parts] or choose_parts(run, wider=given.wider)
    for parts in groups:
        try:
            found = run_suite(run, parts)
        except (ValueError, subprocess.TimeoutExpired) as error:
            print(*parts, error, flush=True)
            continue
        print(json.dumps(found, indent=1), flush=True)
        if given.record:
            sqlite_page.record(run.key, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
