"""What the origin's drivers are given is recorded with file and line, and changes nothing for the app."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgelift.sources.estimators import hooked_path
from edgelift.sources.recorded_sql import RecordedStatement, read_recorded, recording_environment
from edgelift.stages.verify.faults import OriginFaults
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PostgresServer
from tests.shared_venv import make_venv

APPS = Path(__file__).parents[2] / "apps" / "recorded"
DRIVERS = [
    "psycopg2-binary", "psycopg[binary]", "asyncpg", "pg8000", "aiopg", "pymysql", "aiomysql", "sqlalchemy[asyncio]>=2", "django>=5.2,<6",
    "mysqlclient", "mysql-connector-python",  # the first is built with libmariadb-dev
]  # fmt: skip
POSTGRES = ("psycopg2", "psycopg", "asyncpg", "pg8000", "aiopg", "sqlalchemy", "django")
MYSQL = ("pymysql", "aiomysql", "mysqldb", "mysqlconnector")


@pytest.fixture(scope="module")
def python() -> Path:
    return make_venv("drivers-venv", DRIVERS) / "bin" / "python"


MakeUrl = Callable[[str], str]


@pytest.fixture
def make_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeUrl]:
    """An empty database of the server that a driver is for."""
    made: list[Callable[[], object]] = []

    def make(driver: str) -> str:
        name = f"recorder_{len(made)}_{os.getpid()}"
        if driver in POSTGRES:
            postgres: PostgresServer = request.getfixturevalue("postgres_server")
            made.append(lambda: postgres.run(f'DROP DATABASE "{name}" WITH (FORCE)'))
            return postgres.create_database(name)
        mariadb: MariaDb = request.getfixturevalue("mariadb_server")
        own = mariadb.create_database(name)
        made.append(lambda: mariadb.execute(f"DROP DATABASE `{own}`"))
        mariadb.execute("CREATE USER IF NOT EXISTS recorder IDENTIFIED BY 'word'")
        mariadb.execute("GRANT ALL ON *.* TO recorder")
        return mariadb.make_url(own, "recorder", "word")

    yield make
    for drop in made:
        drop()


def run(python: Path, driver: str, url: str, **environment: str) -> list[str]:
    done = subprocess.run(
        [python, APPS / f"{driver}_app.py", url],
        env={**os.environ, "PYTHONPATH": hooked_path(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def show(one: RecordedStatement) -> str:
    return f"{one.line} {one.kind}{' bound' if one.bound else ''}: {' '.join(one.sql.split())}"


@pytest.mark.parametrize("driver", [*POSTGRES, *MYSQL])
def test_statements_are_recorded_and_the_app_notices_nothing(
    driver: str, python: Path, make_url: MakeUrl, tmp_path: Path
) -> None:
    plain = run(python, driver, make_url(driver))
    folder = tmp_path / "sql"
    recorded = run(python, driver, make_url(driver), **recording_environment(folder, APPS))
    assert recorded == plain
    found = read_recorded(folder)
    assert {one.path for one in found} == {f"{driver}_app.py"}, [
        one for one in found if not one.path
    ]
    expected = (APPS / f"{driver}_app.records").read_text().splitlines()
    assert [
        show(one) for one in found if one.kind != "orm" and "CLOSE ALL" not in one.sql
    ] == expected


# What each app prints where it attempts something: see tests/apps/recorded.
DISK = {
    "psycopg2": "IoError 58030 disk I/O error", "psycopg": "IoError 58030 disk I/O error",
    "asyncpg": "PostgresIOError 58030 disk I/O error", "pg8000": "DatabaseError 58030 disk I/O error",
    "aiopg": "IoError 58030", "sqlalchemy": "OperationalError 58030", "django": "OperationalError IoError",
    "pymysql": "OperationalError 1030 disk I/O error", "aiomysql": "OperationalError 1030 disk I/O error",
    "mysqldb": "OperationalError 1030 disk I/O error", "mysqlconnector": "DatabaseError 1030 disk I/O error",
}  # fmt: skip
CASES = [
    (driver, fault, place)
    for driver, places in {
        "psycopg2": {"write 1": 0, "written 1": 0, "write 3": 2, "commit 2": 3, "commit 3": -1},
        "psycopg": {"write 1": 0, "write 2": 1, "commit 2": 2, "commit 3": 3},
        "asyncpg": {"write 1": 0, "written 2": 1, "write 3": 2, "commit 1": 2, "write 4": 3},
        "pg8000": {"write 1": 0, "write 2": 1, "written 2": 1, "commit 2": 2},
        "aiopg": {"write 1": 0, "written 1": 0},
        "sqlalchemy": {"write 1": 0, "write 2": 1, "write 3": 2, "written 3": 2, "commit 3": 2},
        "django": {"write 1": 0, "write 2": 1, "commit 3": 2},
        "pymysql": {"write 1": 0, "write 2": 1, "written 2": 1, "commit 1": 2},
        "aiomysql": {"write 1": 0, "write 2": 1, "written 2": 1, "commit 1": 2},
        "mysqldb": {"write 1": 0, "write 2": 1, "written 2": 1, "commit 1": 2},
        "mysqlconnector": {"write 1": 0, "write 2": 1, "written 2": 1, "commit 1": 2},
    }.items()
    for fault, place in places.items()
]  # fmt: skip
EVERYDAY = [case for case in CASES if case[:2] in {
    ("psycopg2", "commit 3"), ("psycopg", "write 2"), ("psycopg", "commit 3"), ("asyncpg", "written 2"),
    ("aiopg", "written 1"), ("pymysql", "write 2"), ("aiomysql", "commit 1"), ("mysqldb", "written 2"), ("mysqlconnector", "commit 1"),
}]  # fmt: skip
NIGHTLY = bool(os.environ.get("EDGELIFT_NIGHTLY"))


@pytest.mark.parametrize(("driver", "fault", "place"), CASES if NIGHTLY else EVERYDAY)
def test_a_statement_fails_where_it_was_told(
    driver: str, fault: str, place: int, python: Path, make_url: MakeUrl, tmp_path: Path
) -> None:
    url = make_url(driver)
    faults = OriginFaults(tmp_path / "faults", [url.rpartition("/")[2]])
    environment = faults.prepare()
    faults.arm(fault)
    told = run(python, driver, url, **environment)
    print(told)
    assert told[place] == DISK[driver]
    assert faults.arm("") == 1


def test_another_database_does_not_fail(python: Path, make_url: MakeUrl, tmp_path: Path) -> None:
    plain = run(python, "psycopg", make_url("psycopg"))
    faults = OriginFaults(tmp_path / "faults", ["another"])
    environment = faults.prepare()
    faults.arm("write 1")
    assert run(python, "psycopg", make_url("psycopg"), **environment) == plain
    assert faults.arm("") == 0


def test_half_a_line_of_a_killed_process_is_none(tmp_path: Path) -> None:
    one = b'{"engine":"mysql","sql":"SELECT 1","bound":false,"kind":"raw","path":"a.py","line":3}'
    (tmp_path / "7.jsonl").write_bytes(one + b"\n" + one[:40])
    (tmp_path / "8.jsonl").write_bytes(one + b"\n")
    assert [show(found) for found in read_recorded(tmp_path)] == ["3 raw: SELECT 1"]
