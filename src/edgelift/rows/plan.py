"""From a RowSpec to what the engines run: each field's op, settings, affinity and conversion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from edgelift.errors import OriginError, UsageError
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.rows.conversions import (
    Convert,
    Raw,
    RefusedValueError,
    Settings,
    Value,
    numbers,
    texts,
    times,
)
from edgelift.rows.ops import OPS, SQLITE, read_affinity, read_settings
from edgelift.rows.wires import Row

_MAKERS: dict[str, Callable[[Settings, str], Convert]] = {
    "keep": texts.make_keep,
    "int": numbers.make_int,
    "int_text": numbers.make_int_text,
    "oid": numbers.make_oid,
    "bool": numbers.make_bool,
    "decimal_text": numbers.make_decimal_text,
    "decimal_scaled": numbers.make_decimal_scaled,
    "text": texts.make_text,
    "char": texts.make_char,
    "jsonb": texts.make_jsonb,
    "blob": texts.make_blob,
    "wkb": texts.make_wkb,
    "uuid": texts.make_uuid,
    "uuid5": texts.make_uuid5,
    "uuid7": texts.make_uuid7,
    "date": times.make_date,
    "time": times.make_time,
    "timetz": times.make_timetz,
    "timestamp": times.make_timestamp,
    "interval": times.make_interval,
    "inet": texts.make_inet,
    "macaddr": texts.make_macaddr,
    "bit": numbers.make_bit,
}
_REAL_MAKERS: dict[str, Callable[[Settings, str, str], Convert]] = {
    "float": numbers.make_float,
    "decimal_real15": numbers.make_decimal_real15,
    "money": numbers.make_money,
}
_REPEATED = frozenset(
    {"decimal_real15", "decimal_scaled", "decimal_text", "date", "uuid5", "uuid7"}
)
_TAKES_BLOBS = frozenset({"keep", "blob", "uuid"})


@dataclass(frozen=True)
class FieldPlan:
    """One field ready to run."""

    spec: FieldSpec
    settings: Settings
    affinity: str
    convert: Convert


@dataclass(frozen=True)
class RowPlan:
    """One table ready to run."""

    spec: RowSpec
    fields: tuple[FieldPlan, ...]

    @cached_property
    def converts(self) -> tuple[Convert, ...]:
        """Return the fields' conversions."""
        return tuple(field.convert for field in self.fields)

    @property
    def place(self) -> str:
        """Return the table's name for messages."""
        return f"{self.spec.schema}.{self.spec.table}" if self.spec.schema else self.spec.table


def read_stores(op: str, settings: Settings) -> frozenset[str]:
    """Return the storage classes of an op's regular results under its settings."""
    style = settings.get("style", "")
    if style == "blob":
        return frozenset({"BLOB"})
    if op in {"date", "timestamp", "interval", "bit"}:
        counts = style.startswith("unix") or style in {"micros", "int"}
        return frozenset({"INTEGER" if counts else "TEXT"})
    if op in {"uuid", "uuid5", "uuid7"}:
        return frozenset({"TEXT"})
    return frozenset(OPS[op].stores)


def _check_affinity(field: FieldSpec, settings: Settings, affinity: str) -> str:
    """Return why a column of that affinity would change the op's values, empty when it does not."""
    stores = read_stores(field.op, settings)
    if field.op == "keep" or affinity == "BLOB":
        return ""
    if "INTEGER" in stores and affinity in {"TEXT", "REAL"}:
        return f"{affinity} affinity would turn its INTEGER into {affinity}"
    if "REAL" in stores and affinity == "TEXT":
        return "TEXT affinity would turn its REAL into TEXT"
    looks = OPS[field.op].numeric_text and settings.get("style") != "text"
    looks = looks or (field.op == "bit" and settings.get("style") == "text")
    if stores == {"TEXT"} and looks and affinity != "TEXT":
        return f"{affinity} affinity would turn texts that look like numbers into numbers"
    return ""


