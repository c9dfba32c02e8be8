"""Upper and lower case beyond ASCII: SQLite's functions turn A to Z only, a server's all letters.

Which columns such an expression reads is found by their names, and the server counts their texts
beyond ASCII: where there are any, the loss is one of the data that moves, else of later data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from edgelift.model.origin_schema import OriginTable
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.sqlite_tokens import read_calls, tokenize
from edgelift.stages.schema.issues import ERROR, WARNING, Issue
from edgelift.stages.schema.server.parts import TableContext

RULE = "SCHEMA-FUNCTION-ASCII"
_NAMES = frozenset({"upper", "lower"})
_WRITTEN = re.compile(r"\b(upper|lower|ucase|lcase)\s*\(", re.IGNORECASE)


def list_folding(sql: str) -> list[str]:
    """Return the functions of SQLite's in a statement or expression that turn A to Z only."""
    called = {token.name.lower() for token, _arguments in read_calls(tokenize(sql))}
    return sorted(f"{name}()" for name in called & _NAMES)


def count_folded(spec: RowSpec, table: OriginTable) -> RowSpec:
    """Return the spec with the columns marked whose texts beyond ASCII are to be counted."""
    written = [index_part.expression for index in table.indexes for index_part in index.parts]
    written += [check.expression for check in table.checks]
    written += [column.generated for column in table.columns if column.generated]
    folding = [text for text in written if _WRITTEN.search(text)]
    if not folding:
        return spec
    fields = tuple(_mark(field, folding) for field in spec.fields)
    return msgspec.structs.replace(spec, fields=fields)


def _mark(field: FieldSpec, written: list[str]) -> FieldSpec:
    named = any(_names(text, field.origin or field.column) for text in written)
    return msgspec.structs.replace(field, folds=True) if named and field.op == "text" else field


def _names(text: str, column: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(column)}(?!\w)", text) is not None


def find_beyond(context: TableContext, written: str) -> str:
    """Return in words which columns of an expression hold texts beyond ASCII, '' for none."""
    return " and ".join(
        f"{column} holds {count} texts beyond ASCII"
        for column, count in context.beyond.items()
        if count and _names(written, column)
    )


def judge_folding(kind: str, name: str, sql: str, loss: str, beyond: str = "") -> Iterator[Issue]:
    """Yield what an object's statement loses by its functions; an error where data is concerned."""
    called = list_folding(sql)
    if called:
        yield Issue(
            RULE, ERROR if beyond else WARNING, kind, name,
            f"calls {' and '.join(called)}, which turn A to Z only here, other letters stay as "
            f"they are: {loss}" + (f"; {beyond}" if beyond else ""),
            "turn such texts in the app before they are written, and accept the rule",
        )  # fmt: skip
