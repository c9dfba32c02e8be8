"""SQL of PostgreSQL's and MySQL's constructs in SQLite's words, with the meaning they had there.

What has no such words raises CompileError when it is compiled, rather than mean something else.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import __version__, exc
from sqlalchemy import types as sqltypes
from sqlalchemy.dialects.sqlite.base import (
    SQLiteCompiler,
    SQLiteIdentifierPreparer,
    SQLiteTypeCompiler,
)
from sqlalchemy.sql import elements, operators, selectable

from edgelift.worker.moment_forms import NOW
from edgelift.worker.sqlalchemy_moved import assignment, functions, texts
from edgelift.worker.sqlalchemy_moved.operators import (
    OF_ARRAYS,
    OF_DOCUMENTS,
    follow_path,
    read_path,
)  # fmt: skip
from edgelift.worker.sqlalchemy_moved.results import infer_type

IS_14 = __version__.startswith("1.")
_NULLS = (operators.nulls_first_op, operators.nulls_last_op)
_DIRECTIONS = (operators.asc_op, operators.desc_op)


class MovedPreparer(SQLiteIdentifierPreparer):
    """Names of tables: those of other schemas carry theirs before two underscores."""

    schema_for_object: Any = staticmethod(lambda _named: None)
    dialect: Any

    def format_table(self, table: Any, use_schema: bool = True, name: Any = None) -> Any:
        """Return a table's name as the move chose it."""
        schema = table.schema if hasattr(table, "schema") else None
        plain = table.name if name is None else name
        if schema and use_schema and schema not in self.dialect.own_schemas:
            plain = f"{schema}__{plain}"
        return self.quote(plain)


