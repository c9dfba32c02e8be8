"""The log of changes in a SQLite file: it names every touched row and leaves no trace when removed."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from edgelift.sources.change_feed import Edit, Emptied, End, Subject
from edgelift.sources.sqlite import SqliteSource
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.sources.sqlite_changes.feed import SqliteFeed, open_followed, read_start
from edgelift.stages.follow.file_writer import Checkpoint, FileWriter, create_file
from edgelift.stages.follow.net import Net

SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE author (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
CREATE TABLE book (id INTEGER PRIMARY KEY, author INTEGER REFERENCES author ON DELETE CASCADE,
  title TEXT UNIQUE, rank INTEGER UNIQUE, twice INTEGER AS (rank * 2) STORED);
CREATE TABLE "odd ""name" ("the key" TEXT PRIMARY KEY COLLATE NOCASE, n) WITHOUT ROWID;
CREATE TABLE bare (kind TEXT, n);
CREATE TABLE gone (what TEXT PRIMARY KEY NOT NULL, n);
CREATE TRIGGER book_gone AFTER DELETE ON book BEGIN INSERT OR IGNORE INTO gone (what) VALUES (OLD.id); END;
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60)
  INSERT INTO author (name) SELECT 'author ' || n FROM s WHERE n < 20;
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 60)
  INSERT INTO book SELECT n, n % 19 + 1, 'title ' || n, n FROM s;
INSERT INTO "odd ""name" SELECT 'Key' || id, id FROM book;
INSERT INTO bare SELECT 'kind', id % 7 FROM book;
"""
STATEMENTS = (
    "INSERT INTO book (author, title, rank) VALUES (1, 'new {0}', {0} + 1000)",
    "UPDATE book SET author = NULL WHERE id = {1}",
    "DELETE FROM book WHERE id = {1}",
    "UPDATE OR IGNORE book SET id = {0} + 500 WHERE id = {1}",
    "INSERT OR REPLACE INTO book (id, title, rank) VALUES ({1}, 'title {2}', {3})",
    "UPDATE OR REPLACE book SET rank = {2} WHERE id = {1}",
    "REPLACE INTO book (title, rank) VALUES ('title {1}', {2})",
    "UPDATE book SET rank = rank + 70000 WHERE rank = {2}",
    "DELETE FROM author WHERE id = {1} % 20",
    "INSERT INTO author (name) VALUES ('late {0}')",
    """UPDATE OR REPLACE "odd ""name" SET "the key" = 'KEY{1}' WHERE n = {2}""",
    """INSERT INTO "odd ""name" VALUES ('key{1}', 1.0) ON CONFLICT DO UPDATE SET n = 'twice'""",
    "INSERT INTO bare VALUES (x'00ff', {0})",
    "DELETE FROM bare WHERE n = {1} % 7 AND rowid % 3 = 0",
    "UPDATE bare SET n = n + 1 WHERE rowid = {1}",
    "DELETE FROM gone",
)


class Case:
    """A file with its log, and its copy."""

    def __init__(self, folder: Path) -> None:
        self.path, self.target = folder / "app.sqlite", folder / "followed.sqlite"
        self.snapshot = folder / "snapshot.sqlite"
        self.run(SCHEMA)

    def run(self, *scripts: str) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            db.execute("PRAGMA foreign_keys=ON")
            for script in scripts:
                db.executescript(script)

    def read_schema(self) -> list[tuple]:
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            return db.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()

    @property
    def subject(self) -> Subject:
        return Subject(
            database="main", url=str(self.path), name="", path=self.path, snapshot=self.snapshot,
            consent=True,
        )  # fmt: skip

    def begin(self) -> None:
        with open_followed(self.subject) as followed:
            assert followed.find_problems() == []
            with followed.prepare():
                pass
        SqliteSource(self.path).take_snapshot(self.snapshot)
        create_file(self.snapshot, self.target, read_start(self.snapshot))

    @contextlib.contextmanager
    def open(self) -> Iterator[tuple[SqliteFeed, FileWriter, Net]]:
        with open_followed(self.subject) as followed:
            writer = FileWriter(self.target)
            feed = followed.open(writer.checkpoint.position)
            try:
                yield feed, writer, Net(followed.shapes)
            finally:
                feed.close()
                writer.close()

    def follow(self) -> None:
        with self.open() as (feed, writer, net):
            for change in feed.read(0.0):
                if isinstance(change, Edit | Emptied):
                    net.add(change)
                elif isinstance(change, End):
                    writer.apply(net)
                    net.clear()
                    writer.commit(Checkpoint("", change.position))
                    feed.confirm(change.position)

    def write_at_random(self, statements: Sequence[str], seed: int, transactions: int) -> None:
        """Run transactions of a few statements each, follow now and then, and at the end."""
        generator = random.Random(seed)
        for number in range(transactions):
            script = ";".join(
                generator.choice(statements).format(
                    seed * 1000 + number, *(generator.randrange(1, 61) for _ in range(3))
                )
                for _ in range(generator.randrange(1, 6))
            )
            with contextlib.suppress(sqlite3.IntegrityError):
                self.run(f"BEGIN; {script}; COMMIT")
            if generator.random() < 0.3:
                self.follow()
        self.follow()

    def compare(self):
        with open_followed(self.subject) as followed:
            feed = followed.open(FileWriter(self.target).checkpoint.position)
            with contextlib.closing(feed), followed.open_moment(feed) as moment:
                return moment.compare(self.target, lambda *_: None)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_every_change_is_seen_whatever_made_it(case: Case, seed: int) -> None:
    case.begin()
    case.write_at_random(STATEMENTS, seed, 25)
    found = case.compare()
    assert found.status is Status.PASS, found.details


