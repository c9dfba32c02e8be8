"""Compilers of the ORM's queries: nodes whose meaning differs in SQLite go by their rules."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from django.db.models.sql import compiler as django
from django.db.utils import IntegrityError

from edgelift.worker.django_moved.assignment import assign
from edgelift.worker.django_moved.operations import DISTINCT_MARK, DISTINCT_SPLIT
from edgelift.worker.django_moved.registry import find_rule
from edgelift.worker.moved import counters

_ON = re.compile(f"{DISTINCT_MARK}(.*?){DISTINCT_MARK}", re.DOTALL)


class Term(NamedTuple):
    """A term of ORDER BY: what is ordered, and its direction."""

    sql: str
    direction: str
    params: tuple[Any, ...]


def _take_first(
    query: tuple[str, Any], terms: list[Term], aliases: set[str]
) -> tuple[str, tuple[Any, ...], list[Term]]:
    """Return a query with DISTINCT ON as one that numbers the rows of each group in order.

    Without an order the server's comes from the groups, which it sorts.
    """
    sql, params = query
    found = _ON.search(sql)
    assert found is not None  # distinct_sql has written it
    keys = found[1].split(DISTINCT_SPLIT)
    head = found[1].count("%s")
    wanted = [Term(key, "", ()) for key in keys] + terms
    own = {term: f"edgelift_{n}" for n, term in enumerate(wanted) if term.sql not in aliases}
    values = [param for term in own for param in term.params]
    named = [f"{term.sql} AS {name}," for term, name in own.items()]
    inner = f"{sql[: found.start()]}{' '.join(named)}{sql[found.end() :]}"
    names = [own.get(term, term.sql) for term in wanted]
    groups = names[: len(keys)]
    listed = [
        Term(name, term.direction, ()) for name, term in zip(names[len(keys) :], terms, strict=True)
    ]
    listed = listed or [Term(group, " ASC NULLS LAST", ()) for group in groups]
    over = f"PARTITION BY {', '.join(groups)}{_write_order(listed)}"
    made = f"SELECT *, ROW_NUMBER() OVER ({over}) AS edgelift_row FROM ({inner})"
    return made, (*params[:head], *values, *params[head:]), listed


def _write_order(terms: list[Term]) -> str:
    return f" ORDER BY {', '.join(f'{term.sql}{term.direction}' for term in terms)}"


class Moved:
    """What all compilers do otherwise."""

    connection: Any
    query: Any

    def compile(self, node: Any) -> Any:
        """Return SQL and parameters of a node."""
        kind: Any = type(node)
        rule = find_rule(kind)
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
        if self.qualify:  # a filter on windows: its inner query has the DISTINCT ON
            return super().as_sql(with_limits, with_col_aliases)
        terms = [Term(*self._split_order(sql), tuple(params)) for _, (sql, params, _) in order_by]
        sql, params = super().as_sql(with_limits=False, with_col_aliases=True)
        quote = self.connection.ops.quote_name
        listed = [quote(alias) for _, _, alias in self.select]
        terms = [t._replace(sql=listed[int(t.sql) - 1]) if t.sql.isdecimal() else t for t in terms]
        made, params, terms = _take_first((sql, params), terms, set(listed))
        made = f"SELECT {', '.join(listed)} FROM ({made})"
        made += f" WHERE edgelift_row = 1{_write_order(terms)}"
        if with_limits and query.is_sliced:
            made += f" {self.connection.ops.limit_offset_sql(query.low_mark, query.high_mark)}"
        return made, params

    def _split_order(self, sql: str) -> tuple[str, str]:
        found = self.ordering_parts.search(sql)
        return (found[1], sql[len(found[1]) :]) if found else (sql, "")

    def get_combinator_sql(self, combinator: str, all: bool) -> Any:
        """Return UNION and its like; SQLite takes no parentheses around their parts."""
        before, self.query.subquery = self.query.subquery, True
        try:
            return super().get_combinator_sql(combinator, all)
        finally:
            self.query.subquery = before

    def _get_combinator_part_sql(self, compiler: Any) -> Any:
        sql, params = super()._get_combinator_part_sql(compiler)
        if compiler.query.combinator or not (sql.startswith("(") and sql.endswith(")")):
            return sql, params
        own = sql[1:-1]
        ordered = compiler.query.is_sliced or compiler.get_order_by()
        return f"SELECT * FROM ({own})" if ordered else own, params

    def execute_sql(self, *arguments: Any, **options: Any) -> Any:
        """Run the query; FOR UPDATE takes the database first."""
        if self.query.select_for_update:
            self.connection.take_for_update()
        with self.connection.run_orm():
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
            with self.connection.run_orm():
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
            with self.connection.run_orm():
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

    def execute_returning_sql(self, *arguments: Any, **options: Any) -> Any:
        """Run it and read the rows that it gives back: Django 6 and later."""
        with self.connection.run_orm():
            return super().execute_returning_sql(*arguments, **options)


class SQLAggregateCompiler(Moved, django.SQLAggregateCompiler):
    """Aggregates over a subquery."""
