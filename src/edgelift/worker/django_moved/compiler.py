"""Compilers of the ORM's queries: nodes whose meaning differs in SQLite go by their rules."""

from __future__ import annotations

import re
from typing import Any

from django.db.models.sql import compiler as django
from django.db.utils import IntegrityError

from edgelift.worker.django_moved.assignment import assign
from edgelift.worker.django_moved.operations import DISTINCT_MARK
from edgelift.worker.django_moved.rules import find_rule
from edgelift.worker.sqlalchemy_moved import counters

_ON = re.compile(f"{DISTINCT_MARK}(.*?){DISTINCT_MARK}", re.DOTALL)


class Moved:
    """What all compilers do otherwise."""

    connection: Any
    query: Any

    def compile(self, node: Any) -> Any:
        """Return SQL and parameters of a node."""
        rule = find_rule(type(node))
        made = rule(node, self, self.connection) if rule is not None else None
        return super().compile(node) if made is None else made  # type: ignore[misc]


class SQLCompiler(Moved, django.SQLCompiler):
    """SELECT."""

    def as_sql(self, with_limits: bool = True, with_col_aliases: bool = False) -> Any:
        """Return the statement; one with DISTINCT ON numbers its rows and takes the first."""
        query = self.query
        if not (query.distinct and query.distinct_fields) or query.combinator:
            return super().as_sql(with_limits, with_col_aliases)
        _, order_by, _ = self.pre_sql_setup(with_col_aliases=True)
        terms = [sql for _, (sql, _, _) in order_by]
        values = [param for _, (_, params, _) in order_by for param in params]
        sql, params = super().as_sql(with_limits=False, with_col_aliases=True)
        found = _ON.search(sql)
        assert found is not None  # distinct_sql has written it
        order = f" ORDER BY {', '.join(terms)}" if terms else ""
        numbers = (
            f"ROW_NUMBER() OVER (PARTITION BY {found[1]}{order}) AS edgelift_row, "
            f"ROW_NUMBER() OVER ({order.strip()}) AS edgelift_place,"
        )
        head = found[1].count("%s")
        columns = ", ".join(self.connection.ops.quote_name(alias) for _, _, alias in self.select)
        inner = sql[: found.start()] + numbers + sql[found.end() :]
        made = [
            f"SELECT {columns} FROM ({inner}) WHERE edgelift_row = 1 ORDER BY edgelift_place"
        ]
        if with_limits and query.is_sliced:
            limits = self.connection.ops.limit_offset_sql(query.low_mark, query.high_mark)
            made.append(limits)
        return " ".join(made), (*params[:head], *values, *values, *params[head:])

    def execute_sql(self, *arguments: Any, **options: Any) -> Any:
        """Run the query; FOR UPDATE takes the database first."""
        if self.query.select_for_update:
            self.connection.take_for_update()
        return super().execute_sql(*arguments, **options)


class SQLInsertCompiler(Moved, django.SQLInsertCompiler):
    """INSERT."""

    def prepare_value(self, field: Any, value: Any) -> Any:
        """Return a value as the column keeps it."""
        return super().prepare_value(field, assign(field, value, self.connection))

    def execute_sql(self, returning_fields: Any = None) -> Any:
        """Run it; numbers given out to rows that did not come to stay are used up."""
        key = self.query.get_meta().auto_field
        counted = key is not None and key not in (self.query.fields or [])
        if not counted:
            return super().execute_sql(returning_fields)
        table = self.query.get_meta().db_table
        rows = len(self.query.objs)
        own = self.connection.connection
        before = None
        if self.query.on_conflict is not None:
            self.connection.ensure_connection()
            own = self.connection.connection
            before = counters.read_counters(own, table).get(table, 0)
        try:
            result = super().execute_sql(returning_fields)
        except IntegrityError:
            self.connection.lose_numbers(table, rows)
            raise
        if before is not None:
            counters.raise_counters(own, {table: before + rows})
        return result


class SQLDeleteCompiler(Moved, django.SQLDeleteCompiler):
    """DELETE."""


class SQLUpdateCompiler(Moved, django.SQLUpdateCompiler):
    """UPDATE."""

    def as_sql(self) -> Any:
        """Return the statement, its values as the columns keep them."""
        self.query.values = [
            (field, model, assign(field, value, self.connection))
            for field, model, value in self.query.values
        ]
        return super().as_sql()


class SQLAggregateCompiler(Moved, django.SQLAggregateCompiler):
    """Aggregates over a subquery."""
