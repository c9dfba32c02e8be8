"""Runs Django's and SQLAlchemy's own test suites on the Worker's PostgreSQL modules.

The suites come from the projects' source distributions, which pip downloads; they and what they
need are kept below .cache. Results go to a JSON file, from which --write-docs makes the table of
docs/reference/postgres-drivers.md.

  python -m tests.suites.drivers django psycopg2              all of Django's tests
  python -m tests.suites.drivers django psycopg basic queries some of its modules
  python -m tests.suites.drivers sqlalchemy asyncpg           the dialect's tests
  python -m tests.suites.drivers --write-docs
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.servers.postgres import PostgresServer, start_postgres
from tests.shared_venv import CACHE, make_venv

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = HERE / "results.json"
PAGE = ROOT / "docs" / "reference" / "postgres-drivers.md"
SERVER = {
    "max_connections": "120",
    "max_prepared_transactions": "20",
    "max_locks_per_transaction": "512",
    "shared_buffers": "128MB",
}
DJANGO = ("5.2.19", "6.1.3")
SQLALCHEMY = ("2.0.58", "2.1.9", "1.4.54")
# What Django's tests use beside Django, of tests/requirements/py3.txt; the rest they skip.
DJANGO_NEEDS = (
    "aiosmtpd", "argon2-cffi", "bcrypt", "docutils", "jinja2", "Pillow", "PyYAML", "sqlparse",
    "tblib", "tzdata",
)  # fmt: skip
DRIVER_NEEDS = {"psycopg2": (), "psycopg": ("psycopg==3.3.9",), "asyncpg": ("greenlet",)}
# Folders that hold no tests of Django, or tests that are meant to fail when run by themselves.
NO_TESTS = {
    "gis_tests", "import_error_package", "requirements", "templates", "test_runner_apps",
}  # fmt: skip
# For processes that Django's tests start with settings of their own.
START_LINE = """\
import os, sys; os.environ.get("SUITE_SOURCE") and (sys.path.insert(0, os.environ["SUITE_SOURCE"]), \
__import__("edgelift.worker.postgres", fromlist=["install"]).install())
"""
MOST = 0.99
DIALECT = ("test/dialect/test_suite.py", "test/dialect/postgresql")


def fetch_source(project: str, version: str) -> Path:
    """Return the unpacked source distribution of a project, downloaded by pip once."""
    folder = CACHE / "suites"
    found = folder / f"{project}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not found.exists():
            python = make_venv("suite-tools", ["pip", "setuptools"]) / "bin/python"
            command = [python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
            command += ["--no-build-isolation", "--ignore-requires-python", "-d", folder]
            subprocess.run([*command, f"{project}=={version}"], check=True)
            # Older releases wrote the projects' names with capitals.
            pattern = f"{project}-{version}"
            archives = (p for p in folder.glob("*.tar.gz") if p.name.lower() == f"{pattern}.tar.gz")
            with tarfile.open(next(archives)) as archive:
                archive.extractall(folder, filter="data")
            unpacked = next(p for p in folder.iterdir() if p.is_dir() and p.name.lower() == pattern)
            unpacked.rename(found)
    return found


def list_django_modules(source: Path) -> list[str]:
    """Return the folders with Django's tests."""
    folders = (path for path in (source / "tests").iterdir() if path.is_dir())
    return sorted(p.name for p in folders if p.name not in NO_TESTS and p.name[0] not in "._")


def build_environment(driver: str, url: str, prefix: str, *, real: bool) -> dict[str, str]:
    """Return the environment of a suite's process."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "ignore",
        "SUITE_DRIVER": driver,
        "SUITE_URL": url,
        "SUITE_PREFIX": prefix,
        "SUITE_SOURCE": "" if real else str(ROOT / "src"),
    }


def run_django(
    driver: str, version: str, modules: Sequence[str], server: PostgresServer
) -> dict[str, Any]:
    """Run Django's tests and return the counts and the names of those that failed."""
    source = fetch_source("django", version)
    needs = [f"django=={version}", *DJANGO_NEEDS, *DRIVER_NEEDS[driver]]
    python = make_venv(f"suite-django-{version}-{driver}", needs) / "bin/python"
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    (packages / "suite_driver.pth").write_text(START_LINE)
    command = [python, "runtests.py", "--settings=driver_settings", "--parallel=1", "--noinput"]
    command += modules or list_django_modules(source)
    done = subprocess.run(
        command,
        cwd=source / "tests",
        env=build_environment(driver, server.url, f"dj_{driver}_{os.getpid()}", real=False),
        capture_output=True,
        text=True,
        check=False,
    )
    return read_django(done.stdout + done.stderr)


def read_django(output: str) -> dict[str, Any]:
    """Return what the closing lines of Django's runner say; raises ValueError without them.

    It ends as usual when it is interrupted: then fewer tests ran than it had found. A class whose
    set-up asks to be skipped makes a difference too, a small one.
    """
    ran = re.search(r"^Ran (\d+) tests? in ([\d.]+)s", output, re.MULTILINE)
    found = re.search(r"^Found (\d+) test", output, re.MULTILINE)
    if ran is None or found is None or int(ran[1]) < int(found[1]) * MOST:
        raise ValueError(f"Django's tests did not run to their end:\n{output[-3000:]}")
    skipped = re.search(r"skipped=(\d+)", output)
    failed = sorted(set(re.findall(r"^(?:ERROR|FAIL): (\S+ \(\S+\))", output, re.MULTILINE)))
    left_out = int(skipped[1]) if skipped else 0
    return {
        "run": int(ran[1]) - left_out,  # unittest counts what it skips too
        "skipped": left_out,
        "failed": failed,
        "seconds": round(float(ran[2])),
    }


