"""Whole schemas of known kinds: every table and every column renamed at once, every row the same."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections import Counter
from pathlib import Path

import pytest

from edgelift.model.findings import Status
from edgelift.sources.sqlite_catalogue import quote_identifier as quote
from edgelift.sources.sqlite_catalogue import read_catalogue
from edgelift.stages.data.server.prove import Proof
from edgelift.stages.data.server.views import check_views
from tests.unit.sqlite_origin.moving import NAMESPACE, list_rules, look, make, start

SCRIPTS = Path(__file__).parent / "scripts"
CASES = Path(__file__).parents[2] / "cases" / "schema"
ALL = [SCRIPTS / "rental.sql", SCRIPTS / "trade.sql", CASES / "music.sql"]
# Its view joins by USING, which SQLite does not rename: the view gets its words, the trigger on it not.
LOST = {"music": {"best_insert"}}
# Triggers that hand a key on, which a person has to look at.
MEANS = {"music": {("SCHEMA-REWRITE-USED", "trigger", "best_insert")}}
KEYS = {"rental": "actor", "trade": "Employees", "music": "artist"}


def read(path: Path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return read_catalogue(db)


def rename_everything(path: Path) -> str:
    lines = []
    for table in read(path).tables:
        if table.virtual:
            continue
        place = json.dumps(table.name)
        lines.append(f"[[schema.rename]]\ntable = {place}\nto = {json.dumps('n ' + table.name)}")
        lines += [
            f"[[schema.rename]]\ntable = {place}\ncolumn = {json.dumps(c.name)}\n"
            f"to = {json.dumps('col-' + c.name)}"
            for c in table.columns
        ]
    return "\n".join(lines)


def assert_views(moving) -> None:
    with moving.open() as copy:
        proof = Proof(db=copy.db, reader=copy.reader, plan=moving.plan, reproduce="x")
        check = check_views(proof, moving.judgement.schema, ())
    if check is not None:
        assert check.status is Status.PASS, check.detail


@pytest.mark.parametrize("script", ALL, ids=lambda path: path.stem)
def test_every_name_may_change_at_once(tmp_path: Path, script: Path) -> None:
    path = make(tmp_path / "a.sqlite", script.read_text())
    lost = LOST.get(script.stem, set())
    toml = rename_everything(path)
    assert {name for _, _, name in list_rules(start(path, toml).judgement)} == lost
    moving = start(path, toml, accepted={"SCHEMA-OVERRIDE-USED"})
    assert moving.judgement.lost == ()
    moving.copy()
    checks = moving.prove(sample=1.0)
    assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}
    assert_views(moving)
    origin, target = read(path), read(moving.part)
    for table in origin.tables:
        if table.virtual:
            continue
        name = f"n {table.name}"
        known = target.read_table(name)
        assert known is not None
        assert [c.name for c in known.columns] == [f"col-{c.name}" for c in table.columns]
        assert [c.declared for c in known.columns] == [c.declared for c in table.columns]
        assert len(known.foreign_keys) == len(table.foreign_keys)
        assert len(known.checks) == len(table.checks)
        here, there = (f"SELECT * FROM {quote(n)}" for n in (name, table.name))
        assert look(moving.part, here) == look(path, there)
    assert {v.name for v in target.views} == {v.name for v in origin.views} - lost
    assert {t.name for t in target.triggers} == {t.name for t in origin.triggers} - lost
    for view in target.views:
        query = f"SELECT * FROM {quote(view.name)}"
        assert Counter(look(moving.part, query)) == Counter(look(path, query))
    entries = {name for (name,) in look(path, "SELECT name FROM sqlite_schema WHERE sql <> ''")}
    assert entries - {"sqlite_sequence"} <= {o.origin for o in moving.judgement.mapping.objects}


@pytest.mark.parametrize("script", ALL, ids=lambda path: path.stem)
def test_a_key_becomes_a_uuid_everywhere(tmp_path: Path, script: Path) -> None:
    path = make(tmp_path / "a.sqlite", script.read_text())
    table = KEYS[script.stem]
    toml = f'[[schema.rewrite]]\ntable = "{table}"\nas = "uuid5"\nnamespace = "{NAMESPACE}"'
    moving = start(path, toml)
    assert set(list_rules(moving.judgement)) == MEANS.get(script.stem, set())
    moving.copy()
    checks = moving.prove(sample=1.0)
    assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}
    assert_views(moving)
    catalogue = read(path)
    (key,) = next(t.primary_key for t in catalogue.tables if t.name == table)
    own = uuid.uuid5(uuid.UUID(NAMESPACE), f"main.{table}.{key}")
    places = [(table, key)]
    places += [
        (t.name, f.columns[0])
        for t in catalogue.tables
        for f in t.foreign_keys
        if f.target_table == table
    ]
    assert len(places) > 1
    for name, column in places:
        query = f"SELECT {quote(column)} FROM {quote(name)} ORDER BY rowid"
        expected = [k and str(uuid.uuid5(own, str(k))) for (k,) in look(path, query)]
        assert [k for (k,) in look(moving.part, query)] == expected
