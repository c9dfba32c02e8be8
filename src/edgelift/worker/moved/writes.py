"""Rules of INSERT, UPDATE and DELETE: columns take values as the server assigns them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    case,
    cast,
    column_node,
    fail_with,
    fold,
    is_null,
    name_node,
    number,
    wrap,
)
from edgelift.worker.moved.casts import convert, write_as_text
from edgelift.worker.moved.catalogue import Column, Table
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    FLOAT8,
    INTEGER_BITS,
    INTEGERS,
    UNKNOWN,
    Kind,
    category,
    write_kind,
)
from edgelift.worker.moved.operators import condition
from edgelift.worker.moved.queries import build_outputs, build_query, build_source
from edgelift.worker.moved.scopes import Columns, Scope, Source

Node = Any


class Write(NamedTuple):
    """A statement that writes: its node, the columns of RETURNING, and what errors need.

    `values` are the places of the values of a single row by column; `counted` tells how many rows
    take a number of the table's counter, -1 for as many as a query gives. `probe` asks whether an
    UPDATE has any row: MySQL reads the values only then.
    """

    node: Node
    columns: Columns | None
    table: Table
    values: dict[str, int]
    counted: int = 0
    upsert: bool = False
    listed: frozenset[str] = frozenset()
    probe: Node = None


def find_target(builder: Builder, node: Node) -> tuple[Table, str]:
    """Return the table that is written, and its name in the statement; raises ServerError."""
    schema, name = fold(node.args.get("db")), fold(node.this)
    table = builder.catalogue.find(schema, name)
    if table is None:
        written = f"{schema}.{name}" if schema else name
        raise ServerError("42P01", f'relation "{written}" does not exist')
    alias = node.args.get("alias")
    return table, fold(alias.this) if alias is not None else name


def _columns(table: Table) -> Columns:
    return tuple((column.name, column.kind) for column in table.columns)


def _find_column(table: Table, name: str) -> Column:
    column = table.find_column(name) or table.find_folded(name)
    if column is None:
        raise ServerError("42703", f'column "{name}" of relation "{table.origin}" does not exist')
    return column


def assign(builder: Builder, typed: Typed, column: Column) -> Node:
    """Return a value as a column takes it; raises ServerError where it would not."""
    kind = column.kind
    if is_null(typed):
        return typed.node
    fits = typed.kind == UNKNOWN or builder.is_mysql or _may_assign(typed.kind, kind)
    if not fits:
        raise ServerError(
            "42804",
            f'column "{column.name}" is of type {_name_of(kind)} but expression is of type '
            f"{_name_of(typed.kind)}",
            H="You will need to rewrite or cast the expression.",
        )
    if typed.constant is not None:
        form = "bytes" if builder.is_mysql and kind.name == "bytea" else "assign"
        return builder.bind(typed.constant, kind, form, column.name)
    if builder.is_mysql and category(kind) == "number" and category(typed.kind) == "text":
        typed = typed._replace(node=cast(typed.node, "REAL"), kind=FLOAT8)
    return _assign_computed(typed, kind)


def _name_of(kind: Kind) -> str:
    return kind.form if kind.labels else write_kind(kind)


def _may_assign(given: Kind, kind: Kind) -> bool:
    groups = category(given), category(kind)
    if kind.labels:
        return given.labels == kind.labels
    if groups[0] == groups[1] or groups[1] == "text":
        return not (given.labels and kind.name == "enum")
    return {given.name, kind.name} == {"json", "jsonb"}


def _assign_computed(typed: Typed, kind: Kind) -> Node:
    """Return a computed value as a column takes it, or what raises the server's refusal."""
    given, node = typed.kind, typed.node
    if kind.name in INTEGERS:
        node = node if given.name in INTEGERS else cast(call("round", wrap(node)), "INTEGER")
        return _check_integer(node, given, kind)
    if kind.name == "numeric" and kind.scale >= 0:
        if given.name not in INTEGERS and given.scale != kind.scale:
            node = call("round", node, number(kind.scale))
        return _check_numeric(node, given, kind)
    if category(kind) == "moment" and given.name != kind.name:
        return convert(typed, kind).node
    if category(kind) == "text" and not kind.labels:
        node = node if category(given) == "text" else write_as_text(node, given)
        return _check_text(node, given, kind)
    return node


def _check(node: Node, is_wrong: Node, failure: Node) -> Node:
    return case((is_wrong, failure), default=node)


