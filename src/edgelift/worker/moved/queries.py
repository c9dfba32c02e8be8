"""Rules of queries: sources, joins, results with names and kinds, order, limits, set operations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp

from edgelift.worker.moved.builder import (
    Builder,
    Typed,
    call,
    column_node,
    fail_with,
    find_literal,
    fold,
    name_node,
    number,
    raw,
    table_of,
    unify,
    wrap,
)
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import INTEGER_BITS, TEXT, UNKNOWN, Kind, write_kind
from edgelift.worker.moved.naming import name_output
from edgelift.worker.moved.operators import condition, rank
from edgelift.worker.moved.scopes import Columns, Scope, Source

Node = Any
AS_WRITTEN = "\ue001"  # stands for the text of an expression, which is MySQL's name for it
_SETS = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}
_CATALOGUES = frozenset({"pg_catalog", "information_schema", "mysql", "performance_schema", "sys"})


class Output:
    """A column of a result: its name, what it is, and what ORDER BY takes for it."""

    def __init__(self, name: str, typed: Typed, node: Node, alias: str) -> None:
        self.name, self.typed, self.node, self.alias = name, typed, node, alias
        self.kind = typed.exact[1] if typed.exact else typed.kind


def build_query(
    builder: Builder,
    node: Node,
    parent: Scope | None,
    *,
    top: bool = False,
    wanted: Sequence[Kind] = (),
) -> tuple[Node, Columns]:
    """Return a query in SQLite's words, and its columns; raises ServerError.

    The columns of a `top` query may be put together after SQLite; values of no type are read as
    the kinds that are `wanted`.
    """
    while isinstance(node, exp.Subquery) and not node.args.get("alias"):
        node = node.this
    scope = Scope(parent, wanted=tuple(wanted))
    ctes = _build_ctes(builder, node, scope)
    if isinstance(node, exp.Select):
        made, columns = _build_select(builder, node, scope, top=top)
    elif type(node) in _SETS:
        made, columns = _build_set(builder, node, scope)
    elif isinstance(node, exp.Values):
        made, columns = build_values(builder, node, scope)
    else:
        raise refuse(f"a query of the form {type(node).__name__}")
    if ctes is not None:
        made.set("with_", ctes)
    return made, columns


def _build_ctes(builder: Builder, node: Node, scope: Scope) -> Node | None:
    given = node.args.get("with_")
    if given is None:
        return None
    made = []
    for cte in given.expressions:
        name = fold(cte.args["alias"].this)
        names = [fold(one) for one in cte.args["alias"].args.get("columns") or ()]
        if isinstance(cte.this, exp.Insert | exp.Update | exp.Delete):
            raise refuse("WITH of a statement that writes")
        if given.args.get("recursive") and isinstance(cte.this, exp.Union):
            engine = "mysql" if builder.is_mysql else "postgresql"
            first = Builder(builder.catalogue, builder.literals, (), engine)
            first.parameters = builder.parameters
            _node, columns = build_query(first, cte.this.this, scope)
            builder.looked |= first.looked
            scope.ctes[name] = _rename(columns, names)
        query, columns = build_query(builder, cte.this, scope)
        columns = _rename(columns, names)
        scope.ctes[name] = columns
        alias = exp.TableAlias(
            this=name_node(name), columns=[name_node(column) for column, _kind in columns]
        )
        made.append(exp.CTE(this=query, alias=alias))
    return exp.With(expressions=made, recursive=given.args.get("recursive"))


def _rename(columns: Columns, names: list[str]) -> Columns:
    return tuple(
        (names[index] if index < len(names) else name, kind)
        for index, (name, kind) in enumerate(columns)
    )


# SELECT


def _build_select(builder: Builder, node: Node, scope: Scope, *, top: bool) -> tuple[Node, Columns]:
    made = exp.Select()
    build_sources(builder, node, scope, made)
    for part in ("laterals", "pivots", "qualify", "into", "match", "connect", "sample", "kind"):
        if node.args.get(part):
            raise refuse(f"SELECT with {part}")
    outputs = build_outputs(builder, node.expressions, scope, exact=top)
    where = node.args.get("where")
    if where is not None:
        made.set("where", exp.Where(this=condition(builder, where.this, scope)))
    windows = [_build_window(builder, one, scope) for one in node.args.get("windows") or ()]
    if windows:
        made.set("windows", windows)
    made.set("expressions", [output.node for output in outputs])
    _build_groups(builder, node, scope, made, outputs)
    distinct = node.args.get("distinct")
    chosen = distinct.args.get("on") if distinct is not None else None
    if distinct is not None and chosen is None:
        made.set("distinct", exp.Distinct())
    if node.args.get("locks"):
        builder.locks = True
    build_order(builder, node, scope, made, outputs)
    if chosen is not None:
        keys = [_build_group(builder, one, scope, outputs) for one in _items(chosen)]
        made = _pick_first(made, outputs, keys)
    build_limits(builder, node, scope, made)
    return made, tuple((output.name, output.kind) for output in outputs)


def _pick_first(made: Node, outputs: list[Output], keys: list[Node]) -> Node:
    """Return DISTINCT ON: of the rows with equal keys the first in the order of the query."""
    order = made.args.get("order")
    terms = order.expressions if order is not None else []
    window = exp.Window(
        this=exp.RowNumber(), partition_by=keys,
        order=exp.Order(expressions=[term.copy() for term in terms]) if terms else None,
    )  # fmt: skip
    inner = [exp.alias_(one.node.this, f"c{n}", quoted=True) for n, one in enumerate(outputs)]
    inner += [exp.alias_(term.this.copy(), f"o{n}", quoted=True) for n, term in enumerate(terms)]
    made.set("expressions", [*inner, exp.alias_(window, "r", quoted=True)])
    made.set("order", None)
    source = exp.Subquery(this=made, alias=exp.TableAlias(this=name_node("d")))
    shown = [
        exp.Alias(this=column_node("d", f"c{n}"), alias=name_node(one.name))
        for n, one in enumerate(outputs)
    ]
    first = exp.EQ(this=column_node("d", "r"), expression=number(1))
    outer = exp.Select(expressions=shown, from_=exp.From(this=source), where=exp.Where(this=first))
    if terms:
        outer.set("order", exp.Order(expressions=[
            exp.Ordered(this=column_node("d", f"o{n}"), desc=term.args.get("desc"),
                        nulls_first=term.args.get("nulls_first"))
            for n, term in enumerate(terms)
        ]))  # fmt: skip
    return outer


def build_sources(builder: Builder, node: Node, scope: Scope, made: Node) -> None:
    """Put FROM and the joins of a statement into the scope and into what is made."""
    given = node.args.get("from_")
    if given is None:
        return
    made.set("from_", exp.From(this=build_source(builder, given.this, scope)))
    joins = [*(given.this.args.get("joins") or ()), *(node.args.get("joins") or ())]
    built = [_build_join(builder, join, scope) for join in joins]
    if built:
        made.set("joins", built)


def build_source(builder: Builder, node: Node, scope: Scope) -> Node:
    """Return a source of rows in SQLite's words and put it into the scope; raises ServerError."""
    if isinstance(node, exp.Table):
        return _build_table(builder, node, scope)
    if isinstance(node, exp.Subquery):
        if node.args.get("alias") is None:
            raise refuse("parentheses around joins")
        query, columns = build_query(builder, node.this, scope.parent_of_sources())
        return _name_source(node, query, columns, scope)
    if isinstance(node, exp.Values):
        query, columns = build_values(builder, node, scope)
        return _name_source(node, query, columns, scope)
    if isinstance(node, exp.Unnest):
        query, columns = _build_unnest(builder, node, scope)
        return _name_source(node, query, columns, scope)
    raise refuse(f"a source of the form {type(node).__name__}")


