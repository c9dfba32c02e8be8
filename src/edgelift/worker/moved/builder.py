"""The typed walk over a statement: each part becomes one of SQLite's of the same meaning and kind.

Every class of expression that is understood has a rule; one without is refused, so nothing passes
that could mean something else. Rules are registered by operators.py, functions.py and casts.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlglot import exp

from edgelift.worker.moved.catalogue import Catalogue
from edgelift.worker.moved.constants import LITERAL, PARAMETER, Binding, Constant, Values
from edgelift.worker.moved.failures import ServerError, refuse
from edgelift.worker.moved.kinds import (
    BOOL,
    FLOAT8,
    INT4,
    INT8,
    INTEGERS,
    MOMENTS,
    NUMERIC,
    TEXT,
    UNKNOWN,
    Kind,
    category,
    write_kind,
)
from edgelift.worker.moved.lexing import is_large, read_mark
from edgelift.worker.moved.scopes import Scope

_ANY_MOMENT = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - what `now` means is not asked for
Node = Any  # sqlglot's classes keep their parts in dictionaries


class Typed(NamedTuple):
    """A part of a statement in SQLite's words, with its kind.

    A constant has no node before it is known as what it is read. `exact` is another node for a
    column of the result that is put together after SQLite (quotients), with its kind.
    """

    node: Node
    kind: Kind
    constant: Constant | None = None
    exact: tuple[Node, Kind] | None = None


Rule = Callable[["Builder", Node, Scope], Typed]
RULES: dict[type, Rule] = {}
# What MySQL says in its own way, asked first for its statements.
MYSQL_RULES: dict[type, Rule] = {}


def rule(*classes: type, rules: dict[type, Rule] = RULES) -> Callable[[Rule], Rule]:
    """Register a function as the rule of sqlglot's classes."""

    def register(function: Rule) -> Rule:
        rules.update(dict.fromkeys(classes, function))
        return function

    return register


class Builder:
    """What is gathered while a statement is translated.

    `literals` are the values of the statement at hand, None before the cut where they are not
    known; `looked` are those that the translation itself depends on.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        literals: Sequence[str | None],
        declared: Sequence[Kind],
        engine: str = "postgresql",
    ) -> None:
        self.catalogue = catalogue
        self.is_mysql = engine == "mysql"
        self.literals = literals
        self.parameters: dict[int, Kind] = {
            index: kind for index, kind in enumerate(declared) if kind != UNKNOWN
        }
        self.bindings: list[Binding] = []
        self.looked: set[int] = set()
        self.locks = False
        # Whether the translation tells of one session, and is of no use to others.
        self.is_private = False
        self.settings: dict[str, str] = {}
        self.replaces = False

    # Expressions

    def build(self, node: Node, scope: Scope) -> Typed:
        """Return an expression in SQLite's words; raises ServerError."""
        found = MYSQL_RULES.get(type(node)) if self.is_mysql else None
        found = found or RULES.get(type(node))
        if found is None:
            raise refuse(f"it uses {describe(node)}")
        return found(self, node, scope)

    def settle(self, typed: Typed, wanted: Kind | None = None, form: str = "") -> Node:
        """Return the node of a part; a constant is bound as `wanted`, or as what it is."""
        if typed.constant is None:
            return typed.node
        kind = wanted or (TEXT if typed.kind == UNKNOWN else typed.kind)
        return self.bind(typed.constant, kind, form)

    def bind(self, constant: Constant, kind: Kind, form: str = "", column: str = "") -> Node:
        """Return a place for a constant's value."""
        if constant.source == PARAMETER:
            declared = self.parameters.setdefault(constant.place, kind)
            constant = constant._replace(kind=declared)
        for _sign, span in constant.shifts:
            if span.source == PARAMETER:
                self.parameters.setdefault(span.place, Kind("interval", form="micros"))
        if self.is_mysql and kind.name == "bytea" and not form:
            form = "bytes"
        made = Binding(constant, kind, form, column)
        if (
            not self.is_mysql
            and constant.source == LITERAL
            and self.literals[constant.place] is not None
        ):
            # A literal that its place cannot take is told where the server's analysis meets it.
            made.read(Values(self.literals, (), (), _ANY_MOMENT))
        self.bindings.append(made)
        return exp.Placeholder(this=f"b{len(self.bindings) - 1}")

    def build_as(self, node: Node, scope: Scope, wanted: Kind, form: str = "") -> Node:
        """Return an expression of a kind that its place asks for."""
        typed = self.build(node, scope)
        return self.settle(self.coerce(typed, wanted), wanted, form)

    def coerce(self, typed: Typed, wanted: Kind) -> Typed:
        """Return a part as another kind where the server casts by itself; raises ServerError."""
        if typed.constant is not None:
            if typed.kind == UNKNOWN or category(typed.kind) == category(wanted):
                return typed._replace(kind=wanted)
            if is_null(typed):
                return typed._replace(kind=wanted)
        if typed.kind.name == "date" and wanted.name in MOMENTS and typed.constant is None:
            return Typed(join_text(typed.node, " 00:00:00.000000"), wanted)
        return typed

    def look(self, node: Node) -> str | None:
        """Return a literal's value that the translation depends on, None for other expressions."""
        index = find_literal(node)
        if index is None:
            return None
        return self._read_literal(index)

    def look_count(self, node: Node) -> int:
        """Return a whole number that the translation depends on, 0 for what is no literal."""
        value = self.look(node) or "0"
        if not value.lstrip("+-").isdigit():
            raise ServerError("22P02", f'invalid input syntax for type integer: "{value}"')
        return int(value)

    def look_word(self, text: str) -> str:
        """Return a word that may stand behind a mark: the unit of date_trunc('month', x)."""
        index = read_mark(text, is_text=True)
        if index is None:
            return text
        return self._read_literal(index)

    def _read_literal(self, index: int) -> str:
        self.looked.add(index)
        value = self.literals[index]
        if value is None:
            raise refuse("what it does depends on a value that is known at run time only")
        return value


