"""psycopg2.errorcodes: a constant for each SQLSTATE and each class of them."""

from __future__ import annotations

from typing import Any

from edgelift.worker.postgres.sqlstates import CLASSES, SQLSTATES

for _code, _name in SQLSTATES.items():
    globals()[_name.upper()] = _code
for _code, _name in CLASSES.items():
    globals()[f"CLASS_{_name.upper()}"] = _code
_NAMES = {code: name.upper() for code, name in SQLSTATES.items()} | {
    code: f"CLASS_{name.upper()}" for code, name in CLASSES.items()
}


def lookup(code: str) -> str:
    """Return the name of a code or of a class of codes; raises KeyError for others."""
    return _NAMES[code].rstrip("_")


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module 'psycopg2.errorcodes' has no attribute {name!r}")
