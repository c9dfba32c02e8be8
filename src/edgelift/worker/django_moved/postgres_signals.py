"""What `django.contrib.postgres.signals` is over a moved database: no type needs registering."""

from __future__ import annotations

from typing import Any


def get_type_oids(connection_alias: str, type_name: str) -> tuple[tuple[int, ...], ...]:
    """Return that the type has no number here."""
    return (), ()


def get_hstore_oids(connection_alias: str) -> tuple[tuple[int, ...], ...]:
    """Return that hstore has no number here."""
    return (), ()


def get_citext_oids(connection_alias: str) -> tuple[tuple[int, ...], ...]:
    """Return that citext has no number here."""
    return (), ()


def register_type_handlers(connection: Any, **kwargs: Any) -> None:
    """Do nothing: values are read by the fields."""
