"""Tables that are none of the server's own: windows on other servers, views that hold rows."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Level, Status
from edgelift.model.mover_settings import SchemaSection
from tests.contract.mover.moving import judge, read_plainly, read_target, start_moving

RULE = "SCHEMA-FOREIGN-TABLE"


@pytest.fixture
def foreign_url(make_database) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return make_database(
        f"""
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER gone FOREIGN DATA WRAPPER postgres_fdw
          OPTIONS (host '127.0.0.1', port '{port}', dbname 'gone');
        CREATE USER MAPPING FOR CURRENT_USER SERVER gone OPTIONS (user 'x', password 'y');
        CREATE FOREIGN TABLE far (id integer, name text) SERVER gone;
        CREATE TABLE near (id integer PRIMARY KEY);
        INSERT INTO near VALUES (1), (2);
        """
    )


def test_an_unreachable_foreign_server_stops_nothing_but_its_table(foreign_url: str) -> None:
    found = judge(foreign_url)
    blocking = [i for i in found.issues if i.level is Level.ERROR]
    assert [(i.rule, i.name) for i in blocking] == [(RULE, "far")]
    assert not found.lost


def test_it_is_asked_only_when_that_was_accepted(foreign_url: str) -> None:
    """The fault twin: what every judgement did before."""
    with pytest.raises(OriginError):
        judge(foreign_url, accepted={RULE})


def test_an_excluded_foreign_table_is_never_asked(foreign_url: str, tmp_path: Path) -> None:
    moving = start_moving(foreign_url, tmp_path, SchemaSection(exclude=("far",)))
    assert not [i for i in moving.judgement.issues if i.level is Level.ERROR]
    moving.copy()
    assert read_target(moving.part, "SELECT id FROM near") == [(1,), (2,)]


def test_a_materialized_view_moves_with_the_rows_it_holds(make_database, tmp_path: Path) -> None:
    url = make_database(
        """
        CREATE TABLE sale (id integer PRIMARY KEY, area text, price numeric(8,2));
        INSERT INTO sale VALUES (1, 'north', 1.50), (2, 'south', 2), (3, 'north', 3.25);
        CREATE MATERIALIZED VIEW per_area AS
          SELECT area, sum(price) AS total, count(*) AS sales FROM sale GROUP BY area;
        CREATE UNIQUE INDEX per_area_area ON per_area (area);
        CREATE VIEW large AS SELECT area FROM per_area WHERE total > 3;
        CREATE MATERIALIZED VIEW unfilled AS SELECT id FROM sale WITH NO DATA;
        INSERT INTO sale VALUES (4, 'west', 9);
        """
    )
    moving = start_moving(url, tmp_path, accepted={"SCHEMA-DECIMAL-DIGITS", "SCHEMA-TYPE-LOSS"})
    stated = [i for i in moving.judgement.issues if i.rule == "SCHEMA-VIEW-MATERIALIZED"]
    assert {(i.kind, i.name) for i in stated} == {("table", "per_area"), ("view", "unfilled")}
    moving.copy()
    query = "SELECT area, sales FROM per_area"
    assert read_target(moving.part, query) == read_plainly(url, query)
    assert len(read_target(moving.part, query)) == 2  # as it stands, not as it would be fresh
    assert read_target(moving.part, "SELECT area FROM large") == [("north",)]
    assert moving.prove()["rows"].status is Status.PASS
    assert not moving.judgement.lost
