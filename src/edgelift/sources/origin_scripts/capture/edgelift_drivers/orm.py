"""SQL texts of the app's own on their way through SQLAlchemy, as the app wrote them."""

from __future__ import annotations

from typing import Any

from . import recording, statements

_ENGINES = {"postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def watch_engines(module: Any) -> None:
    """Record the texts that any engine is given: text(), and SQL for the driver itself."""
    from sqlalchemy import event
    from sqlalchemy.sql.elements import TextClause

    def before_execute(connection: Any, clause: Any, *_rest: Any) -> None:
        engine = _ENGINES.get(connection.dialect.name)
        inner = clause if isinstance(clause, TextClause) else getattr(clause, "element", None)
        if engine and statements.observers and isinstance(inner, TextClause):
            recording.note_text(engine, str(inner.text), bound=bool(inner._bindparams))

    def before_cursor_execute(  # SQLAlchemy's signature
        connection: Any, _cursor: Any, sql: str, parameters: Any, context: Any, _many: Any
    ) -> None:
        engine = _ENGINES.get(connection.dialect.name)
        own = getattr(context, "compiled", None) is None and context is not None
        if engine and statements.observers and own and sql:
            recording.note_text(engine, sql, bound=bool(parameters))

    event.listen(module.Engine, "before_execute", before_execute)
    event.listen(module.Engine, "before_cursor_execute", before_cursor_execute)


PATCHES = {"sqlalchemy.engine": watch_engines}
