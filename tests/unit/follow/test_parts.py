"""The parts of a schema that following depends on: what changed is named, what is idle passes."""

from __future__ import annotations

import msgspec
import pytest

from edgelift.model.followed_parts import describe_changes, list_parts
from edgelift.model.origin_schema import (
    IndexPart,
    OriginColumn,
    OriginIndex,
    OriginRoutine,
    OriginSchema,
    OriginSequence,
    OriginTable,
    OriginTrigger,
    OriginType,
    OriginView,
)

INTEGER = OriginType(name="integer", written="integer")
ID, NAME = OriginColumn(name="id", type=INTEGER), OriginColumn(name="na.me", type=INTEGER)
BOOK = OriginTable(schema="public", name="book", columns=(ID, NAME), row_estimate=7)
PART = OriginTable(schema="public", name="part", columns=(ID,), kind="partition", parent="public.x")
SCHEMA = OriginSchema(
    dialect="postgres",
    version="15.4",
    database="shop",
    tables=(BOOK, PART),
    views=(OriginView(schema="public", name="v", query="SELECT 1"),),
    triggers=(
        OriginTrigger(
            schema="public", table="book", name="t", timing="after", events=("insert",), level="row",
            body="f()",
        ),
    ),
    others=(("extended statistics", "public.s"), ("rule", "public.book.r")),
)  # fmt: skip
change = msgspec.structs.replace


def index(*, unique: bool) -> OriginIndex:
    return OriginIndex(name="i", parts=(IndexPart(column="id"),), unique=unique)


def with_book(**fields: object) -> OriginSchema:
    return change(SCHEMA, tables=(change(BOOK, **fields), PART))  # type: ignore[arg-type]


def describe(schema: OriginSchema) -> list[str]:
    return describe_changes(list_parts(SCHEMA), list_parts(schema))


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        with_book(row_estimate=9, size_bytes=4, comment="new", indexes=(index(unique=False),)),
        with_book(columns=(change(ID, comment="new"), NAME)),
        change(SCHEMA, version="15.5"),
        change(SCHEMA, others=(("rule", "public.book.r"),)),
        change(SCHEMA, sequences=(OriginSequence(schema="public", name="s", last=4),)),
        change(
            SCHEMA,
            routines=(
                OriginRoutine(schema="s", name="f", kind="function", language="sql", body=""),
            ),
        ),
    ],
)
def test_what_concerns_no_row_is_no_change(schema: OriginSchema) -> None:
    assert describe(schema) == []


TEXT = OriginType(name="text", written="text")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            with_book(columns=(ID, NAME, OriginColumn(name="more", type=INTEGER))),
            ["column public.book.more is new"],
        ),
        (with_book(columns=(ID,)), ["column public.book.na.me is gone"]),
        (with_book(columns=(ID, change(NAME, type=TEXT))), ["column public.book.na.me changed"]),
        (with_book(columns=(ID, change(NAME, not_null=True))), ["column public.book.na.me changed"]),
        (with_book(columns=(NAME, ID)), ["table public.book changed"]),
        (with_book(indexes=(index(unique=True),)), ["table public.book changed"]),
        (with_book(name="tome"), ["table public.book is gone", "table public.tome is new"]),
        (change(SCHEMA, tables=(BOOK,)), ["partition public.part is gone"]),
        (change(SCHEMA, views=()), ["view public.v is gone"]),
        (change(SCHEMA, triggers=()), ["trigger public.book.t is gone"]),
        (change(SCHEMA, others=()), ["rule public.book.r is gone"]),
    ],
)  # fmt: skip
def test_what_matters_is_named_once(schema: OriginSchema, words: list[str]) -> None:
    assert describe(schema) == words


def test_what_is_passed_over_takes_its_columns_along() -> None:
    schema = with_book(columns=(ID,), indexes=(index(unique=True),))
    then, now = list_parts(SCHEMA), list_parts(change(schema, views=(), triggers=()))
    assert describe_changes(then, now, ["table public.book"]) == ["view public.v is gone"]
