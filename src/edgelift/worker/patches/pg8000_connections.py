"""pg8000's connections go through Hyperdrive and belong to their request (connections.py).

Without it the app's URL leads to a host that is no server, a connection that a module or a pool
keeps hangs or fails in the next request, and SCRAM over TLS dies looking for a certificate.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
from typing import Any

from edgelift.worker.connections import Driver, adopt, guard, may_postpone, postpone
from edgelift.worker.hyperdrive import UnreachableError, find_database, read_endpoint
from edgelift.worker.moved.finding import find_moved

_METHODS = (
    "close", "commit", "cursor", "execute_named", "execute_simple", "execute_unnamed", "prepare",
    "prepare_statement", "close_prepared_statement", "rollback", "run",
    "tpc_begin", "tpc_commit", "tpc_prepare", "tpc_recover", "tpc_rollback",
)  # fmt: skip


def _carry(old: Any, new: Any) -> None:
    """Copy what the app may have set after the connect."""
    if getattr(old, "autocommit", False):
        new.autocommit = old.autocommit
    for name in ("pg_types", "py_types"):
        getattr(new, name).update(vars(old).get(name, {}))


DRIVER = Driver(
    open=lambda kind, args, kwargs: kind(*args, **kwargs),
    close=lambda connection: connection.close(),
    is_open=lambda connection: getattr(connection, "_usock", None) is not None,
    carry=_carry,
)


def aim(asked: dict[str, Any]) -> None:
    """Point a connect's arguments at the binding that serves its server; raises UnreachableError.

    Also those of a direct connection: `sslmode` does not exist here, TLS is `ssl_context`. Those of
    a moved database lead to the server in this process.
    """
    host = asked.get("unix_sock") or asked.get("host")
    database = find_database("postgresql", host, asked.get("port"), asked.get("database"))
    if database is None:
        moved = find_moved("postgresql", (host, asked.get("database")))
        if moved is not None:
            servers = importlib.import_module("edgelift.worker.moved.servers")
            asked.update(sock=servers.dial(moved.host), ssl_context=False, unix_sock=None)
        return
    endpoint = read_endpoint(database)
    asked.update(
        host=endpoint.host,
        port=endpoint.port,
        user=endpoint.user,
        password=endpoint.password,
        database=endpoint.database,
        unix_sock=None,
    )
    if not endpoint.tls:
        asked["ssl_context"] = False
    elif not asked.get("ssl_context"):
        asked["ssl_context"] = True


def install() -> None:
    """Patch the connection classes when pg8000 is among the packages."""
    if importlib.util.find_spec("pg8000") is None:
        return
    import pg8000.core
    import pg8000.dbapi
    import pg8000.legacy
    import pg8000.native

    kind: Any = pg8000.core.CoreConnection
    if hasattr(kind.__init__, "__wrapped__"):
        return
    initialize = kind.__init__
    signature = inspect.signature(initialize)

    @functools.wraps(initialize)
    def initialize_here(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        asked = dict(list(bound.arguments.items())[1:])
        try:
            if asked.get("sock") is None:
                aim(asked)
            initialize(self, **asked)
        except UnreachableError as error:
            if may_postpone():
                self._usock = None
                postpone(self, DRIVER, args, kwargs)
                return
            shown = f"{asked.get('host')} and port {asked.get('port')}"
            text = f"Can't create a connection to host {shown} ({error})."
            raise pg8000.core.InterfaceError(text) from error
        adopt(self, DRIVER, args, kwargs)

    kind.__init__ = initialize_here
    for module in (pg8000.core, pg8000.dbapi, pg8000.legacy, pg8000.native):
        guard(vars(module).get("Connection", kind), _METHODS)
    guard(kind, _METHODS)
    _drop_channel_binding()


def _drop_channel_binding() -> None:
    """Make scramp speak SCRAM without -PLUS: the Worker's TLS shows no certificate."""
    import scramp.core

    client: Any = scramp.core.ScramClient
    initialize = client.__init__
    if hasattr(initialize, "__wrapped__"):
        return

    @functools.wraps(initialize)
    def initialize_plain(
        self: Any,
        mechanisms: Any,
        username: Any,
        password: Any,
        channel_binding: Any = None,
        c_nonce: Any = None,
    ) -> None:
        plain = [name for name in mechanisms if not name.endswith("-PLUS")]
        initialize(self, plain, username, password, channel_binding=None, c_nonce=c_nonce)

    client.__init__ = initialize_plain
