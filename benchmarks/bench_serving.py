"""Cold start, latency and memory of a lifted app beside gunicorn, in one run.

Example: python -m benchmarks.bench_serving examples/anomaly /health /api/tokens
The app must be lifted already. Rounds alternate between both servers; medians are printed.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import edgelift
from benchmarks.load import read_rss_bytes, run_load
from edgelift.project import read_project


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serve_gunicorn(root: Path, python: Path, target: str) -> Iterator[tuple[str, int]]:
    """Run the origin under gunicorn with one worker; yield its URL and pid."""
    port = free_port()
    command = [python, "-m", "gunicorn", "-w", "1", "--threads", "4", "--log-level", "error"]
    with subprocess.Popen([*command, "-b", f"127.0.0.1:{port}", target], cwd=root) as process:
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
                return time.perf_counter() - started
        except urllib.error.HTTPError:
            return time.perf_counter() - started
        except (urllib.error.URLError, ConnectionError):
            if time.perf_counter() - started > 60:
                raise


def measure_starts(
    root: Path, python: Path, target: str, path: str, rounds: int
) -> list[list[str]]:
    """Return table rows for the first request after start of both servers."""
    lifted: list[float] = []
    lifted_total: list[float] = []
    origin: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        with edgelift.serve(root) as worker:
            lifted.append(first_reply(worker.url, path))
            lifted_total.append(time.perf_counter() - started)
        started = time.perf_counter()
        with serve_gunicorn(root, python, target) as (url, _):
            first_reply(url, path)
            origin.append(time.perf_counter() - started)
    return [
        ["first request after start", "", f"{statistics.median(lifted):.3f} s"],
        [
            "process start to first reply",
            f"{statistics.median(origin):.3f} s",
            f"{statistics.median(lifted_total):.3f} s",
        ],
    ]


def measure_routes(
    root: Path, python: Path, target: str, paths: list[str], rounds: int
) -> list[list[str]]:
    """Return table rows for latency and rate per route, rounds alternating, and for memory."""
    rows = []
    with serve_gunicorn(root, python, target) as (url, pid), edgelift.serve(root) as worker:
        first_reply(url, paths[0])
        first_reply(worker.url, paths[0])
        for path in paths:
            for side in (url, worker.url):
                run_load(side, [("GET", path)], connections=1, count=100)
            figures: dict[str, list[float]] = {}
            for _ in range(rounds):
                for name, side in (("origin", url), ("worker", worker.url)):
                    one = run_load(side, [("GET", path)], connections=1, count=500)
                    many = run_load(side, [("GET", path)], connections=16, count=1000)
                    if one.failures or many.failures:
                        sys.exit(f"{name} {path}: {one.failures} {many.failures}")
                    figures.setdefault(f"{name} p50", []).append(one.percentile(0.5))
                    figures.setdefault(f"{name} p95", []).append(one.percentile(0.95))
                    figures.setdefault(f"{name} rate", []).append(many.rate)
            middle = {name: statistics.median(values) for name, values in figures.items()}
            ratio = middle["worker p50"] / middle["origin p50"]
            rows += [
                [
                    f"GET {path} p50, 1 connection",
                    f"{middle['origin p50'] * 1000:.2f} ms",
                    f"{middle['worker p50'] * 1000:.2f} ms ({ratio:.2f}x)",
                ],
                [
                    f"GET {path} p95, 1 connection",
                    f"{middle['origin p95'] * 1000:.2f} ms",
                    f"{middle['worker p95'] * 1000:.2f} ms",
                ],
                [
                    f"GET {path} 16 connections",
                    f"{middle['origin rate']:.0f}/s",
                    f"{middle['worker rate']:.0f}/s",
                ],
            ]
        rows.append(
            [
                "RSS after load",
                f"{read_rss_bytes(pid) / 1e6:.0f} MB",
                f"{read_rss_bytes(worker.pid) / 1e6:.0f} MB",
            ]
        )
    return rows


def main() -> None:
    """Print one Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    project = read_project(options.root)
    python = next(
        p
        for p in (options.root / ".venv/bin/python", project.state / "origin-venv/bin/python")
        if p.exists()
    ).absolute()
    target = project.settings.app.entry
    rows = measure_starts(options.root, python, target, options.paths[0], options.rounds)
    rows += measure_routes(options.root, python, target, options.paths, options.rounds)
    print("| measured | gunicorn -w 1 --threads 4 | lifted, workerd |\n|---|--:|--:|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
