"""The way of each type by the policy, its casts, and that the row engine takes every spec."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgelift.model.origin_schema import IndexPart as Part
from edgelift.model.origin_schema import (
    OriginColumn,
    OriginIndex,
    OriginKey,
    OriginTable,
    OriginType,
)
from edgelift.rows.engine import check_spec
from edgelift.sources.origin_database import Cast, Choices
from edgelift.sources.postgres.mapping import NO_CAST, find_key, map_table
from edgelift.sources.postgres.types import read_arguments

INT = OriginType(name="int4", written="integer")
NAMES = [
    "int2",
    "int4",
    "int8",
    "oid",
    "xid",
    "cid",
    "bool",
    "float4",
    "float8",
    "numeric",
    "money",
    "text",
    "varchar",
    "bpchar",
    "name",
    "citext",
    "char",
    "bytea",
    "uuid",
    "json",
    "jsonb",
    "xml",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "bit",
    "varbit",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "point",
    "line",
    "lseg",
    "box",
    "path",
    "polygon",
    "circle",
    "tsvector",
    "tsquery",
    "pg_lsn",
    "regclass",
    "hstore",
    "geometry",
    "geography",
    "vector",
    "ltree",
    "xid8",
    "unheard_of",
]
TYPES = [OriginType(name=name, written=name) for name in NAMES] + [
    OriginType(name="mood", written="mood", kind="enum", members=("a", "b")),
    OriginType(name="address", written="address", kind="composite"),
    OriginType(name="int4[]", written="integer[]", kind="array", element=INT),
    OriginType(name="int4range", written="int4range", kind="range", element=INT),
    OriginType(name="int4multirange", written="int4multirange", kind="multirange", element=INT),
    OriginType(name="positive", written="positive", kind="domain", element=INT),
]


def table(*types: OriginType, **words: object) -> OriginTable:
    columns = tuple(OriginColumn(name=f"c{i}", type=t, not_null=True) for i, t in enumerate(types))
    return OriginTable(schema="public", name="t", columns=columns, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize("uuid", ["text", "hex", "blob"])
@pytest.mark.parametrize("timestamps", ["sqlalchemy", "django", "unix", "unix_ms"])
def test_the_row_engine_takes_every_type_in_every_style(timestamps: str, uuid: str) -> None:
    spec = map_table(table(*TYPES), Choices(timestamps=timestamps, uuid=uuid), money_scale=2)
    check_spec(spec)
    assert "refused" not in {field.op for field in spec.fields}
    assert all(field.not_null for field in spec.fields)


CASTS = [
    "text",
    "integer",
    "real",
    "numeric",
    "scaled",
    "blob",
    "hex",
    "json",
    "null",
    "unix",
    "unix_ms",
]


@pytest.mark.parametrize("to", CASTS)
def test_every_cast_gives_a_way_or_a_refusal(to: str) -> None:
    refused = set()
    for kind in TYPES:
        choices = Choices(casts=(Cast(to=to, scale=2),))
        (field,) = map_table(table(kind), choices, money_scale=2).fields
        if field.op == "refused":
            assert field.argument == NO_CAST
            assert field.loss.endswith(f" cannot be cast to {to}")
            refused.add(kind.name)
        else:
            spec = map_table(table(kind), choices, money_scale=2)
            check_spec(spec)
    always = to in {"text", "json", "blob"}
    assert (refused == set()) is always


def test_a_cast_for_a_column_goes_before_one_for_its_type() -> None:
    choices = Choices(casts=(Cast(to="text", type="int4"), Cast(to="json", column="c1")))
    fields = map_table(table(INT, INT), choices, money_scale=2).fields
    assert [field.op for field in fields] == ["int_text", "text"]


def test_names_and_exclusions_of_the_choices() -> None:
    choices = Choices(
        tables={("public", "t"): "things"},
        columns={("public", "t", "c0"): "number"},
        excluded=frozenset({("public", "t", "c1")}),
    )
    spec = map_table(table(INT, INT, INT), choices, money_scale=2)
    assert spec.target == "things"
    assert [(f.column, f.read) for f in spec.fields] == [("number", '"c0"'), ("c2", '"c2"')]


def test_a_column_that_becomes_null_may_be_null() -> None:
    (field,) = map_table(
        table(OriginType(name="date", written="date")), Choices(casts=(Cast(to="null"),)), money_scale=2
    ).fields  # fmt: skip
    assert not field.not_null
    assert field.loss


def index(*columns: str, **words: object) -> OriginIndex:
    parts = tuple(Part(column=column) for column in columns)
    return OriginIndex(name="i", parts=parts, unique=True, **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ({"keys": (OriginKey(name="k", columns=("c1", "c0"), primary=True),)}, ("c1", "c0")),
        ({"keys": (OriginKey(name="k", columns=("c1",)),)}, ("c1",)),
        ({"keys": (OriginKey(name="k", columns=("c1",), deferrable=True),)}, ()),
        ({"indexes": (index("c0"),)}, ("c0",)),
        ({"indexes": (index("c0", where="c0 > 1"),)}, ()),
        ({"indexes": (index("c0", ""),)}, ()),
        ({}, ()),
    ],
)
def test_what_names_a_row(words: dict[str, object], key: tuple[str, ...]) -> None:
    assert find_key(table(INT, INT, **words)) == key


@pytest.mark.parametrize(
    ("name", "modifier", "arguments"),
    [
        ("numeric", -1, ()),
        ("numeric", ((9 << 16) | 2) + 4, (9, 2)),
        ("numeric", ((5 << 16) | (-3 & 0x7FF)) + 4, (5, -3)),
        ("varchar", 24, (20,)),
        ("bit", 12, (12,)),
        ("timestamp", 3, (3,)),
        ("interval", 0x7FFF0002, (2,)),
        ("interval", 0x0400FFFF, ()),
    ],
)
def test_what_stands_in_a_types_brackets(
    name: str, modifier: int, arguments: tuple[int, ...]
) -> None:
    assert read_arguments(name, modifier) == arguments


def read_documented() -> list[tuple[str, str, str, str]]:
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "postgresql.md"
    part = page.read_text().partition("<!-- types:")[2].partition("<!-- /types -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines()[3:]]
    return [(name, *cells) for names, *cells in rows for name in re.findall("`(.+?)`", names)]


DOCUMENTED = read_documented()


@pytest.mark.parametrize(("name", "op", "declared", "stated"), DOCUMENTED)
def test_the_page_tells_how_a_type_travels(name: str, op: str, declared: str, stated: str) -> None:
    kind = OriginType(name=name, written=name)
    (field,) = map_table(table(kind), Choices(), money_scale=2).fields
    assert (field.op, field.target_type, field.loss) == (op.partition(",")[0], declared, stated)
    if op.endswith("as printed"):
        assert field.read == '"c0"::text'
    if op.endswith("as JSON"):
        assert field.read == 'to_json("c0")::text'


def test_the_page_names_every_type_that_has_a_way_of_its_own() -> None:
    named = {name for name, *_ in DOCUMENTED}
    silent = {"vector", "ltree", "xid8", "unheard_of", "pg_lsn", "regclass", "tsquery"}
    assert {kind.name for kind in TYPES if kind.kind == "base"} - silent == named
