"""Names of the functions that functions.py has rules for; the plan asks them before the cut."""

from __future__ import annotations

SHARED = frozenset(
    {"now", "current_timestamp", "localtimestamp", "current_date", "char_length",
     "character_length", "ceil", "ceiling", "power", "left", "right", "substring",
     "json_array_length"}
)  # fmt: skip
POSTGRESQL = SHARED | {
    "transaction_timestamp", "statement_timestamp", "clock_timestamp", "gen_random_uuid",
    "uuid_generate_v4", "date_trunc", "strpos", "btrim", "string_agg", "array_agg", "json_agg",
    "bool_and", "bool_or", "every", "greatest", "least", "cardinality", "array_length",
    "array_append", "array_position", "array_remove", "jsonb_array_length", "random",
    "pg_advisory_xact_lock", "pg_advisory_lock", "pg_advisory_unlock",
}  # fmt: skip
MYSQL = SHARED | {
    "utc_timestamp", "curdate", "curtime", "concat", "ifnull", "if", "year", "month", "day",
    "dayofmonth", "hour", "minute", "dayofweek", "datediff", "greatest", "least", "rand",
    "locate", "lcase", "ucase", "uuid", "json_unquote",
}  # fmt: skip
