"""Soak: many overlapping requests that wait for the database and leave cyclic garbage behind.

Example: python -m benchmarks.bench_soak --count 20000
Lifts benchmarks/apps/soak, sends the requests over 16 connections, prints failures and memory as it
goes, and checks the counter: an update lost or made twice ends with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import edgelift
from benchmarks.bench_serving import describe_machine
from benchmarks.load import read_rss_bytes, run_load

APP = Path(__file__).parent / "apps" / "soak"
SLICES = 10


def main() -> None:
    """Print one Markdown table; exit 1 on any failed request or a wrong counter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    subprocess.run([sys.executable, APP / "make_db.py"], check=True)
    edgelift.lift(APP)
    failures: dict[str, int] = {}
    print("| requests | failures | req/s | p50 ms | RSS MB |\n|--:|--:|--:|--:|--:|")
    with edgelift.serve(APP) as worker:

        def read_counter() -> int:
            with urllib.request.urlopen(worker.url + "/count") as reply:
                return int(json.load(reply)["n"])

        before = read_counter()
        requests = [("GET", "/wait"), ("POST", "/count"), ("GET", "/plain"), ("GET", "/wait")]
        for number in range(SLICES):
            result = run_load(
                worker.url,
                requests,
                connections=options.connections,
                count=options.count // SLICES,
            )
            for kind, times in result.failures.items():
                failures[kind] = failures.get(kind, 0) + times
            print(
                f"| {(number + 1) * (options.count // SLICES)} | {sum(failures.values())} | "
                f"{result.rate:.0f} | {result.percentile(0.5) * 1000:.1f} | "
                f"{read_rss_bytes(worker.pid) / 1e6:.0f} |",
                flush=True,
            )
        per_slice = options.count // SLICES
        expected = SLICES * len([n for n in range(per_slice) if n % len(requests) == 1])
        counted = read_counter() - before
    print(f"\ncounter {counted} of {expected}; failures {failures or 'none'}")
    print(f"\n{describe_machine()}")
    sys.exit(bool(failures) or counted != expected)


if __name__ == "__main__":
    main()
