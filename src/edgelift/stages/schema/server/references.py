"""Names in an expression: which table and column each means, and its name at the target."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from edgelift.stages.schema.server.scope import Scope, UnconvertibleError

Node = exp.Expr

_CARRIES = (
    exp.Select,
    exp.Alias,
    exp.Count,
    exp.Group,
    exp.Coalesce,
    exp.Ordered,
    exp.Max,
    exp.Min,
)
# What is known of a column or table, kept in node.meta.
_NAME, KIND, _TARGET = "edgelift_name", "edgelift_kind", "edgelift_target"


def resolve_columns(tree: Node, scope: Scope) -> None:
    """Mark every column of a known table with its new name and kind.

    A column whose values have another form may be shown, counted and joined, but not calculated.
    """
    relations = {
        table.alias_or_name: found
        for table in tree.find_all(exp.Table)
        if (found := scope.find_relation(table.db, table.name)) is not None
    }
    for column in tree.find_all(exp.Column):
        if column.table:
            found = relations.get(column.table)
            candidates = [found] if found else []
        else:
            candidates = [r for r in relations.values() if column.name in r.columns]
        if len(candidates) != 1:
            continue
        known = candidates[0]
        if column.name in known.opaque and not _is_carried(column):
            raise UnconvertibleError(
                f"it reads {column.sql()}, whose values have another form here"
            )
        name = known.columns.get(column.name, column.name)
        column.meta[_NAME] = name
        column.meta[KIND] = known.kinds.get(name, "")


def _is_carried(column: Node) -> bool:
    parent = column.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, exp.EQ):
        return all(
            isinstance(strip_parens(side), exp.Column) for side in (parent.this, parent.expression)
        )
    return isinstance(parent, _CARRIES) or _is_null_test(column)


def bare_target(tree: Node, written: Node) -> None:
    """Mark the table that a statement changes, and its columns: a trigger takes no alias there."""
    name = written.alias_or_name
    if any(t is not written and t.alias_or_name == name for t in tree.find_all(exp.Table)):
        return  # what is meant by the name depends on the place
    written.meta[_TARGET] = True
    for column in tree.find_all(exp.Column):
        if column.table == name:
            column.meta[_TARGET] = written.copy()


def strip_parens(node: Any) -> Any:
    """Return what stands inside parentheses."""
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def name_column(node: Node, scope: Scope) -> Node:
    """Return a column under its name at the target; refuses values that have another form."""
    assert isinstance(node, exp.Column)
    if node.name in scope.opaque and not _is_null_test(node):
        raise UnconvertibleError(f"it reads {node.name}, whose values have another form here")
    name = node.meta.get(_NAME) or scope.columns.get(node.name, node.name)
    quoted = exp.to_identifier(name, quoted=True)
    table = exp.to_identifier(_name_owner(node, scope), quoted=True) if node.table else None
    if isinstance(node.this, exp.Star):
        return node
    new = exp.Column(this=quoted, table=table)
    new.meta.update(node.meta)
    return new


def _name_owner(column: exp.Column, scope: Scope) -> str:
    """Return the name before a column; that of a changed table is its name at the target."""
    target = column.meta.get(_TARGET)
    found = scope.find_table(target.db, _read_name(target, scope)) if target else None
    return found or column.table


def _is_null_test(node: Node) -> bool:
    parent = node.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    return isinstance(parent, exp.Is) and isinstance(parent.expression, exp.Null)


def name_table(node: Node, scope: Scope) -> Node:
    """Return a table under its name at the target; refuses what does not move."""
    if not isinstance(node, exp.Table) or not isinstance(node.this, exp.Identifier):
        raise UnconvertibleError("it reads from a function")
    name = _read_name(node, scope)
    found = scope.find_table(node.db, name)
    if found is None and (node.db or not _is_common(node)):
        written = f"{node.db}.{name}" if node.db else name
        raise UnconvertibleError(f"it reads {written}, which does not move")
    alias = node.args.get("alias")
    new = exp.Table(this=exp.to_identifier(found or node.name, quoted=True))
    if node.meta.get(_TARGET):
        return new
    if alias is not None:
        new.set("alias", alias)
    elif found is not None and found != node.name:
        new.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
    for name in ("joins", "laterals", "pivots"):
        if node.args.get(name):
            new.set(name, node.args[name])
    return new


def _read_name(table: exp.Table, scope: Scope) -> str:
    """Return a table's name as the origin understands it: PostgreSQL lowers what is not quoted."""
    lowers = scope.dialect == "postgres" and not table.this.args.get("quoted")
    return table.name.lower() if lowers else table.name


def _is_common(table: exp.Table) -> bool:
    """Return whether a WITH of the query gives the name."""
    return any(common.alias == table.name for common in table.root().find_all(exp.CTE))
