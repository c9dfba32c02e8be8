"""What a value is to the origin's server: the kinds of columns, parameters and results.

A kind is a type of the server with its modifier, and the form in which the move stored it. The
numbers are PostgreSQL's OIDs (pg_type.dat), by which its drivers know how to read a value.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """A type; `scale` and `precision` are those of numerics, `length` that of texts, -1 for none.

    `element` is what an array holds, `labels` those of an enumeration in their order, `form` how
    values are stored where a type has several ways ("epoch" and "micros" of intervals, "hex").
    """

    name: str
    precision: int = -1
    scale: int = -1
    length: int = -1
    element: Kind | None = None
    labels: tuple[str, ...] = ()
    form: str = ""


# By name: OID, size and the OID of its arrays.
_TYPES = {
    "bool": (16, 1, 1000), "bytea": (17, -1, 1001), "char": (18, 1, 1002),
    "name": (19, 64, 1003), "int8": (20, 8, 1016), "int2": (21, 2, 1005),
    "int4": (23, 4, 1007), "text": (25, -1, 1009), "oid": (26, 4, 1028),
    "json": (114, -1, 199), "xml": (142, -1, 143), "cidr": (650, -1, 651),
    "float4": (700, 4, 1021), "float8": (701, 8, 1022), "unknown": (705, -2, 1009),
    "money": (790, 8, 791), "macaddr": (829, 6, 1040), "inet": (869, -1, 1041),
    "bpchar": (1042, -1, 1014), "varchar": (1043, -1, 1015), "date": (1082, 4, 1182),
    "time": (1083, 8, 1183), "timestamp": (1114, 8, 1115), "timestamptz": (1184, 8, 1185),
    "interval": (1186, 16, 1187), "timetz": (1266, 12, 1270), "bit": (1560, -1, 1561),
    "varbit": (1562, -1, 1563), "numeric": (1700, -1, 1231), "void": (2278, 4, 0),
    "uuid": (2950, 16, 2951), "jsonb": (3802, -1, 3807),
}  # fmt: skip
_BY_OID = {oid: name for name, (oid, _size, _array) in _TYPES.items() if name != "unknown"}
_BY_ARRAY = {array: name for name, (_oid, _size, array) in _TYPES.items() if name != "unknown"}

UNKNOWN = Kind("unknown")
BOOL, INT4, INT8, TEXT = Kind("bool"), Kind("int4"), Kind("int8"), Kind("text")
NUMERIC, FLOAT8, DATE = Kind("numeric"), Kind("float8"), Kind("date")
TIMESTAMP, TIMESTAMPTZ, TIME = Kind("timestamp"), Kind("timestamptz"), Kind("time")
INTERVAL, UUID, JSONB, JSON = (
    Kind("interval", form="micros"),
    Kind("uuid"),
    Kind("jsonb"),
    Kind("json"),
)
BYTEA, VOID = Kind("bytea"), Kind("void")
# A quotient of two sums, kept apart as JSON until it is written (see outputs.py).
RATIO = Kind("ratio")

INTEGERS = frozenset({"int2", "int4", "int8", "oid"})
INTEGER_BITS = {"int2": 16, "int4": 32, "int8": 64}
EXACT = INTEGERS | {"numeric", "ratio"}
NUMBERS = EXACT | {"float4", "float8"}
TEXTS = frozenset({"text", "varchar", "bpchar", "name", "char", "citext"})
MOMENTS = frozenset({"timestamp", "timestamptz"})
_SAME_OIDS = {"enum": "text", "ratio": "numeric", "record": "text"}
_WRITTEN = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "bool": "boolean", "varchar": "character varying",
    "bpchar": "character", "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone", "time": "time without time zone",
    "timetz": "time with time zone", "ratio": "numeric",
}  # fmt: skip


def array_of(element: Kind) -> Kind:
    """Return the kind of arrays of an element."""
    return Kind("array", element=element)


def find_oid(kind: Kind) -> int:
    """Return the OID that tells a driver how to read values; other types are texts to it."""
    if kind.element is not None:
        name = _SAME_OIDS.get(kind.element.name, kind.element.name)
        return _TYPES.get(name, _TYPES["text"])[2]
    return _TYPES.get(_SAME_OIDS.get(kind.name, kind.name), _TYPES["text"])[0]


def find_size(kind: Kind) -> int:
    """Return the size that PostgreSQL tells of a type, -1 for a varying one."""
    if kind.element is not None:
        return -1
    return _TYPES.get(_SAME_OIDS.get(kind.name, kind.name), _TYPES["text"])[1]


def find_modifier(kind: Kind) -> int:
    """Return the type modifier as PostgreSQL packs it, -1 for none."""
    if kind.name == "numeric" and kind.precision >= 0:
        return ((kind.precision << 16) | max(kind.scale, 0)) + 4
    if kind.name in {"varchar", "bpchar"} and kind.length >= 0:
        return kind.length + 4
    return -1


def from_oid(oid: int) -> Kind | None:
    """Return the kind of an OID, None for one that is not known (0 is none)."""
    if oid in _BY_OID:
        return make_kind(_BY_OID[oid])
    return array_of(make_kind(_BY_ARRAY[oid])) if oid in _BY_ARRAY and oid else None


def make_kind(name: str) -> Kind:
    """Return the plain kind of a type's name."""
    return INTERVAL if name == "interval" else Kind(name)


def knows(name: str) -> bool:
    """Return whether a type has a number of its own here."""
    return name in _TYPES


def write_kind(kind: Kind) -> str:
    """Return a type as PostgreSQL writes it in messages."""
    if kind.element is not None:
        return f"{write_kind(kind.element)}[]"
    return _WRITTEN.get(kind.name, kind.name)


def category(kind: Kind) -> str:
    """Return the group within which values compare with each other."""
    if kind.name in NUMBERS:
        return "number"
    if kind.name in TEXTS or kind.name in {"enum", "unknown"}:
        return "text"
    if kind.name in MOMENTS or kind.name == "date":
        return "moment"
    return kind.name
