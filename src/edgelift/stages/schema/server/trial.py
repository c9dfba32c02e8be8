"""Try the forms that the user chose on every value of their columns, before anything moves.

What the policy chooses is judged on facts that the server counts; a chosen form may refuse values
for reasons no fact tells: digits beyond a scale, a text that is no number, bytes that are no UTF-8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from edgelift.errors import OriginError, Transient
from edgelift.model.origin_schema import OriginSchema, OriginTable
from edgelift.model.row_spec import FieldSpec
from edgelift.rows.engine import hash_stream
from edgelift.sources.origin_database import Chunk, SnapshotReader
from edgelift.stages.schema.server.convert import Ways

Name = tuple[str, str]
_TAKE_ALL = frozenset({"blob", "keep", "decimal_text", "int_text", "refused"})


def try_casts(
    reader: SnapshotReader, origin: OriginSchema, ways: Ways, silent: Collection[Name]
) -> dict[tuple[str, str, str], str]:
    """Return why a column's chosen form refuses some value, by (schema, table, target's column).

    One value each; tables in `silent` are not asked. Raises what may pass by itself.
    """
    found = {}
    for table in origin.tables:
        name = (table.schema, table.name)
        if name in silent or name not in ways.specs:
            continue
        for field in _list_chosen(table, ways):
            why = _try_form(reader, table, field, ways)
            if why:
                found[*name, field.column] = why
    return found


def _list_chosen(table: OriginTable, ways: Ways) -> Iterator[FieldSpec]:
    fields = {f.column: f for f in ways.specs[table.schema, table.name].fields}
    for column in table.columns:
        cast = ways.choices.find_cast(table, column.name, column.type.name)
        field = fields.get(ways.choices.name_column(table, column.name))
        if cast is not None and field is not None and field.op not in _TAKE_ALL:
            yield field


def _try_form(reader: SnapshotReader, table: OriginTable, field: FieldSpec, ways: Ways) -> str:
    spec = ways.specs[table.schema, table.name]
    named = [f for f in spec.fields if f.read in spec.key and f.column != field.column]
    plain = [f for f in named if f.op != "refused"]
    tried = msgspec.structs.replace(spec, fields=(*plain, field))
    try:
        hash_stream(tried, reader.stream_chunk(tried, Chunk(index=0)))
    except OriginError as error:
        if isinstance(error, Transient):
            raise
        return error.why
    return ""
