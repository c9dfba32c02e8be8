"""SQL of the app's own inside queries, extra() and RawSQL, as it was translated before the cut."""

from __future__ import annotations

from typing import Any

from edgelift.worker.sqlalchemy_moved import texts


def _extra(node: Any, compiler: Any, connection: Any) -> Any:
    parts = [f"({texts.read_text(sql) or sql})" for sql in node.sqls]
    return " AND ".join(parts), list(node.params or ())


def _raw(node: Any, compiler: Any, connection: Any) -> Any:
    return f"({texts.read_text(node.sql) or node.sql})", node.params


RULES = {
    "django.db.models.sql.where.ExtraWhere": _extra,
    "django.db.models.expressions.RawSQL": _raw,
}
