"""Cut a MySQL table into chunks along an index, and write the SELECT that reads one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgelift.model.row_spec import RowSpec
from edgelift.sources.mysql.connection import MySqlSession, quote_name, quote_text
from edgelift.sources.mysql.types import quote, read_members
from edgelift.sources.origin_database import Chunk

_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year", "bit"})
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "vector"})
_FLOATS = frozenset({"float", "double"})


@dataclass(frozen=True)
class KeyColumn:
    """One column of a key: how it is compared, and how its value is read as a literal.

    `bound` is what stands left of the comparison, `hint` narrows an index where `bound` cannot.
    """

    name: str
    type: str
    members: tuple[str, ...] = ()

    @property
    def bound(self) -> str:
        """What compares as the index sorts: ENUM and SET by number, not by their letters."""
        return f"({self.name} + 0)" if self.type in {"enum", "set"} else self.name

    @property
    def read(self) -> str:
        """What to select so that `write` can make a literal of it."""
        if self.type in _TEXTS:
            return f"HEX(CONVERT({self.name} USING utf8mb4))"
        if self.type in _BYTES:
            return f"HEX({self.name})"
        if self.type in {"enum", "set", "bit"}:
            return f"({self.name} + 0)"
        if self.type in _FLOATS:
            return f"({self.name} * 1E0)"
        return f"CAST({self.name} AS CHAR)"

    def write(self, value: str) -> str:
        """Return the literal of a value that was read with `read`."""
        maker = _LITERALS.get(self.type)
        return maker(value) if maker else quote(value)


def _write_float(value: str) -> str:
    return value if "e" in value.lower() else f"{value}e0"


_LITERALS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys((*_INTEGERS, "enum", "set", "decimal"), str),
    # A literal with a character set takes the column's collation on; plain X'..' would not.
    **dict.fromkeys(_TEXTS, lambda value: f"_utf8mb4 X'{value}'"),
    **dict.fromkeys(_BYTES, lambda value: f"X'{value}'"),
    **dict.fromkeys(_FLOATS, _write_float),
}


@dataclass(frozen=True)
class KeyIndex:
    """The index that a table's chunks follow; no columns when it cannot be cut."""

    name: str = ""
    columns: tuple[KeyColumn, ...] = ()

    @property
    def single_integer(self) -> bool:
        """Whether chunks can be said in numbers."""
        return len(self.columns) == 1 and self.columns[0].type in _INTEGERS

    @property
    def order(self) -> str:
        """What to order by."""
        return ", ".join(column.name for column in self.columns)


_INDEX = """
SELECT s.INDEX_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, s.SUB_PART
FROM information_schema.STATISTICS s JOIN information_schema.COLUMNS c
  ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME
  AND c.COLUMN_NAME = s.COLUMN_NAME
WHERE s.TABLE_SCHEMA = {schema} AND s.TABLE_NAME = {table} AND s.NON_UNIQUE = 0
  AND s.INDEX_TYPE = 'BTREE'
ORDER BY s.INDEX_NAME <> 'PRIMARY', s.INDEX_NAME, s.SEQ_IN_INDEX
"""


def read_key_index(session: MySqlSession, spec: RowSpec) -> KeyIndex:
    """Return the unique index over the key's columns, in the key's order.

    It may go on behind them: with the end of a row's version, of which one is today's.
    """
    if not spec.key:
        return KeyIndex()
    sql = _INDEX.format(schema=quote_text(spec.schema), table=quote_text(spec.table))
    indexes: dict[str, list[KeyColumn]] = {}
    for name, column, kind, written, prefix in session.read_texts(sql):
        members = read_members(written or "") if kind in {"enum", "set"} else ()
        found = KeyColumn(quote_name(column or ""), kind or "", members)
        indexes.setdefault(name or "", []).append(found)
        if prefix:
            indexes[name or ""].append(KeyColumn("", "prefix"))
    size = len(spec.key)
    fits = [
        KeyIndex(name, tuple(columns[:size]))
        for name, columns in sorted(indexes.items(), key=lambda item: len(item[1]))
        if tuple(column.name for column in columns[:size]) == spec.key
        and columns[0].type != "set"  # no condition on numbers would use its index
    ]
    return fits[0] if fits else KeyIndex()


def build_select(spec: RowSpec, index: KeyIndex, where: str) -> str:
    """Return the SELECT of the fields of one chunk, in the order of the key."""
    fields = ", ".join(field.read for field in spec.fields if field.op != "refused")
    order = f" ORDER BY {index.order}" if index.columns else ""
    source = f"{build_from(spec, index)}{_where(spec.where, where)}"
    return f"SELECT SQL_NO_CACHE {fields} FROM {source}{order}"


