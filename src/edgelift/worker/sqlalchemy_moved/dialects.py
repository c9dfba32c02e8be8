"""SQLAlchemy's dialects of servers, made to find what was moved; made when they are asked for.

All but what they ask the server's own catalogue is theirs: compilation, types and errors.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

from sqlalchemy import dialects

from edgelift.worker.hyperdrive import find_database
from edgelift.worker.moved.finding import Moved, find_moved
from edgelift.worker.sqlalchemy_moved import BACKENDS, DRIVERS, reflection
from edgelift.worker.sqlite3 import faults

_ORIGINS = {backend: origin for origin, listed in BACKENDS.items() for backend in listed}


def __getattr__(name: str) -> Any:
    """Return the dialect of a backend and a driver, as `postgresql__psycopg2`."""
    backend, _, driver = name.partition("__")
    if backend not in _ORIGINS:
        raise AttributeError(name)
    return make_dialect(find_own(backend, driver), _ORIGINS[backend])


@functools.cache
def find_own(backend: str, driver: str) -> Any:
    """Return SQLAlchemy's own dialect, of another driver where the Worker has not that one."""
    origin = _ORIGINS[backend]
    load: Any = dialects._auto_fn
    plain = "postgresql" if origin == "postgresql" else backend
    if not driver:
        base: Any = load(plain)
        own: Any = base if isinstance(base, type) else base()
        driver = own.driver
    module, others = DRIVERS[origin].get(driver, (driver, ()))
    for name, needed in ((driver, module), *((o, DRIVERS[origin][o][0]) for o in others)):
        found = load(f"{plain}.{name}") if needed and importlib.util.find_spec(needed) else None
        if found is not None:
            return found if isinstance(found, type) else found()
    raise ImportError(f"no driver of {backend} is in the Worker: it has none for {driver}")


class MovedDialect:
    """What a dialect of a server does over a moved database; elsewhere it is the server's."""

    origin = ""
    is_moved_from: Moved | None = None
    supports_statement_cache = True

    @classmethod
    def get_async_dialect_cls(cls, url: Any) -> Any:
        """Return the dialect of asynchronous engines."""
        found = super().get_async_dialect_cls(url)  # type: ignore[misc]
        return found if issubclass(found, MovedDialect) else make_dialect(found, cls.origin)

    def create_connect_args(self, url: Any) -> Any:
        """Return what the driver is given, after looking which database is meant."""
        if find_database(self.origin, url.host, url.port, url.database) is None:
            self.is_moved_from = find_moved(self.origin, (url.host, url.database))
        if self.is_moved_from is not None and self.origin == "postgresql":
            self._has_native_hstore = self.use_native_hstore = False
        made: Any = super().create_connect_args(url)  # type: ignore[misc]
        return made

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Set a level; MySQL's dialect commits after it, which is no commit of the app's."""
        with faults.aside():
            super().set_isolation_level(dbapi_connection, level)  # type: ignore[misc]


def _look_there(name: str) -> Any:
    """Return a dialect's method of reflection that looks into the moved database."""

    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.is_moved_from is None:
            return getattr(super(self._moved_class, self), name)(*arguments, **options)
        return getattr(reflection, name)(self, *arguments, **options)

    method.__name__ = name
    method.__doc__ = getattr(reflection, name).__doc__
    return method


@functools.cache
def make_dialect(own: Any, origin: str) -> Any:
    """Return a dialect of SQLAlchemy as one that finds the moved database."""
    methods = {name: _look_there(name) for name in reflection.METHODS if hasattr(own, name)}
    made: Any = type(f"Moved{own.__name__}", (MovedDialect, own), {
        "origin": origin, "supports_statement_cache": True, "__doc__": own.__doc__, **methods,
    })  # fmt: skip
    made._moved_class = made
    return made
