"""Triggers: what is converted, and in which words the others are refused."""

from __future__ import annotations

import sqlite3

import pytest

from edgelift.model.move_plan import hash_shape
from edgelift.model.origin_schema import (
    OriginColumn,
    OriginRoutine,
    OriginSchema,
    OriginTable,
    OriginTrigger,
    OriginType,
)
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.stages.schema.server.parts import TableContext
from edgelift.stages.schema.server.programs import convert_trigger
from edgelift.stages.schema.server.scope import Scope

COLUMNS = ("id", "price", "amount", "note")
TABLE = OriginTable(
    schema="s", name="t",
    columns=tuple(OriginColumn(name=n, type=OriginType(name="int", written="int")) for n in COLUMNS),
)  # fmt: skip


def convert(dialect: str, body: str, /, **more: object) -> list[tuple[str, str]]:
    """Return (statement, reason) of each part that a trigger becomes."""
    language = {"postgres": "plpgsql"}.get(dialect, "")
    fields = {n: FieldSpec(column=n, read=n, op="int", target_type="INTEGER") for n in COLUMNS}
    routine = OriginRoutine(
        schema="s", name="f()", kind="trigger function", language="plpgsql", body=body
    )
    schema = OriginSchema(
        dialect=dialect, version="1", database="s", tables=(TABLE,),
        routines=(routine,) if language else (),
    )  # fmt: skip
    assert hash_shape(schema)
    given = {
        "timing": "before", "events": ("update",), "level": "row", "body": body,
        "routine": "s.f()" if language else "", **more,
    }  # fmt: skip
    trigger = OriginTrigger(schema="s", table="t", name="g", **given)  # type: ignore[arg-type]
    tables = {("s", "t"): "t", ("s", "log"): "log", ("far", "notes"): "far__notes"}
    scope = Scope(
        dialect=dialect, default_schemas=("s",), tables=tables,
        columns={n: n for n in COLUMNS}, kinds=dict.fromkeys(COLUMNS, "integer"),
    )  # fmt: skip
    spec = RowSpec(schema="s", table="t", target="t", wire="mysql", fields=tuple(fields.values()))
    context = TableContext(
        table=TABLE, target="t", spec=spec, fields=fields, schema=schema, scope=scope, tables=tables
    )
    parts = convert_trigger(trigger, schema, {("s", "t"): context})
    return [(p.sql, p.issues[0].message if p.refused else "") for p in parts]