def find_literal(node: Node) -> int | None:
    """Return the index of the literal that a node is, None for other expressions."""
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Literal):
        return None
    return read_mark(node.this, is_text=bool(node.args["is_string"]))


def is_null(typed: Typed) -> bool:
    """Return whether a part is NULL itself."""
    return isinstance(typed.node, exp.Null)


def describe(node: Node) -> str:
    """Return the name of an expression for people."""
    if isinstance(node, exp.Anonymous):
        return f"{str(node.this).lower()}()"
    if isinstance(node, exp.Func):
        return f"{node.sql_name().lower()}()"
    return type(node).__name__


def call(name: str, *arguments: Node) -> Node:
    """Return a call of SQLite's function of that name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def text(value: str) -> Node:
    """Return a text of the translation's own."""
    return exp.Literal.string(value)


def number(value: int) -> Node:
    """Return a number of the translation's own."""
    return exp.Literal.number(str(value)) if value >= 0 else exp.Neg(this=number(-value))


def wrap(node: Node) -> Node:
    """Return a node in parentheses unless it stands for itself."""
    plain = exp.Column | exp.Literal | exp.Placeholder | exp.Anonymous | exp.Paren | exp.Null
    return node if isinstance(node, plain) else exp.Paren(this=node)


def join_text(node: Node, ending: str) -> Node:
    """Return a node with a text behind it."""
    return exp.Paren(this=exp.DPipe(this=wrap(node), expression=text(ending)))


def case(*pairs: tuple[Node, Node], default: Node | None = None) -> Node:
    """Return a CASE of conditions and values."""
    return exp.Case(ifs=[exp.If(this=when, true=then) for when, then in pairs], default=default)


def cast(node: Node, kind: str) -> Node:
    """Return CAST(node AS kind) in SQLite's own types."""
    return exp.Cast(this=node, to=exp.DataType.build(kind, dialect="sqlite"))


def raw(sql: str, **nodes: Node) -> Node:
    """Return SQL of SQLite's as a node, with nodes at the places `{name}`."""
    written = {name: wrap(node).sql(dialect="sqlite") for name, node in nodes.items()}
    return exp.Paren(this=exp.Var(this=sql.format(**written)))


def raw_text(sql: str) -> Node:
    """Return SQL of SQLite's as a node."""
    return exp.Paren(this=exp.Var(this=sql))


def fold(identifier: Node) -> str:
    """Return a name as the server knows it: lower case unless it is quoted."""
    if identifier is None:
        return ""
    if isinstance(identifier, str):
        return identifier.lower()
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else name.lower()


def name_node(name: str) -> Node:
    """Return a quoted identifier."""
    return exp.Identifier(this=name, quoted=True)


def column_node(table: str, name: str) -> Node:
    """Return a column with its source."""
    return exp.Column(this=name_node(name), table=name_node(table) if table else None)


def fail_with(code: str, *words: str) -> Node:
    """Return what raises an error of the server where it is computed; reports.py reads it.

    json_extract is SQLite's one function whose error has a text of our own in it.
    """
    return call("json_extract", text("{}"), text(" ".join(("edgelift", code, *words))))