def _name_source(node: Node, query: Node, columns: Columns, scope: Scope) -> Node:
    alias = node.args.get("alias")
    name = fold(alias.this) if alias is not None and alias.this is not None else "unnest"
    given = [fold(one) for one in (alias.args.get("columns") or ())] if alias is not None else []
    if isinstance(node, exp.Unnest) and not given and len(columns) == 1:
        given = [name]
    renamed = _rename(columns, given)
    scope.sources.append(Source(name, renamed))
    if [n for n, _ in columns] == [n for n, _ in renamed]:
        return exp.Subquery(this=query, alias=exp.TableAlias(this=name_node(name)))
    inner = f"{name}_"
    picked = [
        exp.alias_(column_node(inner, old), new, quoted=True)
        for (old, _kind), (new, _same) in zip(columns, renamed, strict=True)
    ]
    source = exp.Subquery(this=query, alias=exp.TableAlias(this=name_node(inner)))
    outer = exp.Select(expressions=picked, from_=exp.From(this=source))
    return exp.Subquery(this=outer, alias=exp.TableAlias(this=name_node(name)))


def _build_table(builder: Builder, node: Node, scope: Scope) -> Node:
    if not isinstance(node.this, exp.Identifier):
        raise refuse("a function as a source of rows")
    schema, name = fold(node.args.get("db")), fold(node.this)
    if schema in _CATALOGUES or (not schema and name.startswith("pg_")):
        raise refuse(f"it reads the server's own catalogue {schema or name}")
    alias = node.args.get("alias")
    shown = fold(alias.this) if alias is not None else name
    columns = scope.find_cte(name) if not schema else None
    table = None
    stored = name
    if columns is None:
        table = builder.catalogue.find(schema, name)
        if table is None:
            written = f"{schema}.{name}" if schema else name
            raise ServerError("42P01", f'relation "{written}" does not exist')
        stored = table.name
        columns = tuple((column.name, column.kind) for column in table.columns)
    if any(source.name == shown for source in scope.sources):
        raise ServerError("42712", f'table name "{shown}" specified more than once')
    folds = table is not None and table.folds
    scope.sources.append(Source(shown, columns, table, folds=folds))
    return exp.Table(this=name_node(stored), alias=exp.TableAlias(this=name_node(shown)))


