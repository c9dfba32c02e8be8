"""Rules about files: what a Worker writes to its file system is gone with the isolate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import REQUEST, CodeView, Site, read_keyword
from edgelift.stages.assess.settings_read import read_settings

WRITE = Rule(
    id="FS-WRITE",
    level=Level.ERROR,
    title="Writes a file while it serves",
    why="a Worker's files live in memory and are lost with the isolate, unseen by other isolates",
    tip="keep such data in the database, or accept the loss with [accept] rules in edgelift.toml",
)
UPLOAD = Rule(
    id="FS-UPLOAD",
    level=Level.ERROR,
    title="Keeps an uploaded file on disk",
    why="a Worker's files live in memory: the upload is lost with the isolate",
    tip="keep uploads in the database, or leave these routes at the origin",
)
LOG = Rule(
    id="FS-LOG",
    level=Level.WARNING,
    title="Logs to a file",
    why="the file is lost with the isolate; what goes to stderr is kept by Workers Logs",
    tip="log to stderr, which is logging's default",
)
ABSOLUTE = Rule(
    id="FS-ABSOLUTE",
    level=Level.WARNING,
    title="Names an absolute path",
    why="only the project's own files are in the Worker",
    tip="put the file into the project and name it relative to __file__",
)
TEMPORARY = Rule(
    id="FS-TEMP",
    level=Level.NOTE,
    title="Uses temporary files",
    why="they are kept in the isolate's 128 MB of memory",
    tip="nothing is to be done for small files",
)
CACHE = Rule(
    id="FS-CACHE",
    level=Level.WARNING,
    title="Keeps a cache in files",
    why="each isolate begins with an empty cache of its own",
    tip="nothing is to be done when the app works with an empty cache",
)
SESSION = Rule(
    id="FS-SESSION",
    level=Level.ERROR,
    title="Keeps sessions in files",
    why="the next request may meet another isolate, where the session does not exist",
    tip="keep sessions in signed cookies (Flask's default) or in the database",
)
SHELVE = Rule(
    id="FS-SHELVE",
    level=Level.ERROR,
    title="Keeps data in a dbm file",
    why="the Worker's Python has no dbm, and a file would be lost with the isolate",
    tip="keep the data in the database",
)
RULES = (WRITE, UPLOAD, LOG, ABSOLUTE, TEMPORARY, CACHE, SESSION, SHELVE)

_WRITES = frozenset(
    {"shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.move", "shutil.copytree",
     "os.rename", "os.replace", "numpy.save", "numpy.savez", "joblib.dump",
     "pathlib.Path().write_text", "pathlib.Path().write_bytes", "pathlib.Path().rename",
     "PIL.Image.open().save", "PIL.Image.new().save"}
)  # fmt: skip
_OPENS = frozenset({"open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open",
                    "pathlib.Path().open"})  # fmt: skip
_LOGS = frozenset(
    {"logging.FileHandler", "logging.handlers.RotatingFileHandler",
     "logging.handlers.TimedRotatingFileHandler", "logging.handlers.WatchedFileHandler"}
)  # fmt: skip
_CACHES = frozenset(
    {"diskcache.Cache", "diskcache.FanoutCache", "cachelib.FileSystemCache",
     "cachelib.file.FileSystemCache", "joblib.Memory"}
)  # fmt: skip
_SHELVES = frozenset({"shelve.open", "dbm.open", "dbm.dumb.open", "dbm.gnu.open"})
_PATH_TAKERS = frozenset(
    {*_OPENS, "pathlib.Path", "os.path.join", "os.path.exists", "os.listdir", "os.makedirs",
     "os.mkdir", "os.path.isfile", "os.path.isdir", "flask.send_file", "flask.send_from_directory",
     "sqlite3.connect", "os.remove", "os.open"}
) - {"pathlib.Path().open"}  # fmt: skip
_ABSOLUTE = re.compile(
    r"^(?:/(?!tmp(?:/|$)|dev(?:/|$)|app(?:/|$)|proc(?:/|$))\w[\w.-]*/|[A-Za-z]:[\\/])"
)
_WRITING = re.compile(r"[wax+]")


def check_storage(view: CodeView) -> Iterator[Finding]:
    """Yield what is kept in files."""
    for site, call, name in view.calls:
        rule = _find_rule(view, site, call, name)
        if rule is not None:
            yield rule.at(_shown(call, name), site.path, site.line)
        if name in _PATH_TAKERS and call.args:
            value = view.constant(site, call.args[0])
            if isinstance(value, str) and _ABSOLUTE.match(value):
                yield ABSOLUTE.at(f"{name}({value!r})", site.path, site.line)
    yield from _check_configuration(view)


def _find_rule(view: CodeView, site: Site, call: ast.Call, name: str) -> Rule | None:
    anywhere = {**dict.fromkeys(_LOGS, LOG), **dict.fromkeys(_SHELVES, SHELVE)}
    anywhere |= dict.fromkeys(_CACHES, CACHE)
    if name == "logging.basicConfig" and read_keyword(call, "filename"):
        return LOG
    if name in anywhere or REQUEST not in site.phases:
        return anywhere.get(name)
    if name.startswith("tempfile.") and "()" not in name:
        return TEMPORARY
    if _is_in_memory(view, site, call):
        return None
    if _is_upload(view, site, call):
        return UPLOAD
    writes = name in _WRITES or (name in _OPENS and _opens_to_write(view, site, call, name))
    return WRITE if writes and not _is_temporary(site, call) else None


def _opens_to_write(view: CodeView, site: Site, call: ast.Call, name: str) -> bool:
    position = 0 if name == "pathlib.Path().open" else 1
    mode = call.args[position] if len(call.args) > position else read_keyword(call, "mode")
    value = view.constant(site, mode)
    return isinstance(value, str) and bool(_WRITING.search(value))


def _is_upload(view: CodeView, site: Site, call: ast.Call) -> bool:
    """Return whether a call saves what came from `request.files` or a form's file field."""
    target = call.func
    if not isinstance(target, ast.Attribute) or target.attr != "save":
        return False
    receiver = target.value
    text = ast.unparse(receiver)
    if isinstance(receiver, ast.Name) and site.function is not None:
        bound = view.names.read_locals(site.function).get(receiver.id)
        text = ast.unparse(bound) if bound is not None else _loop_source(site, receiver.id)
    return (
        "request.files" in text
        or text.endswith(".data")  # of a field of Flask-WTF: form.photo.data
        or "flask_uploads" in view.resolve(site, receiver)
    )