class MovedTypeCompiler(SQLiteTypeCompiler):
    """Types in CAST and CREATE TABLE: whatever SQLite has no name for is text."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("visit_"):
            return lambda _type, **_kw: "TEXT"
        raise AttributeError(name)

    def visit_UUID(self, type_: Any, **kw: Any) -> str:
        """Return the type of UUIDs."""
        return "CHAR(36)"

    visit_uuid = visit_UUID

    def visit_JSON(self, type_: Any, **kw: Any) -> str:
        """Return the type of documents."""
        return "TEXT"

    def visit_JSONB(self, type_: Any, **kw: Any) -> str:
        """Return the type of documents."""
        return "TEXT"

    def visit_TIMESTAMP(self, type_: Any, **kw: Any) -> str:
        """Return the type of moments in CAST: their text is what they are."""
        return "TEXT"

    def visit_DATETIME(self, type_: Any, **kw: Any) -> str:
        """Return the type of moments."""
        return "TEXT"


class MovedCompiler(SQLiteCompiler):
    """Statements of both origins."""

    dialect: Any

    @property
    def _bind_processors(self) -> dict[str, Any]:
        """Return what is done to parameters: those of columns are assigned as the server would."""
        known = self.__dict__.get("_moved_processors")
        if known is None:
            known = dict(super()._bind_processors)
            for parameter, name in self.bind_names.items():
                if getattr(parameter, "_is_crud", False) and isinstance(name, str):
                    rule = assignment.find_rule(
                        parameter.type, self.dialect.origin, self.dialect.dbapi
                    )
                    if rule is not None:
                        known[name] = _chain(rule, known.get(name))
            self.__dict__["_moved_processors"] = known
        return known

    def _add_to_result_map(self, keyname: Any, name: Any, objects: Any, type_: Any) -> None:
        """Note a result column, with the type that the server's driver would tell."""
        for clause in objects:
            inner = getattr(clause, "element", clause) if _is_label(clause) else clause
            kind = infer_type(inner, self.dialect.origin)
            if kind is not None and (type_._isnull or isinstance(type_, sqltypes.DateTime)):
                type_ = kind
                break
        super()._add_to_result_map(keyname, name, objects, type_)

    def visit_function(self, func: Any, add_to_result_map: Any = None, **kwargs: Any) -> str:
        """Write a function by its rule."""
        text = functions.compile_function(self, func, **kwargs)
        if text is None:
            plain: str = super().visit_function(func, add_to_result_map=add_to_result_map, **kwargs)
            return plain
        if add_to_result_map is not None:
            add_to_result_map(func.name, func.name, (func.name, func), func.type)
        return text

    def visit_now_func(self, fn: Any, **kw: Any) -> str:
        """Write the moment with its fraction of a second."""
        return NOW

    def visit_localtimestamp_func(self, func: Any, **kw: Any) -> str:
        """Write the moment with its fraction of a second."""
        return NOW

    visit_current_timestamp_func = visit_now_func

    def visit_textclause(self, textclause: Any, add_to_result_map: Any = None, **kw: Any) -> str:
        """Write SQL text as it was translated before the cut."""
        known = texts.read_text(textclause.text)
        if known is not None:
            textclause = textclause._clone()
            textclause.text = known
        text: str = super().visit_textclause(textclause, add_to_result_map=add_to_result_map, **kw)
        return text

    def order_by_clause(self, select: Any, **kw: Any) -> str:
        """Write ORDER BY with NULLs where the server puts them."""
        order = self.render_order(select._order_by_clauses, **kw)
        return f" ORDER BY {order}" if order else ""

    def visit_over(self, over: Any, **kwargs: Any) -> str:
        """Write a window whose order has NULLs where the server puts them."""
        if over.order_by is not None and len(over.order_by):
            ordered = [_Rendered(self.render_order(over.order_by, **kwargs))]
            over = over._clone()
            over.order_by = elements.ClauseList(*ordered)
        text: str = super().visit_over(over, **kwargs)
        return text

    def render_order(self, clauses: Any, **kw: Any) -> str:
        """Return the terms of an ORDER BY."""
        listed = getattr(clauses, "clauses", None) or (
            clauses if isinstance(clauses, list | tuple) else [clauses]
        )
        return ", ".join(self._render_term(clause, **kw) for clause in listed)

    def _render_term(self, clause: Any, **kw: Any) -> str:
        named, direction, inner = False, None, clause
        while isinstance(inner, elements.UnaryExpression) and inner.modifier is not None:
            named = named or inner.modifier in _NULLS
            direction = inner.modifier if inner.modifier in _DIRECTIONS else direction
            inner = inner.element
        label = getattr(inner, "element", inner) if _is_label(inner) else inner
        members = _read_members(label)
        if members:
            text = self._render_rank(self.process(label, **kw), members)
            text += " DESC" if direction is operators.desc_op else ""
        else:
            text = self.process(clause, **kw)
        if named or self.dialect.origin != "postgresql" or _is_never_null(label):
            return text
        return f"{text} NULLS {'FIRST' if direction is operators.desc_op else 'LAST'}"

    def _render_rank(self, text: str, members: list[str]) -> str:
        quoted = [self.render_literal_value(member, sqltypes.String()) for member in members]
        ranks = " ".join(f"WHEN {member} THEN {rank}" for rank, member in enumerate(quoted))
        return f"CASE {text} {ranks} END"

    def get_select_precolumns(self, select: Any, **kw: Any) -> str:
        """Refuse DISTINCT ON, which would quietly be another query."""
        if select._distinct_on:
            raise exc.CompileError("DISTINCT ON has no form in SQLite: use a window function")
        text: str = super().get_select_precolumns(select, **kw)
        return text

    def visit_ilike_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write ILIKE: SQLite's LIKE does not look at the case of ASCII letters."""
        return self._write_like(binary, "LIKE", **kw)

    def visit_not_ilike_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write NOT ILIKE."""
        return self._write_like(binary, "NOT LIKE", **kw)

    def visit_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write LIKE with the origin's care for case."""
        if self.dialect.origin == "mysql":
            return self._write_like(binary, "LIKE", **kw)
        return self._write_glob(binary, "GLOB", **kw)

    def visit_not_like_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write NOT LIKE with the origin's care for case."""
        if self.dialect.origin == "mysql":
            return self._write_like(binary, "NOT LIKE", **kw)
        return self._write_glob(binary, "NOT GLOB", **kw)

    def _write_like(self, binary: Any, word: str, **kw: Any) -> str:
        escape = binary.modifiers.get("escape") or "\\"
        sides = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"{sides[0]} {word} {sides[1]} ESCAPE '{escape.replace(chr(39), chr(39) * 2)}'"

    def _write_glob(self, binary: Any, word: str, **kw: Any) -> str:
        """Write LIKE as GLOB, whose pattern is made of LIKE's inside the statement."""
        escape = binary.modifiers.get("escape") or "\\"
        pattern = self.process(binary.right, **kw)
        quoted = f"'{escape.replace(chr(39), chr(39) * 2)}'"
        steps = [
            (f"{quoted} || {quoted}", "char(1)"), (f"{quoted} || '%'", "char(2)"),
            (f"{quoted} || '_'", "char(3)"), ("'['", "'[[]'"), ("'*'", "'[*]'"), ("'?'", "'[?]'"),
            ("'%'", "'*'"), ("'_'", "'?'"), ("char(1)", quoted), ("char(2)", "'%'"),
            ("char(3)", "'_'"),
        ]  # fmt: skip
        for old, new in steps:
            pattern = f"replace({pattern}, {old}, {new})"
        return f"{self.process(binary.left, **kw)} {word} {pattern}"

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> str:
        """Write the operators of PostgreSQL's documents and arrays."""
        if self.dialect.origin != "postgresql":
            text: str = super().visit_custom_op_binary(element, operator, **kw)
            return text
        sides = self.process(element.left, **kw), self.process(element.right, **kw)
        is_array = isinstance(element.left.type, sqltypes.ARRAY)
        form = OF_ARRAYS.get(operator.opstring) if is_array else None
        form = form or OF_DOCUMENTS.get(operator.opstring)
        if form is None:
            why = f"PostgreSQL's operator {operator.opstring} has no form in SQLite"
            raise exc.CompileError(why)
        return form(*sides)

    def visit_json_path_getitem_op_binary(
        self, binary: Any, operator: Any, _cast_applied: Any = False, **kw: Any
    ) -> str:
        """Write what lies at a path in a document."""
        is_document = isinstance(binary.type, sqltypes.JSON)
        form = follow_path if is_document else read_path
        return form(self.process(binary.left, **kw), self.process(binary.right, **kw))

    def visit_cast(self, cast: Any, **kwargs: Any) -> str:
        """Write CAST; servers round what becomes an integer, SQLite would cut it off."""
        if not isinstance(cast.type, sqltypes.Integer) or not isinstance(
            cast.clause.type, sqltypes.Numeric
        ):
            text: str = super().visit_cast(cast, **kwargs)
            return text
        return f"CAST(round({self.process(cast.clause, **kwargs)}) AS INTEGER)"

    def returning_clause(self, stmt: Any, returning_cols: Any, **kw: Any) -> str:
        """Write RETURNING, which SQLAlchemy 1.4 does not know of SQLite."""
        if not IS_14:
            text: str = super().returning_clause(stmt, returning_cols, **kw)
            return text
        own: Any = self
        listed: Any = selectable._select_iterables(returning_cols)  # type: ignore[attr-defined]
        columns = [
            own._label_returning_column(stmt, one, fallback_label_name=one._non_anon_label)
            for one in listed
        ]
        return f"RETURNING {', '.join(columns)}"

    def visit_concat_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write || of texts and arrays."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        if isinstance(binary.left.type, sqltypes.ARRAY):
            rows = " UNION ALL ".join(f"SELECT value FROM json_each({x})" for x in (left, right))
            return f"(SELECT json_group_array(value) FROM ({rows}))"
        if isinstance(binary.left.type, sqltypes.JSON):
            raise exc.CompileError("PostgreSQL's || of documents has no form in SQLite")
        return f"{left} || {right}"

    def visit_getitem_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Write an array's element; the first has the number 1."""
        left, right = self.process(binary.left, **kw), self.process(binary.right, **kw)
        return f"json_extract({left}, '$[' || ({right} - 1) || ']')"

    def visit_binary(self, binary: Any, *arguments: Any, **kw: Any) -> str:
        """Write comparisons with ANY and ALL of an array."""
        right = binary.right
        if isinstance(right, elements.CollectionAggregate) and isinstance(
            right.element.type, sqltypes.ARRAY
        ):
            return self._write_any(binary, right, **kw)
        text: str = super().visit_binary(binary, *arguments, **kw)
        return text

    def _write_any(self, binary: Any, right: Any, **kw: Any) -> str:
        from sqlalchemy.sql.compiler import OPERATORS

        word = OPERATORS[binary.operator]
        condition = f"{self.process(binary.left, **kw)}{word}a.value"
        place = f"SELECT 1 FROM json_each({self.process(right.element, **kw)}) a WHERE"
        if right.operator is operators.any_op:
            return f"EXISTS ({place} {condition})"
        return f"NOT EXISTS ({place} NOT ({condition}))"

    def visit_array(self, element: Any, **kw: Any) -> str:
        """Write an array of expressions."""
        return f"json_array({self.visit_clauselist(element, **kw)})"

    def visit_aggregate_order_by(self, element: Any, **kw: Any) -> str:
        """Write what is aggregated with its order."""
        order = self.render_order(element.order_by, **kw)
        return f"{self.process(element.target, **kw)} ORDER BY {order}"

    def _on_conflict_target(self, clause: Any, **kw: Any) -> str:
        name = getattr(clause, "constraint_target", None)
        if name is None:
            text: str = super()._on_conflict_target(clause, **kw)
            return text
        table = self.current_executable.table
        for constraint in table.constraints:
            if constraint.name == name or (
                constraint is table.primary_key and name == f"{table.name}_pkey"
            ):
                columns = [self.preparer.quote(column.name) for column in constraint.columns]
                return f"({', '.join(columns)})"
        raise exc.CompileError(f"ON CONFLICT ON CONSTRAINT {name}: the model does not declare it")

    def visit_on_duplicate_key_update(self, on_duplicate: Any, **kw: Any) -> str:
        """Write MySQL's ON DUPLICATE KEY UPDATE: whatever unique key is met."""
        table = self.current_executable.table
        terms = []
        for key, value in on_duplicate.update.items():
            name = getattr(key, "key", key)
            column = table.c[name]
            clause = value
            if not isinstance(value, elements.ClauseElement):
                clause = elements.BindParameter(None, value, type_=column.type)
            replaced = _to_excluded(clause, on_duplicate.inserted_alias, self.preparer)
            text = self.process(replaced.self_group(), use_schema=False)
            terms.append(f"{self.preparer.quote(column.name)} = {text}")
        return f"ON CONFLICT DO UPDATE SET {', '.join(terms)}"


