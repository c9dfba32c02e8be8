"""Finds the environment variables that source code reads, their defaults, and which are secret."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from edgelift.model.inventory import EnvVariable
from edgelift.sources.source_code.files import SourceFile
from edgelift.sources.source_code.graph import CodeGraph, walk_with_function
from edgelift.sources.source_code.names import FunctionNode, Names

_READERS = frozenset(
    {"os.environ.get", "os.getenv", "os.environ.setdefault", "os.environ.pop", "decouple.config",
     "starlette.config.Config()", "environs.Env()", "environ.Env()"}
)  # fmt: skip
# environs and django-environ read through a method for each type: env.str("NAME").
_TYPED_READERS = ("environs.Env().", "environs.env.", "environ.Env().")
_SECRET = re.compile(
    r"(SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|PRIVATE|SIGNING|API_?KEY|_KEY$|^KEY$|DSN"
    r"|PWD$|PASS$|SALT)"
)
# Set by systems and servers, not by the app's owner.
_SURROUNDINGS = re.compile(
    r"^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|USER|USERNAME|SHELL|PWD|HOSTNAME|TERM|EDITOR|DISPLAY"
    r"|PYTHON.*|VIRTUAL_ENV|FLASK_(APP|ENV|DEBUG|RUN.*)|WERKZEUG_.*|GUNICORN_.*|DJANGO_SETTINGS_MODULE"
    r"|XDG_.*|CI|PYTEST_.*|SERVER_SOFTWARE|KUBERNETES_.*|DYNO)$"
)
_CREDENTIALS = re.compile(r"://[^/@\s:]*:[^/@\s]+@")


def is_secret(name: str, value: str | None = None) -> bool:
    """Return whether a variable must not be written down: by its name, or credentials in a URL."""
    return bool(_SECRET.search(name.upper()) or (value and _CREDENTIALS.search(value)))


def is_surroundings(name: str) -> bool:
    """Return whether a variable describes the machine or server rather than the app."""
    return bool(_SURROUNDINGS.match(name))


def read_variables(graph: CodeGraph) -> list[EnvVariable]:
    """Return the variables that the graph's files read, by name, each at its first place.

    A default that is no literal is None; so is that of a variable the app cannot do without.
    """
    found: dict[str, EnvVariable] = {}
    for file in graph.files:
        for name, default, line in _read_file(graph.names, file):
            if not name or is_surroundings(name):
                continue
            known = found.get(name)
            if known is None or (known.default is None and default is not None):
                found[name] = EnvVariable(
                    name=name,
                    default=default,
                    secret=is_secret(name, default),
                    path=file.path,
                    line=line,
                )
    return [found[name] for name in sorted(found)]


def _read_file(names: Names, file: SourceFile) -> Iterator[tuple[str, str | None, int]]:
    for node, function in walk_with_function(file.tree):
        if isinstance(node, ast.Call):
            yield from _read_call(names, file, node, function)
        elif isinstance(node, ast.Subscript):
            if names.resolve(node.value, file.module, function) == "os.environ":
                yield _text(names.constant(node.slice, file.module, function)), None, node.lineno
        elif isinstance(node, ast.ClassDef) and any(
            names.resolve(base, file.module, function).endswith("BaseSettings")
            for base in node.bases
        ):
            yield from _read_settings_class(names, file, node)


def _read_call(
    names: Names, file: SourceFile, node: ast.Call, function: FunctionNode | None
) -> Iterator[tuple[str, str | None, int]]:
    if not node.args:
        return
    target = names.resolve(node.func, file.module, function)
    if target not in _READERS and not target.startswith(_TYPED_READERS):
        return
    given = [k.value for k in node.keywords if k.arg == "default"]
    default = node.args[1] if len(node.args) > 1 else (given[0] if given else None)
    value = names.constant(default, file.module, function)
    yield (
        _text(names.constant(node.args[0], file.module, function)),
        None if value is None else _text(value),
        node.lineno,
    )


def _read_settings_class(
    names: Names, file: SourceFile, node: ast.ClassDef
) -> Iterator[tuple[str, str | None, int]]:
    """Yield the fields of a pydantic settings class: their names in upper case are variables."""
    prefix = ""
    for inner in ast.walk(node):
        if isinstance(inner, ast.keyword) and inner.arg == "env_prefix":
            prefix = _text(names.constant(inner.value, file.module))
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if statement.target.id == "model_config":
                continue
            value = names.constant(statement.value, file.module)
            name = f"{prefix}{statement.target.id}".upper()
            yield name, None if value is None else _text(value), statement.lineno


def _text(value: object) -> str:
    return value if isinstance(value, str) else ("" if value is None else str(value))
