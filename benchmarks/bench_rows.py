"""Rows from PostgreSQL and MariaDB into a SQLite file: both row engines, sqlite3 .import, peers.

Example: python -m benchmarks.bench_rows --rows 200000 --peers /tmp/peers
Servers are the tests' own. Each measurement is a process of its own: wall time, its CPU and memory
come from the kernel, the server's CPU from /proc. Peers are the programs that stand in --peers'
bin folder (mysql-to-sqlite3, db-to-sqlite, dlt). All write the same table with its primary key.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from benchmarks.rows_tables import write_scripts
from edgelift.model.row_spec import FieldSpec, RowSpec

CHUNK_ROWS = 100_000
NAMESPACE = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
KEYS = {"lineitem": ("l_orderkey", "l_partkey", "l_suppkey"), "mixed": ("id", "parent_id")}
TICK = os.sysconf("SC_CLK_TCK")
DLT = """
import sys, dlt
from dlt.sources.sql_database import sql_database
url, out, *tables = sys.argv[1:]
source = sql_database(url.replace("postgresql://", "postgresql+psycopg2://"), table_names=tables,
                      backend="pyarrow", chunk_size=100000, detect_precision_hints=True)
made = dlt.pipeline("bench", destination=dlt.destinations.sqlalchemy("sqlite:///" + out),
                    dataset_name="main", pipelines_dir=out + ".dlt")
print(made.run(source, write_disposition="replace"))
"""


@dataclass
class Server:
    """A running server: its URL and the process whose CPU is counted."""

    name: str
    url: str
    pid: int


@dataclass
class Measured:
    """What one way of moving a table took, one entry for each round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    rss_mb: int = 0
    copy: list[float] = field(default_factory=list)
    verify: list[float] = field(default_factory=list)
    note: str = ""


