"""What each form makes of each value of SQLite, whatever the column declares, in both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgelift.errors import OriginError
from edgelift.model.findings import Status
from tests.unit.sqlite_origin.moving import judge, list_rules, look, make, start

REFUSED = object()
INF = float("inf")
# cast -> (value at the origin, value at the target)
CASES: dict[str, list[tuple[Any, Any]]] = {
    "text": [
        (None, None), (5, "5"), (-(2**63), str(-(2**63))), (0.1, "0.1"), (1.0, "1.0"),
        (0.1 + 0.2, "0.30000000000000004"), (1e300, "1e+300"), (-0.0, "-0.0"), (INF, "Infinity"),
        (-INF, "-Infinity"), ("", ""), ("a\0b", "a\0b"), ("é", "é"), (" 1 ", " 1 "),
        (b"\xff", REFUSED), (b"", REFUSED),
    ],
    "integer": [
        (None, None), (7, 7), (-(2**63), -(2**63)), ("12", 12), ("-12", -12), (3.0, 3),
        (-0.0, 0), (9007199254740992.0, 9007199254740992), (3.5, REFUSED), ("3.0", REFUSED),
        ("012", REFUSED), ("1 ", REFUSED), ("", REFUSED), ("9223372036854775808", REFUSED),
        (1e300, REFUSED), (INF, REFUSED), (b"1", REFUSED),
    ],
    "real": [
        (None, None), (7, 7.0), (2**53, 9007199254740992.0), (2**53 + 1, REFUSED), (0.1, 0.1),
        (INF, INF), ("1", REFUSED), (b"1", REFUSED),
    ],
    "numeric": [
        (None, None), (7, 7), ("1.50", 1.5), (0.1, 0.1), ("12", 12), (2.0, 2),
        (0.1 + 0.2, REFUSED), ("1234567890123456", REFUSED), ("x", REFUSED), (INF, REFUSED),
        (b"1", REFUSED),
    ],
    "scaled": [
        (None, None), (7, 700), ("1.5", 150), (0.25, 25), ("-0.01", -1), (0.125, REFUSED),
        ("1.005", REFUSED), ("x", REFUSED), (INF, REFUSED), (2**62, REFUSED),
    ],
    "blob": [
        (None, None), (b"\0\xff", b"\0\xff"), (b"", b""), ("é", "é".encode()), ("", b""),
        ("a\0b", b"a\0b"), (1, REFUSED), (1.5, REFUSED),
    ],
    "hex": [(None, None), (b"\0\xff", "00ff"), (b"", ""), ("ff", REFUSED), (1, REFUSED)],
    "json": [(None, None), ('{"a": 1}', '{"a": 1}'), ("12", "12"), (12, REFUSED), (b"1", REFUSED)],
    "unix": [
        (None, None), ("1970-01-01 00:00:00", 0), ("2024-02-29T12:00:00", 1709208000),
        ("1969-12-31 23:59:59", -1), ("2024-02-29 12:00:00.000000", 1709208000),
        ("2024-02-29 12:00:00.5", REFUSED), ("2023-02-29 12:00:00", REFUSED),
        ("2024-02-29", REFUSED), ("2024-02-29 12:00:00Z", REFUSED), ("now", REFUSED),
        ("2024-02-29 12:00:00 ", REFUSED), (1709208000, REFUSED), (b"x", REFUSED), ("", REFUSED),
    ],
    "unix_ms": [
        ("2024-02-29 12:00:00.5", 1709208000500), ("1970-01-01 00:00:00.001", 1),
        ("2024-02-29 12:00:00.0005", REFUSED), (1.5, REFUSED),
    ],
}  # fmt: skip
TYPES = {"integer": "", "real": "", "numeric": "", "unix": "DATETIME TEXT"}


def write_cast(to: str) -> str:
    scale = "\nscale = 2" if to == "scaled" else ""
    return f'[[schema.cast]]\ntable = "t"\ncolumn = "v"\nas = "{to}"{scale}'


@pytest.mark.parametrize("engine", ["native", "python"])
@pytest.mark.parametrize("to", CASES)
def test_values_that_fit_arrive_in_their_form(tmp_path: Path, to: str, engine: str) -> None:
    fitting = [(o, t) for o, t in CASES[to] if t is not REFUSED]
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
        ("INSERT INTO t VALUES (?, ?)", [(n, o) for n, (o, _) in enumerate(fitting)]),
    )
    moving = start(path, write_cast(to), engine=engine)
    assert list_rules(moving.judgement) == []
    moving.copy()
    found = [value for (value,) in look(moving.part, "SELECT v FROM t ORDER BY id")]
    assert list(map(repr, found)) == [repr(t) for _, t in fitting]
    checks = moving.prove(sample=1.0)
    assert {c.status for c in checks.values()} <= {Status.PASS, Status.SKIPPED}


@pytest.mark.parametrize("engine", ["native", "python"])
@pytest.mark.parametrize(
    ("to", "value"), [(to, o) for to, cases in CASES.items() for o, t in cases if t is REFUSED]
)
def test_a_value_that_has_no_such_form_is_named_before_anything_moves(
    tmp_path: Path, monkeypatch, to: str, value: Any, engine: str
) -> None:
    monkeypatch.setenv("EDGELIFT_ROWS_ENGINE", engine)
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
        ("INSERT INTO t VALUES (?, ?)", [(41, None), (42, value)]),
    )
    judgement = judge(path, write_cast(to))
    (issue,) = [i for i in judgement.issues if i.rule == "SCHEMA-VALUE-FORM"]
    assert (issue.kind, issue.name, issue.column) == ("table", "t", "v")
    assert "id=42" in issue.message
    moving = start(path, write_cast(to), accepted=("SCHEMA-VALUE-FORM",), engine=engine)
    with pytest.raises(OriginError, match="v"):
        moving.copy()
    assert look(moving.part, "SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("to", ["null"])
def test_a_cast_that_sqlite_has_not_is_refused_by_rule(tmp_path: Path, to: str) -> None:
    path = make(tmp_path / "a.sqlite", "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w)")
    assert ("SCHEMA-CAST", "table", "t") in list_rules(judge(path, write_cast(to)))
    moving = start(path, write_cast(to), accepted=("SCHEMA-CAST",))
    moving.copy()
    assert look(moving.part, "SELECT name FROM pragma_table_info('t')") == [("id",), ("w",)]


@pytest.mark.parametrize(
    ("declared", "value", "to", "expected"),
    [
        ("DATE", "2024-02-29", "unix", 1709164800),
        ("date", "1969-12-31", "unix_ms", -86_400_000),
        ("DATE DEFAULT '2000-01-01'", "2024-02-29", "unix", 1709164800),
    ],
)
def test_days_have_a_form_of_their_own(
    tmp_path: Path, declared: str, value: str, to: str, expected: int
) -> None:
    path = make(
        tmp_path / "a.sqlite",
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})",
        ("INSERT INTO t VALUES (1, ?)", [(value,)]),
    )
    moving = start(path, write_cast(to))
    moving.copy()
    assert look(moving.part, "SELECT v, typeof(v) FROM t") == [(expected, "integer")]


def test_a_cast_of_a_type_takes_every_column_of_it(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE a (x DATETIME, y TEXT); CREATE TABLE b (z datetime NOT NULL);"
        "INSERT INTO a VALUES ('1970-01-01 00:00:01', '1970-01-01 00:00:01');"
        "INSERT INTO b VALUES ('1970-01-01 00:00:02')",
    )
    moving = start(path, '[[schema.cast]]\ntype = "datetime"\nas = "unix"')
    moving.copy()
    assert look(moving.part, "SELECT x, y FROM a") == [(1, "1970-01-01 00:00:01")]
    assert look(moving.part, "SELECT z, typeof(z) FROM b") == [(2, "integer")]
    columns = look(moving.part, "SELECT \"notnull\" FROM pragma_table_info('b')")
    assert columns == [(1,)]


def test_a_generated_column_can_keep_its_values_only(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (a, b INT GENERATED ALWAYS AS (a * 2) STORED UNIQUE, c AS (a || 'x'));"
        "INSERT INTO t VALUES (1), (2)",
    )
    toml = (
        '[[schema.cast]]\ntable = "t"\ncolumn = "b"\nas = "stored"\n'
        '[[schema.cast]]\ntable = "t"\ncolumn = "c"\nas = "stored"'
    )
    moving = start(path, toml)
    moving.copy()
    assert look(moving.part, "SELECT a, b, c FROM t") == [(1, 2, "1x"), (2, 4, "2x")]
    assert look(moving.part, "SELECT hidden FROM pragma_table_xinfo('t')") == [(0,), (0,), (0,)]
    assert "UNIQUE" in moving.judgement.schema.tables[0].sql


def test_what_is_offloaded_leaves_its_hash(tmp_path: Path) -> None:
    import hashlib

    from edgelift.stages.data.server.objects import check_objects, write_objects
    from edgelift.stages.data.server.prove import Proof

    large, text = bytes(range(256)) * 12_000, "ü" * 1_500_000
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB, w TEXT)",
        ("INSERT INTO t VALUES (?, ?, ?)", [(1, large, text), (2, None, None), (3, b"", "")]),
    )
    plain = judge(path, '[schema]\nexclude = ["t.w"]')
    (issue,) = [i for i in plain.issues if i.rule == "SCHEMA-ROW-SIZE"]
    assert "offload" in issue.tip
    toml = write_cast("offload") + '\n[[schema.cast]]\ntable = "t"\ncolumn = "w"\nas = "offload"'
    moving = start(path, toml)
    assert "SCHEMA-ROW-SIZE" not in {i.rule for i in moving.judgement.issues}
    moving.copy()
    names = [hashlib.sha256(v).hexdigest() for v in (large, text.encode(), b"")]
    assert look(moving.part, "SELECT v, w FROM t ORDER BY id") == [
        (names[0], names[1]), (None, None), (names[2], names[2]),
    ]  # fmt: skip
    with moving.open() as copy:
        write_objects(copy, tmp_path / "objects")
        proof = Proof(db=copy.db, reader=copy.reader, plan=moving.plan, reproduce="x")
        check = check_objects(proof, tmp_path / "objects")
        assert check is not None
        assert check.status is Status.PASS
        (tmp_path / "objects" / names[0][:2] / names[0]).write_bytes(large + b"!")
        check = check_objects(proof, tmp_path / "objects")
        assert check is not None
        assert check.status is Status.FAIL


@pytest.mark.parametrize("values", [(b"a", "a"), (1,), (1.5,)])
def test_only_bytes_or_only_texts_are_offloaded(tmp_path: Path, values: tuple[Any, ...]) -> None:
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v)",
        ("INSERT INTO t (v) VALUES (?)", [(v,) for v in values]),
    )
    assert "SCHEMA-VALUE-FORM" in {
        rule for rule, *_ in list_rules(judge(path, write_cast("offload")))
    }


@pytest.mark.parametrize("engine", ["native", "python"])
def test_text_that_is_not_utf_8_is_refused_or_moves_as_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setenv("EDGELIFT_ROWS_ENGINE", engine)
    path = make(
        tmp_path / "a.sqlite",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
        "INSERT INTO t VALUES (1, CAST(x'61ff' AS TEXT)), (2, 'b')",
    )
    plain = '[[schema.rename]]\ntable = "t"\nto = "u"'
    judgement = judge(path, plain)
    assert ("SCHEMA-TEXT-INVALID", "table", "u") in list_rules(judgement)
    moving = start(path, plain, accepted=("SCHEMA-TEXT-INVALID",), engine=engine)
    with pytest.raises(OriginError):
        moving.copy()
    moving = start(path, f"{plain}\n{write_cast('blob')}", engine=engine)
    assert list_rules(moving.judgement) == []
    moving.part.unlink()
    moving.copy()
    assert look(moving.part, "SELECT v FROM u ORDER BY id") == [(b"a\xff",), (b"b",)]
    assert moving.prove(sample=1.0)["rows"].status is Status.PASS
