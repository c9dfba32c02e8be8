"""The SQL strategies beside the origin's sqlite3: single pieces of work, and many writers at once.

Example: python -m benchmarks.bench_sql --python PYTHON --server-python PYTHON2
Builds benchmarks/apps/sql once for each strategy and serves it; the origin runs under gunicorn with
the given Python. With --server-python (which has psycopg2 too) the same on a PostgreSQL of its own:
apps/sql_postgres under gunicorn, and in the Worker with strategy hyperdrive. Then the SQL object
alone, with callers in JavaScript. After the writers, counter and rows must equal the transactions
that succeeded: a lost update ends with exit code 1. On D1 a transaction is no transaction, so its
figures compare time only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import edgelift
from benchmarks.bench_serving import Origin, describe_machine, first_reply, serve_gunicorn
from benchmarks.load import run_load
from benchmarks.sql_object import ObjectBench, serve_object

APP = Path(__file__).parent / "apps" / "sql"
SERVER_APP = Path(__file__).parent / "apps" / "sql_postgres"
URL_VARIABLE = "DATABASE_URL"
STRATEGIES = ("d1", "object")
LOOPS = {"pk_select": 200, "rows_500": 40, "insert_commit": 100, "five_inserts": 40}
TITLES = {
    "pk_select": "select by primary key, ms",
    "rows_500": "select of 500 rows x 6, ms",
    "insert_commit": "insert and commit, ms",
    "five_inserts": "transaction of five inserts, ms",
}
WRITERS = (1, 16, 50)
SETTINGS = """name = "sql-{strategy}"
[app]
framework = "flask"
entry = "app:app"
python = "{python}"
requirements = ["requirements.txt"]
[[databases]]
name = "main"
strategy = "{strategy}"
"""
FILE_SETTINGS = """url = "sql.db"
[accept]
rules = ["TXN-BLOCK", "TXN-ROLLBACK-LOST", "TXN-RAISE-AFTER-WRITE", "TXN-MULTI-WRITE"]
"""
SERVER_SETTINGS = """url = "${DATABASE_URL}"
env = "DATABASE_URL"
serve = "origin"
"""


@dataclass
class Column:
    """What was measured of one side: figures by row of the table, all rounds."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, row: str, value: float) -> None:
        """Keep a figure of a round."""
        self.figures.setdefault(row, []).append(value)

    def show(self, row: str) -> str:
        """Return the median of a row's figures."""
        values = self.figures.get(row)
        if not values:
            return ""
        middle = statistics.median(values)
        return f"{middle:.0f}" if middle >= 100 else f"{middle:.2f}"


def make_project(folder: Path, strategy: str, python: Path) -> Path:
    """Copy the app, make its database where it is a file, and build it with a strategy."""
    project = folder / strategy
    is_file = strategy in STRATEGIES
    app, database = (APP, FILE_SETTINGS) if is_file else (SERVER_APP, SERVER_SETTINGS)
    shutil.copytree(app, project, ignore=shutil.ignore_patterns("*.db", ".edgelift"))
    settings = SETTINGS.format(strategy=strategy, python=python) + database
    (project / "edgelift.toml").write_text(settings, "utf-8")
    if is_file:
        subprocess.run([sys.executable, project / "make_db.py"], check=True)
    for verb in ("assess", "plan", "schema", "data", "files", "build"):
        getattr(edgelift, verb)(project)
    return project


@contextlib.contextmanager
def start_server() -> Iterator[None]:
    """Start a PostgreSQL with the benchmark's tables; its URL is in the environment."""
    from tests.servers.postgres import start_postgres

    with start_postgres() as server:
        server.run((SERVER_APP / "schema.sql").read_text())
        os.environ[URL_VARIABLE] = server.url
        yield


