"""The table of all ops: what turns one field of the wire into one value of SQLite, per column.

Sources choose an op for each column, both row engines obey the table, schema checks against it.
An op's argument is a line of `name=value` pairs; a value it cannot carry exactly is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgelift.errors import UsageError

PGCOPY = "pgcopy"
MYSQL = "mysql"
SQLITE = "sqlite"

POLICY = ("refuse", "null", "text")
TIMESTAMP_STYLES = ("sqlalchemy", "django", "unix", "unix_ms", "unix_us")
UUID_STYLES = ("hex", "text", "blob")
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Setting:
    """One `name=value` of an op's argument; no default means that it must be given.

    `choices` are the allowed words; without them `pattern` says what a value looks like.
    """

    name: str
    default: str | None = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    meaning: str = ""

    def accepts(self, value: str) -> bool:
        """Return whether the value is one that the setting can have."""
        if self.choices:
            return value in self.choices
        return re.fullmatch(self.pattern, value) is not None


@dataclass(frozen=True)
class Op:
    """One conversion; `reads` says per wire which types it takes, in the form the server sends.

    `stores` are the storage classes of its results before the column's affinity works on them.
    `numeric_text` says that a text of it may look like a number, so that only a column of TEXT or
    BLOB affinity keeps it.
    """

    name: str
    reads: Mapping[str, str]
    stores: tuple[str, ...]
    result: str
    refuses: str
    settings: tuple[Setting, ...] = ()
    numeric_text: bool = False


def _policy(name: str, meaning: str, default: str = "refuse") -> Setting:
    return Setting(name, default, POLICY, meaning=meaning)


_UUID_STYLE = Setting(
    "style", "hex", UUID_STYLES, meaning="32 hex digits, 36 characters, or 16 bytes"
)
_NAMESPACE = Setting("namespace", None, (), _UUID, "the UUID that names are hashed under")
_OUTSIDE = _policy("outside", "years before 1 and after 9999; 24:00 and TIME beyond a day")
_ZERO = _policy("zero", "MySQL's 0000-00-00, dates with month or day 0, days that no month has")
_INFINITY = _policy("infinity", "infinity and -infinity")
_NAN = _policy("nan", "NaN; as text it is 'NaN'")
_DECIMAL = {
    PGCOPY: "numeric",
    MYSQL: "DECIMAL; every text of digits, sign, point and exponent",
    SQLITE: "INTEGER, TEXT of a number",
}
_DECIMAL_REFUSES = "NaN and +-Infinity unless nan/infinity say otherwise"

OPS: Mapping[str, Op] = {
    op.name: op
    for op in (
        Op(
            "keep",
            {SQLITE: "every value"},
            ("NULL", "INTEGER", "REAL", "TEXT", "BLOB"),
            "the value as it is",
            "nothing",
            numeric_text=True,
        ),
        Op(
            "int",
            {
                PGCOPY: "int2, int4, int8 (2, 4 or 8 bytes); money (in its smallest unit)",
                MYSQL: "TINYINT ... BIGINT, signed or unsigned, YEAR",
                SQLITE: "INTEGER",
            },
            ("INTEGER",),
            "the number",
            "unsigned values above 9223372036854775807",
        ),
        Op(
            "int_text",
            {
                PGCOPY: "int2, int4, int8",
                MYSQL: "all integers up to BIGINT UNSIGNED",
                SQLITE: "INTEGER",
            },
            ("TEXT",),
            "decimal digits, `-` before negative ones, no leading zeros (ZEROFILL is dropped)",
            "nothing in the range -2^63 ... 2^64-1",
            numeric_text=True,
        ),
        Op(
            "oid",
            {PGCOPY: "oid, xid, cid and the reg* types (4 bytes, unsigned)"},
            ("INTEGER",),
            "0 ... 4294967295",
            "nothing",
        ),
        Op(
            "bool",
            {PGCOPY: "bool", MYSQL: "TINYINT(1) as '0' or '1'; BIT(1)", SQLITE: "INTEGER 0, 1"},
            ("INTEGER",),
            "0 or 1",
            "every other number (choose int for a TINYINT(1) that holds one)",
        ),
        Op(
            "float",
            {
                PGCOPY: "float4, float8; a float4 is widened (0.1 -> 0.10000000149011612): "
                "read `x::text::float8` for the digits that the server prints",
                MYSQL: "DOUBLE; FLOAT read as CAST(x AS DOUBLE)",
                SQLITE: "REAL, INTEGER within 2^53",
            },
            ("REAL",),
            "the double and +-Infinity (a column of REAL affinity keeps 0.0 for -0.0; one of "
            "NUMERIC or INTEGER affinity makes an INTEGER of every whole number within 64 bits)",
            "NaN unless nan says otherwise; infinities if infinity says so",
            (_NAN, Setting("infinity", "real", ("real", *POLICY), meaning="+-Infinity")),
        ),
        Op(
            "decimal_real15",
            _DECIMAL,
            ("REAL",),
            "the double nearest to the decimal, as SQLite makes it of the text; whole numbers "
            "within 64 bits are INTEGER in a column of NUMERIC or INTEGER affinity",
            "more than 15 significant digits, |x| outside 1e-290 ... 1e290; " + _DECIMAL_REFUSES,
            (_NAN, _INFINITY),
        ),
        Op(
            "decimal_text",
            _DECIMAL,
            ("TEXT",),
            "the decimal as the server prints it, trailing zeros of its scale included (1.50); "
            "no exponent from PostgreSQL; MySQL and SQLite texts are kept letter by letter",
            _DECIMAL_REFUSES,
            (_policy("nan", "NaN", "text"), _policy("infinity", "+-Infinity", "text")),
            numeric_text=True,
        ),
        Op(
            "decimal_scaled",
            _DECIMAL,
            ("INTEGER",),
            "the decimal times 10^scale",
            "digits beyond the scale other than 0, results outside 64 bits; " + _DECIMAL_REFUSES,
            (Setting("scale", None, (), r"\d|1[0-8]", "0 ... 18"), _NAN, _INFINITY),
        ),
        Op(
            "money",
            {PGCOPY: "money"},
            ("REAL",),
            "the amount in its main unit: the integer sent divided by 10^scale, rounded as "
            "decimal_real15 does (op `int` keeps the smallest unit as INTEGER)",
            "amounts of more than 15 digits",
            (Setting("scale", "2", (), r"\d", "digits of lc_monetary, usually 2"),),
        ),
        Op(
            "text",
            {
                PGCOPY: "text, varchar, bpchar, name, enum, json, xml, and whatever is read as "
                "`x::text`, `to_json(x)::text`",
                MYSQL: "CHAR ... LONGTEXT, ENUM, SET, JSON and everything read as text in utf8mb4",
                SQLITE: "TEXT",
            },
            ("TEXT",),
            "the text byte by byte; with rtrim=yes without the spaces at its end",
            "bytes that are not UTF-8",
            (Setting("rtrim", "no", ("no", "yes"), meaning="take off char(n)'s padding"),),
            numeric_text=True,
        ),
        Op(
            "char",
            {PGCOPY: 'the one-byte type "char"'},
            ("TEXT",),
            "one ASCII character; '' for the byte 0",
            "bytes above 127",
            numeric_text=True,
        ),
        Op(
            "jsonb",
            {PGCOPY: "jsonb (a version byte before the text)"},
            ("TEXT",),
            "the JSON as the server prints it",
            "other versions than 1",
            numeric_text=True,
        ),
        Op(
            "blob",
            {
                PGCOPY: "bytea; every type in its binary form",
                MYSQL: "BINARY ... LONGBLOB, ST_AsWKB(x)",
                SQLITE: "BLOB",
            },
            ("BLOB",),
            "the bytes",
            "nothing",
        ),
        Op(
            "wkb",
            {MYSQL: "GEOMETRY ... GEOMETRYCOLLECTION as stored (SRID, then WKB)"},
            ("BLOB",),
            "the WKB without the SRID",
            "another SRID than the one given",
            (Setting("srid", "0", (), r"\d{1,10}", "the SRID that all values must have"),),
        ),
        Op(
            "uuid",
            {
                PGCOPY: "uuid",
                MYSQL: "UUID, CHAR(36), CHAR(32), BINARY(16)",
                SQLITE: "TEXT of 32 or 36 characters, BLOB of 16 bytes",
            },
            ("TEXT", "BLOB"),
            "lower-case hex",
            "everything that is no UUID",
            (_UUID_STYLE,),
            numeric_text=True,
        ),
        Op(
            "uuid5",
            {
                PGCOPY: "int2, int4, int8",
                MYSQL: "integers",
                SQLITE: "INTEGER",
            },
            ("TEXT", "BLOB"),
            "version 5 of RFC 9562: SHA-1 of the namespace and the decimal digits of the key",
            "integers outside 64 bits",
            (_NAMESPACE, _UUID_STYLE),
            numeric_text=True,
        ),
        Op(
            "uuid7",
            {PGCOPY: "int2, int4, int8", MYSQL: "integers", SQLITE: "INTEGER"},
            ("TEXT", "BLOB"),
            "version 7 made from the key, in the key's order: milliseconds = base + (key >> 12), "
            "rand_a = key & 4095, rand_b = the first 62 bits of SHA-1(namespace, key's digits); "
            "whoever has base reads the key from it",
            "keys below 0 or from 2^60 on; base + (key >> 12) from 2^48 on",
            (
                _NAMESPACE,
                Setting("base", "0", (), r"\d{1,15}", "Unix milliseconds of key 0"),
                _UUID_STYLE,
            ),
            numeric_text=True,
        ),
        Op(
            "date",
            {PGCOPY: "date", MYSQL: "DATE", SQLITE: "TEXT YYYY-MM-DD"},
            ("TEXT", "INTEGER"),
            "YYYY-MM-DD; with style=unix/unix_ms/unix_us the INTEGER of its midnight in UTC. Kept "
            "as text, dates out of range are YYYYY-MM-DD, 'YYYY-MM-DD BC', 'infinity', or as MySQL "
            "sends them",
            "infinity, zero dates, years outside 1 ... 9999, unless the settings say otherwise",
            (
                Setting(
                    "style",
                    "iso",
                    ("iso", "unix", "unix_ms", "unix_us"),
                    meaning="text or a count since 1970",
                ),
                _INFINITY,
                _ZERO,
                _OUTSIDE,
            ),
        ),
        Op(
            "time",
            {PGCOPY: "time", MYSQL: "TIME", SQLITE: "TEXT HH:MM:SS[.ffffff]"},
            ("TEXT",),
            "HH:MM:SS.ffffff; style=django leaves out .000000. Kept as text, what lies outside a "
            "day is [-]H...HH:MM:SS.ffffff",
            "24:00:00, negative TIME and TIME from 24 h on, unless outside says otherwise",
            (Setting("style", "sqlalchemy", ("sqlalchemy", "django")), _OUTSIDE),
        ),
        Op(
            "timetz",
            {PGCOPY: "timetz"},
            ("TEXT",),
            "HH:MM:SS.ffffff+HH:MM (with :SS where the zone has seconds)",
            "24:00:00 unless outside says otherwise",
            (Setting("style", "sqlalchemy", ("sqlalchemy", "django")), _OUTSIDE),
        ),
        Op(
            "timestamp",
            {
                PGCOPY: "timestamp; timestamptz (then in UTC)",
                MYSQL: "DATETIME; TIMESTAMP with the session's time_zone '+00:00'",
                SQLITE: "TEXT YYYY-MM-DD[ T]HH:MM:SS[.ffffff]",
            },
            ("TEXT", "INTEGER"),
            "sqlalchemy: 'YYYY-MM-DD HH:MM:SS.ffffff'; django: without .000000; unix, unix_ms, "
            "unix_us: INTEGER since 1970 in UTC. Kept as text: 'infinity', "
            "'YYYY-MM-DD HH:MM:SS.ffffff BC', five and six digits of the year",
            "infinity, zero dates, years outside 1 ... 9999 (of the text styles), unless the "
            "settings say otherwise; a fraction that the style cannot hold unless fraction=floor",
            (
                Setting("style", "sqlalchemy", TIMESTAMP_STYLES),
                _INFINITY,
                _ZERO,
                _OUTSIDE,
                Setting(
                    "fraction",
                    "refuse",
                    ("refuse", "floor"),
                    meaning="parts of a second (unix) or of a millisecond (unix_ms)",
                ),
            ),
        ),
        Op(
            "interval",
            {PGCOPY: "interval", MYSQL: "TIME, also beyond 24 h and negative"},
            ("INTEGER", "TEXT"),
            "micros: INTEGER microseconds, a day being 24 h; sqlalchemy: the timestamp 1970-01-01 "
            "plus the interval as text; iso: P1Y2M3DT4H5M6.7S, PT0S for nothing",
            "micros, sqlalchemy: intervals with months, results outside 64 bits or the years "
            "1 ... 9999",
            (Setting("style", "micros", ("micros", "sqlalchemy", "iso")),),
        ),
        Op(
            "inet",
            {PGCOPY: "inet, cidr"},
            ("TEXT",),
            "as the server prints it: inet without a full mask, cidr with its mask always",
            "nothing",
        ),
        Op(
            "macaddr",
            {PGCOPY: "macaddr, macaddr8"},
            ("TEXT",),
            "08:00:2b:01:02:03",
            "nothing",
        ),
        Op(
            "bit",
            {PGCOPY: "bit, varbit", MYSQL: "BIT"},
            ("TEXT", "INTEGER"),
            "text: the digits 0 and 1, for MySQL as many as width says; int: INTEGER",
            "int: more than 63 significant bits; text: more than 2^24 bits, bits beyond width",
            (
                Setting("style", "text", ("text", "int")),
                Setting("width", "0", (), r"\d|[1-5]\d|6[0-4]", "n of MySQL's BIT(n)"),
            ),
            numeric_text=True,
        ),
        Op(
            "refused",
            {PGCOPY: "nothing", MYSQL: "nothing", SQLITE: "nothing"},
            (),
            "none: the column stays behind or the lift stops; the argument is the rule's id",
            "everything: a table with this op cannot be loaded",
        ),
    )
}

# The pseudo-affinities of https://sqlite.org/datatype3.html#determination_of_column_affinity.
_AFFINITIES = (
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)


def read_affinity(target_type: str) -> str:
    """Return the affinity SQLite gives a column declared with that type."""
    upper = target_type.upper()
    if not upper.strip():
        return "BLOB"
    for affinity, marks in _AFFINITIES:
        if any(mark in upper for mark in marks):
            return affinity
    return "NUMERIC"


def read_settings(op: str, argument: str) -> dict[str, str]:
    """Return an op's settings with their defaults filled in; UsageError names what is wrong."""
    known = OPS.get(op)
    if known is None:
        raise UsageError(
            f"no op is called {op!r}",
            why=f"the ops are {', '.join(OPS)}",
            tip="choose one of them",
        )
    if op == "refused":
        return {"rule": argument}
    given: dict[str, str] = {}
    for part in argument.split():
        name, mark, value = part.partition("=")
        setting = next((s for s in known.settings if s.name == name), None)
        if setting is None or not mark or name in given or not setting.accepts(value):
            raise UsageError(
                f"op {op} does not understand {part!r}",
                why=f"its settings are {_describe(known.settings)}",
                tip="write them as name=value, parted by spaces",
            )
        given[name] = value
    missing = [s.name for s in known.settings if s.default is None and s.name not in given]
    if missing:
        raise UsageError(
            f"op {op} needs {', '.join(missing)}",
            why=f"its settings are {_describe(known.settings)}",
            tip="write them as name=value, parted by spaces",
        )
    return {s.name: given.get(s.name, s.default or "") for s in known.settings}


def write_argument(**settings: str | int) -> str:
    """Return the argument line of the given settings, in their order."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _describe(settings: Iterable[Setting]) -> str:
    words = [f"{s.name}={'|'.join(s.choices) or s.pattern}" for s in settings]
    return ", ".join(words) or "none: it takes no argument"