def _plan_field(spec: RowSpec, field: FieldSpec) -> FieldPlan:
    what = f"column {spec.target}.{field.column} cannot be loaded with op {field.op!r}"
    settings = read_settings(field.op, field.argument)
    if field.op == "refused":
        raise UsageError(
            what,
            why=f"rule {field.argument or 'unknown'} refuses it",
            tip="exclude the column or give it a [[schema.cast]]",
        )
    if spec.wire not in OPS[field.op].reads:
        wires = ", ".join(OPS[field.op].reads)
        raise UsageError(what, why=f"it reads {wires}, not {spec.wire}", tip="choose another op")
    affinity = read_affinity(field.target_type)
    why = _check_affinity(field, settings, affinity)
    if why:
        raise UsageError(
            f"{what} into the type {field.target_type!r}",
            why=why,
            tip="declare the column with the affinity of the op's result, or choose another op",
        )
    real = _REAL_MAKERS.get(field.op)
    if real is not None:
        convert = real(settings, spec.wire, affinity)
    else:
        convert = _MAKERS[field.op](settings, spec.wire)
    if spec.wire == SQLITE:
        convert = convert if field.op in _TAKES_BLOBS else _without_blobs(convert)
    elif field.op in _REPEATED:
        convert = _remember(convert)
    return FieldPlan(field, settings, affinity, convert)


def _remember(inner: Convert) -> Convert:
    """Return the conversion with a memory for short values, of which most tables repeat a few."""
    known = lru_cache(8192)(inner)
    return lambda raw: known(raw) if len(raw) <= 32 else inner(raw)  # type: ignore[arg-type]


def _without_blobs(inner: Convert) -> Convert:
    def convert(raw: Raw) -> Value:
        if isinstance(raw, bytes):
            raise RefusedValueError("is a BLOB")
        return inner(raw)

    return convert


def build_plan(spec: RowSpec) -> RowPlan:
    """Return the spec ready to run.

    UsageError: an op that is unknown, refused, not for this wire, or whose values the column's
    declared type would change.
    """
    if not spec.fields:
        raise UsageError(
            f"table {spec.target} has no column to load",
            why="all its columns are excluded or refused",
            tip="exclude the table, or let a column travel",
        )
    return RowPlan(spec, tuple(_plan_field(spec, field) for field in spec.fields))


def convert_row(plan: RowPlan, row: Row, ordinal: int) -> tuple[Value, ...]:
    """Return a row's values for SQLite; OriginError names what cannot be carried.

    `ordinal` counts the rows of the stream from 1; it names a row whose table has no key.
    """
    values: list[Value] = []
    add = values.append
    try:
        for convert, raw in zip(plan.converts, row, strict=True):
            add(None if raw is None else convert(raw))
    except RefusedValueError as error:
        field = plan.fields[len(values)].spec
        raise OriginError(
            f"{plan.place}, column {field.column}: a value cannot be carried by op {field.op}",
            why=f"the value of the row {name_row(plan, row, ordinal)} {error}",
            tip="give the column a [[schema.cast]], or correct the value at the origin",
        ) from None
    return tuple(values)


def name_row(plan: RowPlan, row: Row, ordinal: int) -> str:
    """Return the row's key as `id=17, part=2`, or its place in the chunk without one."""
    parts = []
    for key in plan.spec.key:
        bare = key[1:-1] if key[:1] in {'"', "`"} else key
        at = next((i for i, f in enumerate(plan.fields) if f.spec.read in {key, bare}), None)
        if at is None:
            at = next((i for i, f in enumerate(plan.fields) if f.spec.column == bare), None)
        raw = row[at] if at is not None else None
        if at is None or raw is None:
            return f"number {ordinal} of the chunk"
        try:
            value = plan.fields[at].convert(raw)
        except RefusedValueError:
            value = raw
        text = value.hex() if isinstance(value, bytes) else str(value)
        parts.append(f"{bare}={text if len(text) <= 80 else text[:80] + '...'}")
    return ", ".join(parts) or f"number {ordinal} of the chunk"
