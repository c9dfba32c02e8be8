"""A whole move beside the tools that people use for it, on the same data in real servers.

Examples: python -m benchmarks.bench_move --rows 50000 --peers build/peers --install-peers
          python -m benchmarks.bench_move --tpch 1 --peers build/peers --install-peers
Each line is one process, run alone: wall time, its CPU and memory come from the kernel. `edgelift
move` is the whole command: it judges schema and data, loads D1's engine, copies, proves every row.
`rows alone` is what copies and proves in it, as bench_rows measures it. mysql-to-sqlite3,
db-to-sqlite and dlt prove nothing. `sqlite3 .import` reads a CSV that is ready. With --tpch all
eight tables of TPC-H at a scale factor are moved at once, foreign keys included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import tpch
from benchmarks.bench_rows import (
    Measured,
    Server,
    list_peers,
    measure,
    start_servers,
    write_csv,
    write_import,
)
from benchmarks.rows_tables import write_scripts

TABLES = ("lineitem", "mixed")
PACKAGES = (
    "mysql-to-sqlite3", "db-to-sqlite", "dlt[sqlalchemy]", "psycopg2-binary", "pymysql", "pyarrow",
    tpch.GENERATOR,
)  # fmt: skip
ACCEPTED = ("SCHEMA-TYPE-LOSS", "SCHEMA-COLLATION-ASCII", "SCHEMA-DECIMAL-DIGITS")


def install_peers(folder: Path) -> None:
    """Make a virtual environment with the peers, unless it is there."""
    if (folder / "bin" / "mysql2sqlite").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", *PACKAGES]
    subprocess.run(pip, check=True)


def run_move(url: str, tables: list[str], folder: Path, workers: int) -> None:
    """Move tables by the library call behind the verb; print the CPU of its parts as JSON."""
    import edgelift
    from edgelift.sources.origin_database import open_origin
    from edgelift.stages.data.server import move, prove
    from edgelift.stages.init.database_settings import write_database_project

    spent: dict[str, float] = {}

    def cpu() -> float:
        kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        used = [resource.getrusage(kind) for kind in kinds]
        return sum(u.ru_utime + u.ru_stime for u in used)

    def count(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            before = cpu()
            result = function(*arguments)
            spent[name] = spent.get(name, 0.0) + cpu() - before
            return result

        return counted

    move.copy_rows = count("copy", move.copy_rows)
    prove.check_rows = count("verify", prove.check_rows)
    write_database_project(url, folder, accept=ACCEPTED, force=False)
    settings = folder / "edgelift.toml"
    with open_origin(url) as origin:
        others = [t.name for t in origin.read_schema().tables if t.name not in tables]
    settings.write_text(settings.read_text() + f"\n[schema]\nexclude = {json.dumps(others)}\n")
    outcome = edgelift.move(url, folder, options=edgelift.Options(workers=workers))
    if outcome.failed:
        raise SystemExit(outcome.failed[0].id)
    # CPU of workers is known only when they end.
    print(json.dumps(spent if workers == 1 else {}))


def list_ways(
    server: Server, tables: list[str], files: dict[str, Path], folder: Path
) -> dict[str, list[str]]:
    """Return our own commands to measure, by what they are called in the table."""
    place = ["--url", server.url, "--table", *tables]
    own = [sys.executable, "-m", "benchmarks.bench_move", *place]
    rows = [sys.executable, "-m", "benchmarks.bench_rows", *place]
    ways = {"edgelift move, all of it": [*own, "--run", "1", "--out", str(folder / "one")]}
    if server.name == "PostgreSQL":
        two = [*own, "--run", "2", "--out", str(folder / "two")]
        ways["edgelift move --workers 2"] = two
    alone = [*rows, "--run", "native", "--out", str(folder / "own.sqlite")]
    ways["edgelift, rows alone"] = alone
    if not files and server.name == "PostgreSQL":
        files, skip = {table: folder / f"{table}.csv" for table in tables}, 0
        for table, csv in files.items():
            write_csv(server, table, csv)
    else:
        skip = 1
    if files:
        command = write_import(files, folder, server.url, skip=skip)
        ways["sqlite3 .import of the ready CSV"] = command
    return ways


def print_table(server: Server, what: str, rows: int, measured: dict[str, Measured]) -> None:
    """Print a Markdown table; verification is its part of the CPU of copying."""
    print(f"\n{what}, {rows:,} rows, {server.name}\n")
    print("| way | wall s | rows/s | client CPU s | RSS MB | verification / copy CPU | |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for name, took in measured.items():
        if not took.wall:
            print(f"| {name} | | | | | | {took.note} |")
            continue
        wall, cpu = statistics.median(took.wall), statistics.median(took.cpu)
        share = ""
        if took.verify and took.copy:
            copied, proven = statistics.median(took.copy), statistics.median(took.verify)
            share = f"{proven:.2f} / {copied:.2f} s = {100 * proven / copied:.0f} %"
        print(
            f"| {name} | {wall:.2f} | {rows / wall:,.0f} | {cpu:.2f} | {took.rss_mb} | {share} | |",
            flush=True,
        )


def compare(
    server: Server, tables: list[str], files: dict[str, Path], options: argparse.Namespace
) -> dict[str, Measured]:
    """Measure all ways of moving these tables, rounds alternating between them; peers run once."""
    measured: dict[str, Measured] = {}
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ways = list_ways(server, tables, files, Path(folder))
            if number == 0:
                ways |= list_peers(server, tables, options.peers, Path(folder))
            for name, command in ways.items():
                took = measured.setdefault(name, Measured())
                said = measure(command, server, took)
                if "verify" in said:
                    took.verify.append(said["verify"])
                    took.copy.append(said["copy"])
    return measured


def main() -> None:
    """Print one Markdown table for each server and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="1000000 for the real thing")
    parser.add_argument("--rounds", type=int, default=1, help="of edgelift and .import; peers once")
    parser.add_argument("--servers", choices=["both", "postgres", "mariadb"], default="both")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--tpch", type=float, metavar="SCALE", help="TPC-H instead of the tables")
    parser.add_argument("--peers", type=Path, help="a virtual environment that holds the peers")
    parser.add_argument("--install-peers", action="store_true", help="make --peers when missing")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--table", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--run", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_move(options.url, options.table, options.out, options.run)
        return
    if options.tpch and not options.peers:
        parser.error("--tpch needs --peers: its generator stands there")
    if options.install_peers:
        install_peers(options.peers)
    from benchmarks.bench_serving import describe_machine

    with contextlib.ExitStack() as stack:
        files: dict[str, Path] = {}
        if options.tpch:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            files, rows = tpch.generate(options.peers, options.tpch, folder)
            scripts = tpch.write_scripts(files)
            sets = {f"TPC-H at scale {options.tpch:g}": tpch.TABLES}
        else:
            rows = options.rows
            scripts = write_scripts(options.tables, rows)
            sets = {table: [table] for table in options.tables}
        servers = stack.enter_context(start_servers(options.servers, *scripts))
        for server in servers:
            for what, tables in sets.items():
                print_table(server, what, rows, compare(server, tables, files, options))
                print("\n" + describe_machine(), flush=True)


if __name__ == "__main__":
    main()