def test_without_the_triggers_for_replace_a_row_would_stay(case: Case) -> None:
    case.begin()
    case.run(
        'DROP TRIGGER "_edgelift_before_insert_book"',
        "INSERT OR REPLACE INTO book (id, title, rank) VALUES (900, 'title 5', 5)",
        "UPDATE book SET title = 'other', rank = 77 WHERE id = 900",
    )
    with pytest.raises(OriginError, match="no longer whole"):
        case.follow()


def test_removal_leaves_the_schema_as_it_was(case: Case) -> None:
    before = case.read_schema()
    case.begin()
    assert case.read_schema() != before
    with contextlib.closing(sqlite3.connect(case.path)) as db:
        assert not [t for t in read_catalogue(db).tables if t.name.startswith("_edgelift")]
    with open_followed(case.subject) as followed:
        followed.drop()
        followed.drop()
    assert case.read_schema() == before


def test_what_an_app_reads_of_its_inserts_stays_the_same(case: Case) -> None:
    case.begin()
    with contextlib.closing(sqlite3.connect(case.path)) as db:
        cursor = db.execute("INSERT INTO author (name) VALUES ('x')")
        assert (cursor.lastrowid, cursor.rowcount) == (20, 1)
        assert db.execute("UPDATE book SET author = 1 WHERE id < 4").rowcount == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("ALTER TABLE book ADD COLUMN more TEXT", "schema of app.sqlite changed"),
        ("DROP TABLE bare", "schema of app.sqlite changed"),
        ("CREATE UNIQUE INDEX later ON book (author, rank)", "index later is new"),
        ("ALTER TABLE book RENAME COLUMN title TO name", "table book changed"),
        ("ALTER TABLE bare RENAME TO plain", "table bare is gone; table plain is new"),
        ("ALTER TABLE gone DROP COLUMN n", "table gone changed"),
        ("CREATE TABLE later (id INTEGER PRIMARY KEY)", "table later is new"),
        ("CREATE VIEW later AS SELECT 1", "view later is new"),
        ('DROP TRIGGER "_edgelift_after_delete_bare"', "no longer whole"),
        ("DROP TABLE _edgelift_changes", "cannot be read|no longer whole"),
        ("VACUUM", "may have new numbers"),
    ],
)
def test_what_breaks_the_log_stops_it(case: Case, change: str, message: str) -> None:
    case.begin()
    case.run(change)
    with pytest.raises(OriginError, match=message):
        case.follow()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE INDEX later ON bare (n)",
        "CREATE INDEX later ON book (author) WHERE rank > 3; DROP INDEX later",
        "ANALYZE",
        "REINDEX",
        "PRAGMA user_version = 7",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "CREATE TEMP TABLE own (id)",
        "DROP INDEX known",
    ],
)
def test_what_touches_no_row_does_not_stop_it(case: Case, change: str) -> None:
    case.run("CREATE INDEX known ON book (author)")
    case.begin()
    case.run("UPDATE bare SET n = n + 100", change, "UPDATE book SET rank = rank + 1000")
    case.follow()
    case.run("INSERT INTO bare VALUES ('later', 1)", "DELETE FROM book WHERE id = 7")
    case.follow()
    assert case.compare().status is Status.PASS


def test_vacuum_does_not_matter_when_every_table_has_a_key(case: Case) -> None:
    case.run("DROP TABLE bare")
    case.begin()
    case.run("DELETE FROM book WHERE id < 9", "VACUUM", "UPDATE book SET rank = rank + 1000")
    case.follow()
    assert case.compare().status is Status.PASS


def test_an_older_state_put_in_its_place_is_noticed(case: Case) -> None:
    case.begin()
    case.run("PRAGMA wal_checkpoint(TRUNCATE)")
    held = case.path.read_bytes()
    case.run("UPDATE bare SET n = 5")
    case.follow()
    for ending in ("-wal", "-shm"):
        case.path.with_name(case.path.name + ending).unlink(missing_ok=True)
    case.path.write_bytes(held)
    with pytest.raises(OriginError, match="went back"):
        case.follow()


def test_a_log_made_anew_is_another(case: Case) -> None:
    case.begin()
    with open_followed(case.subject) as followed:
        followed.drop()
        with followed.prepare():
            pass
    with pytest.raises(OriginError, match="no longer whole"):
        case.follow()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("CREATE VIRTUAL TABLE words USING fts5(text)", "no trigger"),
        ("CREATE UNIQUE INDEX lowered ON bare (lower(kind))", "unique by an expression"),
        ("INSERT INTO keyless VALUES (NULL)", "holds NULL"),
    ],
)
def test_what_triggers_cannot_see_is_refused(case: Case, table: str, why: str) -> None:
    case.run("DELETE FROM bare; CREATE TABLE keyless (k TEXT PRIMARY KEY)", table)
    with open_followed(case.subject) as followed:
        assert [p for p in followed.find_problems() if why in p.why]


def test_the_log_is_cleared_but_keeps_its_number(case: Case) -> None:
    case.begin()
    case.run("UPDATE book SET author = 1")
    case.follow()
    case.run("UPDATE book SET author = 2 WHERE id = 1")
    case.follow()
    with contextlib.closing(sqlite3.connect(case.path)) as db:
        (count, last) = db.execute("SELECT count(*), max(n) FROM _edgelift_changes").fetchone()
    assert count < 10
    assert last == 122
    assert case.compare().status is Status.PASS