def _build_join(builder: Builder, join: Node, scope: Scope) -> Node:
    if join.args.get("method"):
        raise refuse(f"a {join.args['method']} join")
    source = build_source(builder, join.this, scope)
    made = exp.Join(this=source, side=join.args.get("side"), kind=join.args.get("kind"))
    using = join.args.get("using")
    if using:
        names = [fold(one.this if isinstance(one, exp.Column) else one) for one in using]
        scope.sources[-1].merged = frozenset(names)
        made.set("using", [name_node(name) for name in names])
        if join.args.get("side") in {"RIGHT", "FULL"}:
            raise refuse("USING of a RIGHT or FULL join")
    if join.args.get("on") is not None:
        made.set("on", condition(builder, join.args["on"], scope))
    return made


def build_values(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Columns]:
    """Return VALUES as a query, and its columns."""
    rows = [[builder.build(item, scope) for item in _items(row)] for row in node.expressions]
    if len({len(row) for row in rows}) != 1:
        raise ServerError("42601", "VALUES lists must all be the same length")
    columns, built = [], []
    for index in range(len(rows[0])):
        nodes, kind = unify(builder, [row[index] for row in rows])
        columns.append((f"column{index + 1}", kind))
        built.append(nodes)
    tuples = [exp.Tuple(expressions=list(row)) for row in zip(*built, strict=True)]
    source = exp.Subquery(this=exp.Values(expressions=tuples))
    picked = [exp.alias_(column_node("", name), name, quoted=True) for name, _kind in columns]
    return exp.Select(expressions=picked, from_=exp.From(this=source)), tuple(columns)


def _items(row: Node) -> list[Node]:
    return list(row.expressions) if isinstance(row, exp.Tuple) else [row]


def _build_unnest(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Columns]:
    """Return the elements of arrays side by side, by json_each."""
    columns, made = [], exp.Select()
    for index, part in enumerate(node.expressions):
        typed = builder.build(part, scope)
        element = typed.kind.element
        if element is None:
            raise refuse("unnest of what is no array")
        source = table_of(f"e{index}", call("json_each", builder.settle(typed)))
        value = column_node(f"e{index}", "value")
        made = made.select(exp.alias_(value, f"c{index}", quoted=True), copy=False)
        if index:
            on = exp.EQ(this=column_node("e0", "key"), expression=column_node(f"e{index}", "key"))
            made = made.join(source, on=on, join_type="left", copy=False)
        else:
            made = made.from_(source, copy=False)
        columns.append((f"c{index}", element))
    return made, tuple(columns)


# What comes out


def build_outputs(
    builder: Builder, nodes: list[Node], scope: Scope, *, exact: bool = False
) -> list[Output]:
    """Return the columns of a result; stars become the columns that they stand for."""
    outputs: list[Output] = []
    for node in nodes:
        place = len(outputs)
        wanted = scope.wanted[place] if place < len(scope.wanted) else TEXT
        if isinstance(node, exp.Star):
            outputs += _expand(scope, None)
        elif isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            outputs += _expand(scope, fold(node.args.get("table")))
        else:
            outputs.append(_build_output(builder, node, scope, wanted, exact=exact))
    return outputs