def run_sqlalchemy(
    driver: str, version: str, paths: Sequence[str], server: PostgresServer
) -> dict[str, Any]:
    """Run SQLAlchemy's tests of the dialect and return the counts and what failed."""
    source = fetch_source("sqlalchemy", version)
    needs = ["pytest<9", "typing_extensions", "greenlet", *DRIVER_NEEDS[driver]]
    python = make_venv(f"suite-sqlalchemy-{driver}", needs) / "bin/python"
    name = f"sa_{driver}_{os.getpid()}"
    server.create_database(name)
    for statement in (
        "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION postgres_fdw",
        "CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2",
        f"ALTER DATABASE {name} SET default_text_search_config = 'pg_catalog.english'",
        f"CREATE SERVER testdblink FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname '{name}')",
    ):
        server.run(statement, name)
    url = server.url_of(name).replace("postgresql:", f"postgresql+{driver}:")
    environment = build_environment(driver, url, name, real=False)
    environment["PYTHONPATH"] += f":{source / 'lib'}"
    command = [python, "-m", "pytest", "-p", "sqlalchemy_plugin", "-q", "--tb=line"]
    command += ["-p", "no:cacheprovider", "--maxfail=10000", "--dburi", url, *(paths or DIALECT)]
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=False
    )
    return read_pytest(done.stdout + done.stderr)


def read_pytest(output: str) -> dict[str, Any]:
    """Return what pytest's last line says; raises ValueError without it."""
    last = re.search(r"^=+ (.*) in ([\d.]+)s.*=+$", output, re.MULTILINE)
    if last is None:
        raise ValueError(f"SQLAlchemy's tests did not run:\n{output[-3000:]}")
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (\w+)", last[1])}
    failed = sorted(set(re.findall(r"^(?:FAILED|ERROR) (\S+::\S+)", output, re.MULTILINE)))
    run = sum(counts.get(word, 0) for word in ("passed", "failed", "errors", "error"))
    skipped = counts.get("skipped", 0)
    return {"run": run, "skipped": skipped, "failed": failed, "seconds": round(float(last[2]))}


SUITES = {"django": (run_django, DJANGO), "sqlalchemy": (run_sqlalchemy, SQLALCHEMY)}


def run_suite(
    suite: str,
    driver: str,
    modules: Sequence[str] = (),
    version: str | None = None,
    server: PostgresServer | None = None,
) -> dict[str, Any]:
    """Run a suite, on a server of its own unless one is given, and return its results."""
    work, versions = SUITES[suite]
    if server is not None:
        return work(driver, version or versions[0], modules, server)
    with start_postgres(settings=SERVER) as started:
        return work(driver, version or versions[0], modules, started)


def build_page(results: dict[str, Any]) -> str:
    """Return docs/reference/postgres-drivers.md from the recorded results."""
    rows = ["| suite | driver | run | passed | failed | skipped |", "|---|---|---|---|---|---|"]
    failures: dict[str, list[str]] = {}
    for key, found in sorted(results["runs"].items()):
        suite, driver = key.rsplit(" ", 1)
        count = len(found["failed"])
        rows.append(
            f"| {suite} | {driver} | {found['run']} | {found['run'] - count} | {count} "
            f"| {found['skipped']} |"
        )
        for name in found["failed"]:
            where = failures.setdefault(_plain(name), [])
            if key not in where:
                where.append(key)
    table = ["| test | why | where |", "|---|---|---|"]
    for name, where in sorted(failures.items()):
        why = results["reasons"].get(name, "not explained yet")
        table.append(f"| `{name}` | {why} | {', '.join(where)} |")
    head = (HERE / "page_head.md").read_text()
    return head + "\n".join(rows) + "\n\n## Failures\n" + "\n".join(table) + "\n"


def _plain(name: str) -> str:
    """Return a test's name without its path and parameters."""
    return re.split(r"[ \[(]", name.rsplit("::", 1)[-1], maxsplit=1)[0]


def main() -> int:
    """Run a suite and record its results, or write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", choices=sorted(SUITES), nargs="?")
    parser.add_argument("driver", choices=sorted(DRIVER_NEEDS), nargs="?")
    parser.add_argument("modules", nargs="*")
    parser.add_argument("--version", help="the project's version")
    parser.add_argument("--write-docs", action="store_true")
    given = parser.parse_args()
    if given.write_docs:
        PAGE.write_text(build_page(json.loads(RESULTS.read_text())))
        return 0
    version = given.version or SUITES[given.suite][1][0]
    found = run_suite(given.suite, given.driver, given.modules, version)
    print(json.dumps(found, indent=1))
    if not given.modules:
        results = json.loads(RESULTS.read_text())
        results["runs"][f"{given.suite} {version} {given.driver}"] = found
        RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
