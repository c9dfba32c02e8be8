"""Features of moved databases: what the origin has and is kept, and what SQLite has instead."""

from __future__ import annotations

from django.db import DataError
from django.db.backends.sqlite3.features import DatabaseFeatures


class MovedFeatures(DatabaseFeatures):
    """Features of both origins."""

    minimum_database_version = (3, 40)
    supports_json_field = True
    supports_json_field_contains = True
    can_introspect_json_field = True
    has_json_object_function = True
    has_case_insensitive_like = False
    has_select_for_update = True
    has_select_for_update_nowait = True
    has_select_for_update_skip_locked = True
    has_select_for_update_of = True
    supports_unspecified_pk = True
    supports_cast_with_precision = True
    time_cast_precision = 6
    supports_slicing_ordering_in_compound = True

    @property
    def has_native_uuid_field(self) -> bool:
        """Whether UUIDs are told apart from the 32 digits that older fields of MySQL hold."""
        return self.connection.uuid_form != "hex"


class PostgresFeatures(MovedFeatures):
    """Features of PostgreSQL."""

    atomic_transactions = True
    supports_timezones = True
    order_by_nulls_first = False
    nulls_order_largest = True
    greatest_least_ignores_nulls = True
    can_distinct_on_fields = True
    has_select_for_no_key_update = True
    json_key_contains_list_matching_requires_list = True
    prohibits_null_characters_in_text_exception = (
        DataError,
        "PostgreSQL text fields cannot contain NUL (0x00) bytes",
    )


class MysqlFeatures(MovedFeatures):
    """Features of MySQL and MariaDB."""

    supports_update_conflicts_with_target = False
