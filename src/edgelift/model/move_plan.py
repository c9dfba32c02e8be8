"""What schema decided of a server database and data obeys: the document `move:<db>`."""

from __future__ import annotations

import msgspec

from edgelift.model.origin_schema import OriginSchema
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.model.vocabulary import Vocabulary

STAYS = "hyperdrive"  # the strategy of a database that stays on its server


class TableMove(msgspec.Struct, frozen=True, kw_only=True):
    """One table: `spec` names what is copied, `computed` what the target computes itself.

    `key` are the target's columns that name a row for people, `rowid_column` the one that is
    SQLite's rowid (empty for none); `counter` is the origin's `schema.table.column` behind an
    AUTOINCREMENT.
    `objects` are the columns whose values become files, as those values travel. Without `numbered`
    the target's table is WITHOUT ROWID.
    `rows` and `bytes` are what the data was when it was judged.
    """

    spec: RowSpec
    computed: tuple[FieldSpec, ...] = ()
    key: tuple[str, ...] = ()
    rowid_column: str = ""
    counter: str = ""
    objects: tuple[FieldSpec, ...] = ()
    numbered: bool = True
    rows: int = 0
    bytes: int = 0


class MovePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole database; `views` are those whose rows are compared on both sides.

    `shape` is the hash of the catalogue that was judged, see `hash_shape`. `finishing` are
    statements to run behind all rows.
    """

    database: str
    product: str
    dialect: str
    shape: str
    tables: tuple[TableMove, ...] = ()
    views: tuple[RowSpec, ...] = ()
    vocabulary: Vocabulary = Vocabulary()
    finishing: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Return the rows of all tables when they were judged."""
        return sum(table.rows for table in self.tables)


def hash_shape(schema: OriginSchema) -> str:
    """Return a hash of a catalogue without what changes while rows are written."""
    from edgelift.project import hash_inputs

    still = msgspec.structs.replace(
        schema,
        version="",
        tables=tuple(
            msgspec.structs.replace(t, row_estimate=0, size_bytes=0) for t in schema.tables
        ),
        sequences=tuple(msgspec.structs.replace(s, last=None) for s in schema.sequences),
    )
    return hash_inputs(still)