def _chain(first: Any, second: Any) -> Any:
    return first if second is None else lambda value: second(first(value))


class _Rendered(elements.TextClause):
    """Text that is rendered already and holds no parameters of its own."""

    def __init__(self, text: str) -> None:
        super().__init__(text.replace(":", "\\:"))


def _is_label(clause: Any) -> bool:
    return isinstance(clause, elements.Label)


def _read_members(clause: Any) -> list[str]:
    """Return the values of an enumeration in their declared order, by which servers sort it."""
    kind = getattr(clause, "type", None)
    kind = getattr(kind, "impl", kind) if isinstance(kind, sqltypes.TypeDecorator) else kind
    if isinstance(clause, elements.ColumnElement) and isinstance(kind, sqltypes.Enum):
        return list(kind.enums)
    return []


def _is_never_null(clause: Any) -> bool:
    return getattr(clause, "nullable", True) is False or getattr(clause, "primary_key", False)


def _to_excluded(value: Any, inserted: Any, preparer: Any) -> Any:
    """Return an expression with MySQL's VALUES(column) as SQLite's excluded.column."""
    from sqlalchemy.sql import visitors

    def replace(element: Any, **_kw: Any) -> Any:
        if isinstance(element, elements.ColumnClause) and element.table is inserted:
            return elements.literal_column(f"excluded.{preparer.quote(element.name)}")
        if getattr(element, "name", "") == "values" and hasattr(element, "clauses"):
            column = next(iter(element.clauses))
            return elements.literal_column(f"excluded.{preparer.quote(column.name)}")
        return None

    return visitors.replacement_traverse(value, {}, replace)
