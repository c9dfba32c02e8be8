"""A form that the user chose is tried on every value before the first byte moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Level, Status
from edgelift.model.mover_settings import CastSection, SchemaSection
from edgelift.stages.schema.server import inquiry
from tests.contract.mover.moving import judge, read_target, start_moving

# server, type, values (the last is the one refused), form, scale, what is said about it
CASES = [
    ("postgres", "numeric(9,3)", "(1, 1.5), (2, 1.234)", "scaled", 2, "id=2 has digits beyond the scale of 2"),
    ("postgres", "numeric", "(1, 1), (2, 1.5)", "integer", 0, "id=2 has digits beyond the scale of 0"),
    ("postgres", "numeric", "(1, 1), (2, 1e30)", "scaled", 4, "id=2 is outside 64 bits when scaled"),
    ("postgres", "varbit(70)", "(1, B'1'), (2, repeat('1', 70)::varbit)", "integer", 0, "id=2 has more than 63 significant bits"),
    ("postgres", "interval", "(1, '1 day'), (2, '1 year')", "integer", 0, ""),
    ("mysql", "varchar(9)", "(1, '15'), (2, 'x')", "integer", 0, "id=2 is no integer"),
    ("mysql", "varchar(9)", "(1, '1.5'), (2, '')", "numeric", 0, "id=2 is no decimal number"),
    ("mysql", "decimal(9,3)", "(1, 1.5), (2, 1.234)", "scaled", 2, "id=2 has digits beyond the scale of 2"),
    ("mysql", "varbinary(9)", "(1, 'a'), (2, X'ff')", "text", 0, "id=2"),
    ("mysql", "time", "(1, '10:00:00'), (2, '838:00:00')", "text", 0, None),
]  # fmt: skip


def make(kind: str, script: str, request) -> str:
    if kind == "postgres":
        return request.getfixturevalue("make_database")(script)
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("trial")
    server.run_script(script, name)
    return server.make_url(name)


def start(kind: str, type_: str, values: str, request) -> str:
    script = f"CREATE TABLE t (id int PRIMARY KEY, v {type_}); INSERT INTO t VALUES {values};"
    return make(kind, script, request)


def settings_of(form: str, scale: int) -> SchemaSection:
    return SchemaSection(cast=(CastSection(to=form, table="t", column="v", scale=scale),))


@pytest.mark.parametrize("case", CASES, ids=lambda c: "-".join(map(str, (c[0], c[1], c[3]))))
def test_a_value_that_a_chosen_form_has_not(case: tuple, request, tmp_path: Path) -> None:
    kind, type_, values, form, scale, said = case
    url = start(kind, type_, values, request)
    found = [i for i in judge(url, settings_of(form, scale)).issues if i.level is Level.ERROR]
    if said is None:
        assert found == []
        return
    (issue,) = found
    assert issue.rule == ("SCHEMA-VALUE-FORM" if said else "SCHEMA-INTERVAL-MONTHS")
    assert said in issue.message
    assert issue.refuses
    moving = start_moving(url, tmp_path, settings_of(form, scale), accepted={issue.rule})
    moving.copy()
    assert read_target(moving.part, "SELECT * FROM t") == [(1,), (2,)]
    assert moving.prove()["rows"].status is Status.PASS


def test_without_the_trial_the_copy_would_stop(request, tmp_path: Path, monkeypatch) -> None:
    """The fault twin."""
    monkeypatch.setattr(inquiry, "try_casts", lambda *_: {})
    url = start("mysql", "varchar(9)", "(1, '15'), (2, 'x')", request)
    moving = start_moving(url, tmp_path, settings_of("integer", 0))
    with pytest.raises(OriginError, match="cannot be carried by op int"):
        moving.copy()