def table_of(name: str, function: Node) -> Node:
    """Return a function as a source of rows with a name."""
    return exp.Table(this=function, alias=exp.TableAlias(this=name_node(name)))


def no_operator(left: Kind, operator: str, right: Kind) -> ServerError:
    """Return the error of operands that do not fit."""
    return ServerError(
        "42883",
        f"operator does not exist: {write_kind(left)} {operator} {write_kind(right)}",
        H="No operator matches the given name and argument types. You might need to add explicit "
        "type casts.",
    )


# Constants, columns and the like


@rule(exp.Literal)
def _literal(builder: Builder, node: Node, _scope: Scope) -> Typed:
    is_text = bool(node.args["is_string"])
    index = read_mark(node.this, is_text=is_text)
    if index is None:  # of sqlglot's own making
        return Typed(node, TEXT if is_text else INT4)
    if is_text:
        return Typed(None, UNKNOWN, Constant(LITERAL, index, UNKNOWN))
    kind = INT8 if is_large(node.this) else INT4
    if "e" in node.this:
        kind = NUMERIC
    elif "." in node.this:
        kind = NUMERIC._replace(scale=len(node.this.partition(".")[2]))
    return Typed(None, kind, Constant(LITERAL, index, kind))


@rule(exp.Parameter)
def _parameter(builder: Builder, node: Node, _scope: Scope) -> Typed:
    index = int(node.this.this) - 1
    kind = builder.parameters.get(index, UNKNOWN)
    return Typed(None, kind, Constant(PARAMETER, index, kind))


@rule(exp.Null)
def _null(_builder: Builder, node: Node, _scope: Scope) -> Typed:
    return Typed(node, UNKNOWN)


@rule(exp.Boolean)
def _boolean(_builder: Builder, node: Node, _scope: Scope) -> Typed:
    return Typed(number(1 if node.this else 0), BOOL)


@rule(exp.Paren)
def _paren(builder: Builder, node: Node, scope: Scope) -> Typed:
    inner = builder.build(node.this, scope)
    if inner.constant is not None:
        return inner
    return inner._replace(node=exp.Paren(this=inner.node))


@rule(exp.Column)
def _column(builder: Builder, node: Node, scope: Scope) -> Typed:
    if isinstance(node.this, exp.Star):
        raise refuse("a star stands where a value is wanted")
    if node.args.get("catalog") is not None:
        raise refuse("a column is named with its database")
    table, name = fold(node.args.get("table")), fold(node.this)
    try:
        source, kind = scope.resolve(table, name)
    except ServerError as error:
        if not table and error.sqlstate == "42703" and name in _BARE_CALLS:
            return _BARE_CALLS[name](builder, node, scope)
        raise
    return Typed(column_node("" if source.bare else source.name, source.spell(name)), kind)


_BARE_CALLS: dict[str, Rule] = {}


def unify(builder: Builder, parts: Sequence[Typed]) -> tuple[list[Node], Kind]:
    """Return parts of one kind, as CASE, COALESCE and UNION want them."""
    known = [part.kind for part in parts if part.kind != UNKNOWN]
    kind = choose_kind(known)
    return [builder.settle(builder.coerce(part, kind), kind) for part in parts], kind


def choose_kind(kinds: Sequence[Kind]) -> Kind:
    """Return the kind that values of several kinds have together; raises ServerError."""
    if not kinds:
        return TEXT
    chosen = kinds[0]
    for kind in kinds[1:]:
        if category(kind) != category(chosen):
            raise ServerError(
                "42804", f"CASE types {write_kind(chosen)} and {write_kind(kind)} cannot be matched"
            )
        if category(kind) == "number":
            chosen = combine_numbers(chosen, kind)
        elif category(kind) == "moment" and _RANKS[kind.name] > _RANKS[chosen.name]:
            chosen = kind
        elif kind != chosen and category(kind) == "text":
            chosen = TEXT
    return chosen


_RANKS = {"date": 0, "timestamp": 1, "timestamptz": 2}
_NUMBER_RANKS = ("int2", "int4", "oid", "int8", "numeric", "float4", "float8")


def combine_numbers(left: Kind, right: Kind) -> Kind:
    """Return the kind of numbers of two kinds together; the places of numerics are the larger."""
    ranks = [_NUMBER_RANKS.index(kind.name) for kind in (left, right)]
    higher = left if ranks[0] >= ranks[1] else right
    if higher.name != "numeric":
        return FLOAT8 if higher.name == "float4" and left.name != right.name else Kind(higher.name)
    scales = [0 if kind.name in INTEGERS else kind.scale for kind in (left, right)]
    return NUMERIC if -1 in scales else NUMERIC._replace(scale=max(scales))