def _build_output(
    builder: Builder, node: Node, scope: Scope, wanted: Kind, *, exact: bool
) -> Output:
    inner = node.this if isinstance(node, exp.Alias) else node
    typed = builder.build(inner, scope)
    if typed.kind == UNKNOWN:
        kind = UNKNOWN if builder.is_mysql and not typed.constant else wanted
        typed = builder.coerce(typed, kind) if typed.constant else typed._replace(kind=kind)
    plain = builder.settle(typed, None, "assign" if scope.wanted else "")
    if typed.constant is None and not builder.is_mysql and not scope.wanted:
        plain = _check_overflow(inner, typed.kind, plain)
    typed = typed._replace(node=plain, constant=None, exact=typed.exact if exact else None)
    shown = typed.exact[0] if typed.exact else plain
    if isinstance(node, exp.Alias):
        name = fold(node.args["alias"])
    elif builder.is_mysql and not isinstance(inner, exp.Column):
        name = AS_WRITTEN
    else:
        name = name_output(inner)
    alias = name if isinstance(node, exp.Alias) else ""
    made = exp.Alias(this=shown, alias=name_node(name))
    return Output(name, typed, made, alias)


def _check_overflow(source: Node, kind: Kind, node: Node) -> Node:
    """Return computed integers with the server's error for those that their type has not."""
    while isinstance(source, exp.Paren):
        source = source.this
    bits = INTEGER_BITS.get(kind.name, 64)
    if bits == 64 or not isinstance(source, exp.Add | exp.Sub | exp.Mul):
        return node
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    sql = f"CASE WHEN {{v}} NOT BETWEEN {low} AND {high} THEN {{e}} ELSE {{v}} END"
    return raw(sql, v=node, e=fail_with("22003", write_kind(kind)))


def _expand(scope: Scope, table: str | None) -> list[Output]:
    outputs = []
    sources = [scope.find_source(table)] if table is not None else scope.sources
    if not sources:
        raise ServerError("42601", "SELECT * with no tables specified is not valid")
    merged: list[str] = []
    if table is None:
        names = set().union(*(source.merged for source in sources))
        merged = [name for name, _kind in sources[0].columns if name in names]
    for name in merged:
        kind = sources[0].find(name)
        assert kind is not None
        outputs.append(_column_output(sources[0], name, kind))
    for source in sources:
        for name, kind in source.columns:
            if not (table is None and (name in merged or source.hidden)):
                outputs.append(_column_output(source, name, kind))
    return outputs


def _column_output(source: Source, name: str, kind: Kind) -> Output:
    node = column_node("" if source.bare else source.name, name)
    return Output(name, Typed(node, kind), exp.Alias(this=node, alias=name_node(name)), "")


# GROUP BY, ORDER BY, LIMIT


def _build_groups(
    builder: Builder, node: Node, scope: Scope, made: Node, outputs: list[Output]
) -> None:
    group = node.args.get("group")
    if group is not None:
        for part in ("grouping_sets", "cube", "rollup", "all"):
            if group.args.get(part):
                raise refuse(f"GROUP BY {part}")
        nodes = [_build_group(builder, one, scope, outputs) for one in group.expressions]
        made.set("group", exp.Group(expressions=nodes))
    having = node.args.get("having")
    if having is not None:
        made.set("having", exp.Having(this=condition(builder, having.this, scope)))


def _build_group(builder: Builder, node: Node, scope: Scope, outputs: list[Output]) -> Node:
    if find_literal(node) is not None:
        return _pick(builder, node, outputs).typed.node.copy()
    if isinstance(node, exp.Column) and not node.args.get("table"):
        name = fold(node.this)
        if scope.find_unqualified(name) is None:
            for output in outputs:
                if output.alias == name:
                    return output.typed.node.copy()
    return builder.settle(builder.build(node, scope))


def _pick(builder: Builder, node: Node, outputs: list[Output]) -> Output:
    position = builder.look_count(node)
    if not 1 <= position <= len(outputs):
        raise ServerError("42P10", f"ORDER BY position {position} is not in select list")
    return outputs[position - 1]


def build_order(
    builder: Builder, node: Node, scope: Scope, made: Node, outputs: list[Output]
) -> None:
    """Put ORDER BY into what is made: by results' names and places, or by expressions."""
    order = node.args.get("order")
    if order is not None:
        made.set("order", exp.Order(
            expressions=[_build_ordered(builder, one, scope, outputs) for one in order.expressions]
        ))  # fmt: skip


