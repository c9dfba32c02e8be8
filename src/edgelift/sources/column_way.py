"""How one column type travels, and the field that comes of it: what the servers' mappings share."""

from __future__ import annotations

from dataclasses import dataclass

from edgelift.model.origin_schema import OriginColumn, folds_case, folds_more
from edgelift.model.row_spec import FieldSpec


@dataclass(frozen=True)
class Way:
    """How one type travels; `expression` has `{}` where the column stands."""

    op: str
    argument: str = ""
    target: str = "TEXT"
    expression: str = "{}"
    loss: str = ""
    undo: str = ""
    may_be_null: bool = False

    def to_field(self, column: OriginColumn, name: str, read: str) -> FieldSpec:
        """Return the field of a column that is called `name` in the target; `read` selects it."""
        return FieldSpec(
            column=name,
            read=read,
            op=self.op,
            argument=self.argument,
            target_type=self.target,
            not_null=column.not_null and not self.may_be_null,
            loss=self.loss,
            undo=self.undo,
            origin=column.name,
            folds=folds_case(column.type) or folds_more(column.type),
        )