def _check_integer(node: Node, given: Kind, kind: Kind) -> Node:
    bits = INTEGER_BITS.get(kind.name)
    if (isinstance(node, exp.Column) and given.name == kind.name) or bits in {None, 64}:
        return node
    assert bits is not None
    low, high = number(-(2 ** (bits - 1))), number(2 ** (bits - 1) - 1)
    outside = exp.Not(this=exp.Between(this=wrap(node.copy()), low=low, high=high))
    return _check(node, outside, fail_with("22003", write_kind(kind)))


def _check_numeric(node: Node, given: Kind, kind: Kind) -> Node:
    if isinstance(node, exp.Column) and given == kind:
        return node
    limit = number(10 ** (kind.precision - kind.scale))
    beyond = exp.GTE(this=call("abs", node.copy()), expression=limit)
    words = str(kind.precision), str(kind.scale)
    return _check(node, beyond, fail_with("overflow", *words))


def _check_text(node: Node, given: Kind, kind: Kind) -> Node:
    if kind.length < 0 or (0 <= given.length <= kind.length and given.name == kind.name):
        return node
    if kind.name == "bpchar":
        raise refuse("a computed value for a column of char(n)")
    long = exp.GT(this=call("length", call("rtrim", node.copy())), expression=number(kind.length))
    failure = fail_with("22001", write_kind(kind), str(kind.length))
    return _check(call("substr", node, number(1), number(kind.length)), long, failure)


# INSERT


def build_insert(builder: Builder, node: Node) -> Write:
    """Return an INSERT in SQLite's words; raises ServerError."""
    given = node.this
    target = given.this if isinstance(given, exp.Schema) else given
    table, shown = find_target(builder, target)
    names = [fold(one) for one in given.expressions] if isinstance(given, exp.Schema) else [
        column.name for column in table.columns if not column.generated
    ]  # fmt: skip
    columns = [_find_column(table, name) for name in names]
    made = exp.Insert()
    if node.args.get("ignore") or builder.replaces:
        made.set("alternative", "REPLACE" if builder.replaces else "IGNORE")
    ctes = node.args.get("with_")
    if ctes is not None:
        raise refuse("WITH before an INSERT")
    rows = 1
    values: dict[str, int] = {}
    source = node.expression
    if node.args.get("default") or source is None:
        columns = []
        made.set("default", True)
    elif isinstance(source, exp.Values):
        explicit = isinstance(given, exp.Schema)
        columns, made_rows, values = _build_rows(builder, source, columns, table, explicit=explicit)
        made.set("expression", made_rows)
        rows = len(source.expressions)
    else:
        query, columns = _build_selected(builder, source, columns)
        made.set("expression", query)
        rows = -1
    stored = exp.Table(this=name_node(table.name))
    if shown != table.name:
        stored.set("alias", exp.TableAlias(this=name_node(shown)))
    made.set("this", exp.Schema(this=stored, expressions=[name_node(c.name) for c in columns])
             if columns else stored)  # fmt: skip
    scope = Scope(None, [Source(shown, _columns(table), table, folds=table.folds)])
    if node.args.get("conflict") is not None:
        made.set("conflict", _build_conflict(builder, node.args["conflict"], scope, table))
    outputs = _build_returning(builder, node, table, shown, made)
    counts = table.counter and table.counter not in {column.name for column in columns}
    upsert = node.args.get("conflict") is not None
    if upsert and builder.is_mysql and table.counter and rows == 1 and outputs is None:
        # Which row it was: MySQL tells its number, be it inserted or updated.
        counter = exp.Column(this=name_node(table.counter))
        made.set("returning", exp.Returning(expressions=[counter]))
    listed = frozenset(column.name for column in columns)
    return Write(made, outputs, table, values, rows if counts else 0, upsert, listed)


def _is_default(node: Node) -> bool:
    return isinstance(node, exp.Var | exp.Column) and node.name.upper() == "DEFAULT"