@contextlib.contextmanager
def serve(side: str, projects: dict[str, Path], python: Path) -> Iterator[str]:
    """Yield the URL of a side."""
    if side == "PostgreSQL":
        with serve_gunicorn(Origin(projects["hyperdrive"], projects[side], "app:app")) as (url, _):
            first_reply(url, "/state")
            yield url
        return
    if side == "origin":
        folder = projects["object"].parent / "origin"
        shutil.copytree(APP, folder, ignore=shutil.ignore_patterns("*.db"), dirs_exist_ok=True)
        subprocess.run([sys.executable, folder / "make_db.py"], check=True)
        with serve_gunicorn(Origin(folder, python, "app:app")) as (url, _):
            first_reply(url, "/state")
            yield url
        return
    with edgelift.serve(projects[side]) as worker:
        yield worker.url


def read_json(url: str) -> dict[str, float]:
    """Return the JSON of a page."""
    with urllib.request.urlopen(url, timeout=120) as reply:
        answer: dict[str, float] = json.load(reply)
        return answer


def measure(url: str, column: Column, count: int) -> None:
    """Measure one side once."""
    for name, times in LOOPS.items():
        column.add(TITLES[name], read_json(f"{url}/loop/{name}/{times}")["ms"])
    for writers in WRITERS:
        before = read_json(f"{url}/state")
        result = run_load(url, [("POST", "/transfer")], connections=writers, count=count)
        after = read_json(f"{url}/state")
        done = len(result.latencies)
        made = {name: after[name] - before[name] for name in ("entries", "counter")}
        if set(made.values()) != {done}:
            column.wrong.append(f"{writers} writers: {done} transactions, {made}")
        column.wrong += [f"{writers} writers: {k} {n}" for k, n in result.failures.items()]
        column.add(f"two-statement transactions/s, {writers} writers", result.rate)
        column.add(f"their p50, {writers} writers, ms", result.percentile(0.5) * 1000)


def measure_object(bench: ObjectBench, column: Column, count: int) -> None:
    """Measure the SQL object alone, with callers in JavaScript that await each statement."""
    for way in ("awaited", "lastQueued", "queued"):
        for writers in WRITERS:
            found = bench.write(way, writers, count // writers)
            done = count // writers * writers
            if (found["rows"], found["counter"]) != (done, done):
                column.wrong.append(f"{way}, {writers} writers: {found} of {done}")
            column.add(f"{way}, {writers}", done / found["seconds"])


def main() -> None:
    """Print two Markdown tables; exit 1 when an update was lost or a request failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--server-python", type=Path, help="also on PostgreSQL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    python = options.python.absolute()
    servers = ("PostgreSQL", "hyperdrive") if options.server_python else ()
    sides = ("origin", *STRATEGIES, *servers)
    columns = {side: Column() for side in (*sides, "javascript")}
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgelift-bench-")))
        projects = {s: make_project(scratch, s, python) for s in STRATEGIES}
        if servers:
            stack.enter_context(start_server())
            server_python = options.server_python.absolute()
            projects["PostgreSQL"] = server_python  # nothing is built for gunicorn
            projects["hyperdrive"] = make_project(scratch, "hyperdrive", server_python)
        for _ in range(options.rounds):
            for side in sides:
                with serve(side, projects, python) as url:
                    measure(url, columns[side], options.count)
            with serve_object() as bench:
                measure_object(bench, columns["javascript"], options.count)
    print("| measured | " + " | ".join(sides) + " |\n|---|" + "--:|" * len(sides))
    for row in columns["origin"].figures:
        print(f"| {row} | " + " | ".join(columns[side].show(row) for side in sides) + " |")
    print("\n| transactions/s from JavaScript, writers | " + " | ".join(map(str, WRITERS)) + " |")
    print("|---|" + "--:|" * len(WRITERS))
    for way in ("awaited", "lastQueued", "queued"):
        shown = [columns["javascript"].show(f"{way}, {writers}") for writers in WRITERS]
        print(f"| {way} | " + " | ".join(shown) + " |")
    print(f"\n{describe_machine()}")
    wrong = [f"{side}: {text}" for side, column in columns.items() for text in column.wrong]
    print("\n".join(["", *wrong] if wrong else ["", "no update lost, no request failed"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
