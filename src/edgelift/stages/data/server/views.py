"""Compare the rows that views show on both sides: a converted query must mean what it did.

Bounded: views of more rows, and those that ask for the time or chance, are named, not compared.
Numbers are compared to nine significant digits, since servers add decimals where SQLite adds
doubles; the order of rows does not count.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable

from edgelift.errors import OriginError, Transient
from edgelift.model.findings import Check, Status
from edgelift.model.row_spec import RowSpec
from edgelift.model.target_schema import TargetSchema
from edgelift.rows.engine import read_rows
from edgelift.sources.origin_database import Chunk
from edgelift.sources.sqlite_catalogue import quote_identifier
from edgelift.stages.data.server.prove import Proof

MOST_ROWS = 20_000
_DIGITS = 9
_FLEETING = re.compile(r"'now'|\bCURRENT_|\bRANDOM|\bCHANGES\(", re.IGNORECASE)
_NUMBER_OPS = frozenset({"float", "decimal_real15", "decimal_text", "int", "bool", "money"})
Row = tuple[object, ...]


class _TooManyError(Exception):
    """A view shows more rows than are compared."""


def check_views(proof: Proof, schema: TargetSchema, accepted: Iterable[str]) -> Check | None:
    """Compare every converted view; None without any.

    A view that differs fails the check unless DATA-VIEW is accepted; both are said.
    """
    started = time.monotonic()
    queries = {s.name: s.sql for s in schema.after if s.kind == "view"}
    views = [spec for spec in proof.plan.views if spec.target in queries]
    if not views:
        return None
    rows, left, wrong = 0, [], []
    for done, spec in enumerate(views):
        proof.tell("views compared", done, len(views))
        if _FLEETING.search(queries[spec.target]):
            left.append(f"{spec.target}: not compared, it asks for the time or chance")
            continue
        try:
            found, differing = _compare(proof, spec)
        except _TooManyError:
            left.append(f"{spec.target}: not compared, it shows more than {MOST_ROWS} rows")
        except OriginError as error:
            if isinstance(error, Transient):
                raise
            left.append(f"{spec.target}: not compared, {error.what}")
        else:
            rows += found
            wrong += [f"{spec.target}: {differing}"] if differing else []
    passed = not wrong or "DATA-VIEW" in set(accepted)
    compared = len(views) - len(left)
    return proof.check(
        "views", f"Views of {proof.plan.database} show the origin's rows", started,
        status=Status.PASS if passed else Status.FAIL,
        evidence=f"{compared - len(wrong)} of {compared} views show the same {rows} rows, "
        f"{len(left)} not compared"
        + ("; leave a view out under [schema] exclude, or accept DATA-VIEW" if wrong else ""),
        detail=(*wrong, *left)[:20],
        counts={"views": len(views), "views_compared": compared, "views_differing": len(wrong),
                "rows": rows},
    )  # fmt: skip


def _compare(proof: Proof, spec: RowSpec) -> tuple[int, str]:
    """Return the rows of a view and, where the sides differ, an example of each."""
    numbers = [field.op in _NUMBER_OPS for field in spec.fields]
    origin = _count(read_rows(spec, proof.reader.stream_chunk(spec, Chunk(index=0))), numbers)
    columns = ", ".join(quote_identifier(field.column) for field in spec.fields)
    query = f"SELECT {columns} FROM main.{quote_identifier(spec.target)}"
    target = _count(proof.db.execute(query), numbers)
    if origin == target:
        return origin.total(), ""
    missing, extra = origin - target, target - origin
    return origin.total(), (
        f"{missing.total()} rows only at the origin ({_show(missing)}), {extra.total()} only here "
        f"({_show(extra)})"
    )


def _count(rows: Iterable[Row], numbers: list[bool]) -> Counter[Row]:
    counted: Counter[Row] = Counter()
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise _TooManyError
        counted[tuple(map(_to_plain, row, numbers))] += 1
    return counted


def _to_plain(value: object, is_number: bool) -> object:  # noqa: FBT001 - mapped over two lists
    if isinstance(value, str) and is_number:
        value = float(value)
    if isinstance(value, float):
        value = float(f"{value:.{_DIGITS}g}")
        return int(value) if value.is_integer() else value
    return value


def _show(rows: Counter[Row]) -> str:
    return repr(next(iter(rows)))[:160] if rows else "none"