CONVERTED = [
    ("mysql", "INSERT INTO log VALUES (OLD.id, 'gone')", "INSERT INTO"),
    ("mysql", "BEGIN UPDATE log SET n = n + 1; DELETE FROM log WHERE n > 9; END", "DELETE FROM"),
    ("mysql", "IF NEW.price > 100 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'it''s dear'; END IF", "RAISE(ABORT, 'it''s dear')"),
    ("mysql", "SET NEW.amount = NEW.amount + 1", 'SET "amount" ='),
    ("postgres", "BEGIN INSERT INTO log VALUES (OLD.id, 'x'); RETURN NEW; END", "INSERT INTO"),
    ("postgres", "BEGIN IF NEW.price > 100 THEN RAISE EXCEPTION 'too dear'; END IF; RETURN NEW; END", "RAISE(ABORT, 'too dear')"),
    ("postgres", "BEGIN NEW.amount := NEW.price * 2; RETURN NEW; END", 'SET "amount" ='),
    ("postgres", "BEGIN INSERT INTO LOG (n) (SELECT Id FROM t WHERE t.id = NEW.id); RETURN NEW; END", "(n) SELECT"),
    ("postgres", "BEGIN INSERT INTO notes (n) VALUES (NEW.id); RETURN NEW; END", '"far__notes"'),
    ("postgres", "BEGIN UPDATE notes SET n = 2 WHERE notes.n = 1; RETURN NEW; END", '"far__notes"."n" = 1'),
    ("postgres", "BEGIN DELETE FROM far.notes AS x WHERE x.n = OLD.id; RETURN NEW; END", '"far__notes"."n" ='),
    ("postgres", "BEGIN DELETE FROM log WHERE n IN (SELECT notes.n FROM notes); RETURN NEW; END", 'AS "notes"'),
]  # fmt: skip
REFUSED = [
    ("mysql", "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a\\nb'", "more than insert, update, delete: SIGNAL"),
    ("mysql", "CALL fill(1)", "more than insert, update, delete: CALL"),
    ("mysql", "BEGIN DECLARE n INT; SET n = 1; INSERT INTO log VALUES (n, 'x'); END", "DECLARE"),
    ("mysql", "SELECT count(*) INTO @n FROM log", "more than insert, update, delete: SELECT"),
    ("mysql", "IF NEW.price > 1 THEN SET NEW.price = 1; ELSE SET NEW.price = 2; END IF", "more than insert, update, delete: IF"),
    ("mysql", "INSERT INTO log VALUES (soundex(OLD.id), 'x')", "soundex"),
    ("postgres", "BEGIN INSERT INTO log VALUES (OLD.id, 'x'); RETURN NULL; END", "returns NULL: the change is not made"),
    ("postgres", "BEGIN INSERT INTO log VALUES (OLD.id, 'x'); RETURN OLD; END", "returns OLD: the change is not made"),
    ("postgres", "BEGIN RAISE EXCEPTION 'no %', NEW.id; END", "more than insert, update, delete: RAISE"),
    ("postgres", "BEGIN RAISE EXCEPTION '100 %'; RETURN NEW; END", "more than insert, update, delete: RAISE"),
    ("postgres", "BEGIN INSERT INTO gone VALUES (NEW.id); RETURN NEW; END", "it reads gone, which does not move"),
    ("postgres", "BEGIN INSERT INTO log VALUES (TG_ARGV[0], 1); RETURN NEW; END", "a part of an array"),
    ("postgres", "BEGIN WITH x AS (SELECT 1 AS n) DELETE FROM log USING x; RETURN NEW; END", "begins with WITH"),
    ("postgres", "BEGIN PERFORM pg_notify('x', 'y'); RETURN NEW; END", "more than insert, update, delete: PERFORM"),
    ("postgres", "BEGIN FOR i IN 1..3 LOOP INSERT INTO log VALUES (i, 'x'); END LOOP; RETURN NEW; END", "more than insert, update, delete: FOR"),
]  # fmt: skip


def make_tables() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.executescript(
        f"CREATE TABLE t ({', '.join(COLUMNS)}); CREATE TABLE log (n, what); CREATE TABLE far__notes (n);"
        "INSERT INTO t VALUES (1, 5, 2, 0); INSERT INTO log VALUES (1, 'a')"
    )
    return db


@pytest.mark.parametrize(("dialect", "body", "says"), CONVERTED)
def test_converted(dialect: str, body: str, says: str) -> None:
    ((sql, why),) = convert(dialect, body)
    assert why == ""
    assert says in sql
    db = make_tables()
    db.execute(sql)
    db.execute("UPDATE t SET price = 6")
    if "RAISE" in sql:
        with pytest.raises(sqlite3.IntegrityError, match="dear"):
            db.execute("UPDATE t SET price = 101")
        assert db.execute("SELECT price FROM t").fetchall() == [(6,)]
    db.close()


@pytest.mark.parametrize(("dialect", "body", "says"), REFUSED)
def test_refused_with_the_reason(dialect: str, body: str, says: str) -> None:
    ((sql, why),) = convert(dialect, body)
    assert sql == ""
    assert why.startswith("cannot be kept: ")
    assert says in why


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"level": "statement"}, "once per statement"),
        ({"enabled": False}, "disabled"),
        ({"events": ("truncate",), "timing": "after"}, "truncate"),
        ({"body": "CREATE CONSTRAINT TRIGGER g AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW;\n-- s.f(), language plpgsql\nBEGIN DELETE FROM log; RETURN NULL; END", "timing": "after"}, "waits for the end of the transaction"),
        ({"routine": "tsvector_update_trigger()"}, "runs tsvector_update_trigger() in the server's own language"),
    ],
)  # fmt: skip
def test_refused_for_what_it_is(more: dict, says: str) -> None:
    ((_, why),) = convert("postgres", "BEGIN DELETE FROM log; RETURN NEW; END", **more)
    assert says in why


def test_a_delete_that_goes_on_returns_the_old_row() -> None:
    body = "BEGIN DELETE FROM log; RETURN OLD; END"
    ((sql, why),) = convert("postgres", body, events=("delete",))
    assert (why, "BEFORE DELETE" in sql) == ("", True)
    ((_, why),) = convert("postgres", body.replace("OLD", "NEW"), events=("delete",))
    assert "returns NEW" in why
