"""Patches of the standard library and of packages, applied before the app's import; one per module.

The docstring of each says what breaks without it. Order matters: identity and locks first, since
modules imported later copy names out of `threading`.
"""

from __future__ import annotations

import importlib
import sys

# Those that make sense under any interpreter, and those that replace what only Pyodide lacks.
EVERYWHERE = (
    "garbage",
    "randomness",
    "identity",
    "locks",
    "thread_locals",
    "queues",
    "hashing",
)
IN_WORKER = (
    "prefix",
    "waiting",
    "event_loop",
    "threads",
    "executor",
    "anyio_threads",
    "asgiref_loop",
    "apscheduler_jobs",
    "pymysql_connections",
    "aiomysql_connections",
    "pg8000_connections",
    "postgres_connections",
    "psycopg_pools",
    "sqlalchemy_greenlets",
    "sqlalchemy_pools",
    "django_async",
    "django_connections",
)


def install_patches() -> None:
    """Apply all patches; called once, before the app's import (a second call changes nothing)."""
    names = (*EVERYWHERE, *IN_WORKER) if sys.platform == "emscripten" else EVERYWHERE
    for name in names:
        importlib.import_module(f"edgelift.worker.patches.{name}").install()
