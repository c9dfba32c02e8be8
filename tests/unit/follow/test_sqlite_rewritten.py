"""A followed SQLite file under [schema]: whatever writes it, the copy has the rows in its own form."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from edgelift.sources.change_feed import Subject
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_changes.feed import open_followed, read_start
from edgelift.stages.follow.file_writer import create_file
from tests.unit.follow.test_sqlite_log import STATEMENTS, Case
from tests.unit.sqlite_origin.moving import NAMESPACE, look, start

TOML = f"""
[schema]
exclude = ["gone", "book_gone", "book.extra"]
[[schema.rename]]
table = "book"
to = "works"
[[schema.rename]]
table = "book"
column = "title"
to = "heading"
[[schema.rename]]
table = "bare"
column = "n"
to = "number"
[[schema.rewrite]]
table = "author"
as = "uuid5"
namespace = "{NAMESPACE}"
[[schema.cast]]
table = "odd \\"name"
column = "n"
as = "text"
[[schema.cast]]
table = "book"
column = "title"
as = "offload"
"""


class Rewritten(Case):
    def __init__(self, folder: Path, toml: str = TOML) -> None:
        super().__init__(folder)
        self.run("ALTER TABLE book ADD COLUMN extra")
        self.toml = toml
        self.plan = None
        self.kept: dict[str, object] = {}

    @property
    def subject(self) -> Subject:
        return Subject(
            database="main", url=str(self.path), name="", path=self.path, snapshot=self.snapshot,
            consent=True, plan=self.plan, keep=self.keep,
        )  # fmt: skip

    def keep(self, value: object) -> str:
        from edgelift.sources.sqlite_origin.connection import hash_value

        name = str(hash_value(value))
        self.kept[name] = value
        return name

    def begin(self) -> None:
        with open_followed(self.subject) as followed, followed.prepare():
            pass
        SqliteSource(self.path).take_snapshot(self.snapshot)
        moving = start(self.snapshot, self.toml, {"SCHEMA-OVERRIDE-USED"})
        assert [i for i in moving.judgement.issues if i.rule == "SCHEMA-VALUE-FORM"] == []
        moving.copy()
        self.plan = moving.plan
        create_file(moving.part, self.target, read_start(self.snapshot))
        with open_followed(self.subject) as followed:
            assert followed.find_problems() == []


@pytest.fixture
def case(tmp_path: Path) -> Rewritten:
    return Rewritten(tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_every_change_arrives_in_its_new_form(case: Rewritten, seed: int) -> None:
    case.begin()
    case.write_at_random(STATEMENTS, seed, 20)
    found = case.compare()
    assert found.status is Status.PASS, found.details
    own = uuid.uuid5(uuid.UUID(NAMESPACE), "main.author.id")
    expected = [
        (str(uuid.uuid5(own, str(i))), n) for i, n in look(case.path, "SELECT * FROM author")
    ]
    assert sorted(look(case.target, "SELECT * FROM author")) == sorted(expected)
    books = (
        "SELECT w.id, a.name, w.rank, w.twice FROM works w LEFT JOIN author a ON w.author = a.id"
    )
    there = "SELECT w.id, a.name, w.rank, w.twice FROM book w LEFT JOIN author a ON w.author = a.id"
    assert sorted(look(case.target, books)) == sorted(look(case.path, there))
    texts = {(key, str(n)) for key, n in look(case.path, 'SELECT * FROM "odd ""name"')}
    assert set(look(case.target, 'SELECT * FROM "odd ""name"')) == texts
    headings = {name for (name,) in look(case.target, "SELECT heading FROM works")}
    before = {case.keep(t) for (t,) in look(case.snapshot, "SELECT title FROM book") if t}
    assert headings - {None} <= set(case.kept) | before


def test_vacuum_at_the_origin_harms_no_table_with_a_key(tmp_path: Path) -> None:
    case = Rewritten(tmp_path, TOML.replace('"gone",', '"gone", "bare",').replace(
        '[[schema.rename]]\ntable = "bare"\ncolumn = "n"\nto = "number"\n', ""
    ))  # fmt: skip
    case.begin()
    case.run("DELETE FROM author WHERE id % 2", "VACUUM", "UPDATE author SET name = name || '!'")
    case.follow()
    assert case.compare().status is Status.PASS


def test_a_value_that_the_form_has_not_stops_it_by_name(tmp_path: Path) -> None:
    toml = '[[schema.cast]]\ntable = "bare"\ncolumn = "n"\nas = "integer"'
    case = Rewritten(tmp_path, toml)
    case.begin()
    case.run("INSERT INTO bare VALUES ('kind', 'seven')")
    with pytest.raises(OriginError, match="bare, column n"):
        case.follow()


def test_a_row_that_is_not_followed_is_named(case: Rewritten) -> None:
    case.begin()
    with contextlib.closing(sqlite3.connect(case.target)) as db:
        db.execute("UPDATE works SET rank = -1 WHERE id = 7")
        db.commit()
    found = case.compare()
    assert found.status is Status.FAIL
    assert any("works" in line and "rank" in line and "id=7" in line for line in found.details)


def test_counters_go_on_where_the_keys_are_numbers(tmp_path: Path) -> None:
    case = Rewritten(tmp_path, '[[schema.rename]]\ntable = "author"\nto = "people"')
    case.begin()
    with open_followed(case.subject) as followed:
        assert followed.read_counters() == {"people": 19}
