"""What SQLAlchemy reads in a server's catalogue, read in what is known of the moved database.

Each function stands for the method of the same name of a dialect (dialects.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from sqlalchemy import exc
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine.default import DefaultDialect

from edgelift.worker.moved.catalogue import Catalogue, Table
from edgelift.worker.moved.kinds import Kind
from edgelift.worker.moved.servers import open_database, read_translations

# What the tables have that only their server would tell.
_SEVERAL = ("columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints",
            "check_constraints", "table_comment", "table_options")  # fmt: skip
_PLAIN: dict[str, Callable[[], Any]] = {
    "bool": sqltypes.BOOLEAN, "int2": sqltypes.SMALLINT, "int4": sqltypes.INTEGER,
    "int8": sqltypes.BIGINT, "float4": sqltypes.REAL, "text": sqltypes.TEXT,
    "date": sqltypes.DATE, "time": sqltypes.TIME, "timestamp": sqltypes.TIMESTAMP,
    "timestamptz": lambda: sqltypes.TIMESTAMP(timezone=True), "interval": postgresql.INTERVAL,
    "float8": lambda: sqltypes.Float(53), "json": sqltypes.JSON, "jsonb": postgresql.JSONB,
    "uuid": postgresql.UUID, "bytea": sqltypes.LargeBinary, "inet": postgresql.INET,
}  # fmt: skip


def _find_catalogue(dialect: Any) -> Catalogue:
    return read_translations(dialect.is_moved_from).catalogue


def _find_table(dialect: Any, name: str, schema: Any) -> Table:
    table = _find_catalogue(dialect).find(schema or "", name)
    if table is None:
        raise exc.NoSuchTableError(f"{schema}.{name}" if schema else name)
    return table


def has_table(dialect: Any, _connection: Any, name: str, schema: Any = None, **_kw: Any) -> bool:
    """Return whether a table was moved."""
    return _find_catalogue(dialect).find(schema or "", name) is not None


def has_multi_table(
    dialect: Any, connection: Any, table_names: Any, schema: Any = None, **_kw: Any
) -> Any:
    """Return of each table whether it was moved."""
    return [((schema, name), has_table(dialect, connection, name, schema)) for name in table_names]


def has_sequence(*_arguments: Any, **_options: Any) -> bool:
    """Return that nothing is missing: tables count by themselves."""
    return True


def has_type(*_arguments: Any, **_options: Any) -> bool:
    """Return that nothing is missing: the moved columns keep what their types allow."""
    return True


def has_schema(dialect: Any, _connection: Any, schema_name: str, **_kw: Any) -> bool:
    """Return whether a schema has tables that were moved."""
    return schema_name in get_schema_names(dialect)


def get_schema_names(dialect: Any, *_arguments: Any, **_options: Any) -> list[str]:
    """Return the schemas of what was moved."""
    return sorted({table.schema for table in _find_catalogue(dialect).tables.values()})


def get_table_names(dialect: Any, _connection: Any, schema: Any = None, **_kw: Any) -> list[str]:
    """Return the tables of a schema."""
    known = _find_catalogue(dialect)
    wanted = {schema} if schema else set(known.schemas)
    return sorted(table.origin for table in known.tables.values() if table.schema in wanted)


def get_view_names(*_arguments: Any, **_options: Any) -> list[str]:
    """Return no views: those that were moved count as tables of what they show."""
    return []


get_materialized_view_names = get_temp_table_names = get_temp_view_names = get_view_names
get_sequence_names = get_view_names


def get_columns(
    dialect: Any, _connection: Any, table_name: str, schema: Any = None, **_kw: Any
) -> list[dict[str, Any]]:
    """Return a table's columns with their types."""
    table = _find_table(dialect, table_name, schema)
    return [
        {
            "name": column.name,
            "type": make_type(column.kind, dialect.origin),
            "nullable": not column.not_null,
            "default": None,
            "autoincrement": table.counter == column.name,
            "comment": None,
        }
        for column in table.columns
    ]