def _build_rows(
    builder: Builder, source: Node, columns: list[Column], table: Table, *, explicit: bool
) -> tuple[list[Column], Node, dict[str, int]]:
    rows = [
        list(row.expressions) if isinstance(row, exp.Tuple) else [row] for row in source.expressions
    ]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        raise ServerError("42601", "VALUES lists must all be the same length")
    if width > len(columns):
        raise ServerError("42601", "INSERT has more expressions than target columns")
    if width < len(columns) and explicit:
        raise ServerError("42601", "INSERT has more target columns than expressions")
    columns = columns[:width]
    left_out = {i for i in range(width) if all(_is_default(row[i]) for row in rows)}
    if any(_is_default(row[i]) for row in rows for i in range(width) if i not in left_out):
        raise refuse("DEFAULT in some of several rows")
    kept = [(i, column) for i, column in enumerate(columns) if i not in left_out]
    values: dict[str, int] = {}
    made = []
    for row in rows:
        nodes = []
        for index, column in kept:
            if column.generated:
                raise ServerError(
                    "428C9", f'cannot insert a non-DEFAULT value into column "{column.name}"',
                    D=f'Column "{column.name}" is a generated column.',
                )  # fmt: skip
            node = assign(builder, builder.build(row[index], Scope()), column)
            if isinstance(node, exp.Placeholder) and len(rows) == 1:
                values[column.name] = int(node.name[1:])
            nodes.append(node)
        made.append(exp.Tuple(expressions=nodes))
    del table
    return [column for _index, column in kept], exp.Values(expressions=made), values


def _build_selected(
    builder: Builder, source: Node, columns: list[Column]
) -> tuple[Node, list[Column]]:
    query, outputs = build_query(builder, source, None, wanted=[c.kind for c in columns])
    if len(outputs) > len(columns):
        raise ServerError("42601", "INSERT has more expressions than target columns")
    columns = columns[: len(outputs)]
    if isinstance(query, exp.Select):
        for place, ((_name, kind), column) in enumerate(zip(outputs, columns, strict=True)):
            picked = query.expressions[place]
            inner = picked.this if isinstance(picked, exp.Alias) else picked
            assigned = assign(builder, Typed(inner, kind), column)
            if isinstance(picked, exp.Alias):
                picked.set("this", assigned)
        if query.args.get("where") is None and query.args.get("from_") is not None:
            query.set("where", exp.Where(this=number(1)))  # SQLite takes ON CONFLICT for a join's
    return query, columns


def _build_conflict(builder: Builder, node: Node, scope: Scope, table: Table) -> Node:
    keys = [fold(key.this.this if isinstance(key, exp.Ordered) else key.this)
            for key in node.args.get("conflict_keys") or ()]  # fmt: skip
    constraint = node.args.get("constraint")
    if constraint is not None:
        name = fold(constraint)
        found = next((key for key in table.keys if key.name == name), None)
        if found is None:
            raise ServerError(
                "42704", f'constraint "{name}" for table "{table.origin}" does not exist'
            )
        keys = list(found.columns)
    made = exp.OnConflict(conflict_keys=[name_node(key) for key in keys])
    predicate = node.args.get("index_predicate")
    if predicate is not None:
        inner = predicate.this if isinstance(predicate, exp.Where) else predicate
        made.set("index_predicate", condition(builder, inner, scope))
    if node.args.get("duplicate"):
        _read_values(node)
    elif "UPDATE" not in str(node.args.get("action")):
        made.set("action", exp.var("DO NOTHING"))
        return made
    if not keys and not node.args.get("duplicate"):
        raise ServerError(
            "42601", "ON CONFLICT DO UPDATE requires inference specification or constraint name"
        )
    inner_scope = Scope(
        None,
        [
            *scope.sources,
            Source("excluded", _columns(table), table, hidden=True, folds=table.folds),
        ],
    )
    made.set("action", exp.var("DO UPDATE"))
    made.set("expressions", _build_sets(builder, node.expressions, inner_scope, table)[0])
    where = node.args.get("where")
    if where is not None:
        made.set("where", exp.Where(this=condition(builder, where.this, inner_scope)))
    if node.args.get("duplicate"):
        _leave_unchanged(made, made.expressions, scope.sources[0].name)
    return made


def _read_values(node: Node) -> None:
    """Let MySQL's VALUES(column) be the row that was refused."""
    for called in list(node.find_all(exp.Anonymous)):
        if called.name.upper() == "VALUES" and len(called.expressions) == 1:
            name = called.expressions[0].name
            called.replace(exp.Column(this=name_node(name), table=name_node("excluded")))


def _build_sets(
    builder: Builder, nodes: list[Node], scope: Scope, table: Table
) -> tuple[list[Node], dict[str, int]]:
    made = []
    places: dict[str, int] = {}
    for node in nodes:
        for left, right in _flatten(node):
            column = _find_column(table, fold(left.this))
            if _is_default(right):
                raise refuse("SET column = DEFAULT")
            value = assign(builder, builder.build(right, scope), column)
            if isinstance(value, exp.Placeholder):
                places[column.name] = int(value.name[1:])
            made.append(exp.EQ(this=exp.Column(this=name_node(column.name)), expression=value))
    return made, places


