"""The PostgreSQL drivers over worker/postgres go through Hyperdrive and belong to their request.

Without it the app's URL leads to a host that is no server, and a connection that a module or a pool
keeps hangs or fails in the next request. For psycopg2 see connections.py.
"""

from __future__ import annotations

import functools
import importlib.util
import weakref
from collections.abc import Mapping
from typing import Any

from edgelift.worker.connections import Driver, adopt, guard, may_postpone, postpone
from edgelift.worker.flows import at_end
from edgelift.worker.hyperdrive import Endpoint, UnreachableError, find_database, read_endpoint
from edgelift.worker.loop import run_coroutine
from edgelift.worker.moved.finding import find_moved

_PSYCOPG2_METHODS = (
    "cancel", "commit", "cursor", "get_backend_pid", "get_parameter_status",
    "get_transaction_status", "isexecuting", "lobject", "poll", "reset", "rollback",
    "set_client_encoding",
    "set_isolation_level", "set_session", "tpc_begin", "tpc_commit", "tpc_prepare", "tpc_recover",
    "tpc_rollback", "_check_open",
)  # fmt: skip
_PSYCOPG2_SETTINGS = ("cursor_factory", "_autocommit", "_level", "_readonly", "_deferrable")


def aim(options: Mapping[str, str]) -> dict[str, str]:
    """Return libpq options that lead through the binding that serves their server, if one does.

    Those of a moved database lead to the server in this process (worker/moved). Raises
    UnreachableError.
    """
    host = options.get("host") or options.get("hostaddr")
    port = options.get("port", "").partition(",")[0]
    database = find_database("postgresql", host, port or None, options.get("dbname"))
    if database is not None:
        return lead(options, read_endpoint(database))
    moved = find_moved("postgresql", (host, options.get("dbname")))
    if moved is None:
        return dict(options)
    kept = {name: value for name, value in options.items() if name != "hostaddr"}
    return {**kept, "host": moved.host, "port": "5432", "sslmode": "disable"}


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


def _open_psycopg2(kind: Any, args: Any, kwargs: Any) -> Any:
    """Open a connection; an asynchronous one (aiopg's) is connected when it is handed out."""
    made = kind(*args, **kwargs)
    while made.async_ and made.poll():
        pass  # a poll waits for the server, suspending its request only
    return made


