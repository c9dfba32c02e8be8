"""MySQL's dates that no calendar has, times beyond a day, and texts that spaces do not tell apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.model.findings import Level
from edgelift.model.mover_settings import CastSection, SchemaSection
from tests.contract.mover.moving import judge, read_target, start_moving

SCRIPT = """
SET sql_mode = 'ALLOW_INVALID_DATES';
CREATE TABLE days (id int PRIMARY KEY, day date, at datetime(3), span time(1),
  name varchar(20) COLLATE utf8mb4_general_ci UNIQUE, raw varchar(20) COLLATE utf8mb4_nopad_bin);
INSERT INTO days VALUES (1, '2024-02-31', '2023-04-31 10:00:00.5', '30:00:00.5', 'a', 'a'),
  (2, '2024-02-29', '2024-02-29 10:00:00', '-10:00:00', 'b', 'a ');
"""


@pytest.fixture
def url(mariadb_server) -> str:
    name = mariadb_server.create_database("calendar")
    mariadb_server.run_script(SCRIPT, name)
    return mariadb_server.make_url(name)


def test_each_is_told_in_its_own_words(url: str) -> None:
    found = {
        i.column: i.message
        for i in judge(url).issues
        if i.rule == "SCHEMA-VALUE-YEAR" and i.level is Level.ERROR
    }
    assert set(found) == {"day", "at", "span"}
    assert "2 times" in found["span"]
    assert "00:00:00 to 23:59:59" in found["span"]
    assert "1 dates" in found["day"]
    assert "days that no calendar has" in found["day"]


@pytest.mark.parametrize("engine", ["native", "python"])
def test_as_text_they_move_as_the_server_shows_them(url: str, tmp_path: Path, engine: str) -> None:
    casts = tuple(
        CastSection(to="text", table="days", column=name) for name in ("day", "at", "span")
    )
    moving = start_moving(url, tmp_path, SchemaSection(cast=casts), engine=engine)
    moving.copy()
    assert read_target(moving.part, "SELECT day, at, span FROM days WHERE id = 1") == [
        ("2024-02-31", "2023-04-31 10:00:00.500", "30:00:00.500000")
    ]


def test_trailing_spaces_are_stated_for_the_columns_that_ignore_them(url: str) -> None:
    (stated,) = [i for i in judge(url).issues if i.rule == "SCHEMA-PAD-SPACE"]
    assert stated.level is Level.WARNING
    assert "days.name" in stated.message
    assert "days.raw" not in stated.message


def test_postgres_compares_spaces_as_sqlite_does(make_database) -> None:
    url = make_database("CREATE TABLE t (id integer PRIMARY KEY, name text UNIQUE)")
    assert not [i for i in judge(url).issues if i.rule == "SCHEMA-PAD-SPACE"]