def _loop_source(site: Site, name: str) -> str:
    """Return what a loop variable iterates over."""
    for node in ast.walk(site.function) if site.function else ():
        if isinstance(node, ast.For) and name in {
            n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)
        }:
            return ast.unparse(node.iter)
    return ""


def _is_temporary(site: Site, call: ast.Call) -> bool:
    """Return whether the file is made by tempfile, or lies in /tmp."""
    texts = " ".join(ast.unparse(argument) for argument in call.args)
    if "/tmp" in texts or "tempfile" in texts:  # noqa: S108 - looked for, not used
        return True
    if site.function is None:
        return False
    return "tempfile." in ast.unparse(site.function)


def _is_in_memory(view: CodeView, site: Site, call: ast.Call) -> bool:
    """Return whether what is written to is a buffer: `io.BytesIO()` or a name that holds one."""
    for argument in call.args[:1]:
        found: ast.expr | None = argument
        if isinstance(argument, ast.Name) and site.function is not None:
            found = view.names.read_locals(site.function).get(argument.id)
        return found is not None and "BytesIO(" in ast.unparse(found)
    return False


def _check_configuration(view: CodeView) -> Iterator[Finding]:
    """Yield settings that choose files: SESSION_TYPE, CACHE_TYPE."""
    for site, key, value in read_settings(view):
        text = view.constant(site, value)
        if key == "SESSION_TYPE" and text in {"filesystem", "cachelib"}:
            yield SESSION.at(f"SESSION_TYPE = {text!r}", site.path, site.line)
        if key == "CACHE_TYPE" and isinstance(text, str) and "file" in text.lower():
            yield CACHE.at(f"CACHE_TYPE = {text!r}", site.path, site.line)


def _shown(call: ast.Call, name: str) -> str:
    text = ast.unparse(call)
    return text if len(text) <= 60 else f"{name or ast.unparse(call.func)}(...)"