PSYCOPG2 = Driver(
    open=_open_psycopg2,
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
        try:
            led = aim(options)
        except UnreachableError as error:
            raise transport.ConnectError(f"connection to server failed: {error}\n") from error
        return opened(led, *args, **kwargs)

    transport.open_transport = open_transport


def _patch_psycopg2() -> None:
    from psycopg2.extensions import connection

    from edgelift.worker.postgres.conninfo import ConninfoError, complete_conninfo, parse_conninfo

    kind: Any = connection
    initialize = kind.__init__
    if hasattr(initialize, "__wrapped__"):
        return

    @functools.wraps(initialize)
    def initialize_here(self: Any, *args: Any, **kwargs: Any) -> None:
        if may_postpone():
            try:
                given = parse_conninfo(args[0] if args else kwargs["dsn"])
                options = complete_conninfo(given)
                aim(options)
            except ConninfoError:
                options = {}  # the constructor says what is wrong
            except UnreachableError:
                self._prepare(args[0] if args else kwargs["dsn"], options)
                postpone(self, PSYCOPG2, args, kwargs)
                return
        initialize(self, *args, **kwargs)
        adopt(self, PSYCOPG2, args, kwargs)

    kind.__init__ = initialize_here
    for base in kind.__mro__[:-1]:
        guard(base, _PSYCOPG2_METHODS)


_PSYCOPG_METHODS = ("commit", "cursor", "execute", "notifies", "pipeline", "rollback",
                    "transaction", "wait")  # fmt: skip
_PSYCOPG_SETTINGS = ("_autocommit", "_isolation_level", "_read_only", "_deferrable",
                     "row_factory", "cursor_factory", "server_cursor_factory",
                     "prepare_threshold")  # fmt: skip


def _carry_psycopg(old: Any, new: Any) -> None:
    for name in _PSYCOPG_SETTINGS:
        if name in vars(old):
            setattr(new, name, vars(old)[name])


PSYCOPG = Driver(
    open=lambda kind, args, kwargs: kind.connect(*args, **kwargs),
    close=lambda connection: connection.close(),
    is_open=lambda connection: not connection.closed,
    carry=_carry_psycopg,
)
PSYCOPG_ASYNC = Driver(
    open=lambda kind, args, kwargs: run_coroutine(kind.connect(*args, **kwargs)),
    close=lambda connection: run_coroutine(connection.close()),
    is_open=lambda connection: not connection.closed,
    carry=_carry_psycopg,
)


def _patch_psycopg() -> None:
    import psycopg

    sync: Any = psycopg.Connection
    other: Any = psycopg.AsyncConnection
    connect, connect_async = sync.connect.__func__, other.connect.__func__
    if hasattr(connect, "__wrapped__"):
        return

    @functools.wraps(connect)
    def connect_here(kind: Any, *args: Any, **kwargs: Any) -> Any:
        made = connect(kind, *args, **kwargs)
        adopt(made, PSYCOPG, args, kwargs)
        return made

    @functools.wraps(connect_async)
    async def connect_async_here(kind: Any, *args: Any, **kwargs: Any) -> Any:
        made = await connect_async(kind, *args, **kwargs)
        adopt(made, PSYCOPG_ASYNC, args, kwargs)
        return made

    sync.connect = classmethod(connect_here)
    package: Any = psycopg
    package.connect = sync.connect
    other.connect = classmethod(connect_async_here)
    for kind in {base for c in (sync, other) for base in c.__mro__[:-1]}:
        guard(kind, _PSYCOPG_METHODS)


ASYNCPG = Driver(
    open=lambda _kind, args, kwargs: run_coroutine(_read_connect()(*args, **kwargs)),
    close=lambda connection: connection.terminate(),
    is_open=lambda connection: not connection.is_closed(),
)


def _read_connect() -> Any:
    import asyncpg.connection

    return asyncpg.connection.connect


def _make_pool_connect(connect: Any) -> Any:
    """Return the connect of pools: they keep to requests themselves, but leave sockets open."""

    async def connect_for_pool(*args: Any, **kwargs: Any) -> Any:
        made = await connect(*args, **kwargs)
        reference = weakref.ref(made)

        def end() -> None:
            kept = reference()
            if kept is not None and not kept.is_closed():
                kept.terminate()

        at_end(end)
        return made

    return connect_for_pool


def _patch_asyncpg() -> None:
    import asyncpg
    import asyncpg.connection
    import asyncpg.pool

    module: Any = asyncpg.connection
    if hasattr(module.connect, "__wrapped__"):
        return
    open_wire, connect = module.open_wire, module.connect

    @functools.wraps(open_wire)
    async def open_wire_here(options: Any, settings: Any, context: Any) -> Any:
        try:
            led = aim(options)
        except UnreachableError as error:
            raise ConnectionRefusedError(str(error)) from error
        return await open_wire(led, settings, None if led["sslmode"] == "disable" else context)

    @functools.wraps(connect)
    async def connect_here(*args: Any, **kwargs: Any) -> Any:
        made = await connect(*args, **kwargs)
        adopt(made, ASYNCPG, args, kwargs)
        return made

    module.open_wire = open_wire_here
    package: Any = asyncpg
    pools: Any = asyncpg.pool
    module.connect = package.connect = connect_here
    pools.connect = _make_pool_connect(connect)
    for kind in module.Connection.__mro__[:-1]:
        guard(kind, ("_check_open",))


def install() -> None:
    """Patch what worker/postgres/installing.py has put in the place of the real drivers."""
    _lead_transports()
    if _is_ours("psycopg2"):
        _patch_psycopg2()
    if _is_ours("asyncpg"):
        _patch_asyncpg()
    if importlib.util.find_spec("psycopg") is not None and _is_ours("psycopg.pq.pq_ctypes"):
        _patch_psycopg()


def _is_ours(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and "edgelift" in str(spec.origin)
