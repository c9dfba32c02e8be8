"""Judge a table's data and the way of its columns: losses, values that cannot travel, limits.

Everything here is decided on the facts that the origin itself counted, before the first byte moves.
"""

from __future__ import annotations

from collections.abc import Iterator

from edgelift.model.origin_schema import folds_case, folds_more
from edgelift.model.row_spec import FieldSpec
from edgelift.rows.ops import OPS, read_affinity, read_settings
from edgelift.sources.origin_database import ColumnFacts, TableFacts
from edgelift.stages.schema.issues import ERROR, NOTE, WARNING, Issue
from edgelift.stages.schema.server.parts import TableContext, is_text, write_toml
from edgelift.targets import d1_dialect as d1

_MOST = 2**63 - 1
_DIGITS = 15  # significant decimal digits that a double always keeps (DBL_DIG)


_OUTSIDE_DATES = "dates outside the years 1 to 9999, or days that no calendar has"
_OUTSIDE_TIMES = "times that are none of a day, 00:00:00 to 23:59:59.999999"
_OUTSIDE = {"time": _OUTSIDE_TIMES, "timetz": _OUTSIDE_TIMES}


def judge_way(context: TableContext, facts: TableFacts | None = None) -> Iterator[Issue]:
    """Yield what the way of each column gives up, whatever the data; but fractions, if none is."""
    for field in context.spec.fields:
        floors = field.op == "timestamp" and "fraction=floor" in field.argument.split()
        if floors and facts is not None and not facts.columns[field.column].fractions:
            continue
        if field.op == "refused":
            yield Issue(
                field.argument or "SCHEMA-TYPE", ERROR, "table", context.target,
                f"column {field.column} cannot travel: {field.loss}",
                "choose a form with [[schema.cast]], or accept the rule: it then stays behind",
                column=field.column, refuses=True,
            )  # fmt: skip
        elif field.loss and field.undo:
            yield Issue(
                "SCHEMA-TYPE-STATED", NOTE, "table", context.target,
                f"column {field.column}: {field.loss}; back: {field.undo}", column=field.column,
            )  # fmt: skip
        elif field.loss:
            yield Issue(
                "SCHEMA-TYPE-LOSS", NOTE if field.column in context.chosen else ERROR, "table",
                context.target, f"column {field.column}: {field.loss}",
                "choose another form with [[schema.cast]], or accept the rule", column=field.column,
            )  # fmt: skip


def judge_facts(context: TableContext, facts: TableFacts) -> Iterator[Issue]:
    """Yield what the data of a table breaks: limits, and values that its columns cannot carry."""
    for field in context.spec.fields:
        found = facts.columns.get(field.column)
        if found is not None and field.op != "refused":
            yield from _judge_column(context, field, found)
    if facts.row_bytes > d1.MAX_ROW_BYTES:
        yield _judge_row_size(context, facts)


def _judge_row_size(context: TableContext, facts: TableFacts) -> Issue:
    large = sorted(facts.columns.items(), key=lambda item: -item[1].max_bytes)[:3]
    named = ", ".join(f"{name} up to {found.max_bytes} bytes" for name, found in large)
    return Issue(
        "SCHEMA-ROW-SIZE", ERROR, "table", context.target,
        f"its largest row has {facts.row_bytes} bytes, Cloudflare takes {d1.MAX_ROW_BYTES}: "
        f"{named}",
        f"offload the large column to R2: {_write_cast(context, large[0][0] if large else '')}, "
        "as = 'offload'",
    )  # fmt: skip


def _judge_column(context: TableContext, field: FieldSpec, found: ColumnFacts) -> Iterator[Issue]:
    told = list(_judge_policies(context, field, found))
    yield from told
    if found.refused and not told:
        yield _refuse(
            context, field, "SCHEMA-VALUE-FORM",
            f"holds a value that its form has not: {found.refused}",
            "choose another form with [[schema.cast]], mend the value at the origin, or accept the "
            "rule: the column then stays behind",
        )  # fmt: skip
    yield from _judge_numbers(context, field, found)
    yield from _judge_text(context, field, found)


def _refuse(context: TableContext, field: FieldSpec, rule: str, why: str, tip: str) -> Issue:
    return Issue(
        rule, ERROR, "table", context.target, f"column {field.column} {why}", tip,
        column=field.column, refuses=True,
    )  # fmt: skip


def _cast_tip(context: TableContext, field: FieldSpec, *forms: str) -> str:
    listed = " or ".join(f"'{form}'" for form in forms)
    return f"{_write_cast(context, field.column)}, as = {listed}"


def _write_cast(context: TableContext, target: str) -> str:
    """Return the head of a cast in TOML: table and column under their names at the origin."""
    table = context.table
    alike = [t for t in context.schema.tables if t.name == table.name and t is not table]
    place = f"{table.schema}.{table.name}" if alike else table.name
    column = next((f.origin or f.column for f in context.spec.fields if f.column == target), target)
    return f"[[schema.cast]] table = {write_toml(place)}, column = {write_toml(column)}"


