"""A converted view shows the rows that it showed at the origin, or the proof fails."""

from __future__ import annotations

import pytest

from edgelift.model.findings import Check, Status
from edgelift.model.target_schema import TargetSchema
from edgelift.sources.origin_database import open_origin
from edgelift.stages.data.server import prove
from edgelift.stages.data.server import views as module
from edgelift.stages.data.server.target import open_part
from edgelift.stages.data.server.views import check_views
from tests.contract.mover.moving import Moving, start_moving

TABLES = """
CREATE TABLE sale (id integer PRIMARY KEY, area varchar(20), price numeric(8,2), sold date);
INSERT INTO sale VALUES (1, 'north', 1.10, '2024-01-31'), (2, 'south', 2, '2024-02-29'),
  (3, 'north', 3.25, '2023-12-31'), (4, NULL, 0.1, NULL);
CREATE VIEW per_area AS SELECT area, sum(price) AS total, avg(price) AS mean, count(*) AS sales
  FROM sale GROUP BY area;
CREATE VIEW dated AS SELECT id, sold, price * 2 AS twice FROM sale WHERE sold IS NOT NULL;
"""
OWN = """
CREATE FUNCTION join_two(text, text) RETURNS text LANGUAGE sql AS
  $$ SELECT CASE WHEN $1 IS NULL THEN $2 ELSE $1 || ', ' || $2 END $$;
CREATE AGGREGATE group_concat(text) (SFUNC = join_two, STYPE = text);
CREATE VIEW areas AS SELECT group_concat(area) AS listed FROM sale;
"""


@pytest.fixture(params=["postgres", "mysql"])
def moving(request, tmp_path) -> Moving:
    if request.param == "postgres":
        url = request.getfixturevalue("make_database")(TABLES)
    else:
        server = request.getfixturevalue("mariadb_server")
        name = server.create_database("views")
        server.run_script(TABLES, name)
        url = server.make_url(name)
    moving = start_moving(url, tmp_path)
    moving.copy()
    return moving


def check(moving: Moving, schema: TargetSchema | None = None, accepted=(), change="") -> Check:
    with open_origin(moving.url) as adapter:
        reader = adapter.open_snapshot()
        try:
            with open_part(moving.part) as db:
                if change:
                    db.execute(change)
                proof = prove.Proof(
                    db=db, reader=reader, plan=moving.plan, reproduce="edgelift data"
                )
                found = check_views(proof, schema or moving.judgement.schema, accepted)
        finally:
            reader.close()
    assert found is not None
    return found


def test_views_show_the_same_rows(moving: Moving) -> None:
    found = check(moving)
    assert found.status is Status.PASS, found.detail
    assert found.counts == {"views": 2, "views_compared": 2, "views_differing": 0, "rows": 6}


def test_a_view_that_means_something_else_is_caught(moving: Moving) -> None:
    """The fault twin; accepted, it is said all the same."""
    change = (
        "DROP VIEW per_area; CREATE VIEW per_area AS SELECT area, sum(price) AS total, "
        "avg(price) AS mean, count(area) AS sales FROM sale GROUP BY area"
    )
    found = check(moving, change=change)
    assert found.status is Status.FAIL
    assert found.detail[0].startswith("per_area: 1 rows only at the origin")
    assert check(moving, accepted=("DATA-VIEW",)).status is Status.PASS


def test_large_views_are_named_not_compared(moving: Moving, monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    found = check(moving)
    assert found.counts["views_compared"] == 0
    assert "more than 2 rows" in found.detail[0]


def test_a_function_of_the_origins_own_is_not_taken_for_sqlites(make_database, tmp_path) -> None:
    """Sakila's group_concat joins by ', ', SQLite's by ','."""
    moving = start_moving(make_database(TABLES + OWN), tmp_path)
    refused = [i for i in moving.judgement.issues if i.rule == "SCHEMA-VIEW"]
    assert [i.name for i in refused] == ["areas"]
    assert "group_concat(), a function of the origin's own" in refused[0].message