def read_server_cpu(pid: int) -> float:
    """Return CPU seconds of a server process, its threads and its ended children."""
    total = 0.0
    parents = {pid}
    for folder in sorted(Path("/proc").iterdir(), key=lambda p: (len(p.name), p.name)):
        with contextlib.suppress(OSError, ValueError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(folder.name) == pid or int(fields[1]) in parents:
                own = fields[11:15] if int(folder.name) == pid else fields[11:13]
                total += sum(int(n) for n in own) / TICK
    return total


def measure(command: list[str], server: Server, measured: Measured) -> dict[str, float]:
    """Run a command once and add what it took; return what it printed as JSON on its last line."""
    before = read_server_cpu(server.pid)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said, complaint = out.read().decode(), err.read().decode().strip()
    if process.returncode:
        measured.note = "fails: " + (complaint or said).strip().splitlines()[-1][:90]
        return {}
    measured.wall.append(wall)
    measured.cpu.append(usage.ru_utime + usage.ru_stime)
    measured.server.append(read_server_cpu(server.pid) - before)
    measured.rss_mb = max(measured.rss_mb, usage.ru_maxrss // 1024)
    lines = said.strip().splitlines()
    return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}


def run_edgelift(engine: str, url: str, tables: list[str], out: Path, *, keys: bool) -> None:
    """Move tables with a row engine, verify them, and print how long each part took."""
    from edgelift.rows.engine import hash_target, load_chunk, open_target
    from edgelift.rows.hashing import MODULUS
    from edgelift.sources.origin_database import Choices, open_origin

    def cpu() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    spent = {"rows": 0, "bytes": 0, "copy": 0.0, "verify": 0.0}
    with open_origin(url) as origin:
        schema = origin.read_schema()
        db = open_target(out, durable=False)
        reader = origin.open_snapshot()
        for table in tables:
            found = next(t for t in schema.tables if t.name == table)
            spec = origin.map_table(found, Choices())
            if keys:
                spec = replace(spec, fields=tuple(_rewrite(f, KEYS[table]) for f in spec.fields))
            db.execute(write_table(table, spec, found.primary_key))
            start = cpu()
            total = rows = 0
            for chunk in reader.plan_chunks(spec, CHUNK_ROWS):
                db.execute("BEGIN")
                result = load_chunk(db, spec, reader.stream_chunk(spec, chunk), engine)
                db.execute("COMMIT")
                rows += result.rows
                spent["bytes"] += result.bytes_in
                total = (total + result.hash) % MODULUS
            copied = cpu()
            proof = hash_target(db, spec, engine=engine)
            assert (proof.rows, proof.hash) == (rows, total)
            spent["rows"] += rows
            spent["copy"] += copied - start
            spent["verify"] += cpu() - copied
        reader.close()
        print(json.dumps(spent))


def _rewrite(field: FieldSpec, columns: tuple[str, ...]) -> FieldSpec:
    """Return a key's field so that it becomes a UUIDv5."""
    if field.column not in columns:
        return field
    argument = f"namespace={NAMESPACE} style=hex"
    return replace(field, op="uuid5", argument=argument, target_type="CHAR(32)")


def write_table(table: str, spec: RowSpec, key: tuple[str, ...]) -> str:
    """Return the CREATE TABLE that edgelift's mapping gives, with nothing but the primary key."""
    columns = ", ".join(f'"{f.column}" {f.target_type}' for f in spec.fields)
    named = ", ".join(f'"{column}"' for column in key)
    return f'CREATE TABLE "{table}" ({columns}, PRIMARY KEY ({named}))'


def write_csv(server: Server, table: str, out: Path) -> None:
    """Write the table as the CSV that .import is given ready."""
    if server.name == "PostgreSQL":
        query = f"\\copy {table} to '{out}' with (format csv)"
        subprocess.run(["psql", "-q", server.url, "-c", query], check=True)
        return
    raise ValueError(server.name)


def write_import(files: dict[str, Path], folder: Path, url: str, *, skip: int = 0) -> list[str]:
    """Return the command that imports ready CSV files without journal and syncs."""
    script = folder / "import.sql"
    lines = [
        "PRAGMA journal_mode=OFF;",
        "PRAGMA synchronous=OFF;",
        "PRAGMA locking_mode=EXCLUSIVE;",
    ]
    for table, csv in files.items():
        lines += [f"{describe_table(url, table)};", f".import --csv --skip {skip} {csv} {table}"]
    script.write_text("\n".join([*lines, ""]))
    return ["sqlite3", "-init", str(script), str(folder / "import.sqlite"), ".quit"]


def describe_table(url: str, table: str) -> str:
    """Return the CREATE TABLE of an origin's table."""
    from edgelift.sources.origin_database import Choices, open_origin

    with open_origin(url) as origin:
        found = next(t for t in origin.read_schema().tables if t.name == table)
        return write_table(table, origin.map_table(found, Choices()), found.primary_key)


def list_peers(
    server: Server, tables: list[str], peers: Path | None, folder: Path
) -> dict[str, list[str]]:
    """Return the commands of the peers that are installed and read this kind of server."""
    if peers is None:
        return {}
    programs = peers / "bin"
    parts = urlsplit(server.url)
    database = parts.path.strip("/")
    found = {}
    if server.name == "PostgreSQL":
        if (programs / "db-to-sqlite").exists():
            url = server.url.replace("postgresql://", "postgresql+psycopg2://")
            command = [str(programs / "db-to-sqlite"), url, str(folder / "db2.sqlite")]
            found["db-to-sqlite"] = command + [w for table in tables for w in ("--table", table)]
        if (programs / "dlt").exists():
            script = folder / "dlt_run.py"
            script.write_text(DLT)
            arguments = [str(script), server.url, str(folder / "dlt.sqlite"), *tables]
            found["dlt"] = [str(programs / "python"), *arguments]
    elif (programs / "mysql2sqlite").exists():
        command = [str(programs / "mysql2sqlite"), "-f", str(folder / "m2s.sqlite"), "-q", "-S"]
        command += ["-d", database, "-u", "root", "-h", "127.0.0.1", "-P", str(parts.port)]
        command += ["-t", *tables]
        found["mysql-to-sqlite3"] = command
    return found


def compare(
    server: Server, table: str, options: argparse.Namespace, folder: Path
) -> dict[str, Measured]:
    """Measure all ways of moving one table, rounds alternating between them; peers run once."""
    own = [sys.executable, "-m", "benchmarks.bench_rows", "--url", server.url, "--table", table]
    ways = {
        "edgelift, native engine": [*own, "--run", "native"],
        "edgelift, native, keys to UUIDv5": [*own, "--run", "native", "--keys"],
    }
    if server.name == "PostgreSQL":
        csv = folder / f"{table}.csv"
        write_csv(server, table, csv)
        ways["sqlite3 .import of the ready CSV"] = write_import({table: csv}, folder, server.url)
    once = {"edgelift, Python engine": [*own, "--run", "python"]}
    once |= list_peers(server, [table], options.peers, folder)
    measured = {name: Measured() for name in (*ways, *once)}
    for number in range(options.rounds):
        for name, command in (ways | (once if number == 0 else {})).items():
            for old in folder.glob("*.sqlite*"):
                if old.is_file():
                    old.unlink()
            out = ["--out", str(folder / "own.sqlite")] if "--run" in command else []
            said = measure([*command, *out], server, measured[name])
            if "verify" in said:
                measured[name].verify.append(said["verify"])
                measured[name].copy.append(said["copy"])
    return measured


def print_table(server: Server, table: str, rows: int, measured: dict[str, Measured]) -> None:
    """Print one Markdown table; ratios are rows per second against the first line."""
    print(f"\n{table}, {rows:,} rows, {server.name}\n")
    print(
        "| way | wall s | rows/s | client CPU s | copying | verifying | server CPU s | RSS MB | |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|---|")
    first = statistics.median(next(iter(measured.values())).wall or [0.0])
    for name, took in measured.items():
        if not took.wall:
            print(f"| {name} | | | | | | | | {took.note} |")
            continue
        wall = statistics.median(took.wall)
        parts = [f"{statistics.median(p):.2f}" if p else "" for p in (took.copy, took.verify)]
        against = f"{wall / first:.1f}x the time" if wall > first else ""
        print(
            f"| {name} | {wall:.2f} | {rows / wall:,.0f} | {statistics.median(took.cpu):.2f} | "
            f"{parts[0]} | {parts[1]} | {statistics.median(took.server):.2f} | {took.rss_mb} | "
            f"{against} |",
            flush=True,
        )


@contextlib.contextmanager
def start_servers(which: str, postgres_script: str, mariadb_script: str) -> Iterator[list[Server]]:
    """Start the tests' servers and let each run its script."""
    from tests.servers.mariadb import start_mariadb
    from tests.servers.postgres import start_postgres

    with contextlib.ExitStack() as stack:
        servers = []
        if which in {"both", "postgres"}:
            settings = {"shared_buffers": "1GB", "max_wal_size": "4GB", "wal_level": "minimal"}
            settings |= {"max_wal_senders": "0", "autovacuum": "off"}
            postgres = stack.enter_context(start_postgres(settings=settings))
            postgres.run(postgres_script + "; ANALYZE;")
            assert postgres.process is not None
            servers.append(Server("PostgreSQL", postgres.url, postgres.process.pid))
        if which in {"both", "mariadb"}:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            folder.chmod(0o755)
            maria = stack.enter_context(start_mariadb(folder, {"innodb-buffer-pool-size": "1G"}))
            maria.run_script(mariadb_script)
            assert maria.process is not None
            servers.append(Server("MariaDB", maria.url, maria.process.pid))
        yield servers


def main() -> None:
    """Print one Markdown table for each server and table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", choices=["both", "postgres", "mariadb"], default="both")
    parser.add_argument("--tables", nargs="+", default=["lineitem", "mixed"])
    parser.add_argument("--peers", type=Path, help="a virtual environment that holds peers")
    parser.add_argument("--run", choices=["native", "python"], help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--table", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--keys", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_edgelift(options.run, options.url, options.table, options.out, keys=options.keys)
        return
    from benchmarks.bench_serving import describe_machine

    scripts = write_scripts(options.tables, options.rows)
    with start_servers(options.servers, *scripts) as servers:
        for server in servers:
            for table in options.tables:
                with tempfile.TemporaryDirectory() as folder:
                    measured = compare(server, table, options, Path(folder))
                print_table(server, table, options.rows, measured)
                print("\n" + describe_machine(), flush=True)


if __name__ == "__main__":
    main()
