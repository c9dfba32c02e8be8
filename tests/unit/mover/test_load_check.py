"""Who is to blame when the engine refuses a use of a table: the triggers that name what is gone."""

from __future__ import annotations

import apsw
import pytest

from edgelift.stages.schema.load_check import Probe, run_load_check
from edgelift.targets.workerd.sql_check import StatementError

TABLES = ("a", "b")


def ask(statements: list[str]) -> list[StatementError]:
    db, errors = apsw.Connection(":memory:"), []
    for index, statement in enumerate(statements):
        try:
            db.execute(statement).fetchall()
        except apsw.Error as error:
            errors.append(StatementError(index, str(error)))
    return errors


def make_trigger(name: str, table: str, body: str) -> Probe:
    sql = f"CREATE TRIGGER {name} AFTER INSERT ON {table} FOR EACH ROW BEGIN {body}; END"
    return Probe("trigger", name, sql, creates=True)


@pytest.mark.parametrize(
    ("bodies", "blamed"),
    [
        ({"a_x": ("a", "DELETE FROM gone")}, {"a_x"}),
        ({"a_x": ("a", "DELETE FROM gone"), "a_y": ("a", "INSERT INTO gone VALUES (1)")}, {"a_x", "a_y"}),
        ({"a_x": ("a", "DELETE FROM gone"), "b_y": ("b", "DELETE FROM gone")}, {"a_x", "b_y"}),
        ({"a_x": ("a", "INSERT INTO b VALUES (1)"), "b_y": ("b", "DELETE FROM gone")}, {"b_y"}),
        ({"a_x": ("a", "DELETE FROM gone"), "b_gone_y": ("b", "DELETE FROM a WHERE n = 'goner'")}, {"a_x"}),
        ({"a_x": ("a", "UPDATE b SET n = tg_op")}, {"a_x"}),
    ],
)  # fmt: skip
def test_triggers_are_blamed_not_their_tables(bodies: dict, blamed: set[str]) -> None:
    probes = [Probe("table", t, f"CREATE TABLE {t} (n)", creates=True) for t in TABLES]
    probes += [make_trigger(name, *given) for name, given in bodies.items()]
    probes += [Probe("table", t, f"EXPLAIN INSERT INTO {t} DEFAULT VALUES") for t in TABLES]
    issues = run_load_check(probes, ask, same_engine=False)
    assert {issue.name for issue in issues} == blamed
    assert {issue.rule for issue in issues} == {"SCHEMA-LOAD"}
