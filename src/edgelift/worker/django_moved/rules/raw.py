"""SQL of the app's own inside queries, extra() and RawSQL, as it was translated before the cut."""

from __future__ import annotations

import re
from typing import Any

from edgelift.worker.sqlalchemy_moved import texts

_PLACES = re.compile(r"('(?:[^']|'')*')|\?")


def _read(sql: str) -> str:
    """Return a part of a statement; a translated one with places as the ORM writes them."""
    known = texts.read_text(sql)
    if known is None:
        return sql
    return _PLACES.sub(lambda found: found[1] or "%s", known.replace("%", "%%"))


def _extra(node: Any, compiler: Any, connection: Any) -> Any:
    parts = [f"({_read(sql)})" for sql in node.sqls]
    return " AND ".join(parts), list(node.params or ())


def _raw(node: Any, compiler: Any, connection: Any) -> Any:
    return f"({_read(node.sql)})", node.params


RULES = {
    "django.db.models.sql.where.ExtraWhere": _extra,
    "django.db.models.expressions.RawSQL": _raw,
}