def _judge_policies(context: TableContext, field: FieldSpec, found: ColumnFacts) -> Iterator[Issue]:
    """Yield values that the column's op refuses, by the op's own settings."""
    settings = {s.name for s in OPS[field.op].settings}
    chosen = read_settings(field.op, field.argument)
    for name, count, what, rule in (
        ("nan", found.nans, "NaN", "SCHEMA-VALUE-NAN"),
        ("infinity", found.infinities, "infinite values", "SCHEMA-VALUE-INFINITE"),
        ("zero", found.zero_dates, "zero dates", "SCHEMA-VALUE-ZERO-DATE"),
        (
            "outside",
            found.outside_dates,
            _OUTSIDE.get(field.op, _OUTSIDE_DATES),
            "SCHEMA-VALUE-YEAR",
        ),
    ):
        if count and name in settings and chosen[name] == "refuse":
            yield _refuse(
                context, field, rule, f"holds {count} {what}, which its form here has not",
                _cast_tip(context, field, "null", "text"),
            )  # fmt: skip
    if found.infinities and field.op == "float" and chosen["infinity"] == "real":
        yield Issue(
            "SCHEMA-FLOAT-INFINITE", NOTE, "table", context.target,
            f"column {field.column} holds {found.infinities} infinite numbers; they are kept "
            "exactly and edgelift's driver reads them exactly, but JavaScript clients see "
            "null", column=field.column,
        )  # fmt: skip
    if found.months and field.op == "interval" and chosen["style"] != "iso":
        yield _refuse(
            context, field, "SCHEMA-INTERVAL-MONTHS",
            f"holds {found.months} intervals with months or years, which have no fixed length",
            _cast_tip(context, field, "text"),
        )  # fmt: skip
    if found.outside_dates and field.op == "interval" and chosen["style"] != "iso":
        yield _refuse(
            context, field, "SCHEMA-VALUE-YEAR",
            f"holds {found.outside_dates} intervals that, counted from 1970, lead outside the "
            "years 1 to 9999, or outside 64 bits of microseconds",
            _cast_tip(context, field, "text"),
        )  # fmt: skip


def _judge_numbers(context: TableContext, field: FieldSpec, found: ColumnFacts) -> Iterator[Issue]:
    bits = field.op == "bit" and read_settings("bit", field.argument)["style"] == "int"
    largest = max(found.max_int or 0, -1 - (found.min_int or 0))
    if (bits or field.op == "int") and largest > _MOST:
        yield _refuse(
            context, field, "SCHEMA-INTEGER-64",
            f"holds {found.max_int}; SQLite's integers end at {_MOST}",
            _cast_tip(context, field, "text"),
        )  # fmt: skip
    elif (
        read_affinity(field.target_type) in {"INTEGER", "NUMERIC"}
        and max(abs(found.max_int or 0), abs(found.min_int or 0)) > d1.MAX_EXACT_INTEGER
    ):
        yield Issue(
            "SCHEMA-INTEGER-RANGE", NOTE, "table", context.target,
            f"column {field.column} holds integers beyond 2^53; they are kept exactly and "
            "edgelift's driver reads them exactly, but JavaScript clients round them",
            column=field.column,
        )  # fmt: skip
    if field.op == "wkb":
        srid = int(read_settings("wkb", field.argument)["srid"])
        others = [n for n in (found.min_int, found.max_int) if n not in {srid, None}]
        if others:
            yield _refuse(
                context, field, "SCHEMA-VALUE-SRID",
                f"holds shapes of other SRIDs than {srid}, such as {others[0]}",
                _cast_tip(context, field, "blob", "text"),
            )  # fmt: skip
    if field.op in {"decimal_real15", "money"} and found.digits > _DIGITS:
        exact = "integer" if field.op == "money" else "scaled"
        yield Issue(
            "SCHEMA-DECIMAL-DIGITS", ERROR, "table", context.target,
            f"column {field.column} holds decimals of {found.digits} significant digits; SQLite's "
            f"REAL keeps {_DIGITS}",
            f"{_cast_tip(context, field, 'text', exact)}; or accept the rule: the nearest REAL "
            "is then kept", column=field.column,
        )  # fmt: skip


def _judge_text(context: TableContext, field: FieldSpec, found: ColumnFacts) -> Iterator[Issue]:
    if found.nul_texts:
        yield Issue(
            "SCHEMA-TEXT-NUL", WARNING, "table", context.target,
            f"column {field.column} holds {found.nul_texts} texts with a NUL; they are kept, but "
            "SQLite's text functions stop there", column=field.column,
        )  # fmt: skip
    if found.unmappable and is_text(field):
        yield _refuse(
            context, field, "SCHEMA-TEXT-UNMAPPABLE",
            f"holds {found.unmappable} texts with bytes that its character set gives no meaning "
            "to; the server sends a question mark for each", _cast_tip(context, field, "blob"),
        )  # fmt: skip
    column = next((c for c in context.table.columns if context.fields.get(c.name) is field), None)
    if column is None or not is_text(field) or not found.non_ascii:
        return
    if folds_case(column.type) or folds_more(column.type):
        regard = "case" if folds_case(column.type) else "accents"
        yield Issue(
            "SCHEMA-COLLATION-ASCII", ERROR, "table", context.target,
            f"column {field.column} compares without regard to {regard} "
            f"({column.type.collation or column.type.name}) and holds {found.non_ascii} texts "
            "beyond ASCII; NOCASE folds A to Z only, and no accents",
            "fold such texts in the app, and accept the rule", column=field.column,
        )  # fmt: skip
