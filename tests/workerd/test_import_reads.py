"""What an app's import may ask its database while the snapshot is made: the tables' structure, never rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from edgelift.targets.workerd import BundleSpec, build_bundle, database_file
from edgelift.targets.workerd.d1_storage import DatabaseSchema

from .conftest import Workshop, get

pytestmark = [pytest.mark.workerd, pytest.mark.xdist_group("import_reads")]

SCHEMA = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX by_name ON item(name);"
APP = """
import sqlite3
db = sqlite3.connect("/app/instance/x.db")
{at_import}
db.close()
def app(environ, start_response):
    with sqlite3.connect("/app/instance/x.db") as now:
        rows = now.execute("SELECT name FROM item").fetchall()
    start_response("200 OK", [("content-type", "text/plain")])
    return [repr((FOUND, rows)).encode()]
"""
STRUCTURE = """
db.execute("CREATE TABLE IF NOT EXISTS item(id INTEGER PRIMARY KEY, name TEXT)")
db.commit()
FOUND = [row[1] for row in db.execute("PRAGMA table_info(item)")]
FOUND += [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")]
FOUND += [row[0] for row in db.execute("SELECT name FROM pragma_index_info('by_name')")]
"""
MAKE = tuple[Workshop, BundleSpec]


@pytest.fixture
def make(workshop: Workshop, strategy: str) -> Callable[[str], MAKE]:
    def write(at_import: str) -> MAKE:
        workshop.write(APP.format(at_import=at_import))
        (workshop.folder / "site").mkdir()
        with closing(
            sqlite3.connect(database_file(workshop.folder / "state", "DB", strategy))
        ) as db:
            db.executescript(SCHEMA + "INSERT INTO item(name) VALUES ('moved');")
        database = {"binding": "DB", "path": "/app/instance/x.db", "strategy": strategy}
        settings = {
            "framework": "wsgi",
            "entry": "app:app",
            "root": "/app",
            "databases": [database],
        }
        spec = BundleSpec(
            app_dir=workshop.app,
            site_packages=workshop.folder / "site",
            settings=settings,
            schemas=(DatabaseSchema("DB", strategy, SCHEMA),),
        )
        return workshop, spec

    return write


@pytest.mark.parametrize("strategy", ["d1", "object"])
def test_structure_is_there_and_kept_in_the_snapshot(make: Callable[[str], MAKE]) -> None:
    shop, spec = make(STRUCTURE)
    bundle = build_bundle(spec, shop.folder / "runtime", shop.toolchain, shop.notes.append)
    assert bundle.snapshot, bundle.snapshot_error + bundle.traceback
    with shop.start(bundle) as worker:
        assert get(worker.url).text == "(['id', 'name', 'by_name', 'name'], [('moved',)])"


@pytest.mark.parametrize("strategy", ["d1", "object"])
@pytest.mark.parametrize(
    ("at_import", "found"),
    [
        ("FOUND = db.execute('SELECT count(*) FROM item').fetchone()", "(1,)"),
        (
            "db.execute('INSERT INTO item VALUES (2, \"seeded\")'); db.commit(); FOUND = 'seeded'",
            "'seeded'",
        ),
        ("FOUND = db.execute('SELECT random() > 0 OR 1').fetchone()", "(1,)"),
    ],
    ids=["read", "write", "chance"],
)
def test_what_depends_on_rows_or_chance_is_asked_at_each_start(
    make: Callable[[str], MAKE], at_import: str, found: str
) -> None:
    shop, spec = make(at_import)
    bundle = build_bundle(spec, shop.folder / "runtime", shop.toolchain, shop.notes.append)
    assert not bundle.snapshot
    assert "rows of a database are not there while the snapshot is made" in bundle.snapshot_error
    with shop.start(bundle) as worker:
        assert get(worker.url).text.startswith(f"({found}, [('moved',)")