def _flatten(node: Node) -> list[tuple[Node, Node]]:
    left, right = node.this, node.expression
    if not isinstance(left, exp.Tuple):
        return [(left, right)]
    if not isinstance(right, exp.Tuple):
        raise refuse("SET of several columns by a query")
    return list(zip(left.expressions, right.expressions, strict=True))


def _build_returning(
    builder: Builder, node: Node, table: Table, shown: str, made: Node
) -> Columns | None:
    returning = node.args.get("returning")
    if returning is None:
        return None
    scope = Scope(None, [Source(shown, _columns(table), table, bare=True, folds=table.folds)])
    outputs = build_outputs(builder, returning.expressions, scope)
    made.set("returning", exp.Returning(expressions=[output.node for output in outputs]))
    return tuple((output.name, output.kind) for output in outputs)


# UPDATE and DELETE


def build_update(builder: Builder, node: Node) -> Write:
    """Return an UPDATE in SQLite's words; raises ServerError."""
    if node.args.get("with_") is not None:
        raise refuse("WITH before an UPDATE")
    table, shown = find_target(builder, node.this)
    scope = Scope(None, [Source(shown, _columns(table), table, folds=table.folds)])
    made = exp.Update(this=_target_node(table, shown))
    _add_from(builder, node.args.get("from_"), scope, made)
    where = node.args.get("where")
    if where is not None:
        made.set("where", exp.Where(this=condition(builder, where.this, scope)))
    outputs = _build_returning(builder, node, table, shown, made)
    sets, places = _build_sets(builder, node.expressions, scope, table)
    made.set("expressions", sets)
    probe = None
    if builder.is_mysql:
        probe = exp.Select(
            expressions=[number(1)],
            from_=exp.From(this=made.this.copy()),
            where=made.args["where"].copy() if made.args.get("where") is not None else None,
            limit=exp.Limit(expression=number(1)),
        )
        if node.args.get("order") or node.args.get("limit") or node.this.args.get("joins"):
            raise refuse("UPDATE with a join, ORDER BY or LIMIT")
        if not builder.settings.get("counts_found"):
            _leave_unchanged(made, sets, shown)
    return Write(made, outputs, table, places, probe=probe)


def _leave_unchanged(made: Node, sets: list[Node], shown: str) -> None:
    """Touch only rows that the values change: MySQL counts no others."""
    changes = []
    for one in sets:
        old = exp.Collate(this=column_node(shown, one.this.name), expression=exp.var("BINARY"))
        same = exp.Is(this=old, expression=wrap(one.expression.copy()))
        changes.append(exp.Not(this=exp.Paren(this=same)))
    where = made.args.get("where")
    test = exp.Paren(this=exp.or_(*changes))
    made.set("where", exp.Where(this=exp.and_(where.this, test) if where is not None else test))


def _target_node(table: Table, shown: str) -> Node:
    return exp.Table(this=name_node(table.name), alias=exp.TableAlias(this=name_node(shown)))


def _add_from(builder: Builder, given: Node, scope: Scope, made: Node) -> None:
    if given is None:
        return
    joins = given.this.args.get("joins") or ()
    if joins:
        raise refuse("joins in the FROM of an UPDATE")
    made.set("from_", exp.From(this=build_source(builder, given.this, scope)))


def build_delete(builder: Builder, node: Node) -> Write:
    """Return a DELETE in SQLite's words; USING becomes EXISTS. Raises ServerError."""
    if node.args.get("with_") is not None:
        raise refuse("WITH before a DELETE")
    table, shown = find_target(builder, node.this)
    if node.args.get("order") or node.args.get("limit") or node.args.get("tables"):
        raise refuse("DELETE with a join, ORDER BY or LIMIT")
    scope = Scope(None, [Source(shown, _columns(table), table, folds=table.folds)])
    made = exp.Delete(this=_target_node(table, shown))
    using = node.args.get("using") or ()
    sources = [build_source(builder, one, scope) for one in using]
    where = node.args.get("where")
    test = condition(builder, where.this, scope) if where is not None else None
    if sources:
        inner = exp.select(number(1)).from_(sources[0])
        for source in sources[1:]:
            inner = inner.join(source, join_type="cross")
        test = exp.Exists(this=inner.where(test) if test is not None else inner)
    if test is not None:
        made.set("where", exp.Where(this=test))
    outputs = _build_returning(builder, node, table, shown, made)
    return Write(made, outputs, table, {})
