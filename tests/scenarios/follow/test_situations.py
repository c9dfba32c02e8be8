"""What writers do besides plain rows, followed by the whole command and compared by plain SQL."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

import edgelift
from edgelift.model.findings import Status
from edgelift.stages.init.database_settings import PASSWORD
from tests.contract.mover.moving import read_plainly, read_target
from tests.scenarios.follow.situations import EVERYDAY, SCHEMAS, SITUATIONS, TABLES, list_scripts
from tests.servers.mariadb import MariaDb
from tests.servers.postgres import PASSWORD as SECRET
from tests.servers.postgres import PostgresServer

pytestmark = [pytest.mark.scenario, pytest.mark.workerd]
NIGHTLY = os.environ.get("EDGELIFT_NIGHTLY")
FOLLOW = edgelift.FollowOptions(until_caught_up=True, verify=True, install_triggers=True)


@dataclass
class Followed:
    """An origin that is followed into `folder`; `run` runs a script in a session of its own."""

    kind: str
    url: str
    folder: Path
    run: Callable[[str], object]

    @property
    def target(self) -> Path:
        return self.folder / ".edgelift" / "follow" / "main.sqlite"

    def follow(self, *, first: bool = False) -> edgelift.Outcome:
        where = (self.url, self.folder) if first else (self.folder,)
        return edgelift.follow(*where, follow_options=FOLLOW)

    def assert_same(self) -> None:
        for table, columns in TABLES.items():
            if table == "toasted" and self.kind != "postgres":
                continue
            query = f"SELECT {columns} FROM {table}"
            origin = (
                read_target(Path(self.url), query)
                if self.kind == "sqlite"
                else read_plainly(
                    self.url, query.replace("rank", "`rank`" if self.kind == "mysql" else "rank")
                )
            )
            assert origin == read_target(self.target, query), table


def make_sqlite(folder: Path) -> Followed:
    path = folder / "app.sqlite"

    def run(script: str) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA foreign_keys = ON")
            db.executescript(script)

    run(SCHEMAS["sqlite"])
    return Followed("sqlite", str(path), folder / "moved", run)


def make_mysql(server: MariaDb, folder: Path) -> Followed:
    name = server.create_database("situations")
    server.run_script(SCHEMAS["mysql"].replace("'v' ||", ""), name)
    return Followed(
        "mysql", server.make_url(name), folder / "moved",
        lambda script: server.run_script(f"SET sql_mode = 'PIPES_AS_CONCAT'; {script}", name),
    )  # fmt: skip


def make_postgres(server: PostgresServer, folder: Path) -> Followed:
    url = server.create_database()

    def run(script: str) -> None:
        with psycopg.connect(url, autocommit=True) as db:
            for statement in script.split(";"):
                db.execute(statement)  # type: ignore[call-overload]

    run(SCHEMAS["postgres"].rstrip().rstrip(";"))
    return Followed("postgres", url, folder / "moved", run)


@pytest.fixture(scope="module", params=["postgres", "mysql", "sqlite"])
def followed(request, tmp_path_factory) -> Iterator[Followed]:
    """One origin for all situations, copied once."""
    folder = tmp_path_factory.mktemp("situations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, SECRET)
        if request.param == "postgres":
            found = make_postgres(request.getfixturevalue("postgres_server"), folder)
        elif request.param == "mysql":
            found = make_mysql(request.getfixturevalue("mariadb_server"), folder)
        else:
            found = make_sqlite(folder)
        found.follow(first=True)
        yield found
        edgelift.follow(found.folder, follow_options=edgelift.FollowOptions(drop=True))


@pytest.mark.parametrize("situation", SITUATIONS if NIGHTLY else EVERYDAY)
def test_followed_whatever_writers_do(followed: Followed, situation: str) -> None:
    scripts = list_scripts(situation, followed.kind)
    if not scripts:
        pytest.skip(f"{followed.kind} has no such thing")
    before = edgelift.status(followed.folder).follows[0]
    for script in scripts:
        followed.run(script)
    outcome = followed.follow()
    found = {check.id: check.status for check in outcome.checks if check.stage == "follow"}
    assert set(found.values()) == {Status.PASS}
    assert outcome.follows[0].transactions > before.transactions
    followed.assert_same()
    assert_counters(followed)


def assert_counters(followed: Followed) -> None:
    """What is inserted next at the target gets the number that the origin would have given."""
    queries = {
        "postgres": "SELECT last_value FROM top_id_seq",
        "mysql": "SELECT AUTO_INCREMENT - 1 FROM information_schema.TABLES WHERE TABLE_NAME = 'top' "
        "AND TABLE_SCHEMA = database()",
        "sqlite": "SELECT seq FROM sqlite_sequence WHERE name = 'top'",
    }
    query = queries[followed.kind]
    origin = (
        read_target(Path(followed.url), query)
        if followed.kind == "sqlite"
        else read_plainly(followed.url, query)
    )
    target = read_target(followed.target, queries["sqlite"])
    assert target[0][0] >= origin[0][0]