def _build_ordered(builder: Builder, node: Node, scope: Scope, outputs: list[Output]) -> Node:
    inner = node.this
    found: Output | None = None
    if find_literal(inner) is not None:
        found = _pick(builder, inner, outputs)
    elif isinstance(inner, exp.Column) and not inner.args.get("table"):
        name = fold(inner.this)
        found = next((output for output in outputs if output.alias == name), None)
    if found is not None:
        typed = found.typed
    else:
        typed = builder.build(inner, scope)
        typed = typed._replace(node=builder.settle(typed), constant=None)
    value = typed.node.copy()
    if typed.kind.labels:
        value = rank(value, typed.kind.labels)
    return exp.Ordered(
        this=wrap(value) if found is None else value,
        desc=node.args.get("desc"),
        nulls_first=node.args.get("nulls_first"),
    )


def build_window_order(builder: Builder, order: Node, scope: Scope) -> Node:
    """Return the ORDER BY of a window or an aggregate."""
    return exp.Order(
        expressions=[_build_ordered(builder, one, scope, []) for one in order.expressions]
    )


def _build_window(builder: Builder, node: Node, scope: Scope) -> Node:
    # Without quotes: SQLite's own name of a window keeps them.
    made = exp.Window(this=exp.Identifier(this=fold(node.this), quoted=False))
    fill_window(builder, node, scope, made)
    return made


def fill_window(builder: Builder, node: Node, scope: Scope, made: Node) -> None:
    """Put the parts of a window into what is made."""
    parts = node.args.get("partition_by")
    if parts:
        built = [builder.settle(builder.build(one, scope)) for one in parts]
        made.set("partition_by", built)
    if node.args.get("order") is not None:
        made.set("order", build_window_order(builder, node.args["order"], scope))
    if node.args.get("spec") is not None:
        spec = node.args["spec"].copy()
        for side in ("start", "end"):
            value = spec.args.get(side)
            if isinstance(value, exp.Literal):
                spec.set(side, number(builder.look_count(value)))
        made.set("spec", spec)


def build_limits(builder: Builder, node: Node, scope: Scope, made: Node) -> None:
    """Put LIMIT and OFFSET into what is made."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if isinstance(limit, exp.Fetch):
        if limit.args.get("limit_options") and limit.args["limit_options"].args.get("with_ties"):
            raise refuse("FETCH ... WITH TIES")
        wanted = limit.args.get("count")
    else:
        wanted = limit.expression if limit is not None else None
    if isinstance(wanted, exp.Null) or (isinstance(wanted, exp.Var) and wanted.name == "ALL"):
        wanted = None
    if wanted is not None or offset is not None:
        value = number(-1) if wanted is None else _bind_count(builder, wanted, scope, "limit")
        made.set("limit", exp.Limit(expression=value))
    if offset is not None:
        made.set(
            "offset",
            exp.Offset(expression=_bind_count(builder, offset.expression, scope, "offset")),
        )


def _bind_count(builder: Builder, node: Node, scope: Scope, form: str) -> Node:
    if isinstance(node, exp.Neg) and find_literal(node.this) is not None:
        code = "2201W" if form == "limit" else "2201X"
        raise ServerError(code, f"{form.upper()} must not be negative")
    typed = builder.build(node, scope)
    kind = Kind("int8")
    value = builder.settle(builder.coerce(typed, kind), kind, form)
    return call("coalesce", value, number(-1 if form == "limit" else 0))


# Set operations


def _build_set(builder: Builder, node: Node, scope: Scope) -> tuple[Node, Columns]:
    sides = [build_query(builder, side, scope) for side in (node.this, node.expression)]
    (left, columns), (right, others) = sides
    if len(columns) != len(others):
        raise ServerError(
            "42601", f"each {_SETS[type(node)]} query must have the same number of columns"
        )
    merged = tuple(
        (name, _merge(kind, other))
        for (name, kind), (_other, other) in zip(columns, others, strict=True)
    )
    for side in (left, right):
        if any(side.args.get(part) for part in ("order", "limit", "with_")):
            raise refuse("ORDER BY or LIMIT inside of a set operation")
    made = type(node)(this=left, expression=right, distinct=node.args.get("distinct"))
    outputs = [
        Output(name, Typed(column_node("", name), kind), None, name) for name, kind in merged
    ]
    order = node.args.get("order")
    if order is not None:
        places = [_build_ordered(builder, one, scope, outputs) for one in order.expressions]
        made.set("order", exp.Order(expressions=places))
    build_limits(builder, node, scope, made)
    return made, merged


def _merge(left: Kind, right: Kind) -> Kind:
    from edgelift.worker.moved.builder import choose_kind

    return choose_kind([left, right])
