"""The arguments of sqlite3.connect, as Connection and connect read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LEGACY_TRANSACTION_CONTROL = -1


class Options(NamedTuple):
    """What sqlite3.connect takes after the database, in its order; `autocommit` only by name."""

    timeout: float = 5.0
    detect_types: int = 0
    isolation_level: str | None = ""
    check_same_thread: bool = True
    factory: Any = None
    cached_statements: int = 128
    uri: bool = False
    autocommit: bool | int = LEGACY_TRANSACTION_CONTROL


_NAMES = Options._fields


def read_options(arguments: Sequence[Any], named: Mapping[str, Any]) -> Options:
    """Return the options; raises TypeError for unknown, double or too many arguments."""
    if len(arguments) > len(_NAMES) - 1:
        raise TypeError(f"connect() takes at most {len(_NAMES)} positional arguments")
    given = dict(zip(_NAMES, arguments, strict=False))
    for name in named:
        if name not in _NAMES:
            raise TypeError(f"connect() got an unexpected keyword argument {name!r}")
        if name in given:
            raise TypeError(f"argument for connect() given by name ({name!r}) and position")
    return Options(**given, **named)
