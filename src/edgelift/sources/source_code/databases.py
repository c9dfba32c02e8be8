"""Finds the databases an app uses, from its import and from its source, and what sets their URL."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from edgelift.model.inventory import DatabaseUse, EnvVariable
from edgelift.model.server_url import find_engine
from edgelift.project import list_files
from edgelift.sources.probe import Probe
from edgelift.sources.source_code.files import read_imports
from edgelift.sources.source_code.graph import CodeGraph, iter_calls_with_function
from edgelift.sources.source_code.names import FunctionNode
from edgelift.sources.source_code.url_parts import compose_url

_CONNECTS = frozenset(
    {"sqlite3.connect", "sqlite3.dbapi2.connect", "aiosqlite.connect", "apsw.Connection",
     "peewee.SqliteDatabase", "playhouse.sqlite_ext.SqliteExtDatabase", "dataset.connect",
     "sqlalchemy.create_engine", "sqlalchemy.ext.asyncio.create_async_engine",
     "sqlmodel.create_engine", "databases.Database"}
)  # fmt: skip
_SQLITE_MODULES = {"sqlite3", "aiosqlite", "peewee", "sqlalchemy", "flask_sqlalchemy"}
_DATABASE_NAME = re.compile(r"(DATABASE|SQLALCHEMY|SQLITE|(^|_)DB(_|$)|_DB$)")
_FILE_SUFFIX = re.compile(r"\.(db3?|sqlite3?)$", re.IGNORECASE)
_MAGIC = b"SQLite format 3\0"
_MEMORY = frozenset({"sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite://"})


def find_databases(
    root: Path, graph: CodeGraph, probe: Probe | None, variables: Sequence[EnvVariable]
) -> list[DatabaseUse]:
    """Return the databases the app uses, the most certain first: imported, then read in source.

    URLs hold no credentials; a SQLite path inside the project is relative to it. SQLite files in
    the project count when the source uses SQLite and names no file that could be found.
    """
    found: dict[str, DatabaseUse] = {}
    told = _from_variables([*variables, *_probed(probe)])
    for use in [*_from_probe(probe), *_from_source(root, graph, probe), *told]:
        key = _key(use.url)
        if key and key not in found:
            found[key] = use
    if not found and _uses_sqlite(graph):
        found = {file: DatabaseUse(name="", url=f"sqlite:///{file}") for file in _by_header(root)}
    named = _name(found.values())
    return [_with_variable(use, [*variables, *_probed(probe)]) for use in named]


def _key(url: str) -> str:
    """Return what makes two URLs the same database; "" for one in memory."""
    scheme, _, rest = url.partition("://")
    if url in _MEMORY or ":memory:" in url or "mode=memory" in url:
        return ""
    plain = rest.partition("?")[0]
    if not scheme.startswith("sqlite"):
        plain = plain.rpartition("@")[2]
    return plain if scheme.startswith("sqlite") else f"{scheme.partition('+')[0]}://{plain}"


def _from_probe(probe: Probe | None) -> Iterator[DatabaseUse]:
    if probe is None:
        return
    for engine in probe.engines:
        yield DatabaseUse(name="", url=engine.url, path=engine.path, line=engine.line)
    for database in probe.django:
        yield DatabaseUse(name=database.name, url=database.url)
    for opened in probe.databases:
        url = f"sqlite:///{opened.database}"
        yield DatabaseUse(name="", url=url, path=opened.path, line=opened.line)


def _from_variables(variables: Iterable[EnvVariable]) -> Iterator[DatabaseUse]:
    """Yield the servers whose URLs the app reads from variables, however it takes them apart."""
    for variable in variables:
        url = os.environ.get(variable.name) or variable.default or ""
        if find_engine(url) is not None:
            shown = re.sub(r"://[^/@\s]*@", "://", url)
            yield DatabaseUse(
                name="", url=shown, env=variable.name, path=variable.path, line=variable.line
            )


def _from_source(root: Path, graph: CodeGraph, probe: Probe | None) -> Iterator[DatabaseUse]:
    for file in graph.files:
        for call, function in iter_calls_with_function(file.tree):
            if graph.names.resolve(call.func, file.module, function) not in _CONNECTS:
                continue
            given = [k.value for k in call.keywords if k.arg in {"database", "url"}]
            argument = call.args[0] if call.args else (given[0] if given else None)
            text = _read_argument(graph, argument, (file.module, function), probe)
            url = _to_url(root, text)
            if url:
                yield DatabaseUse(name="", url=url, path=file.path, line=call.lineno)


def _read_argument(
    graph: CodeGraph,
    node: ast.expr | None,
    place: tuple[str, FunctionNode | None],
    probe: Probe | None,
) -> str:
    """Return the text of a connect argument: a literal, else what the import left in that name."""
    module, function = place
    value = graph.names.constant(node, module, function)
    if isinstance(value, str):
        return value
    settings = {(s.module, s.name): s.value for s in (probe.settings if probe else ())}
    if isinstance(node, ast.Name | ast.Attribute):
        owner, _, name = graph.names.resolve(node, module, function).rpartition(".")
        own = node.id if isinstance(node, ast.Name) else node.attr
        return settings.get((owner, name)) or settings.get((module, own)) or ""
    if isinstance(node, ast.Subscript):
        key = graph.names.constant(node.slice, module, function)
        return settings.get(("", key), "") if isinstance(key, str) else ""
    if isinstance(node, ast.Call):
        texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
        last = next((t for t in reversed(texts) if isinstance(t, str)), "")
        return last if _FILE_SUFFIX.search(last) or "://" in last else ""
    return ""


def _to_url(root: Path, text: str) -> str:
    """Return a SQLite file's or another database's URL; a bare file name is looked for."""
    if not text or text == ":memory:":
        return ""
    if "://" in text:
        return re.sub(r"://[^/@\s]*@", "://", text)
    name = text.removeprefix("file:").partition("?")[0].removeprefix("./")
    if not Path(name).is_absolute() and not (root / name).exists():
        fits = [f for f in _by_header(root) if f.endswith(f"/{name}")]
        name = fits[0] if len(fits) == 1 else name
    return f"sqlite:///{name}"


def _uses_sqlite(graph: CodeGraph) -> bool:
    tops = {name.partition(".")[0] for file in graph.files for name in read_imports(file)}
    return bool(tops & _SQLITE_MODULES)


def _by_header(root: Path) -> list[str]:
    found = []
    for file in list_files(root):
        try:
            with file.open("rb") as handle:
                if handle.read(len(_MAGIC)) == _MAGIC:
                    found.append(file.relative_to(root).as_posix())
        except OSError:
            continue
    return found


def _name(uses: Iterable[DatabaseUse]) -> list[DatabaseUse]:
    """Give each database a name: `main` first, then that of its file or server database."""
    taken: set[str] = set()
    named = []
    for use in uses:
        plain = use.url.partition("?")[0].rstrip("/")
        stem = re.sub(r"\W+", "_", PurePosixPath(plain).stem).strip("_").lower() or "database"
        wanted = use.name if use.name and use.name != "default" else ""
        name = wanted or (stem if taken else "main")
        while name in taken:
            name += "_2"
        taken.add(name)
        named.append(msgspec.structs.replace(use, name=name))
    return named


def _probed(probe: Probe | None) -> list[EnvVariable]:
    return [
        EnvVariable(name=seen.name, default=seen.default, path=seen.path, line=seen.line)
        for seen in (probe.env if probe else ())
    ]


def _with_variable(use: DatabaseUse, variables: Iterable[EnvVariable]) -> DatabaseUse:
    """Add the variable that sets the URL: one whose value or default fits, else one by name.

    The database is then written as the variable holds it, as a URL or as a plain path, since what
    runs the app on a copy sets the variable in the same form.
    """
    variables = list(variables)
    by_name = {
        variable.name
        for variable in variables
        if _DATABASE_NAME.search(variable.name) and not _is_told(variable)
    }
    for variable in variables:
        values = [os.environ.get(variable.name), variable.default]
        fitting = [value for value in values if value and _fits(use.url, value)]
        if fitting:
            is_url = "://" in fitting[0]
            url = use.url if is_url else use.url.removeprefix("sqlite:///")
            return msgspec.structs.replace(use, env=variable.name, url=url)
    if composed := compose_url(use.url, variables):
        return msgspec.structs.replace(use, url=composed)
    if len(by_name) == 1:
        return msgspec.structs.replace(use, env=by_name.pop())
    return use


def _is_told(variable: EnvVariable) -> bool:
    """Return whether a variable's value is known, and is neither a URL nor a file."""
    value = os.environ.get(variable.name) or variable.default or ""
    return bool(value) and "://" not in value and not _FILE_SUFFIX.search(value)


def _fits(url: str, value: str) -> bool:
    if "://" in value:
        plain = re.sub(r"://[^/@\s]*@", "://", value)
        tail = PurePosixPath(plain.partition("?")[0]).name
        same_scheme = (
            plain.partition(":")[0].partition("+")[0] == url.partition(":")[0].partition("+")[0]
        )
        return same_scheme and bool(tail) and url.partition("?")[0].endswith(tail)
    return bool(_FILE_SUFFIX.search(value)) and url.endswith(value.removeprefix("./"))
