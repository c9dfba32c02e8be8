"""What is told of shards before anything moves: settings, findings, triggers, keys of one shard."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from edgelift.errors import BlockersFound, UsageError
from edgelift.model.mover_settings import DataSection, ShardsSection
from edgelift.model.origin_schema import OriginColumn, OriginKey, OriginTable, OriginType
from edgelift.model.plan import DatabasePlan
from edgelift.model.shard_map import Shard, ShardMap, ShardTable
from edgelift.model.shard_route import RouteSection
from edgelift.model.target_schema import Statement, TargetSchema
from edgelift.project import read_project
from edgelift.sources.source_code.view import build_view
from edgelift.stages.data.server.shard_routes import Route
from edgelift.stages.data.server.shard_whole import (
    check_triggers,
    find_form,
    find_local_keys,
    find_views,
    read_lasts,
    write_counters,
)
from edgelift.stages.follow.subjects import list_databases, refuse_shards
from edgelift.stages.plan.shards import check_shards, describe_shards

SETTINGS = """name = "x"
[app]
framework = "flask"
entry = "app:app"
[[databases]]
name = "main"
url = "postgresql://x@localhost/x"
strategy = "object"
[data.shards]
by = "tenant"
column = "tenant"
count = 3
replicate = ["public.country"]
"""
APP = """from models import Country, Account
from sqlalchemy import text

def app(environ, start_response):
    return []

def tenant_of(environ):
    return None
"""
MODELS = """class Country:
    __tablename__ = "country"

class Account:
    __tablename__ = "account"
