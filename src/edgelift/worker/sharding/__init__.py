"""Leads each request to the shard of its key: what edgelift.toml declares, without the app's doing.

`apps` stands around the app and reads the key, `choice` carries what was found to whatever works
for the request, and connections to a sharded database ask it at each statement
(sqlite3/sharded.py).
"""

from __future__ import annotations

from edgelift.worker.sharding.apps import route_app
from edgelift.worker.sharding.router import Router, list_runs, read_router

__all__ = ["Router", "list_runs", "read_router", "route_app"]
