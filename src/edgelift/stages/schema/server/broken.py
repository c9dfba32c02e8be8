"""Find rows that break a rule the target will keep, before the first byte moves.

A server's own rules hold for its rows unless they were made NOT VALID or switched off for a while
(MySQL's foreign_key_checks=0), or the target's form of a column tells fewer values apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgelift.errors import OriginError, Transient
from edgelift.model.origin_schema import IndexPart, OriginForeignKey, OriginSchema, OriginTable
from edgelift.model.row_spec import RowSpec
from edgelift.sources.origin_database import Capabilities, SnapshotReader, TableFacts
from edgelift.stages.schema.server.convert import Ways
from edgelift.stages.schema.server.forms import Forms
from edgelift.stages.schema.server.parts import Broken

Name = tuple[str, str]
_EXAMPLES = 3


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
        forms = Forms(table, spec, ways, capabilities, known)
        asker = _Asker(table, forms, ways, capabilities)
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
    forms: Forms
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
        """Yield the foreign keys whose rows may not find their parents here.

        The server may not have kept them all the time, or compares as SQLite does not.
        """
        for key in self.table.foreign_keys:
            parent = origin.read_table(key.target_schema, key.target_table)
            spec = self.ways.specs.get((key.target_schema, key.target_table))
            if parent is None or spec is None:
                continue
            forms = Forms(parent, spec, self.ways, self.capabilities)
            pairs = list(zip(key.columns, key.target_columns, strict=True))
            apart = any(not self.forms.agree(of, forms, to) for of, to in pairs)
            exact = [self.forms.compare(of, forms, to) for of, to in pairs]
            trusted = key.validated and self.capabilities.trusts_rules
            if apart or not trusted or any(exact):
                yield self._ask_key(key, [] if apart else exact, apart=apart)

    def _ask_key(self, key: OriginForeignKey, exact: list[str], *, apart: bool) -> _Question:
        """Return the question for rows without a parent; all have none where forms differ."""
        pairs = zip(key.columns, key.target_columns, strict=True)
        equal = [f"p.{self._quote(to)} = c.{self._quote(of)}" for of, to in pairs]
        same = " AND ".join([*equal, *filter(None, exact)])
        filled = " AND ".join(f"c.{self._quote(name)} IS NOT NULL" for name in key.columns)
        parent = self._quote(key.target_schema, key.target_table)
        source = f"{self._from} WHERE {filled}"
        if not apart:
            source += f" AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE {same})"
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
        """Yield the unique keys and indexes whose values here are told apart less finely."""
        for key in self.table.keys:
            found = [self.forms.make(name) for name in key.columns]
            if any(coarse for _, coarse in found):
                yield self._ask_unique(self._piece(key.name), [form for form, _ in found])
        for index in self.table.indexes:
            if index.unique and index.method.lower() in {"btree", "hash", ""}:
                found = [self._form_part(part) for part in index.parts]
                if any(coarse for _, coarse in found):
                    forms = [form for form, _ in found]
                    yield self._ask_unique(self._index(index.name), forms, index.where)

    def _form_part(self, part: IndexPart) -> tuple[str, bool]:
        if not part.column:
            return f"({part.expression})", False
        return self.forms.make(part.column, part.length)

    def _index(self, name: str) -> str:
        return f"{self.table.schema}.{self.table.name} {name}"

    def _ask_unique(self, piece: str, forms: list[str], where: str = "") -> _Question:
        listed = ", ".join(f"{form} AS v{number}" for number, form in enumerate(forms))
        shown = tuple(f"g.v{number}" for number in range(len(forms)))
        filled = " AND ".join(f"{form} IS NOT NULL" for form in forms)
        groups = ", ".join(str(number + 1) for number in range(len(forms)))
        condition = f"{filled} AND ({where})" if where else filled
        source = (
            f"FROM (SELECT {listed} {self._from} WHERE {condition} GROUP BY {groups} "
            "HAVING count(*) > 1) g"
        )
        return _Question(piece, "SCHEMA-UNIQUE-BROKEN", shown, source)
