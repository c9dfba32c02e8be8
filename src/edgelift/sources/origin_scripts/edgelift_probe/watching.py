"""Watches an import: variables read, files opened, databases connected, processes and threads.

Runs under the origin's Python. Audit hooks (PEP 578) see what happens without replacing functions;
only sqlite3.connect, Thread.start, os.environ and os.urandom are replaced: no event tells enough.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
import threading
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

LIMIT = 500
# Libraries that read variables on the app's behalf; all others read their own.
READERS = {"environs", "decouple", "environ", "starlette", "dynaconf", "everett", "dotenv", "os"}
EVENTS = {
    "subprocess.Popen": "process",
    "os.system": "process",
    "os.posix_spawn": "process",
    "os.exec": "process",
    "os.fork": "fork",
    "os.forkpty": "fork",
    "socket.connect": "network",
    "socket.bind": "listen",
}
# Events that change a file, with the positions of the paths in their arguments.
CHANGES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.mkdir": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "shutil.rmtree": (0,),
}


class Watch:
    """What was seen so far; paths are relative to the project where they are inside it."""

    def __init__(self, copy: str, origin: str) -> None:
        self.copy = os.path.realpath(copy)
        self.origin = os.path.realpath(origin)
        self.on = False
        # The project's own virtual environment and edgelift's folder are not the app.
        prefixes = (sys.prefix, os.path.join(self.origin, ".edgelift"))
        self._libraries = tuple(os.path.realpath(prefix) + os.sep for prefix in prefixes)
        self.env: dict[str, dict[str, object]] = {}
        self.files: dict[tuple[str, bool], dict[str, object]] = {}
        self.events: dict[tuple[str, str], dict[str, object]] = {}
        self.databases: dict[str, dict[str, object]] = {}
        self._connect: Any = sqlite3.connect
        self._random = random.getstate()

    def install(self) -> None:
        """Begin to watch; there is no way back, audit hooks stay."""
        sys.addaudithook(self._audit)
        package: Any = sqlite3
        package.connect = package.dbapi2.connect = self.connect
        urandom = os.urandom

        def watched_urandom(size: int) -> bytes:
            self.note_event("entropy", "os.urandom")
            return urandom(size)

        threads: Any = threading.Thread
        start = threads.start

        def watched_start(thread: threading.Thread) -> None:
            self.note_event("thread", thread.name)
            start(thread)

        threads.start = watched_start
        os.urandom = watched_urandom
        random._urandom = watched_urandom  # type: ignore[attr-defined]  # noqa: SLF001
        _watch_environ(self)
        self.on = True

    def finish(self) -> None:
        """Stop recording; say whether the shared random generator was used."""
        self.on = False
        if random.getstate() != self._random:
            key = ("entropy", "random")
            seen: dict[str, object] = {"kind": "entropy", "detail": "random"}
            self.events.setdefault(key, seen)

    def relative(self, path: str) -> str | None:
        """Return a path relative to the project, with forward slashes, or None outside it."""
        if path.startswith(self.copy + os.sep):
            root = self.copy
        elif path.startswith(self.origin + os.sep) and not path.startswith(self._libraries):
            root = self.origin
        else:
            return None
        return os.path.relpath(path, root).replace(os.sep, "/")

    def locate(self) -> tuple[str | None, int | None]:
        """Return file and line of the app's code that is at work, None when a library imports."""
        frame = sys._getframe(1)  # noqa: SLF001
        while frame is not None:
            name = frame.f_code.co_filename
            if name.startswith("<frozen importlib"):
                break
            if name.startswith(self.copy + os.sep):
                return self.relative(name), frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return None, None

    def note_event(self, kind: str, detail: str) -> None:
        """Record that something happened, once for each kind, detail and place."""
        if not self.on or len(self.events) >= LIMIT:
            return
        path, line = self.locate()
        entry: dict[str, object] = {"kind": kind, "detail": detail, "path": path, "line": line}
        self.events.setdefault((kind, f"{detail}{path}{line}"), entry)

    def note_env(self, name: object, default: object, *, required: bool) -> None:
        """Record a variable that the app, not a library, reads."""
        if not self.on or not isinstance(name, str) or len(self.env) >= LIMIT:
            return
        caller = sys._getframe(2)  # noqa: SLF001
        while caller is not None and caller.f_globals.get("__name__") in {"os", "collections.abc"}:
            caller = caller.f_back  # type: ignore[assignment]
        own = caller is not None and caller.f_code.co_filename.startswith(self.copy + os.sep)
        module = str(caller.f_globals.get("__name__", "")) if caller is not None else ""
        if not own and module.split(".")[0] not in READERS:
            return
        path, line = self.locate()
        if path is None:
            return
        value = default if isinstance(default, (str, int, float, bool)) else None
        self.env.setdefault(
            name,
            {
                "name": name,
                "default": None if value is None else self._portable(str(value)),
                "required": required,
                "path": path,
                "line": line,
            },
        )

    def _portable(self, text: str) -> str:
        """Return a value without the scratch folder: paths start at the project."""
        return text.replace(self.copy + os.sep, "").replace(self.origin + os.sep, "")

    def connect(self, *arguments: object, **options: object) -> object:
        """Stand in for sqlite3.connect: a database outside the copy is opened as a copy of it."""
        database = arguments[0] if arguments else options.pop("database", "")
        place = self._place(database, uri=bool(options.get("uri")))
        return self._connect(place, *arguments[1:], **options)

    def _place(self, database: object, *, uri: bool) -> object:
        name = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
        is_uri = uri and name.startswith("file:")
        parts = urlsplit(name)
        path = unquote(parts.path) if is_uri else name
        if path in {"", ":memory:"} or (is_uri and "mode=memory" in parts.query):
            return database
        real = os.path.realpath(path)
        self._note_database(self.relative(real) or real)
        if real.startswith(self.copy + os.sep):
            return database
        inside = self.relative(real)
        sheltered = os.path.join(self.copy, inside) if inside else self._shelter(real)
        return urlunsplit(parts._replace(path=sheltered)) if is_uri else sheltered

    def _shelter(self, real: str) -> str:
        folder = f"{self.copy}.outside"
        os.makedirs(folder, exist_ok=True)
        target = os.path.join(folder, real.strip(os.sep).replace(os.sep, "_"))
        before, self.on = self.on, False
        for suffix in ("", "-wal"):
            if os.path.exists(real + suffix) and not os.path.exists(target + suffix):
                shutil.copyfile(real + suffix, target + suffix)
        self.on = before
        return target

    def _note_database(self, shown: str) -> None:
        if self.on:
            path, line = self.locate()
            self.databases.setdefault(shown, {"database": shown, "path": path, "line": line})

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event == "open":
            self._note_file(*arguments[:3])
        elif event in EVENTS:
            detail = arguments[0] if event == "subprocess.Popen" else arguments[-1]
            shown = "" if EVENTS[event] == "fork" else str(detail)[:200]
            self.note_event(EVENTS[event], shown)
        elif event in CHANGES:
            for position in CHANGES[event]:
                self._refuse_change(arguments[position])

    def _refuse_change(self, path: object) -> None:
        if not isinstance(path, (str, bytes)):
            return
        real = os.path.realpath(os.fsdecode(path))
        outside = f"{self.copy}.outside"
        if real.startswith((self.copy + os.sep, outside)) or real == self.copy:
            return
        if real.startswith(self.origin + os.sep):
            raise PermissionError(f"edgelift only reads the origin, the app would change {real}")

    def _note_file(self, path: object, mode: object, flags: object) -> None:
        if not isinstance(path, (str, bytes)):
            return
        # `mode` is None for os.open, whose flags tell; both are given for open().
        writes = bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR))
        writes = writes or (isinstance(mode, str) and any(letter in mode for letter in "wax+"))
        if writes:
            self._refuse_change(path)
        name = os.fsdecode(path)
        if name.endswith((".py", ".pyc", ".so", ".pth")) or len(self.files) >= LIMIT:
            return
        self.on = False  # realpath and friends must not be seen themselves
        try:
            real = os.path.realpath(name)
            inside = self.relative(real)
            if inside is not None or writes:
                source, line = self.locate()
                self.files.setdefault(
                    (real, writes),
                    {"file": inside or real, "writes": writes, "path": source, "line": line},
                )
        finally:
            self.on = True


def _watch_environ(watch: Watch) -> None:
    base = type(os.environ)

    class WatchedEnviron(base):  # type: ignore[valid-type,misc]
        """os.environ that tells which names are read, and with what default."""

        def __getitem__(self, key: str) -> str:
            watch.note_env(key, None, required=True)
            return str(super().__getitem__(key))

        def get(self, key: str, default: object = None) -> object:
            watch.note_env(key, default, required=False)
            return super().get(key, default)

        def __contains__(self, key: object) -> bool:
            watch.note_env(key, None, required=False)
            return bool(super().__contains__(key))

        def setdefault(self, key: str, value: str) -> str:
            watch.note_env(key, value, required=False)
            return str(super().setdefault(key, value))

        def pop(self, key: str, *default: object) -> object:
            watch.note_env(key, default[0] if default else None, required=not default)
            return super().pop(key, *default)

    os.environ.__class__ = WatchedEnviron
