"""What D1 takes and refuses of SQLite's dialect, as data for the rules of the schema stage.

Each value was measured on workerd 1.20261117.1 or read in D1's documentation; see cloudflare.md
section 3 and cloudflare-limits.json (ids `d1.*`) of the project's fact sheets.
"""

from __future__ import annotations

MAX_COLUMNS = 100  # d1.columns: of a table and of a result set
MAX_STATEMENT_BYTES = 100_000  # d1.statement_bytes
MAX_ROW_BYTES = 2_000_000  # d1.row_bytes: documented, not enforced by the local runtime
MAX_DATABASE_BYTES = 10_000_000_000  # d1.db_bytes.paid, cannot be raised
FREE_DATABASE_BYTES = 500_000_000  # d1.db_bytes.free
MAX_FUNCTION_ARGUMENTS = 32  # d1.function_args: documented; the local runtime takes 127
MAX_TRIGGER_DEPTH = 10  # of triggers and actions of foreign keys: measured in the engine
MAX_PATTERN_BYTES = 50  # d1.like_pattern_bytes, for LIKE and GLOB
MAX_EXACT_INTEGER = 2**53  # D1's answers are JSON: JavaScript rounds integers beyond this
RESERVED_PREFIX = "_cf_"

COLLATIONS = frozenset({"BINARY", "NOCASE", "RTRIM"})
MODULES = frozenset({"fts5", "fts5vocab", "rtree", "rtree_i32"})

# Names that D1 refuses although SQLite has the very same function under the name beside it.
RENAMED_FUNCTIONS = {"ceiling": "ceil", "if": "iif", "log10": "log", "power": "pow"}

FUNCTIONS = frozenset({
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "bm25", "ceil",
    "changes", "char", "coalesce", "concat", "concat_ws", "cos", "cosh", "count", "cume_dist",
    "current_date", "current_time", "current_timestamp", "date", "datetime", "degrees",
    "dense_rank", "exp", "first_value", "floor", "format", "glob", "group_concat", "hex",
    "highlight", "ifnull", "iif", "instr", "json", "json_array", "json_array_length",
    "json_each", "json_extract", "json_group_array", "json_group_object", "json_insert",
    "json_object", "json_patch", "json_quote", "json_remove", "json_replace", "json_set",
    "json_tree", "json_type", "json_valid", "jsonb", "jsonb_array", "jsonb_extract",
    "jsonb_group_array", "jsonb_group_object", "jsonb_insert", "jsonb_object", "jsonb_patch",
    "jsonb_remove", "jsonb_replace", "jsonb_set", "julianday", "lag", "last_insert_rowid",
    "last_value", "lead", "length", "like", "likelihood", "likely", "ln", "log", "log2",
    "lower", "ltrim", "match", "max", "min", "mod", "nth_value", "ntile", "nullif",
    "octet_length", "percent_rank", "pi", "pow", "printf", "quote", "radians", "random",
    "randomblob", "rank", "replace", "round", "row_number", "rtrim", "sign", "sin", "sinh",
    "snippet", "sqrt", "strftime", "string_agg", "substr", "substring", "sum", "tan", "tanh",
    "time", "timediff", "total", "total_changes", "trim", "trunc", "typeof", "unhex", "unicode",
    "unixepoch", "unlikely", "upper", "zeroblob",
})  # fmt: skip
