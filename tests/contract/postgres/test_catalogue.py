"""The whole catalogue of a real PostgreSQL, compared with what stands in the case file."""

from __future__ import annotations

import msgspec
import psycopg
import pytest

from edgelift.model.origin_schema import OriginColumn, OriginSchema
from edgelift.sources.postgres import PostgresDatabase, open_postgres
from tests.contract.postgres.conftest import CASES


@pytest.fixture
def schema(everything: PostgresDatabase) -> OriginSchema:
    return everything.read_schema()


def test_every_object_is_read_as_the_case_says(schema: OriginSchema) -> None:
    # The file leaves out what is at its default; decoding fills it in.
    expected = msgspec.json.decode((CASES / "everything.json").read_bytes(), type=OriginSchema)
    for part in OriginSchema.__struct_fields__:
        if part in {"version", "database"}:
            continue
        found, wanted = getattr(schema, part), getattr(expected, part)
        if isinstance(wanted, tuple):
            assert len(found) == len(wanted), part
            for one, other in zip(found, wanted, strict=True):
                assert one == other
        assert found == wanted


def test_the_counts_are_those_of_the_information_schema(
    schema: OriginSchema, everything_url: str
) -> None:
    own = "NOT IN ('pg_catalog', 'information_schema')"
    with psycopg.connect(everything_url) as db:

        def count(query: str) -> int:
            row = db.execute(query).fetchone()
            return row[0] if row else -1

        tables = count(
            "SELECT count(*) FROM information_schema.tables "
            f"WHERE table_schema {own} AND table_type <> 'VIEW'"
        )
        columns = count(
            "SELECT count(*) FROM information_schema.columns c JOIN information_schema.tables t "
            f"USING (table_schema, table_name) WHERE table_schema {own} AND table_type <> 'VIEW'"
        )
        views = count(f"SELECT count(*) FROM information_schema.views WHERE table_schema {own}")
        filled = count("SELECT count(*) FROM pg_matviews WHERE ispopulated")
        columns += count(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "WHERE c.relkind = 'm' AND a.attnum > 0 AND NOT a.attisdropped"
        )
        sequences = count("SELECT count(*) FROM pg_sequences")
        indexes = count(
            f"SELECT count(*) FROM pg_indexes JOIN pg_class c ON c.relname = tablename WHERE schemaname {own} AND c.relkind IN ('r', 'p', 'm')"
        )
        events = count(
            "SELECT count(DISTINCT (trigger_schema, event_object_table, trigger_name)) "
            "FROM information_schema.triggers"
        )
    assert len(schema.tables) == tables + filled
    assert sum(len(table.columns) for table in schema.tables) == columns
    assert len(schema.views) == views
    assert len(schema.sequences) == sequences
    constraints = sum(len(t.keys) + len(t.excludes) for t in schema.tables)
    assert constraints + sum(len(t.indexes) for t in schema.tables) == indexes
    # The information schema shows neither TRUNCATE triggers nor those that partitions inherit.
    clones = 4
    assert len([t for t in schema.triggers if t.events != ("truncate",)]) == events - clones


def read_one(make_database, script: str) -> tuple[OriginSchema, dict[str, OriginColumn]]:
    with open_postgres(make_database(script)) as database:
        schema = database.read_schema()
    return schema, {column.name: column for column in schema.tables[0].columns}


def test_sequences_say_what_they_gave_out_last(make_database) -> None:
    schema, columns = read_one(
        make_database,
        "CREATE TABLE t (a serial, b int GENERATED ALWAYS AS IDENTITY, c int);"
        "ALTER TABLE t ALTER c SET DEFAULT nextval('t_a_seq');"
        "INSERT INTO t DEFAULT VALUES; INSERT INTO t DEFAULT VALUES;"
        "CREATE SEQUENCE down INCREMENT -3 START -1; SELECT nextval('down'), nextval('down');"
        "CREATE SEQUENCE fresh START 7; CREATE SEQUENCE put; SELECT setval('put', 41, false)",
    )
    last = {sequence.name: sequence.last for sequence in schema.sequences}
    assert last == {"t_a_seq": 4, "t_b_seq": 2, "down": -4, "fresh": None, "put": 40}
    assert [columns[name].identity for name in "abc"] == ["serial", "always", ""]
    assert columns["c"].default == "nextval('t_a_seq'::regclass)"


def test_a_partial_right_to_read_does_not_stop_the_catalogue(
    make_database, postgres_server
) -> None:
    url = make_database(
        "CREATE TABLE mine (id serial PRIMARY KEY); CREATE TABLE hidden (id serial PRIMARY KEY);"
        "CREATE ROLE reader_a LOGIN PASSWORD 'x'; GRANT SELECT ON mine TO reader_a;"
    )
    try:
        with open_postgres(url.replace("edgelift:very-secret-word", "reader_a:x")) as database:
            schema = database.read_schema()
    finally:
        postgres_server.run("DROP OWNED BY reader_a; DROP ROLE reader_a", url.rpartition("/")[2])
    assert [table.name for table in schema.tables] == ["hidden", "mine"]


def test_the_number_of_queries_does_not_grow_with_the_tables(
    make_database, postgres_server
) -> None:
    small = make_database("CREATE TABLE t (id serial PRIMARY KEY, a text)")
    many = make_database(
        "DO $$ BEGIN FOR i IN 1..150 LOOP EXECUTE format("
        "'CREATE TABLE t%s (id serial PRIMARY KEY, a text UNIQUE, b int REFERENCES t%s)', i, i);"
        "END LOOP; END $$"
    )
    counts = []
    for url in (small, many):
        with open_postgres(url) as database:
            connection = database._connection
            seen: list[object] = []
            original = connection.execute

            def execute(query, *args, _seen=seen, _original=original, **kwargs):
                _seen.append(query)
                return _original(query, *args, **kwargs)

            connection.execute = execute  # type: ignore[method-assign]
            schema = database.read_schema()
        counts.append(len(seen))
    assert len(schema.tables) == 150
    assert len({*counts}) == 1
    assert counts[0] < 25


def test_a_name_is_not_code(make_database) -> None:
    name = "x'); DROP TABLE other; --"
    quoted = '"' + name + '"'
    url = make_database(
        f'CREATE TABLE other (a int); CREATE TABLE {quoted} ({quoted} serial PRIMARY KEY, "%s" int, "{{}}" int)'
    )
    with open_postgres(url) as database:
        schema = database.read_schema()
        assert [table.name for table in schema.tables] == ["other", name]
        assert schema.tables[1].primary_key == (name,)
        assert [column.name for column in schema.tables[1].columns] == [name, "%s", "{}"]
        assert [t.name for t in database.read_schema().tables] == ["other", name]


def test_the_search_path_of_the_app_names_its_default_schemas(
    make_database, postgres_server
) -> None:
    url = make_database("CREATE SCHEMA app; CREATE TABLE app.t (a int)")
    name = url.rpartition("/")[2]
    postgres_server.run(f"ALTER DATABASE {name} SET search_path = app, public")
    with open_postgres(url) as database:
        assert database.capabilities.default_schemas == ("app", "public")
