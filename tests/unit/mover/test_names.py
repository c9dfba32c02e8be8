"""Names, exclusions, renames and rewrites over a catalogue made by hand."""

from __future__ import annotations

import pytest

from edgelift.errors import UsageError
from edgelift.model.mover_settings import RenameSection, RewriteSection, SchemaSection
from edgelift.model.origin_schema import (
    OriginColumn,
    OriginForeignKey,
    OriginKey,
    OriginSchema,
    OriginTable,
    OriginType,
)
from edgelift.stages.schema.server.choices import plan_rewrites
from edgelift.stages.schema.server.names import decide_names

INT = OriginType(name="int4", written="integer")


def table(name: str, *columns: str, schema: str = "public", **more) -> OriginTable:
    listed = tuple(OriginColumn(name=c, type=INT) for c in columns or ("id",))
    return OriginTable(schema=schema, name=name, columns=listed, **more)


def catalogue(*tables: OriginTable) -> OriginSchema:
    return OriginSchema(dialect="postgres", version="15", database="d", tables=tables)


def names(*tables: OriginTable, **settings):
    return decide_names(catalogue(*tables), SchemaSection(**settings), ("public",))


def test_other_schemas_get_a_prefix_and_clashes_a_number() -> None:
    found = names(table("a"), table("A"), table("a", schema="sales"), table("sales__a"))
    assert found.tables == {
        ("public", "a"): "a",
        ("public", "A"): "A_2",
        ("sales", "a"): "sales__a",
        ("public", "sales__a"): "sales__a_2",
    }
    assert [i.rule for i in found.issues] == ["SCHEMA-NAME-CHANGED"] * 2


@pytest.mark.parametrize("name", ["sqlite_x", "_cf_x", "_edgelift_chunks"])
def test_the_engines_own_beginnings_are_avoided(name: str) -> None:
    assert names(table(name)).tables["public", name] == f"t_{name}"


def test_columns_that_differ_by_case_only() -> None:
    found = names(table("t", "Name", "name", "NAME"))
    assert found.columns == {("public", "t", "name"): "name_2", ("public", "t", "NAME"): "NAME_3"}


def test_what_is_excluded() -> None:
    found = names(
        table("a"),
        table("b", "x", "y"),
        table("c", schema="audit"),
        exclude=("a", "audit.*", "b.y"),
    )
    assert set(found.tables) == {("public", "b")}
    assert found.excluded_columns == {("public", "b", "y")}


@pytest.mark.parametrize("pattern", ["nothing", "b.z", "other.*", "public.nothing"])
def test_an_exclusion_of_nothing_is_an_error(pattern: str) -> None:
    with pytest.raises(UsageError, match="which the database has not"):
        names(table("b", "x"), exclude=(pattern,))


def test_renames() -> None:
    found = names(
        table("Order", "Value"),
        rename=(
            RenameSection(table="Order", to="orders"),
            RenameSection(table="Order", column="Value", to="amount"),
        ),
    )
    assert found.tables["public", "Order"] == "orders"
    assert found.columns["public", "Order", "Value"] == "amount"


@pytest.mark.parametrize(
    "rename",
    [
        (RenameSection(table="x", to="y"),),
        (RenameSection(table="a", column="x", to="y"),),
        (RenameSection(table="a", to="z"), RenameSection(table="b", to="Z")),
    ],
)
def test_wrong_renames(rename: tuple[RenameSection, ...]) -> None:
    with pytest.raises(UsageError):
        names(table("a"), table("b"), rename=rename)


def key(*columns: str) -> OriginKey:
    return OriginKey(name="k", columns=columns, primary=True)


def reference(column: str, target: str) -> OriginForeignKey:
    return OriginForeignKey(
        name=f"{column}_{target}", columns=(column,), target_schema="public", target_table=target,
        target_columns=("id",),
    )  # fmt: skip


FAMILY = catalogue(
    table("users", keys=(key("id"),)),
    table("profiles", "id", keys=(key("id"),), foreign_keys=(reference("id", "users"),)),
    table("posts", "id", "author", foreign_keys=(reference("author", "profiles"),)),
    table("logs", "user", "id"),
    table("pairs", "a", "b", keys=(key("a", "b"),)),
)
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


def rewrite(table_name: str, **more) -> RewriteSection:
    return RewriteSection(table=table_name, to="uuid5", namespace=UUID, **more)


def test_a_rewrite_follows_the_foreign_keys() -> None:
    settings = SchemaSection(rewrite=(rewrite("users", also=("logs.user",)),))
    found = plan_rewrites(FAMILY, settings, "text")
    assert set(found) == {
        ("public", "users", "id"),
        ("public", "profiles", "id"),
        ("public", "posts", "author"),
        ("public", "logs", "user"),
    }
    assert len({r.argument for r in found.values()}) == 1


def test_every_key_has_a_namespace_of_its_own() -> None:
    settings = SchemaSection(rewrite=(rewrite("users"), rewrite("posts", column="id")))
    found = plan_rewrites(FAMILY, settings, "text")
    assert found["public", "users", "id"].argument != found["public", "posts", "id"].argument


@pytest.mark.parametrize(
    ("rewrites", "why"),
    [
        ((rewrite("pairs"),), "names no column"),
        ((rewrite("nothing"),), "names the table 'nothing'"),
        ((rewrite("users", column="x"),), "users.x, which is not there"),
        ((rewrite("users"), rewrite("profiles")), "two rewrites meet"),
    ],
)
def test_wrong_rewrites(rewrites: tuple[RewriteSection, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        plan_rewrites(FAMILY, SchemaSection(rewrite=rewrites), "text")