def make_type(kind: Kind, origin: str) -> Any:
    """Return SQLAlchemy's type of a column."""
    if kind.element is not None:
        return postgresql.ARRAY(make_type(kind.element, origin))
    if kind.name == "numeric":
        precision, scale = (None if size < 0 else size for size in (kind.precision, kind.scale))
        return sqltypes.NUMERIC(precision, scale)
    if kind.name in {"varchar", "bpchar"}:
        made = sqltypes.VARCHAR if kind.name == "varchar" else sqltypes.CHAR
        return made(None if kind.length < 0 else kind.length)
    if kind.name == "enum":
        return (mysql.ENUM if origin == "mysql" else sqltypes.Enum)(*kind.labels)
    return _PLAIN.get(kind.name, sqltypes.TEXT)()


def get_pk_constraint(
    dialect: Any, _connection: Any, table_name: str, schema: Any = None, **_kw: Any
) -> dict[str, Any]:
    """Return a table's primary key."""
    for key in _find_table(dialect, table_name, schema).keys:
        if key.primary:
            return {"constrained_columns": list(key.columns), "name": key.name, "comment": None}
    return {"constrained_columns": [], "name": None, "comment": None}


def get_unique_constraints(
    dialect: Any, _connection: Any, table_name: str, schema: Any = None, **_kw: Any
) -> list[dict[str, Any]]:
    """Return a table's other keys."""
    table = _find_table(dialect, table_name, schema)
    return [
        {"name": key.name, "column_names": list(key.columns), "comment": None}
        for key in table.keys
        if not key.primary
    ]


def get_foreign_keys(
    dialect: Any, _connection: Any, table_name: str, schema: Any = None, **_kw: Any
) -> list[dict[str, Any]]:
    """Return what a table's columns lead to."""
    return [
        {
            "name": one.name,
            "constrained_columns": list(one.columns),
            "referred_schema": None,
            "referred_table": one.table,
            "referred_columns": list(one.keys),
            "options": {},
            "comment": None,
        }
        for one in _find_table(dialect, table_name, schema).references
    ]


def get_indexes(
    dialect: Any, _connection: Any, table_name: str, schema: Any = None, **_kw: Any
) -> list[dict[str, Any]]:
    """Return the indexes that the moved table has."""
    table = _find_table(dialect, table_name, schema)
    with closing(open_database(dialect.is_moved_from.path)) as db:
        return list(_read_indexes(db, table.name))


def _read_indexes(db: Any, table: str) -> Iterator[dict[str, Any]]:
    listed = "SELECT name, \"unique\" FROM pragma_index_list(?) WHERE origin = 'c' ORDER BY name"
    for name, unique in db.execute(listed, (table,)).fetchall():
        parts = db.execute("SELECT name FROM pragma_index_info(?) ORDER BY seqno", (name,))
        columns = [column for (column,) in parts.fetchall()]
        if None not in columns:
            yield {
                "name": name, "column_names": columns, "unique": bool(unique),
                "include_columns": [], "dialect_options": {},
            }  # fmt: skip


def get_check_constraints(*_arguments: Any, **_options: Any) -> list[dict[str, Any]]:
    """Return none: their words are SQLite's now."""
    return []


def get_table_comment(*_arguments: Any, **_options: Any) -> dict[str, Any]:
    """Return no comment."""
    return {"text": None}


def get_table_options(*_arguments: Any, **_options: Any) -> dict[str, Any]:
    """Return no options."""
    return {}


def _each(name: str) -> Callable[..., Any]:
    """Return the method for several tables that asks the one for one table."""

    def method(dialect: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(DefaultDialect, name)(dialect, *arguments, **options)

    method.__doc__ = f"Return what get_{name[10:]} does, of several tables."
    return method


globals().update({f"get_multi_{name}": _each(f"get_multi_{name}") for name in _SEVERAL})
METHODS = (
    "has_table", "has_multi_table", "has_sequence", "has_type", "has_schema", "get_schema_names",
    "get_table_names", "get_view_names", "get_materialized_view_names", "get_temp_table_names",
    "get_temp_view_names", "get_sequence_names",
    *(f"get_{name}" for name in _SEVERAL), *(f"get_multi_{name}" for name in _SEVERAL),
)  # fmt: skip
