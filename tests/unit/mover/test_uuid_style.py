"""Which form a moved database's UUIDs have is read from the way that they travelled."""

from __future__ import annotations

import pytest

from edgelift.model.move_plan import MovePlan, TableMove
from edgelift.model.row_spec import FieldSpec, RowSpec
from edgelift.sources.uuid_style import read_uuid_style


def plan(dialect: str, *fields: tuple[str, str]) -> MovePlan:
    listed = tuple(
        FieldSpec(column=f"c{n}", read=f"c{n}", op=op, argument=argument)
        for n, (op, argument) in enumerate(fields)
    )
    spec = RowSpec(schema="s", table="t", target="t", wire="pgcopy", fields=listed)
    return MovePlan(
        database="main", product="x", dialect=dialect, shape="", tables=(TableMove(spec=spec),)
    )


@pytest.mark.parametrize("style", ["text", "hex", "blob"])
@pytest.mark.parametrize("dialect", ["postgres", "mysql"])
def test_columns_tell_their_form(dialect: str, style: str) -> None:
    assert read_uuid_style(plan(dialect, ("int", ""), ("uuid", f"style={style}"))) == style


@pytest.mark.parametrize(("dialect", "style"), [("postgres", "text"), ("mysql", "hex")])
def test_without_such_columns_it_is_the_orm_s(dialect: str, style: str) -> None:
    assert read_uuid_style(plan(dialect, ("text", ""))) == style
