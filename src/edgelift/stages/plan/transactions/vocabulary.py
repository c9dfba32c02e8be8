"""Reads the words of database code: which calls write, flush, commit, roll back, open a block.

Knows SQLAlchemy (sessions, connections, Flask-SQLAlchemy), sqlite3 and Django's atomic. What a
receiver is follows from its assignment or annotation, else from its name (`session`, `conn`, `db`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from enum import Enum, auto
from functools import cached_property

from edgelift.sources.source_code import Function
from edgelift.sources.source_code.names import FunctionNode
from edgelift.sources.source_code.view import CodeView


class Kind(Enum):
    """What a call does to a database."""

    ADD = auto()  # written at the next flush
    ADD_MANY = auto()
    WRITE = auto()
    WRITE_MANY = auto()
    READ = auto()  # a query, before which a session flushes
    FLUSH = auto()
    COMMIT = auto()
    ROLLBACK = auto()
    BEGIN = auto()
    LOCK = auto()
    SAVEPOINT = auto()


class Block(Enum):
    """What a `with` does: commits at its end and rolls back on an error, or a savepoint."""

    TRANSACTION = auto()
    SAVEPOINT = auto()


_SESSION_TYPES = (
    "SQLAlchemy().session", "sqlalchemy.orm.Session()", "sqlalchemy.orm.session.Session()",
    "sqlalchemy.orm.scoped_session()", "sqlalchemy.orm.sessionmaker()()", "AsyncSession()",
    "async_sessionmaker()()", "sqlmodel.Session()",
)  # fmt: skip
_CONNECTION_TYPES = (
    "sqlite3.connect()", "create_engine().connect()", "create_engine().begin()", "raw_connection()",
    ".cursor()", "SQLAlchemy().engine.connect()", "SQLAlchemy().engine.begin()", ".connection()",
    "django.db.connection",
)  # fmt: skip
_SESSION_NAMES = re.compile(r"(^|[._])(session|sess|dbsession)$", re.IGNORECASE)
_CONNECTION_NAMES = re.compile(
    r"(^|[._])(db|conn|connection|con|cur|cursor|database|tx|transaction)$"
    r"|(^|[._])(get_|open_|create_|make_)?(db|conn|connection|database|cursor|session)\(.*\)$",
    re.IGNORECASE,
)
_ANNOTATIONS = {"Session": "session", "AsyncSession": "session", "Connection": "connection",
                "Cursor": "connection"}  # fmt: skip
_SQL_WRITE = re.compile(r"\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
_SQL_WITH = re.compile(
    r"\s*WITH\b.*\)\s*(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE | re.DOTALL
)
_MAKES_WRITES = re.compile(r"(^|\.)(insert|update|delete|upsert)(\(\))?$")
_SESSION_ADDS = {"add": Kind.ADD, "delete": Kind.ADD, "merge": Kind.ADD, "add_all": Kind.ADD_MANY}
_SESSION_BULK = frozenset({"bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings"})
_ENDS = {"commit": Kind.COMMIT, "rollback": Kind.ROLLBACK, "flush": Kind.FLUSH}
_READS = frozenset({"scalars", "scalar", "query", "get_one", "refresh"})
_EXECUTES = frozenset({"execute", "executemany", "executescript", "exec_driver_sql", "exec",
                       "scalars", "scalar"})  # fmt: skip
_QUERY_WRITES = frozenset({"update", "delete"})


class Vocabulary:
    """Classifies calls and `with` items of one view."""

    def __init__(self, view: CodeView) -> None:
        self.view = view
        self.names = view.names

    def receiver(self, node: ast.expr, function: Function) -> str:
        """Return `session`, `connection` or "" for the object a method is called on."""
        resolved = self.names.resolve(node, function.file.module, function.node)
        if any(resolved.endswith(kind) for kind in _SESSION_TYPES):
            return "session"
        if any(resolved.endswith(kind) for kind in _CONNECTION_TYPES):
            return "connection"
        if resolved.startswith(("flask.", "redis.", "requests.", "httpx.")):
            return ""
        if isinstance(node, ast.Name):
            annotation = _annotation(function.node, node.id)
            if annotation in _ANNOTATIONS:
                return _ANNOTATIONS[annotation]
        text = ast.unparse(node)
        if _SESSION_NAMES.search(text):
            return "session"
        return "connection" if _CONNECTION_NAMES.search(text) else ""

    def classify(self, call: ast.Call, function: Function, given: Mapping[str, str]) -> Kind | None:
        """Return what a call does, None for one that does nothing to a database.

        `given` holds the texts that the caller passed for the function's parameters.
        """
        if not isinstance(call.func, ast.Attribute):
            return None
        method, owner = call.func.attr, call.func.value
        if method in _QUERY_WRITES and _is_query(owner):
            return Kind.WRITE
        kind = self.receiver(owner, function)
        if kind and method in _EXECUTES:
            return self._classify_execute(call, function, given, method)
        return _classify_method(call, method, kind) if kind else None

    def _classify_execute(
        self, call: ast.Call, function: Function, given: Mapping[str, str], method: str
    ) -> Kind:
        argument = call.args[0] if call.args else None
        text = self._read_sql(argument, function, given, frozenset())
        if text:
            return _classify_sql(text, many=method == "executescript")
        return Kind.WRITE if self._makes_write(argument, function) else Kind.READ

    def _read_sql(
        self,
        node: ast.expr | None,
        function: Function,
        given: Mapping[str, str],
        seen: frozenset[str],
    ) -> str:
        """Return the text an expression begins with; `seen` are the names that led to it."""
        if isinstance(node, ast.Call) and node.args:  # text("..."), "...".format(...)
            inner = node.func.value if isinstance(node.func, ast.Attribute) else node.args[0]
            if isinstance(node.func, ast.Attribute) and node.func.attr != "format":
                inner = node.args[0] if node.func.attr == "text" else inner
            return self._read_sql(inner, function, given, seen)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
            return self._read_sql(node.left, function, given, seen)
        if isinstance(node, ast.Name) and node.id in given:
            return given[node.id]
        if isinstance(node, ast.Name) and node.id not in seen:  # sql = sql.strip()
            bound = self.names.read_locals(function.node).get(node.id)
            if isinstance(bound, ast.Call | ast.BinOp):
                return self._read_sql(bound, function, given, seen | {node.id})
        value = self.names.constant(node, function.file.module, function.node) if node else None
        return value if isinstance(value, str) else ""

    def _makes_write(self, node: ast.expr | None, function: Function) -> bool:
        """Return whether an expression builds an insert, update or delete."""
        if isinstance(node, ast.Name):
            node = self.names.read_locals(function.node).get(node.id)
        if node is None or isinstance(node, ast.Name):
            return False
        return any(
            isinstance(inner, ast.Call)
            and _MAKES_WRITES.search(
                self.names.resolve(inner.func, function.file.module, function.node)
                or ast.unparse(inner.func)
            )
            for inner in ast.walk(node)
        )

    def block(self, node: ast.expr, function: Function) -> Block | None:
        """Return what a `with` on an expression does."""
        text = ast.unparse(node)
        target = node.func if isinstance(node, ast.Call) else node
        method = target.attr if isinstance(target, ast.Attribute) else ""
        if method == "begin_nested":
            return Block.SAVEPOINT
        resolved = self.names.resolve(node, function.file.module, function.node)
        if resolved.removesuffix("()") == "django.db.transaction.atomic":
            return Block.TRANSACTION
        if isinstance(target, ast.Attribute) and method in {"begin", "atomic", "transaction"}:
            owner = ast.unparse(target.value).lower()
            known = self.receiver(target.value, function)
            fits = known or any(word in owner for word in ("engine", "session", "db", "database"))
            return Block.TRANSACTION if fits else None
        # `with connection:` of sqlite3 commits or rolls back; it opens nothing.
        if not isinstance(node, ast.Call) and self.receiver(node, function) == "connection":
            return Block.TRANSACTION
        is_connect = resolved.endswith("sqlite3.connect()") or text.startswith("sqlite3.connect(")
        return Block.TRANSACTION if is_connect else None

    @cached_property
    def columns(self) -> frozenset[str]:
        """Return the names of all attributes that mapped classes of the project declare."""
        found: set[str] = set()
        for name, node in self.view.graph.classes.items():
            if self._is_model(name, node):
                for statement in node.body:
                    if isinstance(statement, ast.AnnAssign):
                        targets: list[ast.expr] = [statement.target]
                    else:
                        targets = statement.targets if isinstance(statement, ast.Assign) else []
                    found |= {t.id for t in targets if isinstance(t, ast.Name)}
        return frozenset(name for name in found if not name.startswith("__"))

    def _is_model(self, name: str, node: ast.ClassDef) -> bool:
        named = [t for s in node.body if isinstance(s, ast.Assign) for t in s.targets]
        if any(isinstance(t, ast.Name) and t.id == "__tablename__" for t in named):
            return True
        file = next((f for f in self.view.graph.files if name.startswith(f"{f.module}.")), None)
        if file is None:
            return False
        bases = [self.names.resolve(base, file.module) for base in node.bases]
        return any(b.endswith((".Model", "declarative_base()", ".DeclarativeBase")) for b in bases)


def _classify_method(call: ast.Call, method: str, kind: str) -> Kind | None:
    """Return what a method of a session or connection does that takes no statement."""
    if method in _SESSION_ADDS and (kind == "session" or method == "add"):
        return Kind.ADD_MANY if _adds_many(call, method) else Kind.ADD
    if method in _SESSION_BULK:
        return Kind.WRITE_MANY
    return Kind.READ if method in _READS and kind == "session" else _ENDS.get(method)


def _classify_sql(text: str, *, many: bool) -> Kind:
    words = text.split(None, 2)
    verb = words[0].upper().rstrip(";") if words else ""
    if verb == "BEGIN":
        locks = any(word.upper().rstrip(";") in {"IMMEDIATE", "EXCLUSIVE"} for word in words[1:])
        return Kind.LOCK if locks else Kind.BEGIN
    if verb == "ROLLBACK":
        return Kind.ROLLBACK
    simple = {"COMMIT": Kind.COMMIT, "END": Kind.COMMIT, "SAVEPOINT": Kind.SAVEPOINT}
    if verb in simple:
        return simple[verb]
    if many:
        return Kind.WRITE_MANY if len(re.findall(r";\s*\S", text)) else Kind.WRITE
    writes = _SQL_WRITE.match(text) or _SQL_WITH.match(text)
    return Kind.WRITE if writes else Kind.READ


def _annotation(function: FunctionNode, name: str) -> str:
    for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
        if argument.arg == name and argument.annotation is not None:
            return ast.unparse(argument.annotation).split("[")[0].rpartition(".")[2].strip("'\"")
    return ""


def _is_query(node: ast.expr) -> bool:
    """Return whether an expression is a query chain: `Model.query.filter(...)`, `s.query(X)...`."""
    return any(
        isinstance(inner, ast.Attribute) and inner.attr == "query" for inner in ast.walk(node)
    ) and isinstance(node, ast.Call | ast.Attribute)


def _adds_many(call: ast.Call, method: str) -> bool:
    if method != "add_all":
        return False
    argument = call.args[0] if call.args else None
    elements = argument.elts if isinstance(argument, ast.List | ast.Tuple) else None
    return elements is None or len(elements) > 1
