"""The PostgreSQL drivers over worker/postgres go through Hyperdrive and belong to their request.

Without it the app's URL leads to a host that is no server, and a connection that a module or a pool
keeps hangs or fails in the next request. For psycopg2 see connections.py.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from typing import Any

from edgelift.worker.connections import Driver, adopt, guard, may_postpone, postpone
from edgelift.worker.hyperdrive import Endpoint, UnreachableError, find_database, read_endpoint

_PSYCOPG2_METHODS = (
    "cancel", "commit", "cursor", "lobject", "poll", "reset", "rollback", "set_client_encoding",
    "set_isolation_level", "set_session", "tpc_begin", "tpc_commit", "tpc_prepare", "tpc_recover",
    "tpc_rollback", "_check_open",
)  # fmt: skip
_PSYCOPG2_SETTINGS = ("cursor_factory", "_autocommit", "_level", "_readonly", "_deferrable")


def aim(options: Mapping[str, str]) -> dict[str, str]:
    """Return libpq options that lead through the binding that serves their server, if one does.

    Raises UnreachableError.
    """
    host = options.get("host") or options.get("hostaddr")
    port = options.get("port", "").partition(",")[0]
    database = find_database("postgresql", host, port or None, options.get("dbname"))
    return dict(options) if database is None else lead(options, read_endpoint(database))


def lead(options: Mapping[str, str], endpoint: Endpoint) -> dict[str, str]:
    """Return options with the target replaced; Hyperdrive itself speaks TLS to the server."""
    kept = {name: value for name, value in options.items() if name != "hostaddr"}
    mode = kept.get("sslmode", "require") if endpoint.tls else "disable"
    return {
        **kept,
        "host": endpoint.host,
        "port": str(endpoint.port),
        "user": endpoint.user,
        "password": endpoint.password,
        "dbname": endpoint.database,
        "sslmode": mode,
    }


def _carry_psycopg2(old: Any, new: Any) -> None:
    known = vars(old)
    for name in _PSYCOPG2_SETTINGS:
        if name in known:
            setattr(new, name, known[name])
    new.string_types.update(known.get("string_types", {}))


def _remember_psycopg2(unconnected: Any, name: str, value: Any) -> bool:
    """Keep what the import sets on a connection that only requests will open."""
    if name not in {"autocommit", "cursor_factory"}:
        return False
    vars(unconnected)["_autocommit" if name == "autocommit" else name] = value
    return True


PSYCOPG2 = Driver(
    open=lambda kind, args, kwargs: kind(*args, **kwargs),
    close=lambda connection: connection.close(),
    is_open=lambda connection: not connection.closed,
    carry=_carry_psycopg2,
    remember=_remember_psycopg2,
)


def _lead_transports() -> None:
    from edgelift.worker.postgres import transport

    opened: Any = transport.open_transport
    if hasattr(opened, "__wrapped__"):
        return

    @functools.wraps(opened)
    def open_transport(options: Mapping[str, str], *args: Any, **kwargs: Any) -> Any:
        return opened(aim(options), *args, **kwargs)

    transport.open_transport = open_transport


def _patch_psycopg2() -> None:
    from psycopg2 import OperationalError
    from psycopg2.extensions import connection

    kind: Any = connection
    initialize = kind.__init__
    if hasattr(initialize, "__wrapped__"):
        return

    @functools.wraps(initialize)
    def initialize_here(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            initialize(self, *args, **kwargs)
        except UnreachableError as error:
            if not may_postpone():
                raise OperationalError(f"connection to server failed: {error}\n") from None
            postpone(self, PSYCOPG2, args, kwargs)
        else:
            adopt(self, PSYCOPG2, args, kwargs)

    kind.__init__ = initialize_here
    for base in kind.__mro__[:-1]:
        guard(base, _PSYCOPG2_METHODS)


def install() -> None:
    """Patch what worker/postgres/installing.py has put in the place of the real drivers."""
    _lead_transports()
    if _is_ours("psycopg2"):
        _patch_psycopg2()


def _is_ours(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and "edgelift" in str(spec.origin)
