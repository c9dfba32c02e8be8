"""Operations of moved databases: values in and out, dates, what SQL of the ORM is made of."""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from typing import Any, ClassVar

from django.conf import settings
from django.db import DataError
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.sqlite3.operations import DatabaseOperations
from django.db.models.constants import OnConflict
from django.db.models.expressions import Col
from django.db.models.functions.datetime import TruncBase
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from edgelift.worker.django_moved import decimals
from edgelift.worker.django_moved.values import write_moment
from edgelift.worker.moved.stored_values import write_jsonb

_REFERENCE = re.compile(r"(?i)\breferences\s+[\"'`\[]?(\w+)")
DISTINCT_MARK, DISTINCT_SPLIT = "\ue000", "\ue001"


class MovedOperations(DatabaseOperations):
    """Operations of both origins."""

    compiler_module = "edgelift.worker.django_moved.compiler"
    cast_char_field_without_max_length = "text"

    def quote_name(self, name: str) -> str:
        """Quote a name; one of another schema, `schema"."table`, is the move's `schema__table`."""
        if '"."' in name:
            name = "__".join(part for part in name.strip('"').split('"."') if part != "public")
        quoted: str = super().quote_name(name)
        return quoted

    def check_expression_support(self, expression: Any) -> None:
        """Refuse nothing that the rules have SQL for."""
        if type(expression).__name__ != "StringAgg":
            super().check_expression_support(expression)

    def bulk_batch_size(self, fields: Any, objs: Any) -> int:
        """Return the rows of one INSERT: as many as SQLite takes values."""
        size: int = super().bulk_batch_size(fields, objs)
        return max(size, 1)

    def for_update_sql(self, **_options: Any) -> str:
        """Return nothing: the transaction has the database for itself (take_for_update)."""
        return ""

    def prep_for_iexact_query(self, x: Any) -> str:
        """Return the text that iexact compares with."""
        return str(x)

    def integer_field_range(self, internal_type: str) -> Any:
        """Return the range of the server's type."""
        return BaseDatabaseOperations.integer_field_range(self, internal_type)

    def adapt_decimalfield_value(
        self, value: Any, max_digits: Any = None, decimal_places: Any = None
    ) -> Any:
        """Return a decimal as it is; a column rounds what it is given (assignment.py)."""
        return value

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        """Return the text of a document."""
        return super().adapt_json_value(value, encoder)

    def adapt_timefield_value(self, value: Any) -> Any:
        """Return the text of a time of day."""
        return value if value is None or hasattr(value, "resolve_expression") else str(value)

    def get_decimalfield_converter(self, expression: Any) -> Any:
        """Return what reads decimals with the places that the server gives them."""
        return decimals.make_converter(expression, self.connection)

    def convert_uuidfield_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Read UUIDs of any form."""
        import uuid

        if isinstance(value, bytes):
            return uuid.UUID(bytes=value)
        return uuid.UUID(value) if isinstance(value, str) else value

    @functools.cached_property
    def _references_graph(self) -> Any:
        """Return what finds the tables that refer to a table, directly or not."""
        return functools.lru_cache(maxsize=512)(self._find_referring)

    def _find_referring(self, table_name: str) -> list[str]:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            tables = {name: _REFERENCE.findall(sql or "") for name, sql in cursor.fetchall()}
        found, waiting = {table_name}, [table_name]
        while waiting:
            wanted = waiting.pop().lower()
            referring = {n for n, to in tables.items() if wanted in map(str.lower, to)} - found
            found |= referring
            waiting += referring
        return sorted(found)

    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """Return the statement with its parameters as they were written."""
        from edgelift.worker.django_moved.values import write_parameter

        if isinstance(params, dict):
            params = {name: write_parameter(value) for name, value in params.items()}
        elif params:
            params = [write_parameter(value) for value in params]
        text: str = super().last_executed_query(cursor, sql, params)
        return text


class PostgresOperations(MovedOperations):
    """Operations of what was PostgreSQL: moments are in UTC, documents are jsonb."""

    def adapt_datetimefield_value(self, value: Any) -> Any:
        """Return a moment in UTC; a naive one is of the session's time zone."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, dt.datetime):
            if value.tzinfo is None and not settings.USE_TZ:
                value = value.replace(tzinfo=self.connection.session_zone)
            return write_moment(value)
        return str(value)

    def adapt_json_value(self, value: Any, encoder: Any) -> Any:
        """Return the text that PostgreSQL prints of a jsonb."""
        text = super().adapt_json_value(value, encoder)
        try:
            return write_jsonb(json.loads(text)) if isinstance(text, str) else text
        except ValueError:
            return text  # what is no JSON is refused by the column's check

    def convert_datetimefield_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Read moments: aware, or in local time where USE_TZ is off."""
        if settings.USE_TZ and isinstance(expression, TruncBase):
            return parse_datetime(value) if isinstance(value, str) else value
        return self.connection.read_zoned(value)

    def get_db_converters(self, expression: Any) -> Any:
        """Return converters; bytes are what psycopg2 or psycopg 3 gives."""
        converters = super().get_db_converters(expression)
        if expression.output_field.get_internal_type() == "BinaryField":
            from django.db.backends.postgresql import psycopg_any

            if not psycopg_any.is_psycopg3:
                converters.append(_to_memoryview)
        return converters

    def distinct_sql(self, fields: Any, params: Any) -> Any:
        """Return DISTINCT; DISTINCT ON as a mark that the compiler replaces."""
        if not fields:
            return super().distinct_sql(fields, params)
        flat = [param for listed in params for param in listed]
        return [f"{DISTINCT_MARK}{DISTINCT_SPLIT.join(fields)}{DISTINCT_MARK}"], flat

    def date_extract_sql(self, lookup_type: str, sql: str, params: Any) -> Any:
        """Return a part of a date; refuses what is no name of one."""
        return super().date_extract_sql(_check(lookup_type), sql, params)

    def datetime_extract_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any) -> Any:
        """Return a part of a moment; refuses what is no name of one."""
        return super().datetime_extract_sql(_check(lookup_type), sql, params, tzname)

    def datetime_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any) -> Any:
        """Truncate moments; where USE_TZ is off the result is in UTC again, as the stored ones."""
        sql, params = super().datetime_trunc_sql(_check_unit(lookup_type), sql, params, tzname)
        return (sql, params) if settings.USE_TZ else self.to_utc(sql, params)

    def to_utc(self, sql: str, params: Any) -> Any:
        """Return a moment of the session's time zone in UTC, to the second."""
        if settings.USE_TZ:
            return sql, params
        made = f"django_datetime_trunc(%s, {sql}, %s, %s)"
        return made, ("second", *params, "UTC", settings.TIME_ZONE)

    def _convert_tznames_to_sql(self, tzname: str | None) -> tuple[str | None, str | None]:
        """Return the zone to compute in, and that of the stored moments."""
        if settings.USE_TZ:
            return (tzname, "UTC") if tzname else (None, None)
        return (tzname or settings.TIME_ZONE, "UTC")

    def date_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any = None) -> Any:
        """Truncate dates; only moments have a time zone."""
        return _truncate("django_date_trunc", lookup_type, (sql, params), self._find_zones(tzname))

    def time_trunc_sql(self, lookup_type: str, sql: str, params: Any, tzname: Any = None) -> Any:
        """Truncate times of day; only moments have a time zone."""
        return _truncate("django_time_trunc", lookup_type, (sql, params), self._find_zones(tzname))

    def _find_zones(self, tzname: str | None) -> tuple[str | None, str | None]:
        return (tzname, "UTC") if tzname else (None, None)


