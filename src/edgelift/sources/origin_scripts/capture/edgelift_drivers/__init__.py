"""Looks at what the origin sends to its database servers; run by ../sitecustomize.py in its Python.

`EDGELIFT_RECORD` names a folder for records of the statements (recording.py); `EDGELIFT_FAULTS` one
by which statements are made to fail (faults.py). Drivers are taken hold of when the app imports
them (importing.py, postgres.py, mysql.py).
"""

from __future__ import annotations

import os

from . import faults, importing, mysql, postgres, recording


def start() -> None:
    """Take hold of the drivers, as the variables ask."""
    if folder := os.environ.get("EDGELIFT_RECORD"):
        recording.start(folder)
    if folder := os.environ.get("EDGELIFT_FAULTS"):
        faults.start(folder)
    importing.watch({**postgres.PATCHES, **mysql.PATCHES})
