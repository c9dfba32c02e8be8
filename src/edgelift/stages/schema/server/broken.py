"""Find rows that break a rule the target will keep, before the first byte moves.

A server's own rules hold for its rows unless they were made NOT VALID or switched off for a while
(MySQL's foreign_key_checks=0), or the target's form of a column tells fewer values apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgelift.errors import OriginError, Transient
from edgelift.model.origin_schema import OriginForeignKey, OriginKey, OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import Capabilities, SnapshotReader, TableFacts
from edgelift.stages.schema.server.convert import Ways
from edgelift.stages.schema.server.parts import Broken, is_text
from edgelift.stages.schema.server.tables import folds_case

Name = tuple[str, str]
_EXAMPLES = 3
_DIGITS = 15  # significant decimal digits that a double always keeps (DBL_DIG)


@dataclass(frozen=True)
class _Question:
    """What to ask about one piece of a table: the rows `where` it breaks, and what they show."""

    piece: str
    rule: str
    shown: tuple[str, ...]
    source: str


def find_broken(
    origin: OriginSchema,
    ways: Ways,
    facts: Mapping[Name, TableFacts],
    reader: SnapshotReader,
    capabilities: Capabilities,
) -> dict[str, Broken]:
    """Return what is broken by the piece's name at the origin; raises OriginError as reading does.

    Tables without facts are not asked.
    """
    found = {}
    for table in origin.tables:
        spec = ways.specs.get((table.schema, table.name))
        known = facts.get((table.schema, table.name))
        if spec is None or known is None or not known.rows:
            continue
        asker = _Asker(table, spec, known, ways, capabilities)
        for question in (*asker.ask_keys(origin), *asker.ask_checks(), *asker.ask_unique()):
            broken = _answer(reader, spec, question)
            if broken is not None:
                found[question.piece] = broken
    return found


def _answer(reader: SnapshotReader, spec: RowSpec, question: _Question) -> Broken | None:
    try:
        count = int(reader.read_lines(spec, f"SELECT count(*) {question.source}")[0][0] or 0)
        if not count:
            return None
        columns = ", ".join(question.shown)
        query = f"SELECT {columns} {question.source} LIMIT {_EXAMPLES}"
        rows = reader.read_lines(spec, query)
    except OriginError as error:
        if isinstance(error, Transient):
            raise
        return None  # an expression that fails on some row: data checks the rule afterwards
    examples = "; ".join(", ".join("NULL" if v is None else v[:60] for v in row) for row in rows)
    return Broken(question.rule, count, examples)


@dataclass(frozen=True)
class _Asker:
    """Makes the questions about one table."""

    table: OriginTable
    spec: RowSpec
    facts: TableFacts
    ways: Ways
    capabilities: Capabilities

    def _quote(self, *names: str) -> str:
        return ".".join(map(self.capabilities.quote, names))

    @property
    def _from(self) -> str:
        return f"FROM {self._quote(self.table.schema, self.table.name)} c"

    def _piece(self, name: str) -> str:
        return f"{self.table.schema}.{self.table.name}.{name}"

    def _names_of_rows(self) -> tuple[str, ...]:
        names = self.table.primary_key or tuple(c.name for c in self.table.columns[:3])
        return tuple(f"c.{self._quote(name)}" for name in names)

    def ask_keys(self, origin: OriginSchema) -> Iterator[_Question]:
        """Yield the foreign keys that the server did not keep all the time."""
        for key in self.table.foreign_keys:
            parent = origin.read_table(key.target_schema, key.target_table)
            moves = (key.target_schema, key.target_table) in self.ways.specs
            trusted = key.validated and self.capabilities.trusts_rules
            if parent is not None and moves and not trusted:
                yield self._ask_key(key)

    def _ask_key(self, key: OriginForeignKey) -> _Question:
        pairs = zip(key.columns, key.target_columns, strict=True)
        same = " AND ".join(f"p.{self._quote(to)} = c.{self._quote(of)}" for of, to in pairs)
        filled = " AND ".join(f"c.{self._quote(name)} IS NOT NULL" for name in key.columns)
        parent = self._quote(key.target_schema, key.target_table)
        source = (
            f"{self._from} WHERE {filled} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same})"
        )
        shown = tuple(f"c.{self._quote(name)}" for name in key.columns)
        return _Question(self._piece(key.name), "SCHEMA-FK-BROKEN", shown, source)

    def ask_checks(self) -> Iterator[_Question]:
        """Yield checks that the server did not keep, and MySQL's mark of an invalid ENUM."""
        shown = self._names_of_rows()
        for check in self.table.checks:
            if not (check.validated and self.capabilities.trusts_rules):
                source = f"{self._from} WHERE NOT ({check.expression})"
                yield _Question(self._piece(check.name), "SCHEMA-CHECK-BROKEN", shown, source)
        if self.capabilities.trusts_rules:
            return
        for column in self.table.columns:
            if column.type.kind == "enum" and "" not in column.type.members:
                target = self.ways.choices.name_column(self.table, column.name)
                source = f"{self._from} WHERE c.{self._quote(column.name)} = ''"
                yield _Question(
                    self._piece(f"{target} members"), "SCHEMA-CHECK-BROKEN", shown, source
                )

    def ask_unique(self) -> Iterator[_Question]:
        """Yield the unique keys with a column whose form here tells fewer values apart."""
        for key in self.table.keys:
            forms = [self._form(name) for name in key.columns]
            if all(forms) and any(coarse for _, coarse in forms):
                yield self._ask_unique(key, [form for form, _ in forms])

    def _form(self, name: str) -> tuple[str, bool]:
        """Return a column's values as unique keys will compare them, and whether that is new."""
        own = f"c.{self._quote(name)}"
        column = self.table.read_column(name)
        target = self.ways.choices.name_column(self.table, name)
        field = next((f for f in self.spec.fields if f.column == target), None)
        known = self.facts.columns.get(target)
        if field is None or column is None:
            return own, False
        real = self.capabilities.coarse.get("real", "")
        digits = known.digits if known else 0
        if real and (
            (field.op == "decimal_real15" and digits > _DIGITS)
            or (field.op == "float" and column.type.name in {"numeric", "decimal"})
        ):
            return real.format(own), True
        folded = self.capabilities.coarse.get("nocase", "")
        if folded and is_text(field) and folds_case(column.type):
            return folded.format(own), True
        return own, False

    def _ask_unique(self, key: OriginKey, forms: list[str]) -> _Question:
        listed = ", ".join(f"{form} AS v{number}" for number, form in enumerate(forms))
        shown = tuple(f"g.v{number}" for number in range(len(forms)))
        filled = " AND ".join(f"{form} IS NOT NULL" for form in forms)
        groups = ", ".join(str(number + 1) for number in range(len(forms)))
        source = (
            f"FROM (SELECT {listed} {self._from} WHERE {filled} GROUP BY {groups} "
            "HAVING count(*) > 1) g"
        )
        return _Question(self._piece(key.name), "SCHEMA-UNIQUE-BROKEN", shown, source)
