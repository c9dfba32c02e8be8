"""The local runtime: builds a lifted Python app into a bundle and serves it on raw workerd.

`build_bundle` packs the app, its packages and Pyodide and takes a memory snapshot after the app's
import; `start_worker` serves the bundle; `database_file` is where a database must lie before.
"""

from __future__ import annotations

from edgelift.targets.workerd.bundle import Bundle, BundleSpec, build_bundle, read_bundle
from edgelift.targets.workerd.d1_storage import d1_file, database_file
from edgelift.targets.workerd.worker import Worker, start_worker

__all__ = [
    "Bundle",
    "BundleSpec",
    "Worker",
    "build_bundle",
    "d1_file",
    "database_file",
    "read_bundle",
    "start_worker",
]
