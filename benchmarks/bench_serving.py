"""Cold start, latency and memory of a lifted app beside gunicorn, in one table.

Example: python -m benchmarks.bench_serving examples/anomaly /health /api/tokens
The app must be lifted already. Both servers get the same requests over kept-alive connections, in
rounds that alternate; the table shows medians of the rounds, and the ratio beside each.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import edgelift
from benchmarks.load import read_rss_bytes, run_load, serve_constant
from edgelift.project import Project, read_project
from edgelift.sources.origin_copy import copy_origin

WARM_UP = 2000
ONE, MANY = 500, 1000  # requests of a round over 1 and over 16 connections


@dataclass(frozen=True)
class Origin:
    """How gunicorn serves the origin: from a scratch copy, since benchmarks may write to it."""

    copy: Path
    python: Path
    target: str


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def prepare_origin(project: Project) -> Iterator[Origin]:
    """Yield a scratch copy of the origin with its database, and the Python it runs on."""
    root = project.root
    pythons = (root / ".venv/bin/python", project.state / "origin-venv/bin/python")
    python = next((p.absolute() for p in pythons if p.exists()), None)
    if python is None:
        sys.exit(f"no virtual environment of the origin in {root}")
    with tempfile.TemporaryDirectory(prefix="edgelift-bench-") as folder:
        copy = copy_origin(project, Path(folder) / "origin")
        yield Origin(copy, python, project.settings.app.entry)


@contextlib.contextmanager
def serve_gunicorn(origin: Origin) -> Iterator[tuple[str, int]]:
    """Run the origin under gunicorn with one worker; yield its URL and pid.

    Threads, since gunicorn's plain worker closes every connection after one reply.
    """
    port = free_port()
    command = [origin.python, "-m", "gunicorn", "-w", "1", "--threads", "4", "--log-level", "error"]
    command += ["-b", f"127.0.0.1:{port}", origin.target]
    with (
        (origin.copy.parent / "gunicorn.log").open("ab") as log,
        subprocess.Popen(command, cwd=origin.copy, stdout=log, stderr=log) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


def first_reply(url: str, path: str) -> float:
    """Return the seconds until the first reply, trying again while the port is closed."""
    started = time.perf_counter()
    while True:
        try:
            with urllib.request.urlopen(url + path, timeout=60) as reply:
                reply.read()
        except urllib.error.HTTPError:
            pass
        except (urllib.error.URLError, ConnectionError):
            if time.perf_counter() - started > 60:
                raise
            time.sleep(0.002)
            continue
        return time.perf_counter() - started


def measure_starts(root: Path, origin: Origin, path: str, rounds: int) -> list[list[str]]:
    """Return table rows for the first request after start of both servers."""
    lifted: list[float] = []
    lifted_total: list[float] = []
    gunicorn: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        with edgelift.serve(root) as worker:
            lifted.append(first_reply(worker.url, path))
            lifted_total.append(time.perf_counter() - started)
        started = time.perf_counter()
        with serve_gunicorn(origin) as (url, _):
            first_reply(url, path)
            gunicorn.append(time.perf_counter() - started)
    return [
        ["first request after the port answers", "", f"{statistics.median(lifted):.3f} s"],
        [
            "process start to first reply",
            f"{statistics.median(gunicorn):.3f} s",
            f"{statistics.median(lifted_total):.3f} s",
        ],
    ]


def measure_routes(root: Path, origin: Origin, paths: list[str], rounds: int) -> list[list[str]]:
    """Return table rows for latency and rate per route, rounds alternating, and for memory."""
    rows = []
    with (
        serve_gunicorn(origin) as (url, pid),
        edgelift.serve(root) as worker,
        serve_constant() as constant,
    ):
        first_reply(url, paths[0])
        first_reply(worker.url, paths[0])
        floor = run_load(constant, [("GET", "/")], connections=1, count=WARM_UP).percentile(0.5)
        for path in paths:
            rows += _compare_route({"origin": url, "worker": worker.url}, path, rounds)
        rows += [
            [
                "RSS after the load",
                f"{read_rss_bytes(pid) / 1e6:.0f} MB",
                f"{read_rss_bytes(worker.pid) / 1e6:.0f} MB",
            ],
            ["in each latency: the client's part", f"{floor * 1000:.2f} ms", "the same"],
        ]
    return rows


def _compare_route(sides: dict[str, str], path: str, rounds: int) -> list[list[str]]:
    request = [("GET", path)]
    figures: dict[str, list[float]] = {}
    for side in sides.values():
        run_load(side, request, connections=1, count=WARM_UP)
    for _ in range(rounds):
        for name, side in sides.items():
            one = run_load(side, request, connections=1, count=ONE)
            many = run_load(side, request, connections=16, count=MANY)
            if one.failures or many.failures:
                sys.exit(f"{name} {path}: {one.failures} {many.failures}")
            figures.setdefault(f"{name} p50", []).append(one.percentile(0.5))
            figures.setdefault(f"{name} p95", []).append(one.percentile(0.95))
            figures.setdefault(f"{name} rate", []).append(many.rate)
    middle = {name: statistics.median(values) for name, values in figures.items()}
    rows = []
    for label, name in (("p50", "p50"), ("p95", "p95")):
        origin, worker = middle[f"origin {name}"], middle[f"worker {name}"]
        rows.append(
            [
                f"GET {path} {label}, 1 connection",
                f"{origin * 1000:.2f} ms",
                f"{worker * 1000:.2f} ms ({worker / origin:.2f}x)",
            ]
        )
    rows.append(
        [
            f"GET {path}, 16 connections",
            f"{middle['origin rate']:.0f}/s",
            f"{middle['worker rate']:.0f}/s",
        ]
    )
    return rows


def describe_machine() -> str:
    """Return the line below a table: what it was measured on, and how busy that was."""
    load = os.getloadavg()
    python = sys.version.split()[0]
    return (
        f"{os.cpu_count()} cores, load {load[0]:.1f} (1 min) {load[1]:.1f} (5 min), "
        f"edgelift {version('edgelift')}, client on Python {python}"
    )


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with prepare_origin(read_project(options.root)) as origin:
        rows = measure_starts(options.root, origin, options.paths[0], options.rounds)
        rows += measure_routes(options.root, origin, options.paths, options.rounds)
    print("| measured | gunicorn -w 1 --threads 4 | lifted, workerd |\n|---|--:|--:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(f"\n{describe_machine()}")


if __name__ == "__main__":
    main()
