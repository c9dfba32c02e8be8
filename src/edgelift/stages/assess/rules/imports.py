"""Rules about what importing the app does: modules, servers, randomness, time, connections."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from edgelift.model.findings import Finding, Level
from edgelift.model.rules import Rule
from edgelift.sources.source_code.view import IMPORT, CodeView

MISSING = Rule(
    id="IMPORT-MISSING",
    level=Level.ERROR,
    title="Imports a standard module that the Worker's Python lacks",
    why="it describes an operating system that is not there, and importing it fails",
    tip="guard the import with try/except ImportError, as for Windows",
)
REMOVED = Rule(
    id="IMPORT-REMOVED",
    level=Level.ERROR,
    title="Imports a module that Python 3.14 no longer has",
    why="the Worker's Python is 3.14, where the standard library no longer has it",
    tip="use the successor that the Python documentation names (PEP 594, PEP 632)",
)
SERVER = Rule(
    id="IMPORT-SERVER",
    level=Level.ERROR,
    title="Starts its own server on import",
    why="a Worker calls the app, it runs no server",
    tip="move the call below `if __name__ == '__main__':`",
)
ENTROPY = Rule(
    id="IMPORT-ENTROPY",
    level=Level.WARNING,
    title="Uses randomness on import",
    why="the import is recorded once and started from everywhere: all isolates get the same value, "
    "and Cloudflare refuses to record a changed random state",
    tip="make the value inside a request, or give it as a secret",
)
CLOCK = Rule(
    id="IMPORT-CLOCK",
    level=Level.WARNING,
    title="Reads the clock on import",
    why="the import is recorded once: the value is the time of the build, not of the start",
    tip="read the clock where the value is used",
)
DATABASE = Rule(
    id="IMPORT-DATABASE",
    level=Level.WARNING,
    title="Uses the database on import",
    why="its rows are not there while the import is recorded, only its tables: an import that "
    "needs rows runs in each isolate's first request instead, which then takes seconds",
    tip="create tables by the schema that edgelift moves; open connections inside requests",
)
NETWORK = Rule(
    id="IMPORT-NETWORK",
    level=Level.WARNING,
    title="Connects to a server on import",
    why="a Worker may not use the network while it is started",
    tip="connect where the connection is used first",
)
BROKEN = Rule(
    id="IMPORT-SYNTAX",
    level=Level.WARNING,
    title="A file cannot be parsed",
    why="what is in it was not assessed, and importing it fails",
    tip="mend the file, or delete it when nothing uses it",
)
RULES = (MISSING, REMOVED, SERVER, ENTROPY, CLOCK, DATABASE, NETWORK, BROKEN)

# Measured: import of every module of sys.stdlib_module_names in Pyodide 314.0.7.
_MISSING = frozenset(
    {"curses", "dbm", "ensurepip", "grp", "msvcrt", "nt", "pwd", "readline", "resource", "syslog",
     "tkinter", "turtle", "venv", "winreg", "winsound"}
)  # fmt: skip
# docs.python.org/3/whatsnew of 3.12 (PEP 632 and others), 3.13 (PEP 594), 3.14.
_REMOVED = frozenset(
    {"asynchat", "asyncore", "distutils", "imp", "smtpd", "aifc", "audioop", "cgi", "cgitb",
     "chunk", "crypt", "imghdr", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes",
     "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib", "lib2to3"}
)  # fmt: skip
_SERVERS = frozenset(
    {"flask.Flask().run", "uvicorn.run", "waitress.serve", "hypercorn.run", "bottle.run",
     "werkzeug.serving.run_simple", "flask_socketio.SocketIO().run", "aiohttp.web.run_app",
     "cherrypy.quickstart", "gevent.pywsgi.WSGIServer().serve_forever",
     "wsgiref.simple_server.make_server().serve_forever"}
)  # fmt: skip
_RANDOM = ("random.", "secrets.", "numpy.random.")
_RANDOM_CALLS = frozenset({"os.urandom", "uuid.uuid1", "uuid.uuid4"})
# These use no system randomness when they are given a seed.
_SEEDED = frozenset(
    {"random.seed", "random.Random", "numpy.random.seed", "numpy.random.default_rng",
     "numpy.random.RandomState"}
)  # fmt: skip
_CLOCKS = frozenset(
    {"time.time", "time.time_ns", "time.monotonic", "time.perf_counter", "time.localtime",
     "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today",
     "datetime.date.today", "django.utils.timezone.now"}
)  # fmt: skip
_CREATES = frozenset({"flask_sqlalchemy.SQLAlchemy().create_all", "sqlite3.connect"})


def check_imports(view: CodeView) -> Iterator[Finding]:
    """Yield imported modules that the Worker's Python has not."""
    guarded = _guarded(view)
    for site, module in view.imports:
        top = module.partition(".")[0]
        rule = MISSING if top in _MISSING else REMOVED if top in _REMOVED else None
        if rule is None or top in view.names.modules:
            continue
        softened = id(site.node) in guarded or site.function is not None
        level = Level.WARNING if softened else rule.level
        if id(site.node) not in guarded:
            yield rule.at(f"import {module}", site.path, site.line, level=level)


def _guarded(view: CodeView) -> set[int]:
    """Return the ids of nodes inside a `try` that catches ImportError."""
    found: set[int] = set()
    for site in view.sites:
        if isinstance(site.node, ast.Try) and any(
            handler.type is None
            or "Error" in ast.unparse(handler.type)
            or "Exception" in ast.unparse(handler.type)
            for handler in site.node.handlers
        ):
            found |= {id(inner) for body in site.node.body for inner in ast.walk(body)}
    return found


def check_import_effects(view: CodeView) -> Iterator[Finding]:
    """Yield calls that run on import and should not: servers, randomness, clocks, databases."""
    places = set()
    for site, call, name in view.calls:
        if IMPORT not in site.phases:
            continue
        rule = _find_effect(name, call)
        if rule is not None:
            places.add((rule.id, site.path, site.line))
            yield rule.at(f"{name}()", site.path, site.line)
    yield from _check_probe(view, places)
    for broken in view.tree.broken:
        yield BROKEN.at(broken.why, broken.path, broken.line)


def _find_effect(name: str, call: ast.Call) -> Rule | None:
    if name in _SERVERS:
        return SERVER
    if name in _SEEDED:
        return ENTROPY if not (call.args or call.keywords) else None
    if name in _RANDOM_CALLS or name.startswith(_RANDOM):
        return ENTROPY if name not in {"random.SystemRandom", "secrets.SystemRandom"} else None
    if name in _CLOCKS:
        return CLOCK
    return DATABASE if name in _CREATES else None


def _check_probe(view: CodeView, places: set[tuple[str, str, int]]) -> Iterator[Finding]:
    """Yield what the import was seen to do at places that reading the source did not show."""
    if view.probe is None:
        return
    rules = {"entropy": ENTROPY, "network": NETWORK, "listen": SERVER}
    for event in view.probe.events:
        rule = rules.get(event.kind)
        if rule is None or event.path is None or event.line is None:
            continue
        if (rule.id, event.path, event.line) not in places:
            level = Level.WARNING if rule is SERVER else rule.level
            yield rule.at(f"{event.kind} {event.detail}", event.path, event.line, level=level)
    for opened in view.probe.databases:
        if opened.path is None or opened.line is None:
            continue
        if (DATABASE.id, opened.path, opened.line) not in places:
            yield DATABASE.at(f"opens {opened.database}", opened.path, opened.line)
