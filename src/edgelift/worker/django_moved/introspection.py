"""Introspection of moved tables, whose columns declare the move's types."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.backends.sqlite3.introspection import DatabaseIntrospection, FlexibleFieldLookupDict


class MovedLookup(FlexibleFieldLookupDict):
    """Fields by declared types, those that the move writes included."""

    base_data_types_reverse: ClassVar[dict[str, str]] = {
        **FlexibleFieldLookupDict.base_data_types_reverse,
        "boolean": "BooleanField",
        "numeric": "DecimalField",
        "timestamp": "DateTimeField",
        "char(36)": "UUIDField",
        "char(32)": "UUIDField",
    }

    def __getitem__(self, key: str) -> Any:
        """Return the field of a declared type, with or without its size."""
        key = key.lower().strip()
        if key.startswith("numeric"):
            return "DecimalField"
        return super().__getitem__(key)


class MovedIntrospection(DatabaseIntrospection):
    """What inspectdb and tests ask."""

    data_types_reverse = MovedLookup()
