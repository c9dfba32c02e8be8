"""A copy whose server is killed and started again goes on by itself, and ends as the origin is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgelift.errors import OriginError, OriginUnavailable
from edgelift.model.findings import Status
from edgelift.sources.mysql import connection as mysql
from edgelift.sources.patience import PAUSES_S
from edgelift.sources.postgres import connection as postgres
from edgelift.stages.data.server.persist import keep_trying
from edgelift.stages.data.server.throttle import Throttle
from tests.contract.mover.moving import Moving, read_plainly, read_target, start_moving
from tests.contract.mover.test_resume import run_sql
from tests.servers.postgres import start_postgres

TABLE = {
    "postgres": "CREATE TABLE t (id integer PRIMARY KEY, name text);"
    "INSERT INTO t SELECT n, 'name ' || n FROM generate_series(1, 2000) n;",
    "mysql": "CREATE TABLE t (id int PRIMARY KEY, name varchar(40));"
    "INSERT INTO t SELECT seq, concat('name ', seq) FROM seq_1_to_2000;",
}


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect at once or not: here the pauses between whole tries are looked at."""
    monkeypatch.setattr(mysql, "PAUSES_S", (0.0,) * len(mysql.PAUSES_S))
    monkeypatch.setattr(postgres, "_FIRST_WAIT_S", 0.0)


@dataclass
class Mortal:
    """A server of one test's own, that it may kill and start again."""

    url: str
    kill: Callable[[], object]
    start: Callable[[], object]


@pytest.fixture(params=["postgres", "mysql"])
def mortal(request) -> Iterator[Mortal]:
    if request.param == "postgres":
        with start_postgres() as server:
            url = server.create_database()
            server.run(TABLE["postgres"], url.rpartition("/")[2])
            yield Mortal(url, server.kill, server.start)
        return
    server = request.getfixturevalue("new_mariadb")({"innodb-flush-log-at-trx-commit": "1"})
    name = server.create_database("mortal")
    server.run_script(TABLE["mysql"], name)
    yield Mortal(server.make_url(name), server.kill, server.start)


class _Killer(Throttle):
    """Acts in the middle of a chunk, when the rows of some chunks passed."""

    def __init__(self, act: Callable[[], object], after: int) -> None:
        super().__init__()
        self.act, self.left = act, after

    def pass_bytes(self, stream):
        for number, block in enumerate(super().pass_bytes(stream)):
            self.left -= number == 0
            if self.left == 0:
                self.left = -1
                self.act()
            yield block


def start(mortal: Mortal, folder: Path, act: Callable[[], object]) -> Moving:
    moving = start_moving(mortal.url, folder, chunk_rows=100)
    moving.throttle = _Killer(act, after=7)
    return moving


def test_a_killed_server_that_comes_back(mortal: Mortal, tmp_path: Path) -> None:
    notes: list[str] = []
    waits: list[float] = []
    moving = start(mortal, tmp_path, mortal.kill)

    def come_back(pause_s: float) -> None:
        waits.append(pause_s)
        mortal.start()
        run_sql(mortal.url, "UPDATE t SET name = 'changed' WHERE id = 5")

    copy = keep_trying(moving.copy, moving.part, notes.append, come_back)
    assert waits == [PAUSES_S[0]]
    assert copy.kept > 0
    assert copy.repeated == 1
    assert "trying again in 1 s" in notes[0]
    query = "SELECT * FROM t"
    assert read_plainly(mortal.url, query) == read_target(moving.part, query)
    assert moving.prove()["rows"].status is Status.PASS


def test_a_server_that_stays_away(mortal: Mortal, tmp_path: Path) -> None:
    waits: list[float] = []
    moving = start(mortal, tmp_path, mortal.kill)
    with pytest.raises(OriginUnavailable):
        keep_trying(moving.copy, moving.part, lambda _text: None, waits.append)
    assert waits == list(PAUSES_S)
    mortal.start()
    assert moving.copy().kept > 0


def test_a_server_that_was_never_there_is_told_at_once(tmp_path: Path) -> None:
    def fail() -> None:
        raise OriginUnavailable("nobody answers")

    with pytest.raises(OriginUnavailable):
        keep_trying(fail, tmp_path / "none.part", lambda _text: None, pytest.fail)


def test_a_server_that_answered_is_waited_for_before_there_is_a_ledger(tmp_path: Path) -> None:
    """Its catalogue is read then."""
    waits: list[float] = []
    met: list[str] = []

    def work() -> str:
        met.append("answered")
        if len(met) < 3:
            raise OriginUnavailable("the connection was lost")
        return "done"

    part = tmp_path / "none.part"
    found = keep_trying(work, part, lambda _text: None, waits.append, lambda: bool(met))
    assert (found, waits) == ("done", list(PAUSES_S[:2]))


def test_what_does_not_pass_by_itself_is_not_tried_again(mortal: Mortal, tmp_path: Path) -> None:
    """The fault twin: only errors that may pass are worth a pause."""

    def break_it() -> None:
        raise OriginError("the rows break a rule")

    moving = start(mortal, tmp_path, break_it)
    with pytest.raises(OriginError):
        keep_trying(moving.copy, moving.part, lambda _text: None, pytest.fail)
