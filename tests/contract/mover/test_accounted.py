"""No object is missing: the servers' own catalogues are counted and looked for in the mapping.

The queries here are not those of the adapters: each yields the objects of one kind under the name
that the mapping gives as `origin`.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from edgelift.stages.schema.mapping import to_markdown
from tests.contract.mover.moving import judge

ROOT = Path(__file__).resolve().parents[2]
OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
NOT_OF_EXTENSION = "NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = {} AND x.deptype = 'e')"
# Partitions' copies of their table's keys and indexes, and the indexes of keys, are no objects of
# their own; all else that has an oid and a name is.
POSTGRES = {
    "relation": "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    f"WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {OWN} AND {NOT_OF_EXTENSION.format('c.oid')}",
    "column": "SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND c.relispopulated "
    f"AND a.attnum > 0 AND NOT a.attisdropped AND {OWN} AND {NOT_OF_EXTENSION.format('c.oid')}",
    "constraint": "SELECT n.nspname || '.' || c.relname || '.' || k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
    f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype <> 't' AND {OWN} "
    "AND k.conparentid = 0 AND (NOT c.relispartition OR k.conislocal)",
    "index": "SELECT n.nspname || '.' || t.relname || CASE WHEN t.relispartition THEN '.' ELSE ' ' END || c.relname FROM pg_index i "
    "JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace "
    f"WHERE NOT c.relispartition AND {OWN} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x'))",
    "trigger": "SELECT n.nspname || '.' || c.relname || ' ' || g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid "
    f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT g.tgisinternal AND g.tgparentid = 0 AND {OWN}",
    "routine": "SELECT n.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' FROM pg_proc p "
    f"JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OWN} AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = p.oid AND x.deptype IN ('e', 'i'))",
    "type": "SELECT n.nspname || '.' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace "
    f"WHERE {OWN} AND t.typcategory <> 'A' AND t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c') "
    f"AND {NOT_OF_EXTENSION.format('t.oid')}",
    "schema": f"SELECT n.nspname FROM pg_namespace n WHERE {OWN} AND {NOT_OF_EXTENSION.format('n.oid')}",
    "policy": f"SELECT n.nspname || '.' || c.relname || '.' || p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OWN}",
    "rule": f"SELECT n.nspname || '.' || c.relname || '.' || r.rulename FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {OWN}",
    "extension": "SELECT extname || ' ' || extversion FROM pg_extension WHERE extname <> 'plpgsql'",
    "publication": "SELECT pubname FROM pg_publication",
    "event trigger": "SELECT evtname FROM pg_event_trigger",
    "foreign server": "SELECT srvname FROM pg_foreign_server",
    "statistics": f"SELECT n.nspname || '.' || s.stxname FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {OWN}",
    "collation": f"SELECT n.nspname || '.' || k.collname FROM pg_collation k JOIN pg_namespace n ON n.oid = k.collnamespace WHERE {OWN}",
    "operator": f"SELECT n.nspname || '.' || o.oprname FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE {OWN} AND {NOT_OF_EXTENSION.format('o.oid')}",
    "operator family": f"SELECT n.nspname || '.' || o.opfname FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace WHERE {OWN} AND {NOT_OF_EXTENSION.format('o.oid')}",
    "search configuration": f"SELECT n.nspname || '.' || k.cfgname FROM pg_ts_config k JOIN pg_namespace n ON n.oid = k.cfgnamespace WHERE {OWN}",
    "search dictionary": f"SELECT n.nspname || '.' || k.dictname FROM pg_ts_dict k JOIN pg_namespace n ON n.oid = k.dictnamespace WHERE {OWN}",
    "conversion": f"SELECT n.nspname || '.' || k.conname FROM pg_conversion k JOIN pg_namespace n ON n.oid = k.connamespace WHERE {OWN}",
}  # fmt: skip
_TABLE = "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
MARIADB = {
    "relation": "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()",
    "column": "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS JOIN information_schema.TABLES t "
    f"USING (TABLE_SCHEMA, TABLE_NAME) WHERE TABLE_SCHEMA = DATABASE() AND {_TABLE}",
    "key": "SELECT DISTINCT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, IF(NON_UNIQUE OR MAX(SUB_PART) OVER w IS NOT NULL, ' ', '.'), INDEX_NAME) "
    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() WINDOW w AS (PARTITION BY TABLE_NAME, INDEX_NAME)",
    "constraint": "SELECT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME, '.', CONSTRAINT_NAME) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() "
    "UNION SELECT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME, '.', CONSTRAINT_NAME) FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()",
    "trigger": "SELECT CONCAT(TRIGGER_SCHEMA, '.', EVENT_OBJECT_TABLE, ' ', TRIGGER_NAME) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
    "routine": "SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
    "event": "SELECT CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()",
    "partition": "SELECT CONCAT_WS('.', TABLE_SCHEMA, TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME IS NOT NULL",
    "counter": "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND AUTO_INCREMENT IS NOT NULL",
}  # fmt: skip
SCRIPTS = {
    "postgres": sorted([*ROOT.glob("cases/origins/*.postgres.sql"), ROOT / "contract/postgres/every_object.sql"]),
    "mysql": sorted([*ROOT.glob("cases/origins/*.mysql.sql"), ROOT / "contract/mysql/every_object.sql", ROOT / "contract/mysql/library.sql"]),
}  # fmt: skip
CASES = [(kind, script) for kind, scripts in SCRIPTS.items() for script in scripts]


def make(kind: str, script: Path, request) -> str:
    text = script.read_text()
    if kind == "postgres":
        return request.getfixturevalue("make_database")(text)
    server = request.getfixturevalue("mariadb_server")
    name = server.create_database("accounted")
    server.run_script(text.replace("{schema}", name), name)
    return server.make_url(name)


def list_objects(kind: str, url: str, request) -> dict[str, list[str]]:
    """Return the names of all objects by their kind, as the server lists them."""
    if kind == "postgres":
        with psycopg.connect(url) as db:
            return {what: [row[0] for row in db.execute(query)] for what, query in POSTGRES.items()}  # type: ignore[arg-type]
    server = request.getfixturevalue("mariadb_server")
    database = url.rpartition("/")[2]
    return {
        what: [row[0] for row in server.execute(query, database=database)]
        for what, query in MARIADB.items()
    }


@pytest.mark.parametrize(("kind", "script"), CASES, ids=[f"{k}-{s.stem}" for k, s in CASES])
def test_no_object_is_missing(kind: str, script: Path, request) -> None:
    url = make(kind, script, request)
    judgement = judge(url)
    mapping = judgement.mapping
    known = {found.origin for found in mapping.objects}
    known |= {column.origin for found in mapping.objects for column in found.columns}
    objects = list_objects(kind, url, request)
    missing = {what: [n for n in names if n not in known] for what, names in objects.items()}
    assert {what: names for what, names in missing.items() if names} == {}
    assert judgement.lost == ()
    assert sum(map(len, objects.values())) > 20
    page = to_markdown([mapping])
    for found in mapping.objects:
        assert found.outcome in {"converted", "converted with stated loss", "refused", "left out"}
        assert found.rules or found.outcome in {"converted", "left out"}, found
        assert found.origin.replace("|", "\\|").replace("\n", " ") in page


def test_an_object_that_nothing_converts_is_missed(make_database, monkeypatch) -> None:
    """The fault twin: what the conversion forgets is told by the judgement itself."""
    from edgelift.stages.schema.server import convert

    monkeypatch.setattr(convert, "list_rest", lambda *_: iter(()))
    judgement = judge(make_database("CREATE SEQUENCE alone; CREATE TABLE t (id int PRIMARY KEY)"))
    assert judgement.lost == ("public.alone", "public")


def test_a_sequence_that_a_default_names_by_text_is_the_keys_counter(make_database) -> None:
    """So PostgreSQL wrote the defaults of serial columns before 8.1, and schemas still do."""
    judgement = judge(
        make_database(
            "CREATE SEQUENCE one; CREATE SEQUENCE two;"
            "CREATE TABLE a (id int PRIMARY KEY DEFAULT nextval(('one'::text)::regclass));"
            "CREATE TABLE b (id int PRIMARY KEY DEFAULT nextval(('public.two'::text)::regclass));"
            "INSERT INTO a DEFAULT VALUES; INSERT INTO a DEFAULT VALUES;"
        )
    )
    assert [i for i in judgement.issues if i.rule in {"SCHEMA-SEQUENCE", "SCHEMA-DEFAULT"}] == []
    assert [t.sql.count("AUTOINCREMENT") for t in judgement.schema.tables] == [1, 1]
    assert [move.counter for move in judgement.plan.tables] == ["public.a.id", "public.b.id"]