class MysqlOperations(MovedOperations):
    """Operations of what was MySQL: moments as Django writes them there, documents as text."""

    _RANGES: ClassVar[dict[str, tuple[int, int]]] = {
        "PositiveSmallIntegerField": (0, 65535),
        "PositiveIntegerField": (0, 4294967295),
        "PositiveBigIntegerField": (0, 18446744073709551615),
    }

    def integer_field_range(self, internal_type: str) -> Any:
        """Return the range of the server's type."""
        return self._RANGES.get(internal_type) or super().integer_field_range(internal_type)

    def adapt_timefield_value(self, value: Any) -> Any:
        """Return the text of a time of day, which has no time zone."""
        if isinstance(value, dt.time) and timezone.is_aware(value):
            raise ValueError("MySQL backend does not support timezone-aware times.")
        return super().adapt_timefield_value(value)

    def on_conflict_suffix_sql(
        self, fields: Any, on_conflict: Any, update_fields: Any, unique_fields: Any
    ) -> str:
        """Return ON DUPLICATE KEY UPDATE in SQLite's words: whatever unique key is met."""
        if on_conflict != OnConflict.UPDATE:
            return ""
        terms = [f"{name} = excluded.{name}" for name in map(self.quote_name, update_fields)]
        return f"ON CONFLICT DO UPDATE SET {', '.join(terms)}"

    def adapt_datetimefield_value(self, value: Any) -> Any:
        """Return a moment in the connection's time zone."""
        if value is None or hasattr(value, "resolve_expression"):
            return value
        if isinstance(value, dt.datetime) and timezone.is_aware(value):
            if not settings.USE_TZ:
                raise ValueError(
                    "MySQL backend does not support timezone-aware datetimes when USE_TZ is False."
                )
            value = timezone.make_naive(value, self.connection.timezone)
        return str(value)


_PART = re.compile(r"[A-Za-z_]+")


def _check(lookup_type: str) -> str:
    if not _PART.fullmatch(lookup_type):
        raise ValueError(f"Invalid lookup type: {lookup_type!r}")
    return lookup_type


def _check_unit(kind: str) -> str:
    if not _PART.fullmatch(kind):
        raise DataError(f"timestamp units {kind!r} not recognized")
    return kind


def _truncate(function: str, kind: str, operand: tuple[str, Any], zones: tuple[Any, Any]) -> Any:
    sql, params = operand
    return f"{function}(%s, {sql}, %s, %s)", (_check_unit(kind).lower(), *params, *zones)


def _to_memoryview(value: Any, expression: Any, connection: Any) -> Any:
    return memoryview(value) if isinstance(value, bytes) and isinstance(expression, Col) else value
