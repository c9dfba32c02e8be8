"""Leads the app's connections to database servers through the Worker's Hyperdrive bindings.

The app keeps the URL it has, or gets one whose host stands for the binding; as whom and where to
connect is asked of the binding at each connect, so that a memory snapshot holds no secret. Drivers
come here through patches/database_drivers.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from edgelift.worker.host import read_host

_LOOPBACK = frozenset({"", "localhost", "127.0.0.1", "::1", "localhost.localdomain"})
_PORTS = {"postgresql": 5432, "mysql": 3306}


class Endpoint(NamedTuple):
    """Where a binding leads and as whom; `tls` only where the server is reached directly."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls: bool


class UnreachableError(OSError):
    """The binding leads nowhere now, as while the memory snapshot is made."""


_databases: list[dict[str, Any]] = []


def install(databases: list[dict[str, Any]]) -> None:
    """Remember the databases that Hyperdrive serves; a second call replaces the first."""
    _databases[:] = [d for d in databases if d.get("strategy") == "hyperdrive"]


def list_databases() -> list[dict[str, Any]]:
    """Return the settings of the databases that Hyperdrive serves."""
    return list(_databases)


def find_database(
    engine: str, host: str | None, port: Any, name: str | None = None
) -> dict[str, Any] | None:
    """Return the database that a connection to this server means, None for any other server.

    A server of several databases is told apart by their names.
    """
    where = _normal(host), int(port or _PORTS[engine])
    fitting = [
        database
        for database in _databases
        if database["engine"] == engine
        and where in {(_normal(h), int(p)) for h, p in database["servers"]}
    ]
    named = [database for database in fitting if name and database["database"] == name]
    return next(iter(named or fitting), None)


def _normal(host: str | None) -> str:
    text = (host or "").lower()
    return "localhost" if text in _LOOPBACK or text.startswith("/") else text


def read_endpoint(database: Mapping[str, Any]) -> Endpoint:
    """Ask the binding where it leads now; raises UnreachableError."""
    host = read_host()
    answer = json.loads(host.hyperdrive(database["binding"])) if host is not None else {}
    if "error" in answer or not answer:
        raise UnreachableError(answer.get("error", "there is no Hyperdrive outside a Worker"))
    return Endpoint(
        host=answer["host"],
        port=int(answer["port"]),
        user=answer["user"],
        password=answer["password"],
        database=answer["database"],
        tls=bool(answer.get("tls")),
    )