"""


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"from": "header:X"}, ""),
        ({"from": ["header:X", "path:/t/{x}/"]}, ""),
        ({"call": "app.tenants:find"}, ""),
        ({"from": "header:X", "missing": "default", "default": "a"}, ""),
        ({}, "needs either from or call"),
        ({"from": "header:X", "call": "a:b"}, "needs either from or call"),
        ({"from": "jwt:tenant"}, "a claim that nobody has verified"),
        ({"from": "header:X_Y"}, "a header's name, without underscores"),
        ({"from": "query:"}, "has no name"),
        ({"from": "cookie:a;b"}, "has no name"),
        ({"from": "host:example.org"}, "needs one {place}"),
        ({"from": "path:t/{x}"}, "does not begin with a slash"),
        ({"from": "path:/{x}/{y}"}, "needs one {place}"),
        ({"from": "body:x"}, "begins with none of header"),
        ({"call": "find"}, "write module:function"),
        ({"call": "a:b()"}, "write module:function"),
        ({"from": "header:X", "missing": "default"}, "belong together"),
        ({"from": "header:X", "default": "a"}, "belong together"),
        ({"from": "header:X", "status": 200}, "400 to 599"),
    ],
)
def test_a_route_is_checked(route: dict[str, Any], words: str) -> None:
    faults = list(msgspec.convert(route, RouteSection).find_faults())
    assert words in faults[0] if words else faults == [], faults


@pytest.mark.parametrize("value", [{"missing": "x"}, {"unknown": "x"}, {"jobs": 1}, {"form": "x"}])
def test_other_words_are_no_route(value: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"from": "header:X", **value}, RouteSection)


def test_a_wrong_route_ends_the_run_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "edgelift.toml").write_text(SETTINGS + '[data.shards.route]\nfrom = "jwt:x"\n')
    with pytest.raises(UsageError) as raised:
        read_project(tmp_path)
    assert "a claim that nobody has verified" in str(raised.value.why)


def test_tenants_may_be_keys_of_a_table() -> None:
    shards = ShardsSection(by="tenant", table="tenants", count=2)
    assert list(DataSection(shards=shards).find_faults()) == []
    both = ShardsSection(by="tenant", table="tenants", column="x", count=2)
    assert "either a table or a column" in next(both.find_faults())


def find(
    folder: Path,
    *,
    route: str = "",
    line: str = "",
    strategy: str = "object",
    url: str = "postgresql://x@localhost/x",
) -> list[Any]:
    (folder / "app.py").write_text(APP + (f"\ndef more():\n    {line}\n" if line else ""))
    (folder / "models.py").write_text(MODELS)
    (folder / "edgelift.toml").write_text(SETTINGS + route)
    project = read_project(folder)
    plan = DatabasePlan(name="main", url=url, binding="DB", strategy=strategy, reason="")
    return [
        (found.rule, found.path, found.line)
        for found in check_shards(project, [plan], build_view(project))
    ]


ROUTE = '[data.shards.route]\nfrom = "header:X"\n'


def test_a_lift_without_a_route_is_refused(tmp_path: Path) -> None:
    assert find(tmp_path) == [("SHARD-ROUTE", "edgelift.toml", 9)]
    assert find(tmp_path, route=ROUTE) == []


def test_the_plan_tells_its_shards() -> None:
    route = RouteSection(sources=("header:X", "query:t"))
    shards = ShardsSection(by="tenant", table="firms", count=3, route=route)
    assert list(describe_shards(DataSection(shards=shards), "main")) == [
        "data: split main into 3 shards by the key of firms",
        "build: lead each request to its shard of main by header:X or query:t",
    ]
    hashed = ShardsSection(by="key", column="id", max_bytes=9, database="other")
    assert list(describe_shards(DataSection(shards=hashed), "main")) == []
    assert list(describe_shards(DataSection(shards=hashed), "other")) == [
        "data: split other into shards of 9 bytes by the hash of id"
    ]
    assert list(describe_shards(DataSection(), "main")) == []


def test_databases_alone_need_no_route(tmp_path: Path) -> None:
    (tmp_path / "edgelift.toml").write_text(
        SETTINGS.replace('[app]\nframework = "flask"\nentry = "app:app"\n', "")
    )
    project = read_project(tmp_path)
    assert list(check_shards(project, [], SimpleNamespace())) == []


def test_shards_of_nothing_are_told(tmp_path: Path) -> None:
    told = [("SHARD-ORIGIN", "edgelift.toml", 9)]
    assert find(tmp_path, strategy="hyperdrive") == told
    assert find(tmp_path, route=ROUTE, url="sqlite:///x.db") == told


@pytest.mark.parametrize(
    ("call", "found"),
    [("app:tenant_of", True), ("models:Account", True), ("app:nothing", False), ("no:x", False)],
)
def test_the_function_of_a_route_is_looked_for(tmp_path: Path, call: str, found: bool) -> None:
    route = f'[data.shards.route]\ncall = "{call}"\n'
    assert find(tmp_path, route=route) == ([] if found else [("SHARD-CALL", "edgelift.toml", 14)])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Country(code='it')", True),
        ("text(\"INSERT INTO country VALUES ('it')\")", True),
        ("text('UPDATE public.country SET code = 1')", True),
        ("text('DELETE FROM Country')", True),
        ("Account()", False),
        ("text('INSERT INTO account SELECT * FROM country')", False),
        ("text('SELECT * FROM country')", False),
    ],
)
def test_writes_of_replicated_tables_are_found(tmp_path: Path, line: str, told: bool) -> None:
    expected = [("SHARD-REPLICATED-WRITE", "app.py", 11)] if told else []
    assert find(tmp_path, route=ROUTE, line=line) == expected


MAP = ShardMap(
    database="main",
    by="tenant",
    key="tenant",
    shards=(Shard(name="main-0", rows=0, bytes=0),),
    tables=(
        ShardTable(table="country", way="replicated"),
        ShardTable(table="account", way="column", detail="tenant"),
        ShardTable(table="audit", way="column", detail="tenant"),
    ),
)


def make_trigger(body: str) -> TargetSchema:
    sql = f'CREATE TRIGGER "t" AFTER UPDATE ON "account" BEGIN {body}; END'
    trigger = Statement(kind="trigger", name="t", sql=sql)
    return TargetSchema(database="main", tables=(), after=(trigger,))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("UPDATE account SET note = 1", ""),
        ("DELETE FROM audit", ""),
        ("INSERT INTO account (tenant) SELECT code FROM country", ""),
        ('INSERT INTO "audit" (note) VALUES (1)', "the numbers of audit"),
        ("UPDATE country SET name = 1", "country lies as a whole"),
        ("SELECT 1; DELETE FROM [country]", "country lies as a whole"),
        ("INSERT OR IGNORE INTO `country` VALUES (1)", "country lies as a whole"),
    ],
)
def test_triggers_that_reach_beyond_their_shard_are_refused(body: str, words: str) -> None:
    if not words:
        check_triggers(make_trigger(body), MAP, {"audit": "id"})
        return
    with pytest.raises(BlockersFound) as raised:
        check_triggers(make_trigger(body), MAP, {"audit": "id"})
    assert words in str(raised.value.why)


def test_views_over_split_tables_are_found_through_others() -> None:
    views = [
        Statement(kind="view", name=name, sql=f'CREATE VIEW "{name}" AS SELECT * FROM {table}')
        for name, table in (("c", '"b"'), ("b", "account"), ("d", "country"), ("e", "(SELECT 1)"))
    ]
    assert sorted(find_views(views, MAP.split)) == ["b", "c"]


def make_splitting(kind: OriginType, **more: Any) -> Any:
    columns = (OriginColumn(name="tenant", type=kind), OriginColumn(name="id", type=INTEGER))
    table = OriginTable(schema="public", name="account", columns=columns, **more)
    spec = SimpleNamespace(schema="public", table="account", target="account")
    return SimpleNamespace(
        plan=SimpleNamespace(tables=[SimpleNamespace(spec=spec)]),
        routes=SimpleNamespace(
            routes={("public", "account"): Route(column="tenant")},
            tables={("public", "account"): table},
        ),
    )


INTEGER = OriginType(name="int4", written="integer")


@pytest.mark.parametrize(
    ("name", "more", "form"),
    [
        ("int4", {}, "integer"),
        ("int8", {}, "integer"),
        ("bigint", {}, "integer"),
        ("tinyint", {}, "integer"),
        ("uuid", {}, "uuid"),
        ("varchar", {}, "text"),
        ("text", {}, "text"),
        ("varchar", {"folds_case": True}, ""),
        ("bpchar", {}, ""),
        ("numeric", {}, ""),
        ("timestamptz", {}, ""),
        ("mood", {"kind": "enum"}, ""),
        ("key", {"kind": "domain", "element": INTEGER}, "integer"),
        ("_int4", {"kind": "array", "element": INTEGER}, ""),
    ],
)
def test_the_form_of_keys_follows_from_their_type(name: str, more: Any, form: str) -> None:
    assert find_form(make_splitting(OriginType(name=name, written=name, **more))) == form


def test_unique_keys_that_shards_cannot_keep_are_told() -> None:
    keys = (
        OriginKey(name="account_pkey", columns=("id",), primary=True),
        OriginKey(name="by_tenant", columns=("tenant", "note")),
        OriginKey(name="by_mail", columns=("mail",)),
    )
    splitting = make_splitting(INTEGER, keys=keys)
    found = [one.message.partition(":")[0] for one in find_local_keys(splitting, {"account": "id"})]
    assert found == ["account (mail)"]
    found = [one.message.partition(":")[0] for one in find_local_keys(splitting, {})]
    assert found == ["account (id)", "account (mail)"]


def test_counters_begin_behind_the_origin_and_every_shard(tmp_path: Path) -> None:
    sql = "CREATE TABLE account (id INTEGER PRIMARY KEY AUTOINCREMENT, note TEXT)"
    table = Statement(kind="table", name="account", sql=sql)
    index = Statement(kind="index", name="i", sql="CREATE INDEX i ON account (note)")
    schema = TargetSchema(database="main", tables=(table,), after=(index,))
    for number, last in enumerate((40, 90)):
        write_counters(schema, {"account": last}, tmp_path / f"{number}.sqlite")
    files = [tmp_path / "0.sqlite", tmp_path / "1.sqlite"]
    counters = {"account": "id"}
    assert read_lasts(files, counters, {"account": 55}) == {"account": 90}
    assert read_lasts(files, counters, {"account": 120}) == {"account": 120}
    assert read_lasts(files[:1], counters, {}) == {"account": 40}
    assert read_lasts(files, {}, {}) == {}


def test_a_database_that_is_split_is_followed_where_it_is_deployed_only(tmp_path: Path) -> None:
    (tmp_path / "edgelift.toml").write_text(SETTINGS)
    project = read_project(tmp_path)
    journal = SimpleNamespace(read_document=lambda *_: None)
    run = SimpleNamespace(project=project, journal=journal)
    with pytest.raises(UsageError, match="main cannot be followed into a file") as raised:
        refuse_shards(run)
    assert "--upload" in raised.value.tip
    (tmp_path / "edgelift.toml").write_text(
        SETTINGS.replace("[data.shards]", '[data.shards]\ndatabase = "other"')
    )
    run.project = read_project(tmp_path)
    refuse_shards(run)
    assert [database.name for database in list_databases(run)] == ["main"]
