"""Whether statements of an app may go to an ORM, which has rules of its own in the Worker."""

from __future__ import annotations

from edgelift.sources.source_code.view import CodeView

_ORMS = frozenset({"sqlalchemy", "flask_sqlalchemy", "sqlmodel", "django", "alembic"})


def has_django(view: CodeView) -> bool:
    """Return whether the app's own code imports Django, whose connections take SQL as it is."""
    return any(name.partition(".")[0] == "django" for _site, name in view.imports)


def has_orm(view: CodeView) -> bool:
    """Return whether the app's own code imports an ORM."""
    return any(name.partition(".")[0] in _ORMS for _site, name in view.imports)