def build_from(spec: RowSpec, index: KeyIndex) -> str:
    """Return the table, bound to the key's index: sorting it would fill the origin's disk."""
    forced = f" FORCE INDEX ({quote_name(index.name)})" if index.columns else ""
    return f"{quote_name(spec.schema)}.{quote_name(spec.table)}{forced}"


def _where(*conditions: str) -> str:
    given = [f"({condition})" for condition in conditions if condition]
    return f" WHERE {' AND '.join(given)}" if given else ""


class ChunkPlanner:
    """Steps along a key's index; the steps are values, so that gaps and skew never matter."""

    def __init__(self, session: MySqlSession, spec: RowSpec, index: KeyIndex) -> None:
        self._session = session
        self._spec = spec
        self._index = index

    def plan(self, rows_per_chunk: int) -> list[Chunk]:
        """Return chunks of that many rows; one of all rows where no key can cut the table."""
        chunks: list[Chunk] = []
        low: list[str] | None = None
        while self._index.columns:
            high = self._find_bound(low, rows_per_chunk)
            if high is None:
                break
            chunks.append(self._build(len(chunks), low, high, rows_per_chunk))
            low = high
        chunks.append(self._build(len(chunks), low, None, self._count_rest(low, rows_per_chunk)))
        return chunks

    def _find_bound(self, low: list[str] | None, rows: int) -> list[str] | None:
        """Return the key of the last row of a chunk that starts behind `low`, None at the end."""
        index = self._index
        keys = ", ".join(column.read for column in index.columns)
        where = _where(self._spec.where, write_above(index.columns, low))
        found = self._session.read_texts(
            f"SELECT {keys} FROM {build_from(self._spec, index)}{where} "
            f"ORDER BY {index.order} LIMIT {rows - 1}, 2"
        )
        # Two rows: a chunk ends here only if there is something behind it.
        return [value or "" for value in found[0]] if len(found) == 2 else None

    def _count_rest(self, low: list[str] | None, rows: int) -> int:
        where = _where(self._spec.where, write_above(self._index.columns, low))
        source = build_from(self._spec, self._index)
        if not self._index.columns:
            return int(self._session.read_value(f"SELECT COUNT(*) FROM {source}{where}"))
        sql = f"SELECT COUNT(*) FROM (SELECT 1 FROM {source}{where} LIMIT {rows}) AS rest"
        return int(self._session.read_value(sql))

    def _build(
        self, number: int, low: list[str] | None, high: list[str] | None, estimate: int
    ) -> Chunk:
        columns = self._index.columns
        if self._index.single_integer:
            first = int(low[0]) + 1 if low else None
            end = int(high[0]) + 1 if high else None
            name = columns[0].name
            parts = [f"{name} >= {first}" if low else "", f"{name} < {end}" if high else ""]
            where = " AND ".join(part for part in parts if part)
            return Chunk(index=number, where=where, estimate=estimate, low=first, high=end)
        parts = [write_above(columns, low), write_below(columns, high)]
        where = " AND ".join(f"({part})" for part in parts if part)
        return Chunk(index=number, where=where, estimate=estimate)


def write_above(columns: Sequence[KeyColumn], values: list[str] | None) -> str:
    """Return the condition for keys behind `values`; the server uses the index for it.

    A comparison of whole rows would be shorter, but MySQL scans the table for it.
    """
    return _write_bound(columns, values, ">")


def write_below(columns: Sequence[KeyColumn], values: list[str] | None) -> str:
    """Return the condition for keys up to and with `values`."""
    return _write_bound(columns, values, "<")


def _write_bound(columns: Sequence[KeyColumn], values: list[str] | None, sign: str) -> str:
    if values is None:
        return ""
    literals = [column.write(value) for column, value in zip(columns, values, strict=True)]
    last = len(columns) - 1
    branches = []
    for position, column in enumerate(columns):
        same = [f"{c.bound} = {v}" for c, v in zip(columns[:position], literals, strict=False)]
        final = f"{sign}=" if sign == "<" and position == last else sign
        branches.append(" AND ".join([*same, f"{column.bound} {final} {literals[position]}"]))
    first = columns[0]
    outer = f"{first.bound} {sign}= {literals[0]}"
    if last == 0:
        return _with_hint(first, values[0], sign, branches[0])
    joined = " OR ".join(f"({branch})" for branch in branches)
    return _with_hint(first, values[0], sign, f"{outer} AND ({joined})")


def _with_hint(column: KeyColumn, value: str, sign: str, condition: str) -> str:
    """Add what lets the server use the index although ENUM is compared by number."""
    if column.type != "enum" or not column.members:
        return condition
    number = int(value)
    kept = column.members[max(0, number - 1) :] if sign == ">" else column.members[:number]
    labels = ", ".join(map(quote_text, ("", *kept)))
    return f"{column.name} IN ({labels}) AND {condition}"
